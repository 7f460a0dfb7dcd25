"""What people say to a project or a dispute: told apart, kept when unreadable, sealed as what it is (X1, X3)."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, TypeAdapter, ValidationError
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.steps import RecordStep
from crypto.keyring import Keyring
from crypto.seal import seal, seal_holds
from domain.projects.project import Company, ContractReview, Loss, ProjectUpdate, Resumption, SalesStage
from domain.statements import (
    AnswerTask,
    AppealRejection,
    CallForMeeting,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    Said,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.subject import Subject, SubjectType
from tests.samples import PROJECT_FORM

KEYS = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
SAID: TypeAdapter[Any] = TypeAdapter(Said)
WHO: dict[str, Any] = {
    "message_id": "m1",
    "workflow_id": "project-1",
    "person": "yang.fan",
    "said_at": datetime(2026, 11, 23, tzinfo=UTC),
}

FORM = PROJECT_FORM.model_copy(update={"end_user": Company(name="最终用户"), "tender_number": "ZB-2026-17"})
RUNNING: list[Statement] = [
    AnswerTask(**WHO, task_id="t1", choice="agree", fields={"split": [{"person": "yang.fan", "percent": "100"}]}),
    Withdraw(**WHO, reason="x"),
    AppealRejection(**WHO, reason="x"),
    ObjectToRefusal(**WHO, reason="x"),
    CallForMeeting(**WHO, reason="x"),
    UpdateProject(**WHO, update=ProjectUpdate(progress="招标", next_steps="答疑", amount=Decimal("7.10"))),
    ReportLoss(**WHO, loss=Loss(reason="价格", competitor="他人")),
    ReceiveContract(**WHO, contract=ContractReview(amount=Decimal("1.00"), received_on=date(2026, 11, 23))),
    Reassign(**WHO, to="xu.jing", reason="离职"),
]
EVERY: list[Statement] = [
    *RUNNING,
    RegisterProject(
        **WHO,
        project_id="1",
        form=FORM,
        resumes="0",
        resumption=Resumption(why_silent="客户停滞", why_resume="预算已批"),
    ),
]
by_kind = pytest.mark.parametrize("statement", RUNNING, ids=lambda statement: statement.kind)


@by_kind
async def test_x3_what_is_said_arrives_as_what_it_is_with_its_seal(statement: Statement) -> None:
    """From the front door through the engine into the step that records it, and back."""
    sealed = seal(statement, KEYS)
    subject = Subject(type=SubjectType.PROJECT, id="1")
    step = RecordStep.model_validate({"key": "k", "now": WHO["said_at"], "subject": subject, "statement": sealed})
    (received,) = await pydantic_data_converter.decode(await pydantic_data_converter.encode([step]), [RecordStep])
    assert type(received.statement) is type(statement)
    assert received.statement == sealed
    assert seal_holds(received.statement, KEYS)


@pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.kind)
async def test_a_seal_survives_the_way_through_the_engine(statement: Statement) -> None:
    payloads = await pydantic_data_converter.encode([seal(statement, KEYS)])
    (received,) = await pydantic_data_converter.decode(payloads, [type(statement)])
    assert not received.unreadable
    assert seal_holds(received, KEYS)


def test_no_kind_of_statement_passes_for_another() -> None:
    """The seal covers the kind: an objection is no withdrawal, though it says the same words."""
    for statement, other in permutations(EVERY, 2):
        sealed = seal(statement, KEYS)
        taken_for_another = type(other).model_validate(sealed.model_dump(exclude={"kind"}))
        assert not seal_holds(taken_for_another, KEYS)
        assert type(other).model_validate(sealed.model_dump()).unreadable  # it names its kind


def test_every_kind_is_known_by_its_own_name() -> None:
    names = [statement.model_dump()["kind"] for statement in EVERY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "sent",
    [
        {"kind": "update_project", "update": {"progress": "x"}},
        {"kind": "update_project", "update": {"progress": "x", "next_steps": "a\0b"}},
        {"kind": "update_project", "update": {"progress": "x", "next_steps": "x", "amount": -1}},
        {"kind": "update_project", "update": {"progress": "x", "next_steps": "x", "amount": 1.5}},
        {"kind": "report_loss", "loss": {"reason": " "}},
        {"kind": "report_loss", "loss": "lost"},
        {"kind": "receive_contract", "contract": {"amount": "NaN"}},
        {"kind": "receive_contract", "contract": {}},
        {"kind": "object_to_refusal", "reason": "\ud800"},
        {"kind": "call_for_meeting", "reason": ["x"]},
        {"kind": "reassign", "to": "a\0b"},
        {"kind": "withdraw", "said_at": "yesterday"},
    ],
)
def test_x1_what_cannot_be_read_is_kept_as_unreadable_and_empty(sent: Any) -> None:
    """It then shows in the record as refused; it keeps its kind, and no seal holds for it."""
    read = SAID.validate_python(sent)
    assert read == type(read)(unreadable=True)
    assert read.kind == sent["kind"]
    assert not seal_holds(seal(read, KEYS), KEYS)
    assert SAID.validate_json(SAID.dump_json(read)) == read


@pytest.mark.parametrize(
    "sent", [{}, {"reason": "x"}, {"kind": "delete_everything"}, {"kind": "register_project"}, 5, None]
)
def test_x1_what_is_no_kind_of_statement_is_none(sent: Any) -> None:
    """A signal is read by the kind it is sent as; one without a kind never comes as far as here."""
    with pytest.raises(ValidationError):
        SAID.validate_python(sent)


@pytest.mark.parametrize(
    "sent",
    [
        {"form": {"name": "x"}},
        {"resumption": {"why_silent": "x"}},
        {"resumes": "a\0b"},
        {"project_id": 7},
        "a registration",
    ],
)
def test_x1_a_registration_that_cannot_be_read_is_kept_as_unreadable(sent: Any) -> None:
    read = RegisterProject.model_validate(sent)
    assert read == RegisterProject(unreadable=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"contract": ContractReview(amount=Decimal("1.01"))},
        {"contract": ContractReview(amount=Decimal("1.00"), contract_number="1", received_on=date(2026, 11, 23))},
        {"contract": None},
        {"person": "xu.jing"},
        {"workflow_id": "project-2"},
    ],
    ids=str,
)
def test_u7_any_change_breaks_the_seal_also_deep_inside(changed: dict[str, Any]) -> None:
    sealed = seal(next(statement for statement in RUNNING if isinstance(statement, ReceiveContract)), KEYS)
    assert seal_holds(sealed, KEYS)
    assert not seal_holds(sealed.model_copy(update=changed), KEYS)


texts = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)


@given(
    progress=texts,
    problems=texts | st.just(""),
    amount=st.none() | st.decimals(0, 10**11, places=2) | st.sampled_from([Decimal("1E+3"), Decimal("0.0")]),
    signing=st.none() | st.dates(),
    stage=st.none() | st.sampled_from(SalesStage),
)
def test_u1_the_seal_of_an_update_holds_whatever_it_says(
    progress: str, problems: str, amount: Decimal | None, signing: date | None, stage: SalesStage | None
) -> None:
    update = ProjectUpdate(
        progress=progress, problems=problems, next_steps=progress, amount=amount, expected_signing=signing, stage=stage
    )
    sealed = seal(UpdateProject(**WHO, update=update), KEYS)
    received = SAID.validate_json(SAID.dump_json(sealed))
    assert not received.unreadable
    assert seal_holds(received, KEYS)
    assert not seal_holds(received.model_copy(update={"update": None}), KEYS)
