"""X4: every text for people is in Chinese and English, and nothing that needs words lacks them."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from api.accounts.models import ApplicationView
from api.models import CreditView
from api.problems import field_problems
from api.projects.models import ProjectView, WeighedView
from api.tasks.wording import field_label
from domain.accounts.application import CustomerKind, Industry, Stage
from domain.accounts.evidence import Correction, EvidenceKind
from domain.accounts.named_account import RULES, Obstacle, choices_for
from domain.disputes.dispute import Agreement, DisputeStage, MeetingCall, MeetingOutcome
from domain.disputes.split import Share
from domain.notices import PROJECT_NOTICES, Notice
from domain.organisation import Language, Role
from domain.projects.project import (
    Company,
    ContractReview,
    Loss,
    ProjectForm,
    ProjectStage,
    ProjectStatus,
    ProjectUpdate,
    Resumption,
    SalesStage,
    Track,
)
from domain.projects.rules import PROJECT_TASK_RULES, project_choices
from domain.projects.silence import Silence
from domain.refusals import RefusalCode
from domain.reports.report import TargetSource
from domain.reviews.periods import Rhythm
from domain.reviews.review import REVIEW_TASK_RULES, Proposal, ReviewStage, review_choices
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, Choice, TaskKind, TaskStatus
from matching.reasons import REASON_PARAMS, REASONS
from texts.catalogue import LANGUAGES, Plural, Texts, Words, catalogue, placeholders
from texts.mails.facts import MailFacts
from texts.mails.mail import render_mail

SHANGHAI = ZoneInfo("Asia/Shanghai")
NINE = datetime(2026, 12, 14, 1, 0, tzinfo=UTC)


def choices() -> Iterator[tuple[TaskKind, Choice]]:
    """Every choice anybody may be offered; some need something to choose from."""
    for kind in RULES:
        yield from ((kind, choice) for choice in choices_for(kind))
    yield from project_answers()
    yield from ((kind, choice) for kind in REVIEW_TASK_RULES for choice in review_choices(kind, ("a-1",)))


def project_answers() -> Iterator[tuple[TaskKind, Choice]]:
    for kind in PROJECT_TASK_RULES:
        yield from ((kind, choice) for choice in project_choices(kind, suspects=("p-1",)))


PROJECT_FORMS = (ProjectForm, ProjectUpdate, Loss, ContractReview, Resumption, Agreement, MeetingCall, MeetingOutcome)


def project_labels() -> set[str]:
    """Labels of all that is filled in for a project; a group has a title, and labels of its own."""
    names = {name for form in PROJECT_FORMS for name in form.model_fields}
    names |= {field.name for _, choice in project_answers() for field in choice.fields}
    groups = {"customer", "end_user", "channel", "split"}
    labels = {f"{name}._title" if name in groups else name for name in names}
    labels |= {f"{group}.{name}" for group in ("end_user", "channel") for name in Company.model_fields}
    labels |= {f"split.{name}" for name in Share.model_fields}
    labels |= {key.removeprefix("field.") for key in catalogue() if key.startswith("field.customer.")}
    return {f"field.project.{label}" for label in labels}


def review_words() -> set[str]:
    """Words for what is filled in for an account, and for what is said of it (R1–R4)."""
    rows = [field for kind in REVIEW_TASK_RULES for choice in review_choices(kind, ("a-1",)) for field in choice.fields]
    columns = [column for field in rows for column in field.columns]
    keys = {f"review_column.{spec.name}" for spec in (*rows, *columns)}
    keys |= {f"review_choice.{column.name}.{option}" for column in columns for option in column.options}
    keys |= {f"review_rhythm.{rhythm}" for rhythm in Rhythm} | {f"review_proposal.{proposal}" for proposal in Proposal}
    return keys | {f"review_figures.source.{source}" for source in TargetSource}


def test_x4_every_field_of_every_answer_is_called_something_in_both_languages() -> None:
    asked = [(SubjectType.APPLICATION, choice) for kind in RULES for choice in choices_for(kind, matches=("a-1",))]
    asked += [(SubjectType.PROJECT, choice) for _, choice in project_answers()]
    for subject, field in ((subject, field) for subject, choice in asked for field in choice.fields):
        for language in LANGUAGES:
            label = field_label(field, subject, Texts(language))
            assert label not in (field.name, field.name.replace("_", " ")), (subject, field.name, language)


def noted() -> tuple[set[str], set[str]]:
    """The events that activities note in the record, and the names of what they note with them (X1, N11)."""
    events, names = set[str](), set[str]()
    for path in sorted((Path(__file__).parents[3] / "activities").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "note":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    events.add(first.value)
                    names |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return events, names


def test_n11_x4_whatever_the_record_notes_has_words_for_those_who_read_the_dossier() -> None:
    events, names = noted()
    assert len(events) > 20
    assert not [event for event in sorted(events) if f"event.{event}" not in catalogue()]
    places = "dossier.section dossier.label evidence detail field field.forecast field.project project_page".split()
    assert not [name for name in sorted(names) if not any(f"{place}.{name}" in catalogue() for place in places)]


def test_n11_x4_what_views_hold_has_words_for_those_who_read_the_dossier() -> None:
    """The dossier shows applications and projects as the API answers them, part by part."""
    places = "dossier.section dossier.label evidence detail field field.forecast field.project project_page".split()
    held = {
        name
        for view in (ApplicationView, ProjectView, WeighedView, CreditView, Correction)
        for name in view.model_fields
    }
    spoken = {name for name in held if not name.endswith(("_label", "_text"))}
    assert not [name for name in sorted(spoken) if not any(f"{place}.{name}" in catalogue() for place in places)]


def needed() -> set[str]:
    """Keys that the domain's vocabulary asks for."""
    keys = {f"task.{kind}.{part}" for kind in TaskKind for part in ("title", "question")}
    for kind, choice in choices():
        keys |= {f"choice.{kind}.{choice.choice}", f"decided.{kind}.{choice.choice}"}
    for prefix, members in {
        "stage": Stage,
        "evidence": EvidenceKind,
        "role": Role,
        "capacity": AssigneeCapacity,
        "task_status": TaskStatus,
        "customer_kind": CustomerKind,
        "industry": Industry,
        "project_stage": ProjectStage,
        "what_next_project": ProjectStage,
        "project_status": ProjectStatus,
        "dispute_stage": DisputeStage,
        "sales_stage": SalesStage,
        "track": Track,
        "silence": Silence,
        "review_stage": ReviewStage,
        "detail_value": ProjectStatus,
        "what_next": Stage,
    }.items():
        keys |= {f"{prefix}.{member.value}" for member in members}
    keys |= {f"because.{reason}" for reason in REASONS}
    keys |= {f"end_reason.{obstacle}" for obstacle in Obstacle if obstacle is not Obstacle.ABOVE_LIMIT}
    keys |= {f"because.{reason}.masked" for reason, params in REASON_PARAMS.items() if params}
    mails = set(Notice)
    keys |= {f"mail.{kind}.{part}" for kind in mails for part in ("what", "intro", "button")}
    keys |= {f"page.reason_for.{kind}.{c.choice}" for kind, c in project_answers() if c.reason_required}
    keys |= {f"operators.silence_{silence}" for silence in Silence}
    keys |= project_labels() | review_words()
    keys |= {f"clause.{clause}" for clause in ("E1", "E1a", "E1b", "E1c", "E2", "E3", "E4")}
    return keys


# Thousands of keys are looked at by a few tests: each names every key that is wrong.


def test_a_reason_names_what_it_is_given_and_masked_nothing() -> None:
    """N3, X2."""
    each = [(reason, language) for reason in REASONS for language in LANGUAGES]
    named = {pair: placeholders(catalogue()[f"because.{pair[0]}"][pair[1]]) for pair in each}
    assert named == {pair: set(REASON_PARAMS[pair[0]]) for pair in each}
    masked = {pair: catalogue().get(f"because.{pair[0]}.masked", {}).get(pair[1], "") for pair in each}
    assert {pair: words for pair, words in masked.items() if placeholders(words)} == {}
    assert any(masked.values())


def test_everything_the_domain_names_has_words() -> None:
    """X4."""
    assert needed() - catalogue().keys() == set()


def written(words: Words) -> list[str]:
    """A text in each of its forms."""
    return list(words.forms.values()) if isinstance(words, Plural) else [words]


def test_both_languages_say_something() -> None:
    """X4."""
    said = {
        key: {language for language, words in entry.items() if all(form.strip() for form in written(words))}
        for key, entry in catalogue().items()
    }
    assert said == {key: set(LANGUAGES) for key in said}


def test_both_languages_have_the_same_placeholders() -> None:
    """X4."""
    both = {key: (placeholders(entry["zh"]), placeholders(entry["en"])) for key, entry in catalogue().items()}
    assert {key: (zh, en) for key, (zh, en) in both.items() if zh != en} == {}
    assert any(zh for zh, _ in both.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", PROJECT_NOTICES)
def test_every_notice_of_a_project_names_it_and_the_rule(notice: Notice, language: Language) -> None:
    """X4, P2, P3, P7, P8, D1, D2, U2, U3, U4, U7, U8: the mail can be written, says of which project and why."""
    mail = render_mail(
        MailFacts(
            kind=notice,
            language=language,
            subject_type=SubjectType.PROJECT,
            subject_id="p-1",
            number="P2026-00017",
            project_name="核心网扩容",
            customer_name="北方电信",
            applicant_name="李明",
            decided_by_name="王芳",
            until=NINE,
            days=15,
            yours=True,
        )
    )
    words = catalogue()[f"mail.{notice}.intro"][language]
    intro = words if isinstance(words, str) else words.forms["other"]
    assert "核心网扩容" in mail.subject
    assert "P2026-00017" in mail.subject
    assert mail.subject.endswith("P2026-00017")
    assert "“核心网扩容”" in mail.text
    assert re.search(r"[（(、 ][ANPDU][0-9]+", intro), "why: a rule id"
    assert (Texts(language).moment(NINE, SHANGHAI) in mail.text) is ("{until}" in intro)


@pytest.mark.parametrize("stage", ProjectStage)
def test_what_comes_next_needs_no_more_than_is_known_at_that_stage(stage: ProjectStage) -> None:
    """X4: a stage that waits for people names them; only a refusal has a date (P8), only an active project what is
    next by itself (U2 to U5)."""
    needs = placeholders(catalogue()[f"what_next_project.{stage}"]["zh"])
    alone = {ProjectStage.ROUTING: set(), ProjectStage.REFUSED: {"until"}, ProjectStage.ACTIVE: {"next"}}
    assert needs == (set() if stage.ended else alone.get(stage, {"people"}))


NONSENSE: tuple[object, ...] = (
    *(None, True, 1, 1.5, -1, 10**30, float("nan"), "", "x" * 20_000, "x\n", "\0", "\ud800", [], {}, [{}], {"x": 1}),
    *("2026-13-01", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T10:00:00Z", "NaN", "-1", "0.001", "1e999"),
    *(["a"] * 200, [{"person": "A", "percent": "0"}], [{"person": "a", "percent": "100.01"}]),
    *([{"person": "a", "percent": "99.99"}], [{"person": "a", "percent": "50"}] * 2, {"name": "", "uscc": "123"}),
)


@pytest.mark.parametrize("form", PROJECT_FORMS)
def test_whatever_is_wrong_in_a_form_of_a_project_is_said_in_words(form: type[BaseModel]) -> None:
    """X4, D3: never the general sentence, and never a placeholder without its value."""
    for field in form.model_fields:
        for value in NONSENSE:
            try:
                form.model_validate({field: value})
            except ValidationError as error:
                for problem in field_problems(error.errors(include_url=False)):
                    for language in LANGUAGES:
                        said = Texts(language).error(problem.key, problem.params)
                        assert said != Texts(language).text("error.invalid"), problem
                        assert "Decimal" not in said


@pytest.mark.parametrize("silence", Silence)
def test_operators_read_when_silence_has_its_consequence(silence: Silence) -> None:
    """U2, U3, U4."""
    said = Texts("en").text(f"operators.silence_{silence}", at="2026-12-14 09:00")
    assert "2026-12-14 09:00" in said
    assert silence.rule in said


ROOT = Path(__file__).resolve().parents[3]


def events_noted_in_code() -> Iterator[str]:
    """The first argument of every `note(...)`: an event of the timeline."""
    for folder in ("activities", "imports"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "note":
                    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                    yield from texts[:1]


def test_every_refusal_and_every_event_of_the_code_has_words() -> None:
    """X1, X4."""
    events = set(events_noted_in_code())
    assert "task_opened" in events
    assert {f"event.{event}" for event in events} - catalogue().keys() == set()
    assert {f"error.{code}" for code in RefusalCode} - catalogue().keys() == set()


def test_a_refusal_by_a_rule_of_the_regulation_cites_it() -> None:
    unsaid = {code for code in RefusalCode if code.rule and code.rule not in str(catalogue()[f"error.{code}"]["en"])}
    assert {code.rule for code in unsaid} <= {"X2", "X3"}, "only what the house promises everybody goes without"


REFUSING = ("Refused", "Refusal", "Unavailable", "forbidden", "_refuse")
"""What is called with a refusal code."""


def codes_written_out() -> Iterator[str]:
    """Refusals whose code is a bare string, with the place."""
    for path in sorted(ROOT.glob("[!.]*/**/*.py")):
        if path.relative_to(ROOT).parts[0] in ("tests", "imports"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in REFUSING:
                yield from (
                    f"{path.relative_to(ROOT)}:{node.lineno}: {argument.value}"
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                )


def test_every_refusal_is_a_member_of_the_one_list() -> None:
    assert list(codes_written_out()) == []
