"""Whatever a caller sends: it is refused in words that name field and rule, and nothing has changed afterwards; and the
published contract, taken at its word."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from typing import Any

import jwt
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from embedded.demo.driver import Answer
from tests.e2e.support.journey import CLERK, VPS, Journey
from tests.e2e.support.stack import Stack, new_form
from tests.e2e.whole.published_calls import CHECKS, HEADERS, NEARLY_RIGHT, OPERATIONS, PEOPLE, Known

LONG = "长" * 10_001


@pytest.fixture
def nothing_changes(stack: Stack) -> Iterator[None]:
    before = stack.quiet()
    yield
    assert stack.counts() == before


def with_value(path: str, value: Any) -> dict[str, Any]:
    """A complete form in which the field called `path` has `value`; `...` takes it away."""
    form = copy.deepcopy(new_form())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node: Any = form
    for part in parents:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return form


def refused(got: Answer, status: int = 422) -> list[tuple[str, str | None]]:
    """Assert that `got` is a problem in the form everybody relies on, and return its fields with their rules."""
    assert got.status == status, got.text[:500]
    assert got.headers["content-type"] == "application/problem+json"
    problem = got.json
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert all(error["message"] and error["field"] for error in problem["errors"])
    assert "{" not in problem["detail"] + "".join(error["message"] for error in problem["errors"])
    return [(error["field"], error["rule"]) for error in problem["errors"]]


@pytest.mark.usefixtures("nothing_changes")
def test_n1_every_missing_and_wrong_field_is_named_at_once(stack: Stack) -> None:
    assert {field for field, _ in refused(stack.portal.submit("yang.fan", {}))} == set(new_form())
    form = new_form()
    form["customer"] |= {"name": " ", "uscc": "91320594MA27XK3C45", "kind": "vip", "contacts": [], "surprise": 1}
    form["customer"]["related_parties"] = [{"name": "甲"}, {"name": "乙", "relation": "子公司", "uscc": "12"}]
    form["forecast"]["annual_contracts"] = "-1"
    del form["forecast"]["first_year_gross_margin"]
    form["centralised_procurement"] = "maybe"
    form["account_plan"] |= {"goals": "", "actions": 7}
    form["products"] = ["存储", "", "b\nc"]
    found = refused(stack.portal.submit("yang.fan", form))
    assert set(found) == {
        ("customer.name", "N1"),
        ("customer.uscc", "N1"),
        ("customer.kind", "N1"),
        ("customer.contacts", "N1"),
        ("customer.surprise", "N1"),
        ("customer.related_parties.0.relation", "N1"),
        ("customer.related_parties.1.uscc", "N1"),
        ("forecast.annual_contracts", "E1"),
        ("forecast.first_year_gross_margin", "E1"),
        ("centralised_procurement", "E3"),
        ("account_plan.goals", "E4"),
        ("account_plan.actions", "E4"),
        ("products.1", "N1"),
        ("products.2", "N1"),
    }


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("customer.uscc", "91320594MA27XK3C45", "末位"),
        ("customer.uscc", "ＡＢ", "18"),
        ("forecast.annual_contracts", "-0.01", "0"),
        ("forecast.annual_contracts", "1000000000000", "过大"),
        ("forecast.annual_contracts", "1E+400", ""),
        ("forecast.annual_contracts", "NaN", ""),
        ("forecast.annual_contracts", "Infinity", ""),
        ("forecast.annual_contracts", "1.001", "2"),
        ("forecast.annual_contracts", 1250000.5, "1250000.00"),
        ("forecast.annual_contracts", True, "1250000.00"),
        ("forecast.annual_contracts", "九百万", "元"),
        ("forecast.annual_contracts", "9" * 5000, ""),
        ("forecast.annual_contracts", None, ""),
        ("customer.name", "长" * 201, "200"),
        ("customer.name", "长" * 10_000, "200"),
        ("customer.name", "甲\u0000乙", "控制字符"),
        ("customer.name", "甲\r\nBcc: all@example.com", "一行"),
        ("customer.name", "甲\u2028乙", "控制字符"),
        ("customer.name", "甲\u0085乙", "控制字符"),
        ("customer.name", ["甲"], "文字"),
        ("customer.legal_person", "perhaps", "是或否"),
        ("customer.contacts.0.email", "\x1b[31m", "控制字符"),
        ("customer.aliases", ["甲"] * 21, "20"),
        ("cooperation", LONG, "10000"),
        ("products", [], "1"),
        ("account_plan", None, ""),
        ("account_plan", [1, 2], ""),
        ("account_plan.goals", ..., "必填"),
    ],
)
def test_n1_one_wrong_field_is_named_with_its_reason(stack: Stack, path: str, value: Any, words: str) -> None:
    got = stack.portal.submit("yang.fan", with_value(path, value))
    fields = [field for field, _ in refused(got)]
    assert all(field == path or field.startswith(f"{path}.") for field in fields), fields
    assert fields
    assert words in got.json["errors"][0]["message"]


def test_e2_e3_what_may_not_become_a_named_account_is_refused_at_submission(stack: Stack) -> None:
    before = stack.quiet()
    form = with_value("customer.legal_person", False)
    form["centralised_procurement"] = True
    form["customer"]["industry"] = "telecom"
    assert set(refused(stack.portal.submit("yang.fan", form))) == {
        ("customer.legal_person", "E2"),
        ("centralised_procurement", "E3"),
    }
    after = stack.counts()  # X1: the refusal is on record, and nothing else is
    assert {name for name in after if after[name] != before[name]} <= {"audit", "receipt", "step", "idempotency_key"}
    for person in (CLERK, *VPS, "zhang.wei", "song.jie"):
        assert refused(stack.portal.submit(person, new_form()), 403) == [("body", "N1")]


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"12", 422),
        (b"\xff\xfe{}", 400),
        (b'{"cooperation": "\xff"}', 400),
        (b'{"cooperation": "\xed\xa0\x80"}', 400),
        ('{"cooperation": "ok"}'.encode("utf-16"), 400),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
        (b"[" * 100_000, 400),
        (b'{"cooperation": NaN, "x": 1e999}', 422),
        (b'{"cooperation": 1' + b"0" * 5000 + b"}", 400),
        (b'{"customer": {"name": "a", "name": "b"}}', 422),
        (b'{"' + b"x" * 600_000 + b'": 1}', 413),
    ],
)
def test_a_body_nobody_can_read_is_refused(stack: Stack, body: bytes, status: int) -> None:
    got = stack.portal.call("yang.fan", "POST", "/applications", body)
    assert got.status in (status, 422 if status == 400 else status), got.text[:300]
    refused(got, got.status)


@pytest.mark.usefixtures("nothing_changes")
def test_lone_surrogates_are_refused_wherever_text_stands(stack: Stack) -> None:
    lone = json.dumps(new_form()).replace('"centralised_procurement"', '"\\ud800": 1, "centralised_procurement"')
    refused(stack.portal.call("yang.fan", "POST", "/applications", lone.encode()))
    for path in ("customer.name", "cooperation", "customer.contacts.0.title", "account_plan.milestones", "products.0"):
        body = json.dumps(with_value(path, "\ud800")).encode()
        found = refused(stack.portal.call("yang.fan", "POST", "/applications", body))
        assert [field for field, _ in found] == [path]


@pytest.mark.usefixtures("nothing_changes")
def test_a_wrong_content_type_is_refused(stack: Stack) -> None:
    body = json.dumps(new_form()).encode()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ):
        got = stack.portal.call("yang.fan", "POST", "/applications", body, headers={"Content-Type": kind})
        refused(got, got.status)
        assert got.status in (415, 422, 400)


@pytest.mark.usefixtures("nothing_changes")
def test_x1_nobody_speaks_with_a_forged_foreign_expired_or_unsigned_token(stack: Stack) -> None:
    settings = stack.environment
    ours = load_pem_private_key((stack.folder / "dev-key.pem").read_bytes(), None)
    assert isinstance(ours, ec.EllipticCurvePrivateKey)
    kid = stack.web.request("GET", "/dev/jwks.json").json["keys"][0]["kid"]
    foreign = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    good = {
        "iss": settings["BAOBEI_OIDC_ISSUER"],
        "aud": settings["BAOBEI_OIDC_AUDIENCE"],
        "sub": "yang.fan",
        "iat": now,
        "exp": now + 600,
    }

    def token(key: Any = ours, algorithm: str | None = "ES256", headers: Any = None, **claims: Any) -> str:
        filled = {name: value for name, value in (good | claims).items() if value is not None}
        return jwt.encode(filled, key, algorithm=algorithm, headers={"kid": kid, **(headers or {})})

    def status(value: str, scheme: str = "Bearer ") -> int:
        got = stack.portal.call(
            None, "POST", "/applications", new_form(), headers={"Authorization": f"{scheme}{value}"}
        )
        refused(got, got.status)
        return got.status

    real = token()
    head, body, signature = real.split(".")
    assert stack.portal.call(None, "GET", "/tasks", headers={"Authorization": f"Bearer {real}"}).status == 200
    public = stack.web.request("GET", "/dev/jwks.json").text
    bad = [
        token(foreign),
        token(foreign, headers={"kid": "other"}),
        token(rsa.generate_private_key(65537, 2048), "RS256"),
        token(None, "none"),
        token(hashlib.sha256(public.encode()).digest(), "HS256"),
        token(exp=now - 60),
        token(exp=None),
        token(iat=None),
        token(iat=now + 3600),
        token(nbf=now + 3600),
        token(iss="https://elsewhere.example"),
        token(iss=None),
        token(aud="another"),
        token(aud=None),
        token(sub=None),
        token(sub=""),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}",
        "x",
        "..",
        "é".encode().decode("latin-1"),
        "a" * 20_000,
    ]
    for value in bad:
        assert status(value) == 401 if len(value) < 10_000 else status(value) in (400, 401, 431), value[:80]
    assert status(real, scheme="Basic ") == 401
    assert status("", scheme="") == 401
    assert status(token(sub="nobody")) == 403
    assert stack.portal.call(None, "POST", "/applications", new_form()).status == 401


@pytest.mark.usefixtures("nothing_changes")
def test_unknown_and_impossible_addresses_queries_and_answers_are_refused(stack: Stack) -> None:
    for path in ("/applications/nothing", "/tasks/nothing", "/receipts/nothing", "/accounts/nothing"):
        refused(stack.portal.call("zhang.wei", "GET", path), 404)
    for path in ("/applications/%00", "/applications/A%20B", "/tasks/..%2f..%2fetc", "/receipts/" + "a" * 65):
        refused(stack.portal.call("zhang.wei", "GET", path), 404)
    for query in ("limit=0", "limit=101", "limit=x", "stage=done", "applicant=%00", "cursor=x", "cursor=" + "A" * 501,
                  "cursor=WyJ4IiwgIlx1MDAwMCJd"):  # fmt: skip
        refused(stack.portal.call("zhang.wei", "GET", f"/applications?{query}"), 422)
    for query in ("status=maybe", "cursor=W10", "limit=-1"):
        refused(stack.portal.call("zhang.wei", "GET", f"/tasks?{query}"), 422)
    refused(stack.portal.call("zhang.wei", "DELETE", "/applications"), 405)
    refused(stack.portal.call("zhang.wei", "GET", "/nowhere"), 404)
    for key in ("", "a b", "x" * 256, "a\tb"):
        headers = {"Idempotency-Key": key}
        refused(stack.portal.call("yang.fan", "POST", "/applications", new_form(), headers=headers), 400)


def test_an_answer_with_anything_wrong_in_it_is_refused_and_the_task_stays_open(stack: Stack) -> None:
    story = Journey(stack, "luo.dan")
    task = stack.portal.open_task(CLERK, story.id)
    story.told()
    before = stack.quiet()
    wrong: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"choice"}),
        ({"choice": "approve"}, {"choice"}),
        ({"choice": "return"}, {"reason"}),
        ({"choice": "return", "reason": " \n"}, {"reason"}),
        ({"choice": "pass", "reason": LONG}, {"reason"}),
        ({"choice": "pass", "reason": "a\u0000"}, {"reason"}),
        ({"choice": "pass", "fields": {"note_x": "y", "note_credit": 5}}, {"fields.note_x", "fields.note_credit"}),
        ({"choice": "pass", "fields": []}, {"fields"}),
        ({"choice": "pass", "on_behalf_of": "li.ming"}, {"on_behalf_of"}),
        ({"choice": "x" * 41}, {"choice"}),
    ]
    for body, fields in wrong:
        got = stack.portal.call(CLERK, "POST", f"/tasks/{task['id']}/answer", body)
        assert {field for field, _ in refused(got)} == fields, body
    for text in ("a\u0000b", "\ud800", "x" * 200_000):
        body = {"choice": "pass", "fields": {"note_credit": text}}
        got = stack.portal.call(CLERK, "POST", f"/tasks/{task['id']}/answer", json.dumps(body).encode())
        assert "fields.note_credit" in {field for field, _ in refused(got)}, text[:10]
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": deep}
    refused(stack.portal.answer(CLERK, task["id"], "pass", fields={"note_credit": deep}))
    for person in (VPS[0], "luo.dan", "yang.fan"):
        refused(stack.portal.answer(person, task["id"], "pass"), 404)
    for reason in ("", " ", LONG, "a\u0007"):
        refused(stack.portal.withdraw("luo.dan", story.id, reason))
        refused(stack.portal.appeal("luo.dan", story.id, reason))
    assert stack.counts() == before
    link = story.link(CLERK)
    for inputs in ({"note_credit": "a\u0000b"}, {"note_credit": "x" * 200_000}):
        assert link.answer("pass", **inputs).status == 422
    assert link.post({"choice": "pass\u0000", "confirm": "yes"}).status == 422
    big = stack.web.request("POST", link.path, b"a=" + b"x" * 600_000, {"Content-Type": FORM})
    assert big.status == 413
    for raw, kind in ((b"\xff\xfe=%ff%fe&choice=%00", FORM), (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
                       (b"x", "multipart/form-data"), (b"&" * 20_000, FORM)):  # fmt: skip
        assert 400 <= stack.web.request("POST", link.path, raw, {"Content-Type": kind}).status < 500
    assert stack.counts() == before
    assert stack.portal.answer(CLERK, task["id"], "pass").status == 200


FORM = "application/x-www-form-urlencoded"
NASTY = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
)
CRLF_WORD = "=?utf-8?q?a=0d=0aBcc:_all@example.com=0d=0a=0d=0abody?="


def test_markup_and_headers_in_every_text_of_a_form_are_only_ever_text(stack: Stack) -> None:
    def nasty(value: Any, where: str = "") -> Any:
        if isinstance(value, dict):
            return {key: nasty(inner, f"{where}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [nasty(inner, where) for inner in value]
        fixed = ("uscc", "kind", "industry")
        if not isinstance(value, str) or "forecast" in where or where.endswith(fixed):
            return value
        return f"{value[:20]} {NASTY[0]} {NASTY[1]}"

    form = nasty(new_form())
    form["customer"]["name"] = f"{CRLF_WORD} {NASTY[0]}"
    form["customer"]["aliases"] = [CRLF_WORD, NASTY[1]]
    form["customer"]["related_parties"] = [{"name": f"关联 {NASTY[0]}", "relation": CRLF_WORD}]
    story = Journey(stack, "he.xin", form)
    story.answer(CLERK, "pass", fields={"note_credit": NASTY[0]})
    story.by_link(VPS[0], "approve", NASTY[0])
    pages = [story.link(vp).open() for vp in VPS]
    pages += [story.link(VPS[1]).post({"choice": "reject", "reason": NASTY[0]})]
    story.by_link(VPS[1], "reject", f"{NASTY[0]} {CRLF_WORD}")
    pages.append(stack.portal.call(CLERK, "GET", f"/applications/{story.id}/dossier", headers={"Accept": "text/html"}))
    for page in pages:
        assert "<script" not in page.text
        assert "<img src=x" not in page.text
        assert "${49}" not in page.words
    assert "&lt;script&gt;" in pages[-1].text
    told = story.told()
    for person in told:
        for mail in stack.mailbox.mails(person, story.id):
            assert "<script" not in mail.html
            assert "<img src=x" not in mail.html
    files = sorted((stack.folder / "mails").glob("*.eml"))
    parsed = [BytesParser(policy=policy.default).parsebytes(file.read_bytes()) for file in files]
    mine = [message for message in parsed if story.id[:8] in str(message["Subject"])]
    assert len(mine) == sum(map(len, told.values()))
    for message in mine:
        assert message["Bcc"] is None
        assert set(message.keys()) <= HEADERS, message.keys()
        assert "\n" not in str(message["Subject"])
        assert not message.defects


@pytest.fixture(scope="module")
def known(stack: Stack) -> Known:
    return Known(stack)


@pytest.fixture(scope="module")
def published(stack: Stack) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(stack.web.request("GET", "/openapi.json").body)
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith("/dev/")}
    return document


def test_every_published_call_is_tried_here(published: dict[str, Any]) -> None:
    calls = {(method.upper(), path) for path, item in published["paths"].items() for method in item}
    assert calls == {(method, path) for method, path, _ in OPERATIONS}


@pytest.mark.parametrize(("method", "path", "examples"), OPERATIONS, ids=str)
def test_answers_are_the_published_ones(
    stack: Stack, known: Known, published: dict[str, Any], method: str, path: str, examples: int
) -> None:
    schema = schemathesis.openapi.from_dict(published)
    operation = schema[path][method]
    checks = [getattr(schemathesis.checks, name) for name in CHECKS]

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def try_it(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for name, values in known.parameters.items():
            if name in (case.path_parameters or {}) and data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(values))
        if isinstance(case.body, dict) and path in NEARLY_RIGHT and data.draw(st.booleans()):
            right = NEARLY_RIGHT[path](data)
            wrong = data.draw(st.sampled_from(sorted(right)))
            case.body = right | ({wrong: case.body[wrong]} if wrong in case.body else {})
        person = data.draw(st.sampled_from(PEOPLE))
        response = case.call(base_url=stack.web.url, headers={"Authorization": f"Bearer {stack.portal.token(person)}"})
        case.validate_response(response, checks=checks)

    try_it()
