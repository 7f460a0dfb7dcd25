"""The dossier as a printable page (N11)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response
from fastapi.responses import HTMLResponse

from domain.organisation import Language
from domain.subject import SubjectType
from texts.catalogue import DEFAULT_LANGUAGE, Texts
from texts.view_lines import detail_value
from web.dossier.blocks import DossierBlocks
from web.headings import subject_line
from web.models import AboutSubject, PageView
from web.rendering import headers_with, render_template, stylesheet


@cache
def dossier_headers() -> Mapping[str, str]:
    """Like `PAGE_HEADERS`, for a page that includes its style sheet."""
    digest = hashlib.sha256(stylesheet().encode()).digest()
    return headers_with(f"'sha256-{base64.b64encode(digest).decode()}'")


def dossier_page(dossier: Mapping[str, Any], texts: Texts, time_zone: str) -> Response:
    """The response with the printable page of a dossier."""
    page = render_dossier(dossier, language=texts.language, time_zone=time_zone)
    return HTMLResponse(page, headers=dossier_headers())


def render_dossier(
    dossier: Mapping[str, Any],
    *,
    language: Language = DEFAULT_LANGUAGE,
    time_zone: str = "Asia/Shanghai",
    path: str = "",
) -> str:
    """Everything recorded about an application or project as one page to read or print (N11).

    `dossier` is the JSON document that the API returns (or the same with datetimes); parts that this page does not know
    are shown as well.
    """
    texts = Texts(language)
    subject = SubjectType.PROJECT if isinstance(dossier.get("project"), Mapping) else SubjectType.APPLICATION
    own = dossier.get(subject)
    known = {**dossier, **own} if isinstance(own, Mapping) else dossier
    customer = known.get("customer")
    name = known.get("name") or known.get("customer_name") or (isinstance(customer, Mapping) and customer.get("name"))
    of_project = subject is SubjectType.PROJECT
    title = texts.text("dossier.project_title" if of_project else "dossier.title")
    number = str(known.get("number") or known.get("id") or "")
    about = AboutSubject(path=path, subject_type=subject, number=number, project_name=str(name or ""))
    note = "project_note" if of_project else "note" if known.get("evidence") else "note_without_evidence"
    return render_template(
        PageView(language=language, path=path, time_zone=time_zone),
        "dossier.html.j2",
        title=title,
        heading=str(name or title),
        about=subject_line(about, texts),
        what_it_is=texts.text(f"dossier.{note}"),
        blocks=DossierBlocks(texts, ZoneInfo(time_zone), subject).of(dossier),
        detail_value=detail_value,
    )
