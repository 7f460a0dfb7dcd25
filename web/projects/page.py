"""What the page of a task about a project shows besides the form (A5, P4–P8, D1–D3, U6)."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from domain.projects.project import ProjectForm
from domain.subject import SubjectType
from domain.tasks.task import TaskKind
from texts.catalogue import Texts
from texts.projects.project_lines import project_essentials
from texts.view_lines import Essential
from web.dossier.blocks import Block, DossierBlocks
from web.tasks.models import DecisionPage

_REMARKS = {
    TaskKind.CONFLICT_CONFIRMATION: "page.project_conflict",
    TaskKind.OBJECTION_REVIEW: "page.objection",
    TaskKind.RESUME_REVIEW: "page.resumption",
    TaskKind.SUPPLY_INFORMATION: "page.project_returned",
}
_SHOWN_ELSEWHERE = frozenset({"reason", "suspects", "participants", "precedents"})


def project_parts(page: DecisionPage, texts: Texts) -> dict[str, Any]:
    """The parts of the page for projects; empty for an application."""
    brief = _brief(page, texts) if isinstance(page.form, ProjectForm) else ()
    return {
        "brief": brief,
        "reason_heading": texts.text(_REMARKS.get(page.kind, "page.reason")),
        "note_blocks": _note_blocks(page, texts) if page.subject_type is SubjectType.PROJECT else (),
        "help_before": texts.text("page.agree_help") if page.note.get("proposal") else "",
    }


def _brief(page: DecisionPage, texts: Texts) -> list[tuple[str, str]]:
    """The project in a few lines, the customer first."""
    assert isinstance(page.form, ProjectForm)
    lines = (
        Essential(label_key="mail.label.customer", value=page.form.customer.name),
        *project_essentials(page.form),
    )
    return [(texts.label(line.label_key), line.shown(texts)) for line in lines]


def _note_blocks(page: DecisionPage, texts: Texts) -> tuple[Block, ...]:
    """What the assignee has to know: the current proposal, the meeting, earlier rulings, …"""
    blocks = DossierBlocks(texts, ZoneInfo(page.time_zone), SubjectType.PROJECT)
    rest = {name: value for name, value in page.note.items() if name not in _SHOWN_ELSEWHERE}
    agreement = rest.get("agreement")
    if isinstance(agreement, dict):  # the dispute is only an id
        rest["agreement"] = {name: value for name, value in agreement.items() if name != "dispute"}
    proposal = rest.get("proposal")
    shown = []
    if isinstance(proposal, dict) and isinstance(by := proposal.get("by"), dict):  # its author, for the heading
        rest["proposal"] = {name: value for name, value in proposal.items() if name != "by"}
        heading = texts.text("project_page.proposal", person=str(by.get("name", "")))
    else:
        heading = ""
    for block in blocks.parts(rest):
        is_proposal = heading and block.label == texts.text("dossier.section.proposal")
        shown.append(block.model_copy(update={"label": heading}) if is_proposal else block)
    suggested = page.note.get("participants")
    if isinstance(suggested, list) and suggested:
        names = [str(person.get("name", "")) if isinstance(person, dict) else str(person) for person in suggested]
        text = texts.text("project_page.suggested_participants", people=texts.join(names))
        shown.append(Block(label="", kind="text", text=text))
    precedents = page.note.get("precedents")
    if isinstance(precedents, list):
        label = texts.text("project_page.precedents")
        if precedents:
            shown += [block.model_copy(update={"label": label}) for block in blocks.parts({"precedents": precedents})]
        else:
            shown.append(Block(label=label, kind="text", text=texts.text("project_page.no_precedents")))
    return tuple(shown)
