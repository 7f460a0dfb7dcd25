"""The pages of an application and of a Named Account."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from api.accounts import acts
from api.accounts.views import application_view, whole_account
from api.dossier import dossier_of
from api.params import SubjectId
from api.problems import Refusal
from api.state import ConnectionDep, StateDep
from api.tasks.wording import task_key
from api.views import Composer
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import scope_of
from domain.refusals import RefusalCode
from domain.subject import SubjectType
from texts.accounts.eligibility import eligibility_lines
from texts.catalogue import Texts, language_of
from texts.view_lines import detail_value, on_behalf
from web.documents.part import documents_part
from web.dossier.blocks import DossierBlocks
from web.dossier.page import dossier_page
from web.forms.form import form_values, layout_of, sections
from web.frame import page
from web.reviews.subject import said_lines
from web.session.guard import SignedInDep
from web.subjects.standing import decisions_shown, done_notice, offers, waiting

router = APIRouter(include_in_schema=False)


@router.get("/applications/{application_id}")
async def application_page(
    application_id: SubjectId,
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    done: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Where an application stands, who has it, what comes next, and what was said and decided."""
    texts, now = session.texts, state.clock()
    row = await acts.seen_application(connection, session.viewer, application_id, "page")
    composer = Composer(connection, state.facts, session.viewer, texts)
    shown = await composer.sees_evidence(row)
    view = await application_view(composer, row, shown=shown)
    open_acts = acts.acts_of(row, session.viewer, state)
    blocks = DossierBlocks(texts, state.facts.policy.zone, SubjectType.APPLICATION)
    dumped = view.model_dump(mode="json", include={"rejection", "appeal", "end_reason", "timeline"})
    return await page(
        request,
        session,
        connection,
        "subjects/application.html.j2",
        title=view.customer_name,
        row=view,
        mine=session.person.id == row.applicant,
        notice=done_notice(done, texts),
        waiting=await waiting(connection, view.tasks, session, now, row=row, address=f"/applications/{row.id}"),
        offers=offers(
            [(act, f"application_{act}", refusal) for act, refusal in open_acts.items()],
            f"/applications/{row.id}",
            texts,
            state,
        ),
        reasons=blocks.parts({name: dumped[name] for name in ("rejection", "appeal", "end_reason")}),
        timeline=blocks.parts({"timeline": dumped["timeline"]}),
        shown=shown,
        eligibility=eligibility_lines(view.eligibility),
        decisions=await decisions_shown(composer, row.id, shown=shown),
        sections=sections(form_values(row.form), texts, layout=layout_of(row.form)),
        documents=await documents_part(
            connection, state, session, SubjectType.APPLICATION, row.id, back=f"/applications/{row.id}#documents"
        ),
        on_behalf=on_behalf,
        detail_value=detail_value,
        task_title=lambda kind: texts.text(task_key(kind, SubjectType.APPLICATION, "title")),
    )


@router.get("/applications/{application_id}/dossier")
async def application_dossier(
    application_id: SubjectId,
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    lang: Annotated[str | None, Query(max_length=8)] = None,
) -> Response:
    """The complete dossier of an application, to read or print (N11)."""
    row = await acts.seen_application(connection, session.viewer, application_id, "dossier")
    texts = Texts(language_of(lang)) if lang else session.texts
    dossier = await dossier_of(connection, Composer(connection, state.facts, session.viewer, texts), row)
    return dossier_page(dossier, texts, state.facts.policy.time_zone)


@router.get("/accounts/{account_id}")
async def account_page(
    account_id: SubjectId, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """A Named Account with its projects, targets, results, and what was said of it in reviews (A2, R1–R5)."""
    scope = scope_of(session.person, session.viewer.organisation)
    row = await detail_reads.account_seen(connection, scope, account_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    texts = session.texts
    view = await whole_account(Composer(connection, state.facts, session.viewer, texts), row, scope)
    await note_reading(connection, session.person.id, "account", account_id, through="page")
    await note_reading(
        connection, session.person.id, "project", *(project.id for project in view.projects), through="list"
    )
    office = session.viewer.organisation.departments_by_id.get(view.department or "")
    plan = sections(form_values(row.form), texts, layout=layout_of(row.form))
    return await page(
        request,
        session,
        connection,
        "subjects/account.html.j2",
        title=view.name,
        row=view,
        office=office.name if office else "",
        mine=session.person.id == row.salesperson,
        said=said_lines(view.reviews, texts, ZoneInfo(state.facts.policy.time_zone)),
        sections=plan,
    )
