"""The frame of the console: what every page for people who are signed in has around its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.state import parts_of
from db.connection.engine import AsyncConnection
from db.reads import lists
from domain.access import may_apply, may_check_conflicts, may_register
from domain.organisation import Person
from web.models import PageView
from web.rendering import PAGE_HEADERS, render_template
from web.session.guard import CSRF_FIELD, FORM_KEY_FIELD, new_form_key
from web.session.sessions import Session, Visitor

CONSOLE_HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Vary": "HX-Request, Cookie",
}


class Place(NamedTuple):
    """An entry of the navigation."""

    path: str
    label: str
    """Text key."""
    shown_to: Callable[[Person], bool]


def _everybody(_person: Person) -> bool:
    return True


PLACES: Final = (
    Place("/", "console.desk", _everybody),
    Place("/inbox", "console.inbox", _everybody),
    Place("/applications", "console.applications", _everybody),
    Place("/accounts", "console.accounts", _everybody),
    Place("/projects", "console.projects", _everybody),
    Place("/updates", "console.updates", may_register),
    Place("/apply", "console.apply", may_apply),
    Place("/register", "console.register", may_register),
    Place("/check", "console.check", may_check_conflicts),
)
"""The navigation, in order."""


async def page(
    request: Request,
    visitor: Visitor,
    connection: AsyncConnection,
    template: str,
    *,
    title: str,
    block: str = "",
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page of the console or, when htmx asks and `block` is given, only that block of it. Somebody who came by a
    personal link sees the page without what needs a session.

    `template` extends `console.html.j2`. `title` is the document's title, without brand and count.
    """
    state = parts_of(request)
    guest = not isinstance(visitor, Session)
    asked = lists.OpenTasks(0, 0) if guest else await lists.open_tasks_of(connection, visitor.person.id, state.clock())
    view = PageView(language=visitor.language, path=request.url.path, time_zone=state.facts.policy.time_zone)
    html = render_template(
        view,
        template,
        block=block if request.headers.get("hx-request") == "true" else "",
        title=title,
        guest=guest,
        me=visitor.person,
        places=[
            (place.path, visitor.texts.text(place.label), _is_here(request.url.path, place.path))
            for place in PLACES
            if not guest and place.shown_to(visitor.person)
        ],
        asked=asked,
        csrf_field=CSRF_FIELD,
        csrf=visitor.csrf,
        form_key_field=FORM_KEY_FIELD,
        form_key=new_form_key(),
        one_machine=state.settings.embedded,
        **context,
    )
    return HTMLResponse(html, status, headers=dict(CONSOLE_HEADERS))


def _is_here(path: str, place: str) -> bool:
    return path == place or (place != "/" and path.startswith(f"{place}/"))
