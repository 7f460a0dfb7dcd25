"""Routes of the one-machine mode: tokens for everybody, the people, the mails sent, the clock.

Mounted by `cli.py api` if the settings say `embedded`; no production configuration has them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from jwt.algorithms import ECAlgorithm
from pydantic import BaseModel, Field, TypeAdapter
from temporalio.client import Client
from temporalio.service import RPCError

from api.problems import Refusal, Unavailable
from api.system.codec import CodecBody, recode
from crypto.codec import EncryptionCodec
from domain.organisation import Organisation, Person
from domain.policy import load_policy
from domain.refusals import RefusalCode
from domain.reviews.periods import Rhythm
from embedded.dev_pages import pages
from embedded.mails import ReceivedMail, read_mails
from embedded.rehearsal import NoClock, end_period, fast_forward
from runtime.settings import Settings
from runtime.temporal_client import connect

TOKEN_LIFE = 8 * 3600
"""Seconds."""
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
        await move_clock(leap.workflow_id, leap.duration)

    async def move_clock(workflow_id: str, duration: timedelta) -> None:
        async def leap(client: Client) -> None:
            await fast_forward(client, workflow_id, duration)

        await rehearse(leap)

    async def end_current_period(rhythm: Rhythm) -> str:
        found: list[str] = []

        async def end(client: Client) -> None:
            found.append((await end_period(client, rhythm, policy, datetime.now(UTC))).id)

        await rehearse(end)
        return found[0]

    async def rehearse(act: Callable[[Client], Awaitable[None]]) -> None:
        if not settings.rehearsal:
            raise Refusal(409, RefusalCode.REHEARSAL_OFF)
        try:
            await act(await connect(settings))
        except NoClock:
            raise Refusal(409, RefusalCode.NO_CLOCK) from None
        except (RPCError, RuntimeError, TimeoutError):
            raise Unavailable(RefusalCode.ENGINE_AWAY) from None

    policy = load_policy(settings.policy_file)
    routes.include_router(pages(settings, policy.zone, organisation, move_clock, end_current_period))
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
