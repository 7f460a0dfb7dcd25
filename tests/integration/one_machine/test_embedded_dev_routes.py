"""The development routes: tokens that production checks would accept, people, mails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import jwt
import pytest
from fastapi import FastAPI

from crypto.keyring import Keyring
from domain.accounts.application import ApplicationForm
from domain.organisation import Organisation, Role
from embedded import dev_routes, welcome
from embedded.home import Home
from embedded.mails import parse_mail, parsed_copy, read_mail
from embedded.processes.ports import free_row
from embedded.servers.mailsink import MailSink
from runtime.settings import Settings

PUBLIC = "http://127.0.0.1:8700"
COMPANY = welcome.sample_organisation()
SALESPERSON = COMPANY.holders(Role.SALESPERSON)[0]


async def company() -> Organisation | None:
    return COMPANY


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with Home(tmp_path) as home:
        home.ensure_dev_key()
        keys = Keyring.parse(home.secrets().payload_keys)
    return Settings(
        embedded=True,
        home=tmp_path,
        public_url=PUBLIC,
        payload_keys=keys,
        oidc_issuer=f"{PUBLIC}/dev",
        oidc_audience="baobei",
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(dev_routes.router(settings, company))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as found:
        yield found


async def test_a_token_passes_the_checks_of_production(client: httpx.AsyncClient) -> None:
    token = (await client.post("/dev/token", json={"person": SALESPERSON.login})).json()["token"]
    keys = jwt.PyJWKSet.from_dict((await client.get("/dev/jwks.json")).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="baobei", issuer=f"{PUBLIC}/dev")
    assert claims["sub"] == SALESPERSON.login
    assert claims["exp"] - claims["iat"] == 8 * 3600
    assert "d" not in (await client.get("/dev/jwks.json")).json()["keys"][0]


async def test_unknown_people_get_no_token(client: httpx.AsyncClient) -> None:
    assert (await client.post("/dev/token", json={"person": "nobody"})).status_code == 404
    assert (await client.post("/dev/token", json={})).status_code == 422


async def test_dns_rebinding_gets_no_token(client: httpx.AsyncClient) -> None:
    answer = await client.post("/dev/token", json={"person": SALESPERSON.login}, headers={"Host": "evil.example:8700"})
    assert answer.status_code == 403


async def test_everybody_is_listed(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/dev/people")).json()
    assert [person["id"] for person in listed] == [person.id for person in COMPANY.people]


async def test_mails_are_listed_newest_last_and_shown_without_running_what_is_in_them(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    assert settings.home is not None
    assert (await client.get("/dev/mails")).json() == []
    with MailSink(settings.home / "mails", free_row(1)) as sink:
        for number in range(2):
            message = EmailMessage()
            message["From"], message["To"] = "baobei@localhost.localdomain", SALESPERSON.email
            message["Subject"] = f"<b>审批 {number}</b>"
            message["Message-ID"] = f"<{number}@baobei>"
            message.set_content(f"<script>alert(1)</script> {PUBLIC}/d/token{number}")
            message.add_alternative(
                f"<html><head></head><h1 style=''>请您处理 &amp; {number}</h1></html>", subtype="html"
            )
            message.add_attachment(b"PK", maintype="application", subtype="zip", filename="预测 2026.xlsx")
            await aiosmtplib.send(message, hostname="127.0.0.1", port=sink.port, start_tls=False)
    listed = (await client.get("/dev/mails", params={"to": SALESPERSON.email})).json()
    assert [found["subject"] for found in listed] == ["<b>审批 0</b>", "<b>审批 1</b>"]
    assert listed[1]["links"] == [f"{PUBLIC}/d/token1"]
    assert listed[1]["message_id"] == "<1@baobei>"
    assert listed[1]["from"] == "baobei@localhost.localdomain"
    assert listed[1]["to"] == [SALESPERSON.email]
    assert (await client.get("/dev/mails", params={"to": "other@example.com"})).json() == []
    (first, second) = sorted((settings.home / "mails").glob("*.eml"))
    # Parsing a mail takes milliseconds: it is done once, on arrival, so that thousands are listed at once.
    assert read_mail(first) == parse_mail(first.stem, first.read_bytes())
    parsed_copy(second).unlink()
    assert (await client.get("/dev/mails")).json() == listed, "from an earlier version, or put there by hand"
    for address in ("/dev/", f"/dev/?to={SALESPERSON.email}", f"/dev/mails/{listed[0]['id']}"):
        page = await client.get(address)
        assert page.status_code == 200
        assert "&lt;b&gt;审批 0" in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    # Mails of one subject are told apart by their headings.
    assert "请您处理 &amp; 0" in (await client.get("/dev/")).text
    assert "请您处理" not in (await client.get("/dev/", params={"q": "nothing of the kind"})).text
    address = f"/dev/mails/{listed[0]['id']}"
    page = await client.get(address)
    assert f'src="{address}/html"' in page.text
    assert "预测 2026.xlsx" in page.text
    as_sent = await client.get(f"{address}/html")
    assert "请您处理 &amp; 0" in as_sent.text
    assert as_sent.headers["content-security-policy"].startswith("sandbox ")
    attached = await client.get(f"{address}/attachments/0")
    assert (attached.content, attached.headers["content-type"]) == (b"PK", "application/octet-stream")
    assert attached.headers["content-disposition"].startswith("attachment")
    assert (await client.get(f"{address}/attachments/1")).status_code == 404
    assert (await client.get("/dev/mails/..%2F..%2Fsecrets")).status_code == 404


def test_development_routes_exist_only_in_the_embedded_mode(tmp_path: Path) -> None:
    for wrong in (Settings.model_construct(embedded=False, home=tmp_path), Settings(embedded=True)):
        with pytest.raises(ValueError, match="embedded mode only"):
            dev_routes.router(wrong, company)


def test_the_sample_application_is_complete() -> None:
    ApplicationForm.model_validate_json(welcome.FORM_FILE.read_bytes())


@pytest.mark.parametrize("duration", ["P367D", "-P1D", "PT0S", "soon"])
async def test_a_clock_is_only_moved_forward_and_at_most_a_year(client: httpx.AsyncClient, duration: str) -> None:
    got = await client.post("/dev/fast-forward", json={"workflow_id": "application-1", "duration": duration})
    assert got.status_code == 422


async def test_temporals_own_command_line_may_ask_without_arguments(client: httpx.AsyncClient) -> None:
    """It sends an empty document for the codec to encode."""
    got = await client.post("/dev/codec/encode", json={})
    assert (got.status_code, got.json()) == (200, {"payloads": []})
