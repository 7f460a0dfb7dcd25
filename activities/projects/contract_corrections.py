"""The amount of a signed contract is put right by commerce; both figures stay on record (U7)."""

from __future__ import annotations

from decimal import Decimal

from activities.projects.projects import ProjectContext
from activities.steps import ContractCorrected, CorrectContractStep
from activities.tasks.answers import record_refusal
from activities.tasks.receipts import accept
from activities.unit_of_work import UnitOfWork
from crypto.keyring import Keyring
from crypto.seal import seal_holds
from db.projects import projects
from domain.access import may_receive_contract
from domain.notices import Notice
from domain.projects.contract_review import corrected, correction_problems
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode, Refused
from domain.statements import CorrectContract


async def correct_contract(uow: UnitOfWork, step: CorrectContractStep, seal_keys: Keyring) -> ContractCorrected:
    """Put the correction on record, or say why not; whoever was told of the contract is told of it.

    The process of the project is over by then, so this is a step of the process that the correction itself began.
    """
    said = step.statement
    sealed = seal_holds(said, seal_keys) and said.workflow_id == uow.workflow_id
    try:
        if not sealed:
            raise Refused(RefusalCode.UNSEALED)
        await _correct(uow, said)
    except Refused as refusal:
        await record_refusal(uow, said, refusal)
        return ContractCorrected(accepted=False)
    return ContractCorrected(accepted=True)


async def _correct(uow: UnitOfWork, said: CorrectContract) -> None:
    row = await projects.find(uow.connection, said.project_id, lock=True)
    if row is None or row.stage is not ProjectStage.CONTRACT_SIGNED or row.contract is None:
        raise Refused(RefusalCode.CONTRACT_NOT_SIGNED)
    context = await ProjectContext.of(uow, row)
    person = context.organisation.person(said.person)
    if person is None or not person.active or not may_receive_contract(person, own=context.own_people):
        raise Refused(RefusalCode.NOT_COMMERCE)
    if said.correction is None:
        raise Refused(RefusalCode.UNREADABLE)
    before = Decimal(str(row.contract["amount"]))
    problems = correction_problems(said.correction, amount=before)
    if problems:
        raise Refused(problems[0].key, problems=problems)
    contract = corrected(row.contract, said.correction, by=said.person, at=uow.now.isoformat())
    await context.change(contract=contract)
    uow.note(
        "contract_corrected",
        said.person,
        amount_before=f"{before:.2f}",
        amount=contract["amount"],
        reason=said.correction.reason,
        channel=said.channel,
        rule="U7",
    )
    await context.notify_people(Notice.CONTRACT_CORRECTED, key=said.message_id)
    await accept(uow, said, settled=True)
