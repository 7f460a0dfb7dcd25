"""Contract, loss and successors of an active project, as steps on the record (U7, U8, A6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from activities.steps import CorrectContractStep
from activities.tasks.context import IllegalTransition
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.reports import reports
from domain.disputes.dispute import Claimant, DisputeStage, Origin
from domain.notices import Notice
from domain.projects.project import ContractCorrection, ProjectStage
from domain.projects.silence import Silence
from domain.statements import (
    AnswerTask,
    CorrectContract,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import (
    CLERK,
    COMMERCE,
    EAST_GM,
    EAST_VP,
    EAST_VPS_DELEGATE,
    FAN,
    JING,
    LEI,
    NORTH_GM,
    NORTH_VP,
    OTHER_CLERK,
    PRODUCTS,
    TAO,
)
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.projects.steps.test_project_life_steps import DAY, THREE_MONTHS, WEEKLY
from tests.integration.tasks.race_ground import NOW
from tests.samples import project_form
from workflows.messages import correction_workflow_id

CONTRACT = {"amount": "2500000.00", "contract_number": "HT-2027-031", "received_on": "2026-12-01"}


# ---- U7, U8, A6: the end -------------------------------------------------------------------------------------------


async def test_u7_a_contract_that_commerce_received_on_paper_ends_it_with_its_amount(ground: ProjectGround) -> None:
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    for person in (LEI, NORTH_VP, NORTH_GM, PRODUCTS[0]):
        assert (await mine.say(ReceiveContract, person, contract=CONTRACT)).code == "not_commerce_or_salesperson"
    assert (await mine.say(ReceiveContract, CLERK)).code == "unreadable"
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.CONTRACT_SIGNED)
    said = mine.says(ReceiveContract, CLERK, contract={"amount": "0.00", "received_on": "2026-12-02"})
    assert not (await mine.hears(said)).accepted
    assert {(problem["field"], problem["rule"]) for problem in (await mine.receipt(said))["problems"]} == {
        ("amount", "U7"),
        ("contract_number", "U7"),
        ("received_on", "U7"),
    }
    heard = await mine.say(ReceiveContract, CLERK, contract=CONTRACT)
    assert (heard.accepted, heard.asks_commerce) == (True, False)
    # Whatever comes between that and the move is too late.
    assert (await mine.say(ReportLoss, FAN, loss={"reason": "丢了"})).code == "project_not_active"
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.ENDED)
    await mine.moves(ProjectStage.CONTRACT_SIGNED, notices=[Notice.CONTRACT_SIGNED])
    row = await mine.row()
    assert row.contract == {**CONTRACT, "signed_on": None, "by": CLERK, "at": NOW.isoformat()}
    assert row.stage.status == "contract_signed"
    assert await mine.told("contract_signed") == sorted([FAN, NORTH_GM, COMMERCE])
    assert not await mine.live()


async def test_u7_a_salesperson_alone_signs_nothing(ground: ProjectGround) -> None:
    """U7: what they hand in is a task for commerce; number, amount and dates are those that commerce records."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    assert (await mine.say(ReceiveContract, FAN, contract={"amount": "0"})).code == "greater_than"
    mine.now += 10 * DAY
    heard = await mine.say(ReceiveContract, FAN, contract={"amount": "9900000.00"})
    assert (heard.accepted, heard.asks_commerce) == (True, True)
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.CONTRACT_SIGNED)
    moved = await mine.moves(ProjectStage.ACTIVE, (TaskKind.CONTRACT_REVIEW, ""))
    assert (moved.ahead, mine.asked()) == ((), [CLERK, OTHER_CLERK])
    with pytest.raises(IllegalTransition):  # asked once
        await mine.moves(ProjectStage.ACTIVE, (TaskKind.CONTRACT_REVIEW, ""))
    task = await mine.task()
    assert task.note is not None
    handed_in = {"contract_number": "", "amount": "9900000.00", "by": FAN}
    assert handed_in.items() <= task.note["contract_application"].items()  # type: ignore[union-attr]
    asking = await mine.mail("task", OTHER_CLERK)
    assert asking["facts"] == [{"label_key": "contract_label.amount", "value": "9900000.00", "money": True}]
    row = await mine.row()
    assert (row.stage, row.contract, row.stage_since) == (ProjectStage.ACTIVE, None, NOW)
    assert (await mine.say(ReceiveContract, FAN, contract=CONTRACT)).code == "contract_review_open"
    assert (await mine.say(UpdateProject, FAN, update=WEEKLY)).ahead == ()
    right = {"number": "HT-2027-031", "amount": "2500000.00"}
    for wrong, fields in (
        ({"amount": "0.00"}, {"fields.amount"}),
        ({"received_on": "2026-12-12"}, {"fields.received_on"}),
        ({"signed_on": "2026-12-11", "received_on": "2026-12-10"}, {"fields.signed_on"}),
        ({"number": " "}, {"fields.number"}),
    ):
        said = mine.says(AnswerTask, CLERK, task_id=task.id, choice=AnswerChoice.RECEIVED, fields={**right, **wrong})
        assert not (await mine.hears(said)).accepted
        assert {problem["field"] for problem in (await mine.receipt(said))["problems"]} == fields
    assert (await mine.answers(FAN, AnswerChoice.RECEIVED, **right)).code == "own_application"
    assert (await mine.answers(CLERK, AnswerChoice.RECEIVED, **right, signed_on="2026-12-09")).accepted
    await mine.moves(ProjectStage.CONTRACT_SIGNED, notices=[Notice.CONTRACT_SIGNED])
    contract = (await mine.row()).contract
    assert contract is not None
    assert contract == {
        **{"contract_number": "HT-2027-031", "amount": "2500000.00"},
        **{"signed_on": "2026-12-09", "received_on": "2026-12-11", "by": CLERK, "at": mine.now.isoformat()},
    }
    told = {line["label_key"]: line["value"] for line in (await mine.mail("contract_signed", NORTH_GM))["facts"]}
    assert told["contract_label.amount"] == "2500000.00"
    assert told["contract_label.contract_number"] == "HT-2027-031"


async def test_u7_sent_back_the_salesperson_learns_why_and_the_clocks_begin_anew(ground: ProjectGround) -> None:
    """U7, U2–U5: nothing is due while commerce has it, however long that takes."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    assert (await mine.say(ReceiveContract, FAN, contract=CONTRACT)).accepted
    await mine.moves(ProjectStage.ACTIVE, (TaskKind.CONTRACT_REVIEW, ""))
    mine.now = THREE_MONTHS + 30 * DAY
    for silence in Silence:
        with pytest.raises(IllegalTransition):
            await mine.reminds(silence)
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.SHELVED)
    assert (await mine.answers(CLERK, AnswerChoice.SEND_BACK)).code == "reason_required"
    assert (await mine.answers(CLERK, AnswerChoice.SEND_BACK, "缺少签字页")).accepted
    moved = await mine.moves(ProjectStage.ACTIVE, notices=[Notice.CONTRACT_SENT_BACK])
    assert moved.updated_at == mine.now
    assert moved.ahead is not None
    assert [due.silence for due in moved.ahead] == list(Silence)
    assert moved.ahead[0].at == mine.now + 14 * DAY
    assert await mine.told("contract_sent_back") == [FAN]
    told = await mine.mail("contract_sent_back", FAN)
    assert (told["reason"], told["decided_by_name"]) == ("缺少签字页", "高媛")
    row = await mine.row()
    assert row.contract_application is not None
    assert row.contract_application["sent_back"]["reason"] == "缺少签字页"
    assert (row.stage, row.contract) == (ProjectStage.ACTIVE, None)
    assert (await mine.say(ReceiveContract, FAN, contract=CONTRACT)).asks_commerce
    await mine.moves(ProjectStage.ACTIVE, (TaskKind.CONTRACT_REVIEW, ""))
    shown = (await mine.task()).note
    assert shown is not None
    application = shown["contract_application"]
    assert isinstance(application, dict)
    assert application.keys() == {*CONTRACT, "signed_on", "by", "at"}


async def test_u7_u8_a_loss_while_commerce_has_the_contract_closes_its_task(ground: ProjectGround) -> None:
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    assert (await mine.say(ReceiveContract, FAN, contract=CONTRACT)).accepted
    await mine.moves(ProjectStage.ACTIVE, (TaskKind.CONTRACT_REVIEW, ""))
    asked = mine.tasks
    assert (await mine.say(ReportLoss, FAN, loss={"reason": "客户取消"})).accepted
    late = await mine.answers(CLERK, AnswerChoice.RECEIVED, number="1", amount="1.00")
    assert late.code == "project_not_active"
    await mine.moves(ProjectStage.ENDED, notices=[Notice.LOST])
    assert await mine.told("task_withdrawn") == sorted([CLERK, OTHER_CLERK])
    mine.tasks = asked
    assert (await mine.answers(CLERK, AnswerChoice.RECEIVED, number="1", amount="1.00")).code == "task_withdrawn"
    row = await mine.row()
    assert (row.stage, row.contract) == (ProjectStage.ENDED, None)


async def test_u7_commerce_corrects_an_amount_with_a_reason_and_the_corrected_one_counts(
    ground: ProjectGround,
) -> None:
    """U7, R2–R4: both figures stay, whoever was told is told again, and reports count the new one."""
    await ground.holds("acc", FAN, "云岭精工")
    mine = await ground.registered("p1", FAN, project_form("云岭精工"))
    await mine.routes()
    await mine.asks_vp()
    await mine.is_approved()
    early = await corrects(mine, CLERK, "1", "2600000.00")
    assert early["code"] == "contract_not_signed"
    assert (await mine.say(ReceiveContract, CLERK, contract=CONTRACT)).accepted
    await mine.moves(ProjectStage.CONTRACT_SIGNED)
    for person, code in ((FAN, "not_commerce"), (NORTH_VP, "not_commerce"), ("nobody", "not_commerce")):
        assert (await corrects(mine, person, f"by-{person}", "2600000.00"))["code"] == code
    wrong = await corrects(mine, CLERK, "2", "2500000")
    assert [(problem["field"], problem["key"]) for problem in wrong["problems"]] == [("amount", "same_amount")]
    assert [problem["key"] for problem in (await corrects(mine, CLERK, "3", "0"))["problems"]] == ["greater_than"]
    assert (await mine.row()).contract == {**CONTRACT, "signed_on": None, "by": CLERK, "at": NOW.isoformat()}
    mine.now += DAY
    assert (await corrects(mine, OTHER_CLERK, "4", "2600000.00", "录入时少一位"))["status"] == "accepted"
    contract = (await mine.row()).contract
    assert contract is not None
    assert (contract["amount"], contract["by"]) == ("2600000.00", CLERK)
    assert contract["corrections"] == [
        {
            **{"amount_before": "2500000.00", "amount": "2600000.00", "reason": "录入时少一位"},
            **{"by": OTHER_CLERK, "at": mine.now.isoformat()},
        }
    ]
    assert await mine.told("contract_corrected") == sorted([FAN, NORTH_GM, COMMERCE])
    told = await mine.mail("contract_corrected", FAN)
    rows = {line["label_key"]: line["value"] for line in told["facts"]}
    assert (rows["contract_label.amount"], rows["contract_label.amount_before"]) == ("2600000.00", "2500000.00")
    assert told["reason"] == "录入时少一位"
    day = NOW.date()
    async with ground.engine.connect() as connection:
        contracts = await reports.contracts_under(connection, ["acc"], day, day, "Asia/Shanghai")
    assert [signed.amount for signed in contracts["acc"]] == [Decimal("2600000.00")]


async def test_u7_a_correction_sent_by_hand_changes_nothing(ground: ProjectGround) -> None:
    """X1, design principle 3: no seal, a seal of something else, or no statement at all."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    await mine.say(ReceiveContract, CLERK, contract=CONTRACT)
    await mine.moves(ProjectStage.CONTRACT_SIGNED)
    before = await ground.everything()
    right = mine.says(
        CorrectContract,
        CLERK,
        workflow_id=correction_workflow_id("x"),
        project_id="p1",
        correction={"amount": "1.00", "reason": "x"},
    )
    dearer = ContractCorrection(amount=Decimal("2.00"), reason="x")
    for forged in (
        CorrectContract(),
        right.model_copy(update={"seal": ""}),
        right.model_copy(update={"correction": dearer}),
        right.model_copy(update={"person": COMMERCE}),
    ):
        step = CorrectContractStep(key=forged.fingerprint, now=NOW, statement=forged)
        corrected = await ground.run(ground.project_steps.correct_contract, step, correction_workflow_id("x"))
        assert not corrected.accepted
    elsewhere = CorrectContractStep(key="elsewhere", now=NOW, statement=right)
    assert not (await ground.run(ground.project_steps.correct_contract, elsewhere, "correction-y")).accepted
    assert await ground.everything() == before


async def corrects(mine: Registration, person: str, which: str, amount: str, reason: str = "x") -> dict[str, Any]:
    """The receipt of a correction, made by a process of its own; done twice, which is doing it once (X3)."""
    workflow_id = correction_workflow_id(which)
    correction = {"amount": amount, "reason": reason}
    said = mine.says(CorrectContract, person, workflow_id=workflow_id, project_id=mine.id, correction=correction)
    step = CorrectContractStep(key="correct", now=mine.now, statement=said)
    for _ in range(2):
        await mine.ground.run(mine.ground.project_steps.correct_contract, step, workflow_id)
    return await mine.receipt(said)


async def test_d3_u7_whoever_has_a_share_in_a_contract_is_told_what_it_brings_them(ground: ProjectGround) -> None:
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    shares = [{"person": FAN, "percent": "66.67"}, {"person": JING, "percent": "33.33"}]
    async with ground.engine.begin() as connection:
        await projects.change(connection, "p1", agreement={"how": "agreed", "split": shares})
    assert (await mine.say(ReceiveContract, CLERK, contract={**CONTRACT, "amount": "100.01"})).accepted
    await mine.moves(ProjectStage.CONTRACT_SIGNED, notices=[Notice.CONTRACT_SIGNED])
    assert await mine.told("contract_signed") == sorted([FAN, JING, NORTH_GM, EAST_GM, COMMERCE])
    query = "SELECT facts FROM mail WHERE person = :p AND facts->>'kind' = 'contract_signed'"
    ((facts,),) = await ground.rows(query, p=JING)
    assert "杨帆 66.67% ¥66.68 · 徐静 33.33% ¥33.33" in str(facts["facts"])


async def test_u8_a_loss_is_told_to_the_gms_concerned_and_the_product_managers(ground: ProjectGround) -> None:
    """U8: with its essentials, the reason and the competitor, and to nobody else."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.ENDED)
    assert (await mine.say(ReportLoss, FAN)).code == "unreadable"
    assert (await mine.say(ReportLoss, FAN, loss={"reason": "价格过高", "competitor": "神州数码"})).accepted
    await mine.moves(ProjectStage.ENDED, notices=[Notice.LOST])
    assert await mine.told("lost") == sorted([NORTH_GM, *PRODUCTS])
    for person in (NORTH_GM, *PRODUCTS):
        told = await mine.mail("lost", person)
        shown = {line["label_key"]: line["value"] for line in told["essentials"]}
        assert (shown["field.project.amount"], shown["field.project.vendor"]) == ("2680000.00", "华为")
        assert (told["reason"], told["customer_name"], told["decided_by_name"]) == ("价格过高", "云岭精工", "杨帆")
        assert told["facts"] == [{"label_key": "field.project.competitor", "value": "神州数码"}]
        assert told["project_number"] == "P2026-00001"
    row = await mine.row()
    assert row.loss == {"reason": "价格过高", "competitor": "神州数码", "by": FAN, "at": NOW.isoformat()}


async def test_u8_a_loss_is_told_to_the_gm_of_the_other_side_of_its_dispute(ground: ProjectGround) -> None:
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    sides = [
        {"person": person, "subject_type": "project", "subject_id": person, "since": NOW.isoformat()}
        for person in (FAN, JING)
    ]
    async with ground.engine.begin() as connection:
        await disputes.add(
            connection,
            DisputeRow(
                id="p1-1",
                workflow_id="dispute-p1-1",
                project_id="p1",
                origin=Origin.OTHER_ACCOUNT,
                stage=DisputeStage.AGREED,
                round=1,
                claimants=tuple(Claimant.model_validate(side) for side in sides),
                opened_at=NOW,
                stage_since=NOW,
            ),
        )
    assert (await mine.say(ReportLoss, FAN, loss={"reason": "价格过高"})).accepted
    await mine.moves(ProjectStage.ENDED, notices=[Notice.LOST])
    assert await mine.told("lost") == sorted([NORTH_GM, EAST_GM, *PRODUCTS])
    assert (await mine.mail("lost", EAST_GM))["facts"] == [
        {"label_key": "field.project.competitor", "value": "project_page.competitor_not_named", "words": True}
    ]


@pytest.mark.parametrize("end", ["lost", "signed", "shelved"])
async def test_a6_with_the_project_its_salespersons_assignment_ends(ground: ProjectGround, end: str) -> None:
    """A6, P10: nothing they say changes it any more, it is nobody's to do, and its customer is free for all."""
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    if end == "lost":
        await mine.say(ReportLoss, FAN, loss={"reason": "价格过高"})
        await mine.moves(ProjectStage.ENDED)
    elif end == "signed":
        await mine.say(ReceiveContract, CLERK, contract=CONTRACT)
        await mine.moves(ProjectStage.CONTRACT_SIGNED)
    else:
        mine.now = THREE_MONTHS
        await mine.moves(ProjectStage.SHELVED)
    before = await ground.everything()
    said: list[tuple[type[Statement], dict[str, Any]]] = [
        (UpdateProject, {"update": WEEKLY}),
        (ReportLoss, {"loss": {"reason": "x"}}),
        (ReceiveContract, {"contract": CONTRACT}),
        (Withdraw, {"reason": "x"}),
        (ObjectToRefusal, {"reason": "x"}),
    ]
    for kind, what in said:
        assert (await mine.say(kind, FAN, **what)).code in ("project_not_active", "project_stage_does_not_allow")
    heard = await mine.say(Reassign, "operator:ops", to=LEI, reason="离职")
    assert heard.code == "project_stage_does_not_allow"
    for stage in ProjectStage:
        with pytest.raises(IllegalTransition):
            await mine.moves(stage)
    assert await ground.everything() == before
    async with ground.engine.connect() as connection:
        assert await projects.open_of(connection, FAN) == ()
    other = await ground.registered("p2", JING, project_form("云岭精工"), mine.now + DAY)
    await other.routes()
    await other.is_checked()
    assert (await other.answers(CLERK, AnswerChoice.SUSPECT, "相同", suspects=["p1"])).code == "suspect_over"
    assert (await other.answers(CLERK, AnswerChoice.CLEAR)).accepted


# ---- Handing on ----------------------------------------------------------------------------------------------------


async def test_a6_whoever_takes_over_gets_the_project_its_department_and_its_open_tasks(ground: ProjectGround) -> None:
    """A2, A6, P2: the new salesperson's VP decides; both VPs are written to, and so are the people concerned."""
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    heard = await mine.say(Reassign, "operator:ops", to=JING, reason="杨帆离职")
    assert (heard.accepted, heard.settled) == (True, True)
    assert heard.tasks is not None
    (moved,) = heard.tasks
    assert (moved.slot, [person.person for person in moved.asked]) == (JING, [EAST_VP, EAST_VPS_DELEGATE])
    row = await mine.row()
    assert (row.applicant, row.salesperson, row.department) == (FAN, JING, "east")
    assert await mine.told("reassigned") == sorted([FAN, JING, EAST_GM])
    assert (await mine.mail("reassigned", JING))["reason"] == "杨帆离职"
    assert (await mine.mail("task", EAST_VP))["task_kind"] == "project_approval"
    assert await mine.told("task_withdrawn") == [NORTH_VP]
    assert (await mine.answers(NORTH_VP, "approve")).code == "not_asked"
    mine.tasks = heard.tasks
    assert (await mine.task()).slot == JING
    await mine.is_approved()
    assert (await mine.say(UpdateProject, FAN, update=WEEKLY)).code == "not_salesperson_of_project"
    assert (await mine.say(UpdateProject, JING, update=WEEKLY)).accepted


async def test_a6_what_was_asked_of_the_one_who_leaves_is_asked_of_the_successor(ground: ProjectGround) -> None:
    mine = await ground.in_approval("p1", FAN, project_form("云岭精工"))
    await mine.answers(NORTH_VP, "hold", "缺预算")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    heard = await mine.say(Reassign, "operator:ops", to=TAO, reason="杨帆离职")
    assert heard.tasks is not None
    mine.tasks = heard.tasks
    assert mine.asked() == [TAO]
    better = project_form("云岭精工", note="已批复").model_dump(mode="json")
    assert (await mine.answers(FAN, "supply", project=better)).code == "not_asked"
    assert (await mine.answers(TAO, "supply", project=better)).accepted


async def test_a6_only_an_operator_hands_on_and_only_to_a_salesperson(ground: ProjectGround) -> None:
    mine = await ground.active("p1", FAN, project_form("云岭精工"))
    before = await ground.everything()
    assert (await mine.say(Reassign, FAN, to=LEI, reason="x")).code == "not_operator"
    for to in ("nobody", NORTH_VP, ""):
        assert (await mine.say(Reassign, "operator:ops", to=to, reason="x")).code == "reassign_unknown"
    said = mine.says(Reassign, "operator:ops", to=LEI, reason="x")
    assert (await mine.hears(said.model_copy(update={"to": JING}))).code == "unsealed"
    assert await ground.everything() == before
