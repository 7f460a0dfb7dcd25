"""A side of a dispute leaves, and somebody else goes on in their place (A6, D1, D2)."""

from __future__ import annotations

from activities.steps import Recorded, RecordStep, RefreshStep
from crypto.seal import seal
from db.reference_data import import_organisation
from domain.disputes.dispute import DisputeStage, Origin
from domain.notices import Notice
from domain.statements import Reassign
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, AnswerOutcome, TaskKind
from tests.integration.disputes.dispute_ground import (
    APPLICANT,
    APPLICANTS_VP,
    COMMERCE,
    HOLDER,
    THIRD,
    Dispute,
    DisputeGround,
    meeting,
    ruling,
    split,
    text,
)
from tests.integration.tasks.race_ground import NOW


async def hands_on(dispute: Dispute, to: str, *, project: str = "", was: str = "") -> Recorded:
    """An operator hands the project, or another, to somebody else; the dispute then asks whom it has to ask."""
    ground, project = dispute.ground, project or dispute.project_id
    said = Reassign(
        message_id=f"said-{next(ground.numbers)}",
        workflow_id=f"project-{project}",
        person="operator:ops",
        said_at=dispute.now,
        channel="command",
        was=was,
        to=to,
        reason="离职",
    )
    step = RecordStep(
        key=f"record:{said.message_id}",
        now=dispute.now,
        subject=Subject(type=SubjectType.PROJECT, id=project),
        statement=seal(said, ground.keys),
    )
    heard = await ground.run(ground.records.record_statement, step, said.workflow_id)
    if heard.accepted:
        refresh = RefreshStep(
            key=f"refresh:{said.message_id}",
            now=dispute.now,
            subject=Subject(type=SubjectType.DISPUTE, id=dispute.id),
        )
        refreshed = await ground.run(ground.chasing.refresh_tasks, refresh, dispute.workflow_id)
        dispute.tasks = {task.slot: task for task in refreshed.tasks}
    return heard


async def is_agreed(dispute: Dispute) -> None:
    moved = await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    assert moved.outcome is not None
    assert moved.outcome.stage is DisputeStage.AGREED


async def test_d1_a6_what_somebody_confirmed_before_they_left_stands(ground: DisputeGround) -> None:
    """The text is on the table when its author leaves; the other side confirms it."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.agrees(APPLICANT, text())
    await dispute.asks(HOLDER)
    assert (await hands_on(dispute, THIRD)).accepted
    assert (await dispute.row()).claimants[0].person == THIRD
    confirmed = await dispute.agrees(HOLDER)
    assert confirmed.decision is not None
    assert confirmed.decision.outcome == AnswerOutcome.AGREED
    await is_agreed(dispute)
    assert (await ground.project_now("p1")).salesperson == THIRD


async def test_d1_a6_handed_to_the_other_side_a_dispute_still_comes_to_an_end(ground: DisputeGround) -> None:
    """Nobody confirms their own side by taking over another: what lay on the table is put there anew."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.agrees(APPLICANT, text())
    await dispute.asks(HOLDER)
    assert (await hands_on(dispute, HOLDER)).accepted
    last = await dispute.agrees(HOLDER, text("由徐静一人负责", HOLDER, jing="100"))
    assert (last.accepted, last.code) == (True, "")
    await is_agreed(dispute)


async def test_d1_a6_of_three_sides_one_takes_over_another_and_the_third_is_asked_again(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1", HOLDER, THIRD)
    await dispute.negotiates()
    shares = text(fan="40", jing="30", clark="30")
    await dispute.agrees(APPLICANT, shares)
    await dispute.asks(HOLDER, THIRD)
    assert (await dispute.agrees(THIRD)).accepted
    assert (await hands_on(dispute, HOLDER)).accepted
    proposed = await dispute.agrees(HOLDER, text(responsible=HOLDER, jing="60", clark="40"))
    assert proposed.decision is not None
    assert proposed.decision.names == (THIRD,)
    await dispute.asks(THIRD)
    assert (await dispute.task(THIRD)).kind is TaskKind.AGREE_SPLIT
    assert (await dispute.agrees(THIRD)).accepted
    await is_agreed(dispute)


async def test_d2_p8_the_meeting_can_make_whoever_took_over_the_other_registration_responsible(
    ground: DisputeGround,
) -> None:
    dispute = await ground.disputed("p1", HOLDER, origin=Origin.OBJECTION, objection={"reason": "不同项目", "at": ""})
    await ground.objection_reviewed("p1")
    await dispute.opens()
    await dispute.wants_meeting()
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await dispute.meets(APPLICANT)
    assert (await hands_on(dispute, THIRD, project=f"p1-of-{HOLDER}")).accepted
    ruled = ruling(responsible=THIRD, split=split(fan="30", clark="70"))
    assert (await dispute.answers(APPLICANT, AnswerChoice.RECORD, ruled, person=APPLICANTS_VP)).code == ""
    moved = await dispute.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])
    assert moved.outcome is not None
    assert (await ground.project_now("p1")).salesperson == THIRD


async def test_d1_a6_handed_on_between_a_text_and_the_question_about_it_the_successor_is_asked(
    ground: DisputeGround,
) -> None:
    """The dispute was told to ask the one who has left since."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.agrees(HOLDER, text())
    assert (await hands_on(dispute, THIRD)).accepted
    await dispute.asks(APPLICANT)
    assert list(dispute.tasks) == [THIRD]
    assert (await dispute.agrees(THIRD)).accepted
    await is_agreed(dispute)


async def account_holder_leaves(
    dispute: Dispute, to: str, *, was: str = HOLDER, person: str = "operator:ops"
) -> Recorded:
    said = dispute.says(Reassign, person, was=was, to=to, reason="离职", channel="command")
    heard = await dispute.hears(said)
    if heard.tasks is not None:
        dispute.tasks = {task.slot: task for task in heard.tasks}
    return heard


async def test_d1_a2_whoever_follows_an_account_holder_who_leaves_speaks_for_their_side(ground: DisputeGround) -> None:
    """A2: the account itself does not move; the dispute, and the VP who decides, are the successor's."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await account_holder_leaves(dispute, THIRD)).accepted
    assert sorted(dispute.tasks) == sorted([APPLICANT, THIRD])
    assert [claimant.person for claimant in (await dispute.row()).claimants] == [APPLICANT, THIRD]
    assert (await dispute.agrees(APPLICANT, text(fan="60", clark="40"))).accepted
    await dispute.asks(HOLDER)  # as the process was told before
    assert list(dispute.tasks) == [THIRD]
    agreed = await dispute.agrees(THIRD)
    assert agreed.decision is not None
    assert agreed.decision.outcome == AnswerOutcome.AGREED
    moved = await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    assert moved.outcome is not None
    assert moved.outcome.decided_by_vp_of == THIRD
    assert "side_handed_on" in await dispute.events()


async def test_d2_a2_the_successors_vp_records_the_meeting(ground: DisputeGround) -> None:
    """The VP of 徐静 is 王芳; who follows her is of another department, and 李明 records."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await dispute.calls_for_meeting(APPLICANT)).accepted
    await dispute.wants_meeting()
    assert (await dispute.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    assert (await account_holder_leaves(dispute, THIRD)).accepted
    await dispute.meets(HOLDER)  # as the process was told before
    assert [person.person for person in dispute.tasks[THIRD].asked] == [APPLICANTS_VP]
    ruled = ruling(responsible=THIRD, split=split(fan="30", clark="70"))
    assert (await dispute.answers(THIRD, AnswerChoice.RECORD, ruled, person=APPLICANTS_VP)).code == ""


async def test_a2_a_side_is_handed_on_by_an_operator_to_a_salesperson_and_once(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await account_holder_leaves(dispute, THIRD, person=APPLICANT)).code == "not_operator"
    assert (await account_holder_leaves(dispute, COMMERCE)).code == "reassign_unknown"
    own = await account_holder_leaves(dispute, THIRD, was=APPLICANT)
    assert own.code == "not_party_of_dispute", "that side moves with the project"
    assert (await account_holder_leaves(dispute, THIRD)).accepted
    assert (await account_holder_leaves(dispute, THIRD)).code == "not_party_of_dispute"
    await dispute.agrees(APPLICANT, text(fan="60", clark="40"))
    await dispute.asks(THIRD)
    await dispute.agrees(THIRD)
    await is_agreed(dispute)
    assert (await account_holder_leaves(dispute, HOLDER, was=THIRD)).code == "dispute_not_open"


async def test_x3_an_import_tells_the_dispute_and_not_the_project_that_waits_for_it(ground: DisputeGround) -> None:
    """A project asks nobody while its dispute runs: a daily import must not fill its history for nothing."""
    dispute = await ground.disputed("p1")
    assert await told_of_an_import(ground) == ["project-p1"], "no dispute yet"
    await dispute.negotiates()
    assert await told_of_an_import(ground) == ["dispute-p1-1"]
    await dispute.agrees(APPLICANT, text())
    await dispute.asks(HOLDER)
    await dispute.agrees(HOLDER)
    await is_agreed(dispute)
    assert await told_of_an_import(ground) == ["project-p1"], "about to ask the VP"


async def told_of_an_import(ground: DisputeGround) -> list[str]:
    """The processes told when the organisation is imported anew."""
    async with ground.engine.begin() as connection:
        now = await ground.facts.organisation(connection)
        done = await import_organisation(connection, now, now=NOW, by="test")
    query = "SELECT workflow_id FROM nudge WHERE because = :because ORDER BY workflow_id"
    told = [found for (found,) in await ground.rows(query, because=f"organisation {done.version}")]
    assert done.told == len(told)
    return told


async def test_a6_the_command_given_twice_or_too_late_changes_nothing(ground: DisputeGround) -> None:
    """A project that a meeting, or the same command, has made somebody else's by now stays with them."""
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    assert (await hands_on(dispute, THIRD, was=APPLICANT)).accepted
    for to in (THIRD, HOLDER):
        assert (await hands_on(dispute, to, was=APPLICANT)).code == "not_salesperson_of_project"
    assert (await ground.project_now("p1")).salesperson == THIRD
    told = await ground.told("reassigned", "p1")
    assert sorted(set(told)) == told, "once each"
