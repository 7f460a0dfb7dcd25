"""What decides stands first on the page of a task, what does not matter is folded, and nothing is said twice."""

from typing import Any

import pytest

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.tasks.form_changes import form_changes
from domain.tasks.task import TaskKind
from tests.inputs import Inputs
from tests.unit.pages.page_samples import FORM, NOON, page
from tests.verdicts import verdict
from texts.tasks.deciding import Claim, Comparison, DecidingFacts
from texts.view_lines import EligibilityLine
from web.links.status_page import LinkStatus, LinkStatusPage, render_status


def nothing(kind: EvidenceKind, **changes: Any) -> Evidence:
    known = {"kind": kind, "source": "account_register", "gathered_at": NOON}
    return Evidence.model_validate({**known, **changes})


@pytest.mark.parametrize("kind", [TaskKind.VP_REVIEW, TaskKind.COMMERCE_CHECK])
def test_what_was_not_found_is_one_line(kind: TaskKind) -> None:
    quiet = (EvidenceKind.ACCOUNTS, EvidenceKind.APPLICATIONS, EvidenceKind.PROJECTS)
    html = page(kind, evidence=(*map(nothing, quiet), nothing(EvidenceKind.CREDIT)))
    assert "未发现：与现有大客户的冲突、与其他申请的冲突、现已登记的项目" in html
    assert "没有资料（各来源均无记录，不等于没有问题）" in html  # N15: that is something else
    assert html.count('<article class="evidence"') == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"available": False},
        {"note": "已核对"},
        {"changed_since": NOON},
        {"more": 2},
        {"not_compared": ("甲",)},
    ],
)
def test_whatever_has_more_to_say_is_not_counted_among_what_was_not_found(changes: dict[str, Any]) -> None:
    assert nothing(EvidenceKind.ACCOUNTS).nothing_found
    assert not nothing(EvidenceKind.ACCOUNTS, **changes).nothing_found


def test_a_clerks_notes_are_folded_until_there_is_one() -> None:
    html = page(TaskKind.COMMERCE_CHECK, entered={"note_credit": "已核实"})
    assert html.count('<details class="aside note">') == len(EvidenceKind) - 1
    assert html.count('<details class="aside note" open>') == 1


def test_e1_once_one_way_is_met_the_others_are_folded_and_grey() -> None:
    def line(clause: str, passed: bool | None) -> EligibilityLine:
        return EligibilityLine(clause=clause, passed=passed)

    parts = (line("E1a", True), line("E1b", False), line("E1c", None))
    met = page(eligibility=(line("E1", True), *parts, line("E2", True)))
    folded = met[met.index('<details class="aside">') :]
    assert "其他未满足的条件（已满足一项，不影响）：E1b、E1c" in folded
    assert '<li class="failed">' not in met
    failed = page(eligibility=(line("E1", False), line("E1a", False), line("E1b", False), line("E1c", None)))
    assert failed.count('<li class="failed">') == 3
    assert "其他未满足" not in failed


def test_the_applicants_own_registrations_are_no_alarm() -> None:
    own = Finding(subject_type="project", subject_id="p-1", name="甲", verdict=verdict("same_name"))
    found = nothing(EvidenceKind.PROJECTS, findings=(own,))
    assert '<span class="tag good">申请人本人的</span>' in page(evidence=(found,), own_findings=("p-1",))
    assert '<span class="tag bad">同一</span>' in page(evidence=(found,))


@pytest.mark.parametrize("kind", [LinkStatus.ANSWERED, LinkStatus.WITHDRAWN])
def test_somebody_who_just_answered_too_late_reads_that_it_was_not_recorded(kind: LinkStatus) -> None:
    view = LinkStatusPage(path="/d/x", kind=kind, task_kind=TaskKind.VP_REVIEW, not_recorded="同意")
    assert "您的“同意”未被记录，无需再处理。" in render_status(view)
    assert "未被记录" not in render_status(view.model_copy(update={"not_recorded": ""}))


def test_what_decides_stands_under_the_question_before_everything_else() -> None:
    claim = Claim(subject_type="account", name="华东精密", salesperson_name="王芳", since=NOON)
    html = page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW, claims=(claim,)))
    question = html.index("是否同意将该客户作为大客户")
    assert question < html.index("冲突：已是王芳名下的大客户“华东精密”") < html.index("核查资料")


def test_n5_a_second_round_shows_what_was_changed_field_by_field() -> None:
    form = ApplicationForm.model_validate(FORM)
    before = form.model_copy(update={"resources": "两名驻场工程师", "products": ("私有云",)})
    compared = Comparison(last_round=1, changes=form_changes(before, form))
    html = page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW, compared=compared))
    card = html[html.index('id="changed"') : html.index('id="changed"') + 1500]
    assert "与第 1 轮相比" in card
    assert "两名驻场工程师" in card
    assert '<td data-label="现为" class="prose">运维</td>' in card
    assert 'id="changed"' not in page(deciding=DecidingFacts(kind=TaskKind.VP_REVIEW))


def test_n5_an_unchanged_form_is_asked_about_once() -> None:
    asked = page(TaskKind.SUPPLY_INFORMATION, unchanged=True)
    assert "您没有修改任何内容，仍要提交吗？" in asked
    assert Inputs(asked).values["unchanged"] == "yes"
    assert "仍要提交</button>" in asked
    assert "unchanged" not in Inputs(page(TaskKind.SUPPLY_INFORMATION)).values
