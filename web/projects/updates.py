"""All weekly updates on one page (U1): last week's words beside, saved one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from api.gateway.receipts import refuse_unaccepted
from api.params import SubjectId
from api.problems import Refusal, field_problems
from api.projects import acts
from api.projects.access import seen_project
from api.projects.views import silences_of
from api.state import ConnectionDep, State, StateDep
from api.views import Composer
from db.connection.engine import autocommit
from db.projects import projects
from db.projects.projects import ProjectRow
from db.projects.projects import UpdateRow as SaidUpdate
from db.readings import note_reading
from db.reads import lists
from domain.access import scope_at
from domain.base import Frozen, Moment
from domain.projects.project import ProjectStage, ProjectUpdate
from domain.subject import SubjectType
from domain.tasks.task import Problem
from texts.catalogue import Texts
from web.dossier.blocks import Block
from web.forms.fields import Offered, controls, entered_values
from web.forms.form import Field, Rows
from web.frame import page
from web.projects.acts import UPDATE_FIELDS, last_words, update_act, update_inputs
from web.projects.lists import line_of
from web.session.guard import PostedDep, SignedInDep
from web.session.sessions import Session
from web.subjects.acts import act_page

router = APIRouter(include_in_schema=False)

MOST: Final = 100
"""How many projects the page holds; somebody with more updates the others on their pages."""
NOTHING_TYPED: Final[Mapping[str, str]] = {}
_FOLDED: Final = frozenset({"stage", "amount", "expected_signing"})


class UpdateRow(Frozen):
    """A project on the page."""

    id: str
    name: str
    customer: str
    number: str
    updated_at: Moment | None
    ahead: str
    late: bool
    with_commerce: bool
    """U7: commerce has the contract, and no update is due."""
    last: tuple[Block, ...]
    fields: tuple[Field | Rows, ...]
    folded: tuple[Field | Rows, ...]
    saved: bool = False
    error: str = ""
    focus: bool = False
    """The row takes the place of one that had the focus."""

    @property
    def open(self) -> bool:
        """Whether the folded fields are shown: something in them was typed."""
        return any(isinstance(field, Field) and (field.value or field.error) for field in self.folded)


@router.get("/updates")
async def updates_page(
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    done: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The viewer's active projects, each with the form of its update."""
    rows = await lists.projects_seen(
        connection,
        scope_at(session.person, session.viewer.organisation, state.clock()),
        stages=[ProjectStage.ACTIVE.value],
        salesperson=session.person.id,
        limit=MOST,
    )
    await note_reading(connection, session.person.id, "project", *(row.id for row in rows), through="list")
    composer = Composer(connection, state.facts, session.viewer, session.texts)
    last = await projects.last_updates(connection, [row.id for row in rows])
    return await page(
        request,
        session,
        connection,
        "subjects/updates.html.j2",
        title=session.texts.text("console.updates"),
        projects=[await _row(composer, session, state, row, last.get(row.id), saved=row.id == done) for row in rows],
        project=None,
    )


@router.post("/updates/{project_id}")
async def save_update(project_id: SubjectId, posted: PostedDep, state: StateDep, request: Request) -> Response:
    """Save the update of one project. With `no_change`, that nothing has changed this week.

    Without script, mistakes are shown on the page of this one update, with everything that was typed.
    """
    session, texts, zone = posted.session, posted.session.texts, state.facts.policy.zone
    typed = {name.removeprefix(f"{project_id}."): value for name, value in posted.form.items()}
    if typed.pop("no_change", ""):
        typed = {"progress": texts.text("updates.no_change"), "next_steps": texts.text("updates.as_planned")}
    problems: tuple[Problem, ...] = ()
    refusal: Refusal | None = None
    by_htmx = request.headers.get("hx-request") == "true"
    try:
        update = ProjectUpdate.model_validate(entered_values(UPDATE_FIELDS, typed, zone))
        caller = posted.caller(request)
        receipt = await acts.update(state, session.viewer, caller, project_id, update)
        if receipt is not None:
            refuse_unaccepted(caller, receipt, SubjectType.PROJECT)
        if receipt is None or not by_htmx:
            return posted.leads_to(caller, receipt, f"/updates?done={project_id}#project-{project_id}")
        typed = {}
    except ValidationError as error:
        problems = field_problems(error.errors(), rule_of_form="U1")
    except Refusal as error:
        if error.status in (403, 404, 503):
            raise
        refusal = error
    failed = bool(problems) or refusal is not None
    status = (refusal.status if refusal else 422) if failed else 200
    async with autocommit(state.engine) as connection:
        row = await seen_project(connection, state, session.viewer, project_id, "list")
        if not by_htmx:
            asked = await update_act(connection, session, state, row)
            return await act_page(
                request,
                session,
                connection,
                state,
                asked,
                entered=typed,
                problems=problems,
                refusal=refusal,
                status=status,
            )
        errors = {problem.field: texts.error(problem.key, problem.params) for problem in problems}
        why = refusal.text(texts, zone) if refusal else ""
        return await page(
            request,
            session,
            connection,
            "subjects/updates.html.j2",
            title=texts.text("console.updates"),
            block="one",
            status=status,
            project=(
                await _row(
                    Composer(connection, state.facts, session.viewer, texts),
                    session,
                    state,
                    row,
                    (await projects.last_updates(connection, [row.id])).get(row.id),
                    typed=typed,
                    errors=errors,
                    error=why,
                    saved=not failed,
                )
            ).model_copy(update={"focus": True}),
            projects=(),
        )


async def _row(
    composer: Composer,
    session: Session,
    state: State,
    row: ProjectRow,
    last: SaidUpdate | None,
    *,
    typed: Mapping[str, str] = NOTHING_TYPED,
    errors: Mapping[str, str] = NOTHING_TYPED,
    error: str = "",
    saved: bool = False,
) -> UpdateRow:
    line = await line_of(composer, row, session, state, state.clock())
    fields = _fields(row, state, session.texts, typed, errors)
    return UpdateRow(
        id=row.id,
        name=row.form.name,
        customer=row.customer_name,
        number=row.number or "",
        updated_at=row.updated_at,
        ahead=line.ahead,
        late=line.late,
        with_commerce=row.contract_with_commerce or not await silences_of(composer, row),
        last=last_words(last, session, state),
        fields=tuple(field for field in fields if field.name.rpartition(".")[2] not in _FOLDED),
        folded=tuple(field for field in fields if field.name.rpartition(".")[2] in _FOLDED),
        saved=saved,
        error=error,
    )


def _fields(
    row: ProjectRow,
    state: State,
    texts: Texts,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> tuple[Any, ...]:
    inputs = update_inputs(row, texts)
    fields = controls(
        UPDATE_FIELDS,
        Offered(),
        texts,
        state.facts.policy.zone,
        subject=SubjectType.PROJECT,
        always=True,
        hints=inputs["hints"],
        entered=typed,
        errors=errors,
    )
    stages = {"options": inputs["labels"]["stage"]}
    return tuple(
        # Every project has fields of these names: on a page of all of them, each needs a name of its own.
        field.model_copy(update={"name": f"{row.id}.{field.name}"} | (stages if field.name == "stage" else {}))
        for field in fields
    )
