"""Routes of the one-machine mode: tokens for everybody, the people, the mails sent, the clock.

Mounted by `cli.py api` if the settings say `embedded`; no production configuration has them.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from jwt.algorithms import ECAlgorithm
from pydantic import BaseModel, Field, TypeAdapter

from api.problems import Refusal, Unavailable
from api.state import StateDep
from api.system.codec import CodecBody, recode
from crypto.codec import EncryptionCodec
from domain.organisation import Organisation, Person
from domain.refusals import RefusalCode
from embedded.mails import ReceivedMail, read_mail, read_mails
from runtime.settings import Settings
from web.session.guard import safe_path
from web.session.sessions import begin

TOKEN_LIFE = 8 * 3600
"""Seconds."""
MAILS_ON_PAGE = 100
LONGEST_LEAP = timedelta(days=366)

People = Callable[[], Awaitable[Organisation | None]]


class TokenRequest(BaseModel):
    """The person to get a token for."""

    person: str


class Token(BaseModel):
    """A bearer token."""

    token: str


class FastForward(BaseModel):
    """The process whose clock to move, and by how much."""

    workflow_id: str
    duration: Annotated[timedelta, Field(gt=timedelta(0), le=LONGEST_LEAP)]
    """ISO 8601, such as `P2DT1H`, or seconds."""


class Mail(BaseModel):
    """A mail as the sink received it."""

    id: str
    to: list[str]
    sender: Annotated[str, Field(serialization_alias="from")]
    subject: str
    message_id: str
    date: str
    text: str
    html: str
    links: list[str]
    calendar: str
    """Its calendar invitation (D2), if any."""


_MAILS = TypeAdapter(list[Mail])


class DevKey:
    """The key pair that signs development tokens.

    Args:
        path: the private key (PEM, P-256). Raises OSError or ValueError when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError(f"{path} does not hold an elliptic curve key")
        self._key = key
        public: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(key.public_key()))
        self.key_id = str(public["x"])[:16]
        self.jwks = {"keys": [public | {"kid": self.key_id, "alg": "ES256", "use": "sig"}]}

    def token(self, settings: Settings, login: str) -> str:
        now = int(time.time())
        claims = {
            "iss": settings.oidc_issuer,
            "aud": settings.oidc_audience,
            "iat": now,
            "exp": now + TOKEN_LIFE,
            settings.oidc_person_claim: login,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.key_id})


def router(settings: Settings, people: People) -> APIRouter:
    """The routes under `/dev`.

    Args:
        settings: with `embedded` and `home`. Raises ValueError otherwise: these doors must never open elsewhere.
        people: reads the company as it is now; None while none was imported.
    """
    if not settings.embedded or settings.home is None:
        raise ValueError("the development routes exist in the embedded mode only")
    key = DevKey(settings.home / "dev-key.pem")
    directory = settings.home / "mails"
    hosts = {"127.0.0.1", "localhost", "::1", urlsplit(settings.public_url).hostname}

    def local(request: Request) -> None:
        # A foreign page that resolves its own name to this address (DNS rebinding) must not fetch a token.
        if request.url.hostname not in hosts:
            raise HTTPException(403, "only under this machine's own name")

    routes = APIRouter(prefix="/dev", tags=["dev"], dependencies=[Depends(local)])

    async def organisation() -> Organisation:
        found = await people()
        if found is None:
            raise HTTPException(404, "no organisation has been imported")
        return found

    @routes.post("/token")
    async def token(wanted: TokenRequest, response: Response) -> Token:
        """Return a bearer token for a person of the company, valid for eight hours."""
        company = await organisation()
        person = company.by_login.get(wanted.person) or company.by_id.get(wanted.person)
        if person is None:
            raise HTTPException(404, "nobody of this name: see /dev/people")
        response.headers["Cache-Control"] = "no-store"
        return Token(token=key.token(settings, person.login))

    @routes.get("/check")
    async def check(person: str) -> RedirectResponse:
        """Open the conflict check signed in as a person of the company, as their portal does."""
        signed_in = await token(TokenRequest(person=person), Response())
        return RedirectResponse(f"/check#token={signed_in.token}", 303, headers={"Cache-Control": "no-store"})

    @routes.get("/sign-in", response_class=HTMLResponse)
    async def choose(back: str = "/") -> HTMLResponse:
        """Offer to sign in as any person of the company."""
        company = await organisation()
        offices = {office.id: office.name for office in company.departments}
        return _page(SIGN_IN, company=company, offices=offices, back=safe_path(back))

    @routes.post("/sign-in")
    async def sign_in_as(request: Request, state: StateDep) -> Response:
        """Sign in to the pages as a person of the company."""
        form = await request.form()
        company = await organisation()
        person = company.by_id.get(str(form.get("person", "")))
        if person is None or not person.active:
            raise HTTPException(404, "nobody of this name: see /dev/people")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403, "only from this page")
        response = RedirectResponse(safe_path(str(form.get("back", "/"))), 303)
        await begin(state, response, person, through="one_machine", request=request)
        return response

    @routes.get("/jwks.json")
    async def jwks() -> dict[str, Any]:
        return key.jwks

    @routes.get("/people")
    async def everybody() -> list[Person]:
        return list((await organisation()).people)

    @routes.get("/mails", response_model=list[Mail])
    def mails(to: str | None = None) -> Response:
        """Return the mails that the sink received, newest last; only those to the address `to` if given."""
        listed = [_mail(mail) for mail in read_mails(directory, to)]
        # Serialised in one go: value by value, thousands of mails would take seconds.
        return Response(_MAILS.dump_json(listed, by_alias=True), media_type="application/json")

    @routes.post("/codec/{direction}")
    async def codec(direction: Literal["encode", "decode"], body: CodecBody) -> CodecBody:
        """Decode payloads for this machine's Temporal UI and command line, which have no login."""
        return await recode(body, EncryptionCodec(settings.payload_keys), direction)

    @routes.post("/fast-forward", status_code=204)
    async def forward(leap: FastForward) -> None:
        """Move the clock of one process, so that a rehearsal need not wait for days or months (N12, U2–U4)."""
        if not settings.rehearsal:
            raise Refusal(409, RefusalCode.REHEARSAL_OFF)
        from temporalio.service import RPCError

        from embedded.rehearsal import NoClock, fast_forward
        from runtime.temporal_client import connect

        try:
            await fast_forward(await connect(settings), leap.workflow_id, leap.duration)
        except NoClock:
            raise Refusal(409, RefusalCode.NO_CLOCK) from None
        except (RPCError, RuntimeError, TimeoutError):
            raise Unavailable(RefusalCode.ENGINE_AWAY) from None

    @routes.get("/mails/{mail_id}", response_class=HTMLResponse)
    def one_mail(mail_id: str) -> HTMLResponse:
        path = next((path for path in directory.glob("*.eml") if path.stem == mail_id), None)
        if path is None:
            raise HTTPException(404, "no such mail")
        return _page(MAIL_PAGE, mail=read_mail(path))

    @routes.get("/", response_class=HTMLResponse)
    async def overview(to: str | None = None) -> HTMLResponse:
        """Show people and mails on one page, for demonstrations and training."""
        company = await organisation()
        received = (await asyncio.to_thread(read_mails, directory, to))[: -MAILS_ON_PAGE - 1 : -1]
        offices = {office.id: office.name for office in company.departments}
        ui = settings.temporal_ui_url
        return _page(OVERVIEW, company=company, offices=offices, mails=received, to=to, ui=ui)

    return routes


def _mail(mail: ReceivedMail) -> Mail:
    return Mail(
        id=mail.id,
        to=list(mail.to),
        sender=mail.sender,
        subject=mail.subject,
        message_id=mail.message_id,
        date=mail.date.isoformat(),
        text=mail.text,
        html=mail.html,
        links=list(mail.links),
        calendar=mail.calendar,
    )


def _heading(mail: ReceivedMail) -> str:
    """The heading of the HTML part, because all mails on one subject share their subject line."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", mail.html, re.DOTALL)
    return unescape(found.group(1)).strip() if found else ""


def _page(template: str, **values: object) -> HTMLResponse:
    page = Environment(autoescape=True).from_string(FRAME.replace("BODY", template)).render(heading=_heading, **values)
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


FRAME = """<!doctype html><html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>报备 · 演练 · Rehearsal</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:72rem;padding:0 1rem;color:#1c1f23}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f7f8;padding:1rem}
a{color:#0b57a4;overflow-wrap:anywhere}h2{margin-top:2rem}</style>BODY</html>"""

OVERVIEW = """<h1>{{ company.company }}</h1>
<p><a href="/docs">API</a>{% if ui %} · <a href="{{ ui }}">Temporal</a>{% endif %} · 仅用于本机演练 / for rehearsals on
this machine only</p>
<h2>邮件 · Mails{% if to %} → {{ to }} (<a href="/dev/">全部 · all</a>){% endif %}</h2>
<table><tr><th>时间 · Time (UTC)<th>收件人 · To<th>主题 · Subject<th>链接 · Links</tr>
{% for mail in mails %}<tr><td>{{ mail.date.strftime("%Y-%m-%d %H:%M:%S") }}<td>{{ mail.to|join(", ") }}
<td>{% if heading(mail) %}<b>{{ heading(mail) }}</b> · {% endif -%}
<a href="/dev/mails/{{ mail.id }}">{{ mail.subject or "–" }}</a>
<td>{% for link in mail.links %}<a href="{{ link }}" rel="noreferrer">{{ loop.index }}</a> {% endfor %}</tr>
{% else %}<tr><td colspan="4">– 还没有 · none yet –</tr>{% endfor %}</table>
<h2>人员 · People</h2>
<table><tr><th>login<th>姓名 · Name<th>角色 · Roles<th>部门 · Department<th>邮箱 · Mail<th>冲突查询 · Conflicts</tr>
{% for person in company.people %}<tr><td><code>{{ person.login }}</code><td>{{ person.name }}
<td>{{ person.roles|sort|join(", ") }}<td>{{ offices.get(person.department, "–") }}
<td><a href="/dev/?to={{ person.email|urlencode }}">{{ person.email }}</a>
<td><a href="/dev/check?person={{ person.login|urlencode }}" rel="noreferrer">check</a></tr>{% endfor %}</table>"""

SIGN_IN = """<h1>{{ company.company }}</h1>
<p>仅用于本机演练：选择一位人员登录 / for rehearsals on this machine only: choose whom to sign in as</p>
<form method="post" action="/dev/sign-in"><input type="hidden" name="back" value="{{ back }}">
<table>{% for person in company.people if person.active %}<tr><td><button name="person" value="{{ person.id }}">
以 {{ person.name }} 登录 · sign in as {{ person.name }}</button><td>{{ person.roles|sort|join(", ") }}
<td>{{ offices.get(person.department, "–") }}</tr>{% endfor %}</table></form>"""

MAIL_PAGE = """<p><a href="/dev/">← 邮件 · Mails</a></p>
<h1>{{ heading(mail) or mail.subject or "–" }}</h1><p>{{ mail.subject }}</p>
<p>{{ mail.sender }} → {{ mail.to|join(", ") }}<br>{{ mail.date.strftime("%Y-%m-%d %H:%M:%S") }} UTC ·
{{ mail.message_id }}</p>
<ul>{% for link in mail.links %}<li><a href="{{ link }}" rel="noreferrer">{{ link }}</a>{% endfor %}</ul>
<pre>{{ mail.text }}</pre><details><summary>Headers</summary>
<pre>{% for name, value in mail.headers %}{{ name }}: {{ value }}
{% endfor %}</pre></details>"""
