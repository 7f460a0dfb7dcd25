"""Nobody but the front door can say something in a person's name (design: a signal is a claim until it is recorded)."""

import secrets
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes
from temporalio.contrib.pydantic import pydantic_data_converter

from crypto.keyring import Keyring
from crypto.seal import head_seal_holds, seal, seal_head, seal_holds
from domain.accounts.application import (
    AccountPlan,
    ApplicationForm,
    Contact,
    Customer,
    CustomerKind,
    Forecast,
    Industry,
    RelatedParty,
)
from domain.statements import AnswerTask, AppealRejection, Statement, SubmitApplication, Withdraw

OLD = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
NEW = Keyring((*OLD.keys, ("k2", SecretBytes(secrets.token_bytes(32)))))
OTHER = Keyring((("k2", SecretBytes(secrets.token_bytes(32))),))

ANSWER = AnswerTask(
    message_id="m1",
    workflow_id="application-1",
    person="wang.li",
    said_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
    channel="mail",
    body_hash="ab",
    task_id="t1",
    choice="approve",
    reason="同意",
    fields={"note": "好"},
)

lines = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12).map(lambda text: f"x{text}x")
money = st.one_of(
    st.decimals(min_value=0, max_value=10**11, places=2),
    st.integers(0, 10**9).map(Decimal),
    st.sampled_from([Decimal("1E+3"), Decimal("0.00"), Decimal("0"), Decimal("1.5"), Decimal("-0")]),
)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30))]),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("键kK é", max_size=4), inner, max_size=3),
    max_leaves=8,
)
forms = st.builds(
    ApplicationForm,
    customer=st.builds(
        Customer,
        name=lines,
        uscc=st.none(),
        kind=st.sampled_from(CustomerKind),
        industry=st.sampled_from(Industry),
        legal_person=st.booleans(),
        aliases=st.lists(lines, max_size=3).map(tuple),
        related_parties=st.lists(st.builds(RelatedParty, name=lines, uscc=st.none(), relation=lines), max_size=3).map(
            tuple
        ),
        contacts=st.lists(st.builds(Contact, name=lines, title=lines), min_size=1, max_size=2).map(tuple),
    ),
    cooperation=lines,
    potential=lines,
    products=st.lists(lines, min_size=1, max_size=3).map(tuple),
    resources=lines,
    forecast=st.builds(
        Forecast,
        first_year_gross_margin=money,
        later_year_gross_margin=money,
        technical_service_revenue=money,
        own_service_revenue=money,
        annual_contracts=money,
    ),
    centralised_procurement=st.booleans(),
    account_plan=st.builds(AccountPlan, current_state=lines, goals=lines, actions=lines),
)
submissions = st.builds(
    SubmitApplication, message_id=lines, person=lines, said_at=moments, application_id=lines, form=forms
)
answers = st.builds(
    AnswerTask,
    message_id=lines,
    person=lines,
    said_at=moments,
    reason=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    fields=st.dictionaries(st.text("ab键", max_size=3), json_values, max_size=3),
)


async def through_the_engine(statement: Statement) -> Statement:
    payloads = await pydantic_data_converter.encode([statement])
    (received,) = await pydantic_data_converter.decode(payloads, [type(statement)])
    assert isinstance(received, Statement)
    return received


@given(statement=submissions | answers)
async def test_a_seal_survives_the_way_through_the_engine(statement: Statement) -> None:
    sealed = seal(statement, NEW)
    assert seal_holds(sealed, NEW)
    received = await through_the_engine(sealed)
    assert not received.unreadable
    assert seal_holds(received, NEW)
    assert seal_holds(await through_the_engine(received), NEW)


CHANGES: list[dict[str, Any]] = [
    {"message_id": "m2"},
    {"workflow_id": "application-2"},
    {"person": "zhao.min"},
    {"said_at": datetime(2026, 11, 23, 9, 0, 1, tzinfo=UTC)},
    {"channel": "portal"},
    {"body_hash": "ac"},
    {"task_id": "t2"},
    {"choice": "reject"},
    {"choice": ""},
    {"reason": "同意 "},
    {"fields": {}},
    {"fields": {"note": "好", "more": 1}},
    {"unreadable": True},
    {"seal": ""},
    {"seal": "k2."},
    {"seal": "k2.\ud800"},
    {"seal": "k2.密"},
    {"seal": "k9.AAAA"},
    {"seal": "."},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_any_change_breaks_the_seal(change: dict[str, Any]) -> None:
    sealed = seal(ANSWER, NEW)
    assert seal_holds(sealed, NEW)
    assert not seal_holds(sealed.model_copy(update=change), NEW)


@given(statement=submissions, amount=money)
def test_a_changed_amount_deep_in_the_form_breaks_the_seal(statement: SubmitApplication, amount: Decimal) -> None:
    assert statement.form is not None
    forecast = statement.form.forecast.model_copy(update={"annual_contracts": amount})
    changed = seal(statement, NEW).model_copy(update={"form": statement.form.model_copy(update={"forecast": forecast})})
    same = str(amount) == str(statement.form.forecast.annual_contracts)
    assert seal_holds(changed, NEW) is same


def test_one_kind_of_statement_does_not_pass_for_another() -> None:
    sealed = seal(Withdraw(message_id="m1", person="wang.li", reason="x"), NEW)
    assert not seal_holds(AppealRejection.model_validate(sealed.model_dump()), NEW)


def test_every_key_of_the_ring_is_accepted_and_no_other() -> None:
    assert seal(ANSWER, OLD).seal.startswith("k1.")
    assert seal(ANSWER, NEW).seal.startswith("k2.")
    assert seal_holds(seal(ANSWER, OLD), NEW)
    assert not seal_holds(seal(ANSWER, NEW), OLD)
    assert not seal_holds(seal(ANSWER, OTHER), NEW)
    renamed = seal(ANSWER, NEW)
    assert not seal_holds(renamed.model_copy(update={"seal": renamed.seal.replace("k2.", "k1.")}), NEW)


def test_sealing_again_changes_nothing() -> None:
    assert seal(seal(ANSWER, NEW), NEW) == seal(ANSWER, NEW)


def test_a_field_added_in_a_later_release_does_not_break_seals_made_before() -> None:
    """A signal may lie unread for days while a new worker is rolled out."""

    def released(body: dict[str, Any]) -> type[Statement]:
        return type("AnswerTask", (AnswerTask,), {"__module__": __name__, **body})

    later = released({"__annotations__": {"device": str}, "device": ""})
    received = later.model_validate_json(seal(ANSWER, NEW).model_dump_json())
    assert "device" in type(received).model_fields
    assert seal_holds(received, NEW)
    assert not seal_holds(received.model_copy(update={"device": "phone"}), NEW)


def test_what_cannot_be_written_is_refused_when_sealed_and_never_holds() -> None:
    broken = ANSWER.model_copy(update={"reason": "\ud800"})
    with pytest.raises(ValueError, match="surrogates"):
        seal(broken, NEW)
    assert not seal_holds(broken.model_copy(update={"seal": seal(ANSWER, NEW).seal}), NEW)


@given(seal_text=st.text())
def test_no_seal_can_be_guessed_and_none_raises(seal_text: str) -> None:
    assert not seal_holds(ANSWER.model_copy(update={"seal": seal_text}), NEW)
    assert not seal_holds(ANSWER.model_copy(update={"seal": f"k2.{seal_text}"}), NEW)


def test_the_seal_of_a_head_holds_for_that_head_only_and_after_a_new_key() -> None:
    """X1: whoever owns the database cannot give a shortened record a head."""
    sealed = seal_head(7, "ab" * 32, OLD)
    assert head_seal_holds(7, "ab" * 32, sealed, NEW)
    assert not head_seal_holds(6, "ab" * 32, sealed, NEW)
    assert not head_seal_holds(7, "cd" * 32, sealed, NEW)
    assert not head_seal_holds(7, "ab" * 32, sealed, OTHER)
    assert not head_seal_holds(7, "ab" * 32, "", NEW)


@pytest.mark.parametrize(("digest", "sealed"), [("\ud800", "k2.mac"), ("ab", "k2.\ud800"), ("ab", "\ud800.mac")])
def test_a_head_that_is_not_valid_text_never_holds_and_never_raises(digest: str, sealed: str) -> None:
    assert not head_seal_holds(1, digest, sealed, NEW)
