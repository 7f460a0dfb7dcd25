"""X4: every text can be reached. The code names its key, or composes it from words that are enumerated here."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, get_args

from pydantic_core import core_schema

from api.accounts.acts import ApplicationAct
from api.disputes.acts import DisputeAct
from api.projects.acts import ProjectAct
from db.reads.inbox import InboxOrder
from domain.accounts.application import Stage
from domain.accounts.evidence import FACTS
from domain.accounts.named_account import Obstacle
from domain.conflicts.rulings import Ruling
from domain.conflicts.verdict import Level
from domain.disputes.dispute import Origin
from domain.documents.document import DocumentPart
from domain.notices import LinkedAct, Notice
from domain.projects.project import ProjectStage
from domain.projects.silence import Silence
from domain.reviews.periods import Rhythm
from domain.reviews.review import PlanProgress, Proposal
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, TaskKind
from domain.tasks.together import Alone
from tests.unit.texts.test_texts import needed
from texts import mails
from texts.catalogue import catalogue

ROOT: Final = Path(__file__).parents[3]
NOT_THE_PRODUCT: Final = frozenset({"tests", "docs", "deploy"})
CONFLICTS_GIVE: Final = ("fits_several", "learned_alias", "named_by_clerk", "one_hop", "protected")
"""Reasons that conflict detection gives beside those that a comparison of two names gives (REASONS)."""


def product_files(ending: str) -> Iterator[Path]:
    for path in sorted(ROOT.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in NOT_THE_PRODUCT:
            yield from sorted(path.rglob(f"*{ending}"))
        elif path.suffix == ending:
            yield path


def strings_in(tree: ast.AST) -> set[str]:
    """The string constants of some code, values of enums among them."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in product_files(".py"))


@cache
def constants() -> frozenset[str]:
    """Every string constant of the code, and every quoted word of a template."""
    found = set().union(*map(strings_in, trees()))
    for path in product_files(".j2"):
        found |= set(re.findall(r'"([A-Za-z0-9_.-]+)"', path.read_text(encoding="utf-8")))
    return frozenset(found)


@cache
def names() -> frozenset[str]:
    """What data is called: fields of models, keys of dictionaries, and what an event is noted with."""
    nodes = [node for tree in trees() for node in ast.walk(tree)]
    fields = {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return constants() | fields | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}


def called(call: ast.Call) -> str:
    """The name of the function or method that is called."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


@cache
def events() -> frozenset[str]:
    """The events that a step notes in the record or an import leaves there."""
    calls = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    notes = [call for call in calls if called(call) in ("note", "record", "_record")]
    noted = {word for call in notes for argument in call.args for word in strings_in(argument)}
    return frozenset(noted | {"document_attached", "task_missed", "task_withdrawn"})


def words_of_mails() -> set[str]:
    return set().union(
        *(strings_in(ast.parse(path.read_text(encoding="utf-8"))) for path in Path(mails.__path__[0]).glob("*.py"))
    )


def errors() -> set[str]:
    """Refusals by their code, and what pydantic finds wrong with a field."""
    return {*constants(), *get_args(core_schema.ErrorType)}


def acts() -> set[str]:
    """What people do with a subject."""
    of_project = {f"project_{act}" for act in ProjectAct} | {"project_contract_receipt"}
    of_application = {f"application_{act}" for act in ApplicationAct}
    return {"kindly"} | of_project | of_application | {f"dispute_{act.replace('-', '_')}" for act in DisputeAct}


@cache
def families() -> dict[str, Iterable[str]]:
    """Keys that the code composes, with the words that stand in the gap: those of an enum, or of the code itself."""
    return {
        **{f"act.{{}}.{part}": acts() for part in ("title", "help", "button", "done")},
        "act_closed.{}": errors(),
        "account_value.{}": ("active", "revoked"),
        "because.{}": CONFLICTS_GIVE,
        "because.{}.masked": CONFLICTS_GIVE,
        "channel.{}": ("api", "console", "mail"),
        "check.field.{}": constants(),
        "check.notice.{}": Level,
        "choice.supply_information.{}": ("project_supply",),
        "command.{}": constants(),
        "command.part.{}": constants(),
        "command.reassign.{}": constants(),
        "command.register.{}": constants(),
        "demo.{}": constants(),
        "demo.{}.title": constants(),
        "demo.decides.{}": constants(),
        "demo.life.{}": constants(),
        "demo.life.ahead.{}": Silence,
        "demo.page_{}": ("approve", "pass", "reject"),
        "demo.portal_{}": ("approve",),
        "detail.{}": names(),
        "detail_value.{}": ("no", "yes"),
        "dispute_origin.{}": Origin,
        "dossier.{}": ("note", "note_without_evidence", "project_note"),
        "document_part.{}": DocumentPart,
        "dossier.gathered.{}": ("found", "nothing", "unavailable"),
        "dossier.label.{}": names(),
        "dossier.section.{}": names(),
        "eligibility.e2.arrears.{}": constants(),
        "eligibility.e2.lawsuit.{}": constants(),
        "eligibility.e2.legal-person.{}": ("failed",),
        "error.{}": errors(),
        **{f"evidence_line.said.{fact}.{{}}": ("no", "yes") for fact in FACTS.values()},
        "event.{}": events(),
        "fault.{}": constants(),
        "field.{}": names(),
        "field.{}_source": FACTS.values(),
        "field.account_plan.{}": names(),
        "field.customer.{}": names(),
        "field.customer.contacts.{}": names(),
        "field.customer.related_parties.{}": names(),
        "field.project.{}": names(),
        "finding.{}": (*SubjectType, "account", "earlier_project", "register"),
        "late.why.application.{}": Stage,
        "late.why.project.{}": (*ProjectStage, "calling_meeting"),
        "level.{}": Level,
        "inbox.order.{}": InboxOrder,
        "mail.act.{}": LinkedAct,
        "mail.label.{}": words_of_mails(),
        "mail.page_of.{}": ("application", "project", "review"),
        "mail.wanted.{}": (*TaskKind, "task"),
        "mail.{}.intro_told": Notice,
        "mail.{}.intro_final": (Notice.REJECTED,),
        "mail.{}.intro_final_told": (Notice.REJECTED,),
        "task.supply_information.project_{}": ("question", "title"),
        "mail.label.by.{}": Notice,
        "mistake.{}": errors(),
        "number_check.{}": (*ProjectStage, "allowed", "not_in_force"),
        "operators.kind.{}": SubjectType,
        "operators.{}": ("lapse", "refresh", "remind", "stand_in", "warn"),
        "page.asked_{}": AssigneeCapacity,
        "page.asked_for.{}": TaskKind,
        "page.decide_for.{}": TaskKind,
        "page.{}_title": ("accepted", "already", "refused"),
        "project_customer_kind.{}": ("core_channel", "customer"),
        "report.change.{}": constants(),
        "report.chart.{}": ("accounts", "forecast"),
        "report.column.{}": constants(),
        "report.headline.{}": constants(),
        "report.proposal.{}": Proposal,
        "report.section.{}": constants(),
        "report.standing.{}": constants(),
        "report.table.{}": constants(),
        "report.title.{}": ("forecast", "weekly_digest"),
        "report.title.accounts.{}": Rhythm,
        "review_choice.plan_progress.{}": PlanProgress,
        "review_figures.{}": constants(),
        "review_help.{}": names(),
        "review_help.{}_kept": ("target_contracts", "target_revenue"),
        "review_proposal.{}": constants(),
        "rule_on.{}": (*Ruling, "reason", "ruling"),
        "ruling.{}": Ruling,
        "silence_ahead.{}": Silence,
        "together.alone.{}": (*Alone, "closed"),
        "source.{}_register": ("account", "application", "background", "project"),
        "what_next.refused_{}": Obstacle,
        "what_next_project.{}": ("active_contract_review",),
        "what_next_review.{}": ("answered", "missed"),
        "calm.{}.text": constants(),
        "calm.{}.title": constants(),
        "calm.superseded.project_{}": ("text", "title"),
        "calm.withdrawn.{}_text": (SubjectType.PROJECT, SubjectType.REVIEW),
    }


def members(family: str) -> set[str]:
    return {family.format(word) for word in families()[family]}


def reached() -> set[str]:
    return needed() | constants() | set().union(*map(members, families()))


def test_x4_every_text_can_be_reached() -> None:
    """A text that nothing shows any more goes."""
    assert catalogue().keys() - reached() == set()


def test_x4_every_family_of_texts_has_members() -> None:
    """A family whose last text went goes with it."""
    assert [family for family in families() if not members(family) & catalogue().keys()] == []


def test_a_text_that_nothing_names_is_found() -> None:
    assert not {"mail.label.nowhere_named", "event.nothing_notes_this", "page.no_page_of_this_name"} & reached()
