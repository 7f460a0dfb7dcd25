"""The conflict check as a page that updates while the user types, with or without script (N3, P4).

The page has no session. The bearer token comes from the portal, in the fragment of the address, which is not sent to
any server, or is typed in. It is sent with every check in the body of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from api.conflicts.models import ConflictCheck
from api.conflicts.views import check_conflicts
from api.problems import Refusal, field_problems, texts_for
from api.state import StateDep, viewer_by
from api.views import Composer
from db.connection.engine import DatabaseUnavailable, autocommit
from domain.access import may_check_conflicts
from domain.conflicts.draft import ConflictDraft
from domain.names import handed_in
from domain.organisation import Language
from domain.refusals import RefusalCode
from texts.catalogue import Texts, language_of
from web.models import PageView
from web.rendering import PAGE_HEADERS, render_template

router = APIRouter(include_in_schema=False)

FIELDS = ("customer", "uscc", "related_parties", "end_user", "channel", "project", "tender_number")
"""The inputs of the page; related parties are entered one per line."""
FIRST_FIELDS: Final = ("customer", "project")
"""Those that stand above the result; the others are folded until one is filled in."""
_HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""This is the only page with a script, a file of our own."""


@router.api_route("/check", methods=["GET", "HEAD"])
async def show(request: Request) -> HTMLResponse:
    """The empty form; it needs no authentication."""
    return _page(request, _texts(request), {})


@router.post("/check")
async def look(state: StateDep, request: Request) -> HTMLResponse:
    """The result: the whole page or, for its script, only the part that changes."""
    form = {name: str(value) for name, value in (await request.form(max_files=0)).multi_items()}
    texts = _texts(request)
    try:
        viewer = await viewer_by(request, form.get("token"))
        texts = _texts(request)
        if not may_check_conflicts(viewer.person):
            raise Refusal(403, RefusalCode.MAY_NOT_CHECK)
        draft = handed_in(ConflictDraft, _draft(form))
        if draft.empty:
            return _page(request, texts, form)
        async with autocommit(state.engine) as connection:
            found = await check_conflicts(Composer(connection, state.facts, viewer, texts), draft, state.clock())
        return _page(request, texts, form, found=found)
    except ValidationError as error:
        wrong = [texts.error(problem.key, problem.params) for problem in field_problems(error.errors())]
        return _page(request, texts, form, wrong=list(dict.fromkeys(wrong)), status=422)
    except Refusal as refusal:
        return _page(request, texts, form, wrong=[texts.error(refusal.words, refusal.facts)], status=refusal.status)
    except DatabaseUnavailable:
        return _page(request, texts, form, wrong=[texts.error(RefusalCode.RECORD_AWAY)], status=503)


def render_check(
    language: Language,
    typed: Mapping[str, str],
    *,
    token: str = "",
    found: ConflictCheck | None = None,
    wrong: Sequence[str] = (),
    part: bool = False,
) -> str:
    """The page with the form and the result. `part`: only the part that changes while somebody types."""
    texts = Texts(language)
    several = {"related_parties"}
    return render_template(
        PageView(language=language, path="/check"),
        "check_result.html.j2" if part else "check.html.j2",
        title=texts.text("check.title"),
        script="/static/check.js",
        first=FIRST_FIELDS,
        more_typed=any(words.strip() for name, words in typed.items() if name not in FIRST_FIELDS),
        fields=[(name, texts.text(f"check.field.{name}"), name in several) for name in typed],
        typed=typed,
        token=token,
        found=found,
        wrong=wrong,
    )


def _draft(form: dict[str, str]) -> dict[str, Any]:
    related = [{"name": line} for line in form.get("related_parties", "").splitlines() if line.strip()]
    return {
        "customer": {"name": form.get("customer", ""), "uscc": form.get("uscc")},
        "related_parties": related,
        "end_user": {"name": form.get("end_user", "")},
        "channel": {"name": form.get("channel", "")},
        "project": {"name": form.get("project", ""), "tender_number": form.get("tender_number", "")},
    }


def _texts(request: Request) -> Texts:
    asked = request.query_params.get("lang")
    return Texts(language_of(asked)) if asked else texts_for(request)


def _page(
    request: Request,
    texts: Texts,
    form: dict[str, str],
    *,
    found: ConflictCheck | None = None,
    wrong: list[str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    part = request.headers.get("x-part") == "result"
    typed = {name: form.get(name, "") for name in FIELDS}
    page = render_check(texts.language, typed, token=form.get("token", ""), found=found, wrong=wrong or [], part=part)
    return HTMLResponse(page, status, headers=dict(_HEADERS))
