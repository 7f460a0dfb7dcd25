"""The desk: what somebody owes, what they wait for, and what happens next automatically."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.state import ConnectionDep
from web.frame import page
from web.session.guard import SignedInDep

router = APIRouter(include_in_schema=False)


@router.get("/")
async def desk(session: SignedInDep, connection: ConnectionDep, request: Request) -> Response:
    """The desk of whoever is signed in."""
    return await page(request, session, connection, "desk.html.j2", title=session.texts.text("console.desk"))
