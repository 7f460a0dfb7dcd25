"""One application taken from step to step on a real record, as its process does, without an engine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from activities.steps import Activated, ActivateStep, GatherStep, MoveStep, Recorded, RecordStep, Step, SubmitStep
from db.accounts import applications
from db.messages import find_receipt
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.statements import AnswerTask, AppealRejection, Statement, SubmitApplication
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from tests.integration.tasks.race_ground import DELEGATE, NOW, VPS, Ground, Racer

CLERK = "gao.yuan"
DECIDES = {VPS[0]: VPS[0], VPS[1]: DELEGATE}
"""Who answers for each VP: one of them is away all the time."""

S = TypeVar("S", bound=Statement)


class Applying:
    """One application and its process."""

    def __init__(self, ground: Ground, application_id: str, applicant: str, form: ApplicationForm) -> None:
        self.ground = ground
        self.racer = Racer(id=application_id, applicant=applicant, form=form)
        self.now = NOW
        self._numbers = itertools.count(1)

    def later(self, **delta: float) -> Applying:
        """So much time passes."""
        self.now += timedelta(**delta)
        return self

    async def _step(self, method: Any, step: Step) -> Any:
        return await self.ground.run(method, step, self.racer.workflow_id)

    def _key(self, name: str) -> dict[str, Any]:
        return {"key": f"{name}:{next(self._numbers)}", "now": self.now}

    async def submit(self) -> dict[str, Any]:
        """Registers it; returns what the applicant is answered."""
        racer = self.racer
        said = self.ground.says(SubmitApplication, racer, racer.applicant, application_id=racer.id, form=racer.form)
        await self._step(
            self.ground.account_steps.submit_application, SubmitStep(**self._key("submit"), statement=said)
        )
        async with self.ground.engine.connect() as connection:
            receipt = await find_receipt(connection, said.message_id)
        assert receipt is not None
        return receipt.result

    async def to_commerce(self) -> Applying:
        """Evidence is gathered and commerce asked (N2–N4)."""
        step = GatherStep(**self._key("gather"), application_id=self.racer.id, round=await self.round())
        await self._step(self.ground.evidence.gather_registrations, step)
        await self._step(self.ground.evidence.gather_background, step.model_copy(update=self._key("gather")))
        await self.move(Stage.COMMERCE_CHECK, TaskKind.COMMERCE_CHECK)
        return self

    async def move(self, stage: Stage, *asks: TaskKind) -> None:
        step = MoveStep(
            **self._key(f"move:{stage}"),
            subject=self.racer.subject,
            stage=stage.value,
            asks=tuple(Ask(kind=kind) for kind in asks),
        )
        await self._step(self.ground.records.move, step)

    async def to_vps(self, **fields: Any) -> Applying:
        """The clerk passes it on with `fields`, and both VPs are asked (N6)."""
        assert (await self.answer(CLERK, AnswerChoice.PASS, **fields)).accepted
        await self.move(Stage.VP_REVIEW, TaskKind.VP_REVIEW)
        return self

    async def rejected(self) -> None:
        """N9: by one of the VPs."""
        assert (await self.answer(VPS[0], AnswerChoice.REJECT, slot=VPS[0], reason="前景不明")).accepted
        await self.move(Stage.REJECTED)

    async def to_appeal(self) -> None:
        """N10: the general manager is asked."""
        assert (await self.say(AppealRejection, self.racer.applicant, reason="客户已立项")).accepted
        await self.move(Stage.GM_APPEAL, TaskKind.GM_APPEAL)

    async def approve(self) -> None:
        """Both VPs do."""
        for slot, person in DECIDES.items():
            assert (await self.answer(person, AnswerChoice.APPROVE, slot=slot)).accepted

    async def activate(self, gm_decision: str | None = None) -> Activated:
        step = ActivateStep(**self._key("activate"), application_id=self.racer.id, gm_decision=gm_decision)
        activated: Activated = await self._step(self.ground.account_steps.activate_account, step)
        return activated

    async def answer(self, person: str, choice: str, *, reason: str = "", slot: str = "", **fields: Any) -> Recorded:
        """Somebody answers the task that is open, or the one of `slot`."""
        ((task_id,), *_) = await self.ground.rows(
            "SELECT id FROM task WHERE subject_id = :id AND status = 'open' AND (slot = :slot OR :slot = '')"
            " ORDER BY slot",
            id=self.racer.id,
            slot=slot,
        )
        return await self.say(AnswerTask, person, task_id=task_id, choice=choice, reason=reason, fields=fields)

    async def say(self, kind: type[S], person: str, **said: Any) -> Recorded:
        statement = self.ground.says(kind, self.racer, person, **said)
        step = RecordStep(**self._key("record"), subject=self.racer.subject, statement=statement)  # type: ignore[arg-type]
        recorded: Recorded = await self._step(self.ground.records.record_statement, step)
        return recorded

    async def round(self) -> int:
        ((number,),) = await self.ground.rows("SELECT round FROM application WHERE id = :id", id=self.racer.id)
        return int(number)

    async def evidence(self, kind: EvidenceKind) -> Evidence:
        async with self.ground.engine.connect() as connection:
            found = await applications.evidence_of(connection, self.racer.id, await self.round())
        return next(item for item in found if item.kind is kind)

    async def mails_to(self, person: str) -> Sequence[tuple[str, dict[str, Any]]]:
        """Kind and facts of every mail about it, oldest first."""
        return [
            (facts["kind"], facts)
            for (facts,) in await self.ground.rows(
                "SELECT facts FROM mail WHERE subject_id = :id AND person = :person ORDER BY id",
                id=self.racer.id,
                person=person,
            )
        ]


async def account_of(ground: Ground, application_id: str, applicant: str, form: ApplicationForm) -> Applying:
    """Another's application that has become an account."""
    other = Applying(ground, application_id, applicant, form)
    await other.submit()
    await (await other.to_commerce()).to_vps()
    await other.approve()
    assert (await other.activate()).account_id
    return other
