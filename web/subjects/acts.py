"""The page of an act: what follows from it, a form, and why it cannot be done now where it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from api.gateway.gateway import Caller
from api.gateway.receipts import refuse_unaccepted
from api.params import Reason
from api.problems import Refusal, field_problems
from api.state import State
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from domain.base import Frozen
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from domain.tasks.task import FieldKind, FieldSpec, Problem
from texts.catalogue import Texts
from web.dossier.blocks import Block
from web.forms.fields import Offered, controls, entered_values
from web.forms.form import Rows, field_id
from web.frame import page
from web.session.guard import SentForm
from web.session.sessions import Visitor

REASON: Final = (FieldSpec(name="reason", required=True),)
"""The field of an act that needs nothing but a reason."""
_PASSED_ON: Final = frozenset({401, 404, 503})
"""Refusals that have pages of their own."""


class Nothing(BaseModel):
    """The body of an act that needs no words."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Act(Frozen):
    """What the page of an act shows and asks."""

    key: str
    """The texts of the act are under `act.<key>`."""
    rule: str
    address: str
    """Of the subject, such as `/projects/p1`."""
    name: str
    customer: str
    subject: SubjectType
    body: type[BaseModel] = Reason
    specs: tuple[FieldSpec, ...] = REASON
    labels: Mapping[str, tuple[tuple[str, str], ...]] = {}
    """Labels of the options of a field of kind `choice`."""
    offered: Offered = Offered()
    given: Mapping[str, str] = {}
    """What the inputs hold at first."""
    hints: Mapping[str, str] = {}
    """Help texts, by field."""
    shown: tuple[Block, ...] = ()
    """What to know beforehand."""


Send = Callable[[Caller, Any], Awaitable[Receipt | None]]


async def act_page(
    request: Request,
    visitor: Visitor,
    connection: AsyncConnection,
    state: State,
    act: Act,
    *,
    closed: Refusal | None = None,
    entered: Mapping[str, str] | None = None,
    problems: Sequence[Problem] = (),
    refusal: Refusal | None = None,
    status: int = 200,
) -> Response:
    """The page of an act. `closed`: why it cannot be done now; `refusal`: why what was sent was not accepted."""
    texts, zone = visitor.texts, state.facts.policy.zone
    errors: dict[str, str] = {}
    for problem in problems:
        errors.setdefault(problem.field.removeprefix("fields."), texts.error(problem.key, problem.params))
    fields = controls(
        act.specs,
        act.offered,
        texts,
        zone,
        subject=act.subject,
        always=True,
        hints=act.hints,
        entered=act.given if entered is None else entered,
        errors=errors,
    )
    fields = tuple(
        field
        if isinstance(field, Rows)
        else field.model_copy(update={"options": act.labels[field.name]})
        if field.name in act.labels
        else field
        for field in fields
    )
    return await page(
        request,
        visitor,
        connection,
        "subjects/act.html.j2",
        title=texts.text(f"act.{act.key}.title"),
        status=status,
        act=act,
        fields=() if closed else fields,
        help_text=texts.text(f"act.{act.key}.help"),
        button=texts.text(f"act.{act.key}.button"),
        closed=why_not(closed, texts, state) if closed else "",
        refused=refusal.text(texts, zone) if refusal else "",
        error_list=_error_list(fields, errors, texts),
    )


async def send_act(request: Request, sent: SentForm, state: State, act: Act, send: Send, *, back: str = "") -> Response:
    """Submit what was filled in and go to the subject, or show the form again with everything that was typed."""
    problems: tuple[Problem, ...] = ()
    refusal: Refusal | None = None
    values = entered_values(act.specs, sent.form, state.facts.policy.zone)
    caller = sent.caller(request)
    try:
        receipt = await send(caller, act.body.model_validate(values))
        if receipt is not None:
            refuse_unaccepted(caller, receipt, act.subject)
        return sent.leads_to(caller, receipt, back or f"{act.address}?done={act.key}")
    except ValidationError as error:
        problems = field_problems(error.errors(), rule_of_form=act.rule)
    except Refusal as error:
        if error.status in _PASSED_ON:
            raise
        refusal, problems = error, error.problems
    async with autocommit(state.engine) as connection:
        return await act_page(
            request,
            sent.visitor,
            connection,
            state,
            act,
            entered=sent.form,
            problems=problems,
            refusal=None if problems else refusal,
            status=refusal.status if refusal else 422,
        )


def why_not(refusal: Refusal, texts: Texts, state: State) -> str:
    """Why an act cannot be done now."""
    key = f"act_closed.{refusal.words}"
    return texts.text(key) if texts.has(key) else refusal.text(texts, state.facts.policy.zone)


def refuse_stranger(acts: Mapping[Any, Refusal | None], act: Any, code: RefusalCode) -> Refusal | None:
    """Why an act cannot be done now. Raises `Refusal` 403 with `code` where it is not the viewer's to do."""
    if act not in acts:
        raise Refusal(403, code, rule=code.rule)
    return acts[act]


def _error_list(fields: Sequence[Any], errors: Mapping[str, str], texts: Texts) -> list[tuple[str, str]]:
    """For each wrong input, its place on the page, and its message with its label."""
    colon = "：" if texts.language == "zh" else ": "
    labels = {field.name: field.label for field in fields}
    return [
        (field_id(name), f"{labels.get(name) or labels.get(name.partition('.')[0], '')}{colon}{message}")
        for name, message in errors.items()
    ]


def choice_of(name: str, options: Sequence[str]) -> FieldSpec:
    """A field that chooses one of `options`."""
    return FieldSpec(name=name, kind=FieldKind.CHOICE, options=tuple(options))
