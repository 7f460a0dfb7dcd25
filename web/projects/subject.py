"""The page of a project, with its dispute, and its dossier (P, D, U)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.disputes import acts as dispute_acts
from api.dossier import dossier_of
from api.params import SubjectId
from api.projects import acts
from api.projects.access import seen_project
from api.projects.acts import ProjectAct
from api.projects.views import project_view
from api.state import ConnectionDep, StateDep
from api.tasks.wording import task_key
from api.views import Composer
from db.disputes import disputes
from domain.subject import SubjectType
from texts.catalogue import Texts, language_of
from texts.view_lines import on_behalf
from web.documents.part import documents_part
from web.dossier.blocks import DossierBlocks
from web.dossier.page import dossier_page
from web.forms.form import form_values, layout_of, sections
from web.frame import page
from web.session.guard import SignedInDep
from web.subjects.standing import decisions_shown, done_notice, offers, waiting

router = APIRouter(include_in_schema=False)

REASONS: Final = (
    "refusal",
    "objection",
    "resumption",
    "loss",
    "contract_application",
    "contract",
    "agreement",
    "end_reason",
)
"""The parts of a project that say why it stands where it does."""


@router.get("/projects/{project_id}")
async def project_page(
    project_id: SubjectId,
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    done: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Where a project stands, who has it, what comes next by when, and what was said and decided."""
    texts, now, viewer = session.texts, state.clock(), session.viewer
    row = await seen_project(connection, state, viewer, project_id, "page")
    composer = Composer(connection, state.facts, viewer, texts)
    shown = await composer.sees_evidence(row)
    view = await project_view(composer, row, shown=shown, now=now)
    its_disputes = await disputes.of_project(connection, row.id)
    mine = acts.acts_of(row, viewer, state, resumed=view.resumed_by is not None)
    in_dispute = await dispute_acts.acts_of(connection, row, its_disputes[-1] if its_disputes else None, viewer, state)
    contract = "project_contract" if session.person.id == row.salesperson else "project_contract_receipt"
    offered = [
        (act.value, contract if act is ProjectAct.CONTRACT else f"project_{act}", refusal)
        for act, refusal in mine.items()
    ] + [(act.value, f"dispute_{act.replace('-', '_')}", refusal) for act, refusal in in_dispute.items()]
    blocks = DossierBlocks(texts, state.facts.policy.zone, SubjectType.PROJECT)
    dumped = view.model_dump(mode="json", include={*REASONS, "credits", "dispute", "timeline"})
    dispute = dumped.pop("dispute") or {}
    timeline = dumped.pop("timeline")
    matches = {match.subject_id: match for match in view.matches}
    return await page(
        request,
        session,
        connection,
        "subjects/project.html.j2",
        title=view.name,
        row=view,
        mine=session.person.id == row.salesperson,
        notice=done_notice(done, texts),
        waiting=await waiting(connection, view.tasks, session, now, row=row, address=f"/projects/{row.id}"),
        offers=offers(offered, f"/projects/{row.id}", texts, state),
        reasons=blocks.parts(
            {name: dumped[name] for name in REASONS} | ({"credits": dumped["credits"]} if len(view.credits) > 1 else {})
        ),
        dispute_parts=blocks.parts({name: dispute.get(name) for name in ("proposal", "meeting", "outcome")}),
        timeline=blocks.parts({"timeline": timeline}),
        shown=shown,
        matches=matches,
        decisions=await decisions_shown(composer, row.id, shown=shown),
        sections=sections(form_values(row.form), texts, layout=layout_of(row.form)),
        documents=await documents_part(
            connection, state, session, SubjectType.PROJECT, row.id, back=f"/projects/{row.id}#documents"
        ),
        on_behalf=on_behalf,
        task_title=lambda kind: texts.text(task_key(kind, SubjectType.PROJECT, "title")),
    )


@router.get("/projects/{project_id}/dossier")
async def project_dossier(
    project_id: SubjectId,
    session: SignedInDep,
    state: StateDep,
    connection: ConnectionDep,
    lang: Annotated[str | None, Query(max_length=8)] = None,
) -> Response:
    """The complete dossier of a project, to read or print (N11)."""
    row = await seen_project(connection, state, session.viewer, project_id, "dossier")
    texts = Texts(language_of(lang)) if lang else session.texts
    dossier = await dossier_of(connection, Composer(connection, state.facts, session.viewer, texts), row)
    return dossier_page(dossier, texts, state.facts.policy.time_zone)
