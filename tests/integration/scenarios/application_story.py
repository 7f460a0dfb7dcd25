"""One application on either side."""

from __future__ import annotations

from activities.steps import Activated, ActivateStep, GatherStep, Recorded, SubmitStep, Submitted
from domain.accounts.application import Stage
from domain.statements import AppealRejection, SubmitApplication
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.sides import Side
from tests.integration.scenarios.subject_story import SubjectStory
from tests.samples import CLARA, SAM, VERA, VIKTOR, application_form
from workflows.messages import application_workflow_id

CUSTOMER = "苏州测试精密制造有限公司"


class ApplicationStory(SubjectStory):
    """An application that nobody has submitted yet."""

    def __init__(self, side: Side) -> None:
        super().__init__(side, Subject(type=SubjectType.APPLICATION, id="A-1"), application_workflow_id("A-1"))

    async def submits(self, said: SubmitApplication | None = None) -> Submitted:
        form = application_form(CUSTOMER)
        statement = said or self.sealed(SubmitApplication, SAM, application_id=self.id, form=form)
        submitted: Submitted = await self.side.run(
            "submit_application", SubmitStep(**self.key("submit"), statement=statement), self.workflow_id
        )
        return submitted

    async def activates(self, gm_decision: str | None = None) -> Activated:
        step = ActivateStep(**self.key("activate"), application_id=self.id, gm_decision=gm_decision)
        activated: Activated = await self.side.run("activate_account", step, self.workflow_id)
        return activated

    # The ways to a stage.

    async def to_check(self) -> None:
        assert (await self.submits()).accepted
        for gather in ("gather_registrations", "gather_background"):
            await self.side.run(
                gather, GatherStep(**self.key(gather), application_id=self.id, round=1), self.workflow_id
            )
        await self.moves(Stage.COMMERCE_CHECK, TaskKind.COMMERCE_CHECK)

    async def to_returned(self) -> None:
        await self.to_check()
        assert (await self.answers(CLARA, AnswerChoice.RETURN, "no related parties given")).accepted
        await self.moves(Stage.RETURNED, TaskKind.SUPPLY_INFORMATION)

    async def to_review(self) -> None:
        await self.to_check()
        assert (await self.answers(CLARA, AnswerChoice.PASS)).accepted
        await self.moves(Stage.VP_REVIEW, TaskKind.VP_REVIEW)

    async def to_rejected(self) -> None:
        await self.to_review()
        assert (await self.answers(VERA, AnswerChoice.REJECT, "margins too thin", slot=VERA)).accepted
        await self.moves(Stage.REJECTED)

    async def to_appeal(self) -> None:
        await self.to_rejected()
        assert (await self.appeals()).accepted
        await self.moves(Stage.GM_APPEAL, TaskKind.GM_APPEAL)

    async def to_approved(self, reason: str = "") -> None:
        await self.to_review()
        for slot in (VERA, VIKTOR):
            assert (await self.answers(slot, AnswerChoice.APPROVE, reason, slot=slot)).accepted

    async def to_active(self) -> None:
        await self.to_approved()
        assert (await self.activates()).account_id == self.id

    async def to_withdrawn(self) -> None:
        await self.to_check()
        assert (await self.withdraws()).accepted
        await self.moves(Stage.WITHDRAWN)

    async def appeals(self, person: str = SAM) -> Recorded:
        return await self.says(AppealRejection, person, reason="the figures were old")
