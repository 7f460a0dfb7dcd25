"""X2: signing in by OpenID Connect, sessions and how they end, and forms that only our own pages can send."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from db.tables.sessions import session
from domain.organisation import Organisation, Role
from embedded.welcome import sample_organisation
from tests.integration.session.conftest import HERE, Office
from web.session.guard import safe_path

COMPANY = sample_organisation()
PERSON = COMPANY.holders(Role.SALESPERSON)[0]
OTHER = COMPANY.holders(Role.VP)[0]
COOKIE = "__Host-baobei"


def csrf_in(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found, page.text
    return found.group(1)


def with_person_changed(**changes: object) -> Organisation:
    people = tuple(person.model_copy(update=changes) if person.id == PERSON.id else person for person in COMPANY.people)
    return COMPANY.model_copy(update={"people": people})


async def test_x2_somebody_signs_in_and_is_back_where_they_wanted_to_go(office: Office) -> None:
    turned_away = await office.browser.get("/session?x=1")
    assert turned_away.status_code == 303
    assert turned_away.headers["location"] == "/sign-in?back=%2Fsession%3Fx%3D1"
    back = await office.sign_in(PERSON.login, "/session?x=1")
    assert (back.status_code, back.headers["location"]) == (303, "/session?x=1")
    cookie = next(value for value in back.headers.get_list("set-cookie") if value.startswith(COOKIE))
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    desk = await office.browser.get("/")
    assert desk.status_code == 200
    assert PERSON.name in desk.text
    [(event, actor, body)] = await office.events()
    assert (event, actor, body["through"]) == ("signed_in", PERSON.id, "oidc")


async def test_x2_the_request_to_the_issuer_has_state_nonce_and_a_challenge(office: Office) -> None:
    started = await office.browser.get("/sign-in")
    asked = parse_qs(urlsplit(started.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [f"{HERE}/sign-in/back"]
    assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    again = parse_qs(urlsplit((await office.browser.get("/sign-in")).headers["location"]).query)
    assert not {asked[name][0] for name in ("state", "nonce", "code_challenge")} & {
        again[name][0] for name in ("state", "nonce", "code_challenge")
    }


async def test_x2_a_code_counts_only_in_the_browser_that_asked_for_it(office: Office) -> None:
    confirmed = await office.at_the_issuer(office.browser, PERSON.login)
    async with office.another_browser() as other:
        assert (await other.get(confirmed.headers["location"])).status_code == 403
        await other.get("/sign-in")  # with an attempt of its own
        assert (await other.get(confirmed.headers["location"])).status_code == 403
        assert (await other.get("/")).status_code == 303
    assert [event for event, _, _ in await office.events()] == ["sign_in_refused", "sign_in_refused"]
    assert (await office.browser.get(confirmed.headers["location"])).status_code == 303
    assert (await office.browser.get(confirmed.headers["location"])).status_code == 403


async def test_x2_whoever_is_not_in_the_company_is_told_so(office: Office) -> None:
    stranger = await office.sign_in("nobody.here")
    assert stranger.status_code == 403
    assert "人员名单中没有您" in stranger.text
    await office.import_company(with_person_changed(active=False))
    left = await office.sign_in(PERSON.login)
    assert left.status_code == 403
    assert "已停用" in left.text
    assert [(event, body["login"]) for event, _, body in await office.events()] == [
        ("sign_in_refused", "nobody.here"),
        ("sign_in_refused", PERSON.login),
    ]
    assert (await office.browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"active": False}, "left"),
        ({"name": "新名字"}, "changed"),
        ({"roles": frozenset({Role.SALESPERSON, Role.VP})}, "changed"),
        ({"login": "another.login"}, "changed"),
    ],
)
async def test_x2_a_session_ends_when_its_person_leaves_or_changes(
    office: Office, changes: dict[str, object], because: str
) -> None:
    await office.sign_in(PERSON.login)
    assert (await office.browser.get("/")).status_code == 200
    await office.import_company(with_person_changed(**changes))
    assert (await office.browser.get("/")).status_code == 303
    event, actor, body = (await office.events())[-1]
    assert (event, actor, body["because"]) == ("signed_out", PERSON.id, because)
    await office.import_company(COMPANY)
    assert (await office.browser.get("/")).status_code == 303, "a session that ended never begins again"


async def test_x2_a_session_ends_when_it_is_idle_and_when_it_lasted_too_long(office: Office) -> None:
    await office.sign_in(PERSON.login)
    for _ in range(10):  # in use, it lasts to its end
        office.later(hours=7)
        assert (await office.browser.get("/")).status_code == 200
    office.later(hours=2)
    assert (await office.browser.get("/")).status_code == 303
    assert (await office.events())[-1][2]["because"] == "lasted_too_long"
    await office.sign_in(PERSON.login)
    office.later(hours=8)
    assert (await office.browser.get("/")).status_code == 303
    assert (await office.events())[-1][2]["because"] == "idle"


async def test_x2_signing_in_again_changes_the_cookie_and_ends_the_session_before(office: Office) -> None:
    await office.sign_in(PERSON.login)
    before = office.browser.cookies[COOKIE]
    office.browser.cookies.delete(COOKIE)
    await office.sign_in(OTHER.login)
    assert office.browser.cookies[COOKIE] != before
    async with office.another_browser() as thief:
        thief.cookies.set(COOKIE, before)
        assert (await thief.get("/")).status_code == 200, "two devices, two sessions"
    await office.browser.post("/session/end", data={"csrf": csrf_in(await office.browser.get("/"))})
    async with office.another_browser() as thief:
        thief.cookies.set(COOKIE, office.browser.cookies.get(COOKIE) or "none")
        assert (await thief.get("/")).status_code == 303


async def test_x2_signing_out_everywhere_ends_every_session_of_the_person_and_no_other(office: Office) -> None:
    async with office.another_browser() as phone, office.another_browser() as of_other:
        await office.sign_in(PERSON.login)
        await office.sign_in(PERSON.login, browser=phone)
        await office.sign_in(OTHER.login, browser=of_other)
        page = await office.browser.get("/session")
        assert page.text.count("python-httpx") == 2
        out = await office.browser.post("/session/end", data={"csrf": csrf_in(page), "everywhere": "yes"})
        assert out.status_code == 200
        assert (await office.browser.get("/")).status_code == 303
        assert (await phone.get("/")).status_code == 303
        assert (await of_other.get("/")).status_code == 200


async def test_x2_the_record_does_not_hold_what_opens_a_session(office: Office) -> None:
    await office.sign_in(PERSON.login)
    async with office.engine.connect() as connection:
        [row] = (await connection.execute(select(session))).all()
    assert office.browser.cookies[COOKIE] not in str(row)
    async with office.another_browser() as thief:
        thief.cookies.set(COOKIE, row.id)
        assert (await thief.get("/")).status_code == 303


async def test_x2_a_form_of_another_site_session_or_page_is_not_taken(office: Office) -> None:
    await office.sign_in(PERSON.login)
    page = await office.browser.get("/")
    csrf = csrf_in(page)
    async with office.another_browser() as other:
        await office.sign_in(OTHER.login, browser=other)
        foreign = csrf_in(await other.get("/"))
    attempts: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": foreign}, {}),
        ({"csrf": csrf}, {"Origin": "https://evil.test"}),
        ({"csrf": csrf}, {"Origin": "null"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "same-site"}),
    ]
    for data, headers in attempts:
        answer = await office.browser.post("/session/language", data={"language": "en", **data}, headers=headers)
        assert answer.status_code == 403, (data, headers)
    assert "退出" in (await office.browser.get("/")).text
    own = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    taken = await office.browser.post("/session/language", data={"language": "en", "csrf": csrf}, headers=own)
    assert taken.status_code == 303
    assert "Sign out" in (await office.browser.get("/")).text


async def test_x2_what_was_typed_survives_the_end_of_the_session(office: Office) -> None:
    await office.sign_in(PERSON.login)
    csrf = csrf_in(await office.browser.get("/"))
    async with office.engine.begin() as connection:
        await connection.execute(update(session).values(ended_at=office.now, ended_because="signed_out"))
    typed = {"csrf": csrf, "form_key": "k1", "language": "en", "reason": '"><script>alert(1)</script>'}
    lost = await office.browser.post("/session/language", data=typed)
    assert lost.status_code == 401
    assert 'name="reason" value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in lost.text
    assert 'name="form_key" value="k1"' in lost.text, "sent again it is the same message"
    await office.sign_in(PERSON.login)
    again = await office.browser.post("/session/language", data=typed)
    assert again.status_code == 403, "the old field is of the old session"
    sent = await office.browser.post("/session/language", data=typed | {"csrf": csrf_in(again)})
    assert sent.status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "javascript:alert(1)",
        "evil.test",
        "/\t/evil.test",
        "/a\r\nb",
    ],
)
async def test_x2_nobody_is_sent_to_another_site(office: Office, wanted: str) -> None:
    assert safe_path(wanted) == "/"
    back = await office.sign_in(PERSON.login, wanted)
    assert back.headers["location"] == "/"


async def test_x3_an_issuer_that_is_away_is_told_as_such(office: Office) -> None:
    office.app.state.parts.settings.__dict__["oidc_issuer"] = "http://localhost:9"
    office.app.state.openid = None
    away = await office.browser.get("/sign-in")
    assert away.status_code == 503
    assert "登录服务暂时不可用" in away.text
