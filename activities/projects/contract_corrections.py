"""The amount of a signed contract is put right by commerce; both figures stay on record (U7)."""

from __future__ import annotations

from activities.projects.notices import notify_people
from activities.projects.process import ProjectContext
from activities.steps import ContractCorrected, CorrectContractStep
from activities.tasks.answers import record_refusal
from activities.tasks.receipts import accept
from activities.unit_of_work import UnitOfWork
from crypto.keyring import Keyring
from crypto.seal import seal_holds
from db.projects import projects
from domain.notices import Notice
from domain.projects.contract_review import corrected
from domain.projects.judgements import judge_correction, signed_amount
from domain.refusals import RefusalCode, Refused
from domain.statements import CorrectContract


async def correct_contract(uow: UnitOfWork, step: CorrectContractStep, seal_keys: Keyring) -> ContractCorrected:
    """Put the correction on record, or its refusal; whoever was notified of the contract is notified of it.

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
    before = signed_amount(row.stage if row else None, row.contract if row else None)
    assert row is not None
    assert row.contract is not None
    project = await ProjectContext.of(uow, row)
    person = project.organisation.person(said.person)
    correction = judge_correction(said, person, signed=before, own=project.own_people)
    contract = corrected(row.contract, correction, by=said.person, at=uow.now.isoformat())
    await project.change(contract=contract)
    uow.note(
        "contract_corrected",
        said.person,
        amount_before=f"{before:.2f}",
        amount=contract["amount"],
        reason=correction.reason,
        channel=said.channel,
        rule="U7",
    )
    await notify_people(project, Notice.CONTRACT_CORRECTED, key=said.message_id)
    await accept(uow, said, settled=True)
