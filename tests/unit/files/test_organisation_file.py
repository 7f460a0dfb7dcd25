"""The organisation file is read whole or refused whole, with every mistake and its line ("People and roles")."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.base import is_email_address
from domain.organisation import Organisation, Role
from imports.organisation_file import Mistake, OrganisationMistakes, delegations_without_effect, read_organisation

SAMPLE = Path(__file__).parents[3] / "embedded" / "sample" / "org.toml"

GOOD = """\
company = "示例公司"
sales_vps = ["vp.a", "vp.b"]

[[department]]
id = "north"
name = "北方区"
gm = "gm.n"
vp = "vp.a"

[[person]]
id = "boss"
name = "总经理"
email = "boss@example.com"
roles = ["general_manager"]

[[person]]
id = "vp.a"
name = "甲"
email = "vp.a@example.com"
roles = ["vp"]
reports_to = "boss"

[[person]]
id = "vp.b"
name = "B"
email = "vp.b@example.com"
roles = ["vp"]
language = "en"

[[person]]
id = "gm.n"
name = "北"
email = "gm.n@example.com"
login = "gm-north"
roles = ["department_gm"]
department = "north"
reports_to = "vp.a"

[[person]]
id = "clerk"
name = "商务"
email = "clerk@example.com"
roles = ["commerce_clerk"]

[[person]]
id = "gone"
name = "已离职"
email = "gone@example.com"
roles = ["vp", "general_manager"]
active = false

[[delegation]]
person = "vp.a"
delegate = "vp.b"
start = 2026-12-01T09:00:00+08:00
end = 2026-12-05T18:00:00+08:00
"""


def refused(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(OrganisationMistakes) as caught:
        read_organisation(text)
    assert caught.value.mistakes
    for mistake in caught.value.mistakes:
        assert mistake.message_zh
        assert mistake.message_en
        assert mistake.message_en.isascii() or any(c in mistake.message_en for c in text) or "�" in mistake.message_en
    return caught.value.mistakes


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def only(text: str, field: str, words: str, at: str | None) -> None:
    """Exactly one mistake, at the line where `at` stands."""
    (mistake,) = refused(text)
    assert mistake.field == field
    assert words in mistake.message_en
    assert mistake.line == (None if at is None else line_of(text, at))


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_a_good_file_becomes_the_organisation() -> None:
    organisation = read_organisation(GOOD)
    assert isinstance(organisation, Organisation)
    assert [person.id for person in organisation.people] == ["boss", "vp.a", "vp.b", "gm.n", "clerk", "gone"]
    assert organisation.by_id["clerk"].login == "clerk"
    assert organisation.by_login["gm-north"].id == "gm.n"
    assert [person.id for person in organisation.holders(Role.VP)] == ["vp.a", "vp.b"]
    assert organisation.delegations[0].start == datetime(2026, 12, 1, 1, tzinfo=UTC)


def test_the_sample_organisation_is_good_and_has_every_role() -> None:
    organisation = read_organisation(SAMPLE.read_text(encoding="utf-8"))
    assert {role for person in organisation.people for role in person.roles} == set(Role)
    assert len(organisation.holders(Role.SALESPERSON)) == 12
    assert all(person.email.endswith("@example.com") for person in organisation.people)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert read_organisation("\ufeff" + GOOD.replace("\n", "\r\n")) == read_organisation(GOOD)


def test_the_good_file_survives_a_round_trip_through_json() -> None:
    organisation = read_organisation(GOOD)
    assert Organisation.model_validate_json(organisation.model_dump_json()) == organisation


@pytest.mark.parametrize(
    ("old", "new", "field", "words", "at"),
    [
        pytest.param('name = "商务"', 'name = "商务', "", "not valid TOML", 'name = "商务', id="broken TOML"),
        pytest.param('company = "示例公司"\n', "", "company", "missing", None, id="no company"),
        pytest.param('company = "示例公司"', "company = 3", "company", "text", "company", id="company not text"),
        pytest.param('company = "示例公司"', 'company = ""', "company", "empty", "company", id="company empty"),
        pytest.param('company = "', 'compny = 1\ncompany = "', "compny", "company?", "compny", id="unknown top key"),
        pytest.param('language = "en"', 'lang = "en"', "person.lang", "not a known key", "lang =", id="person key"),
        pytest.param('vp = "vp.a"', 'vps = "vp.a"', "department.vps", "did you mean vp", 'vps = "vp.a"', id="vps"),
        pytest.param("end = 2026", "ende = 1\nend = 2026", "delegation.ende", "mean end", "ende", id="delegation key"),
        pytest.param('name = "北方区"\n', "", "department.name", "missing", "[[department]]", id="missing key"),
        pytest.param('name = "商务"', "name = 1", "person.name", "must be text", "name = 1", id="wrong type"),
        pytest.param('language = "en"', 'language = "fr"', "person.language", "'zh' or 'en'", '"fr"', id="language"),
        pytest.param('language = "en"', 'active = "no"', "person.active", "true or false", "active =", id="active"),
        pytest.param('id = "clerk"', 'id = "Clerk"', "person.id", "lower-case", 'id = "Clerk"', id="id pattern"),
        pytest.param('login = "gm-north"', 'login = "boss"', "person.login", "duplicate", 'login = "boss"', id="login"),
        pytest.param(
            'email = "clerk@', 'email = "BOSS@', "person.email", "duplicate BOSS@", '"BOSS@', id="email, whatever case"
        ),
        pytest.param('["commerce_clerk"]', '["commerce_clerk", "cleark"]', "person.roles", "unknown role 'cleark'",
                     '"cleark"', id="unknown role"),
        pytest.param('["commerce_clerk"]', '["commerce_clerk", 7]', "person.roles", "unknown role", "7]", id="role 7"),
        pytest.param('department = "north"', 'department = "south"', "person.department", "unknown department south",
                     'department = "south"', id="unknown department"),
        pytest.param('reports_to = "boss"', 'reports_to = "chef"', "person.reports_to", "unknown person chef", '"chef"',
                     id="unknown superior"),
        pytest.param('gm = "gm.n"', 'gm = "gm.x"', "department.gm", "unknown person gm.x", '"gm.x"', id="unknown gm"),
        pytest.param('vp = "vp.a"', 'vp = "vp.x"', "department.vp", "unknown person vp.x", '"vp.x"', id="unknown vp"),
        pytest.param('person = "vp.a"', 'person = "vp.x"', "delegation.person", "unknown person", '"vp.x"', id="whose"),
        pytest.param('delegate = "vp.b"', 'delegate = "x"', "delegation.delegate", "unknown person", '"x"', id="whom"),
        pytest.param('delegate = "vp.b"', 'delegate = "vp.a"', "delegation.delegate", "their own", 'delegate = "vp.a"',
                     id="delegation to oneself"),
        pytest.param('delegate = "vp.b"', 'delegate = "gone"', "delegation.delegate", "no longer active", '"gone"\nst',
                     id="delegation to someone who left"),
        pytest.param("end = 2026-12-05", "end = 2026-11-05", "delegation.end", "after start", "end = 2026-11",
                     id="end before start"),
        pytest.param("end = 2026-12-05T18:00:00", "end = 2026-12-01T09:00:00", "delegation.end", "after start",
                     "end = 2026-12-01", id="end at start"),
        pytest.param("09:00:00+08:00", "09:00:00", "delegation.start", "offset", "start =", id="naive start"),
        pytest.param("18:00:00+08:00", "18:00:00", "delegation.end", "offset", "end =", id="naive end"),
        pytest.param("2026-12-05T18:00:00+08:00", "2026-12-05", "delegation.end", "offset", "end =", id="only a day"),
        pytest.param("2026-12-05T18:00:00+08:00", '"2026-12-05T18:00:00+08:00"', "delegation.end", "offset", "end =",
                     id="time as text"),
        pytest.param("2026-12-05T18:00:00", "2926-12-05T18:00:00", "delegation.end", "2199", "end =", id="far year"),
        pytest.param('["vp.a", "vp.b"]', '["vp.a"]', "sales_vps", "exactly two", "sales_vps", id="one sales VP"),
        pytest.param('["vp.a", "vp.b"]', '["vp.a", "vp.a"]', "sales_vps", "different", "sales_vps", id="VP twice"),
        pytest.param('["vp.a", "vp.b"]', '"vp.a"', "sales_vps", "exactly two", "sales_vps", id="VPs not a list"),
        pytest.param('["vp.a", "vp.b"]', '["vp.a", "boss"]', "sales_vps", "have the role vp", "sales_vps", id="no VP"),
        pytest.param('["vp.a", "vp.b"]', '["vp.a", "gone"]', "sales_vps", "be active", "sales_vps", id="VP who left"),
        pytest.param('["vp.a", "vp.b"]', '["vp.a", "who"]', "sales_vps", "unknown person", "sales_vps", id="who"),
        pytest.param('sales_vps = ["vp.a", "vp.b"]\n', "", "sales_vps", "missing", None, id="no sales VPs"),
        pytest.param('["general_manager"]', "[]", "person", "exactly one active general_manager", None, id="no GM"),
        pytest.param("active = false", "active = true", "person.roles", "exactly one active general_manager, found: b",
                     'roles = ["vp", "general_manager"]', id="two GMs"),
        pytest.param('["commerce_clerk"]', "[]", "person", "at least one active commerce", None, id="no commerce"),
        pytest.param('reports_to = "boss"', 'reports_to = "vp.a"', "person.reports_to", "circle: vp.a → vp.a",
                     'reports_to = "vp.a"', id="reports to oneself"),
        pytest.param('reports_to = "boss"', 'reports_to = "gm.n"', "person.reports_to", "vp.a → gm.n → vp.a",
                     'reports_to = "gm.n"', id="reports in a circle"),
    ],
)  # fmt: skip
def test_each_mistake_is_reported_once_at_its_line(old: str, new: str, field: str, words: str, at: str | None) -> None:
    only(changed(old, new), field, words, at)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.com",
        "a@",
        "a@b",
        "a b@example.com",
        "a@example.com\\r\\nBcc: x@example.com",
        "a@example.com\\n",
        "a@example.com,b@example.com",
        "Boss <a@example.com>",
        "a@exa_mple.com",
        "a@-x.com",
        "a..b@example.com",
        ".a@example.com",
        "a@b@example.com",
        "张@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        '\\"a\\"@example.com',
        "a" * 65 + "@example.com",
        "a@example.com\\u0000",
        "a@example.com\\u2028",
    ],
)
def test_an_address_that_could_carry_more_than_one_mailbox_is_refused(address: str) -> None:
    text = changed('email = "clerk@example.com"', f'email = "{address}"')
    only(text, "person.email", "", f'email = "{address}"')


@given(st.text(max_size=80))
def test_an_accepted_address_never_holds_a_separator(address: str) -> None:
    if is_email_address(address):
        assert not set(address) & set(' \r\n\t,;:<>()[]\\"')
        assert address.isascii()


def test_a_duplicate_id_is_reported_with_the_line_of_the_first() -> None:
    text = changed('id = "clerk"', 'id = "boss"')
    mistakes = refused(text)
    assert [m.message_en for m in mistakes if m.field == "person.id"] == ["duplicate boss (already used in line 11)"]
    assert [m.line for m in mistakes if m.field == "person.id"] == [40]
    assert not [m for m in mistakes if m.field == "person.login"]


def test_a_duplicate_department_is_reported() -> None:
    only(
        GOOD + '\n[[department]]\nid = "north"\nname = "又"\n',
        "department.id",
        "duplicate north",
        'id = "north"\nname = "又"',
    )


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace('gm = "gm.n"', 'gm = "gm.x"')
        .replace('email = "boss@example.com"', 'email = "boss"')
        .replace('reports_to = "boss"', 'reports_to = "chef"')
        .replace('["commerce_clerk"]', '["typist"]')
        .replace('delegate = "vp.b"', 'delegate = "vp.a"')
        .replace("09:00:00+08:00", "09:00:00")
    )
    assert [(m.line, m.field) for m in refused(text)] == [
        (None, "person"),
        (7, "department.gm"),
        (13, "person.email"),
        (21, "person.reports_to"),
        (43, "person.roles"),
        (54, "delegation.delegate"),
        (55, "delegation.start"),
    ]


def test_an_empty_file_names_everything_that_is_missing() -> None:
    assert [m.field for m in refused("")] == ["company", "sales_vps", "person", "person"]


def test_broken_toml_at_the_end_of_the_file_has_a_line_too() -> None:
    (mistake,) = refused('company = "x"\nsales_vps = [')
    assert mistake.line == 2


@pytest.mark.parametrize("name", ["person", "department", "delegation"])
def test_a_table_written_in_the_wrong_shape_is_refused(name: str) -> None:
    text = f'company = "x"\nsales_vps = []\n[{name}]\nid = "a"\n'
    assert (3, name) in [(m.line, m.field) for m in refused(text)]


def test_a_header_inside_a_string_or_a_comment_is_no_header() -> None:
    text = '# [[person]]\nnote = """\n[[person]]\n"""\n' + "more = '''\n[[person]]''''\nlist = [ # ]\n  1,\n]\n" + GOOD
    text = text.replace('name = "商务"', "name = 1")
    mistakes = refused(text)
    assert [(m.line, m.field) for m in mistakes] == [
        (2, "note"),
        (5, "more"),
        (7, "list"),
        (line_of(text, "name = 1"), "person.name"),
    ]


def test_inline_tables_and_quoted_keys_find_their_lines() -> None:
    mistakes = refused('company = "x"\nperson = [\n  { id = 1 },\n]\n["sales_vps".x]\n"a\\u0062" = 1\n')
    assert (2, "person.id") in [(m.line, m.field) for m in mistakes]
    assert (5, "sales_vps") in [(m.line, m.field) for m in mistakes]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{b=" * 5_000,
        "a = " + "9" * 5_000,
        "person = [{roles = [0x" + "f" * 10_000 + "]}]",
        "person = [{roles = [[[[[[]]]]]]}]",
        "[[person]]\nroles = " + "[" * 60 + "]" * 60,
        '"' + "k" * 100_000 + '" = 1',
        "[[person]]\n" * 3_000,
        '[[person]]\nid = "\ud800"\nreports_to = "\udfff"',
        "a.b.c.d = 1\n[person.x]\n[[person.y]]",
        "[[delegation]]\nstart = 9999-12-31T23:59:59-23:59\nend = 0001-01-01T00:00:00+23:59",
    ],
)
def test_hostile_files_are_refused_in_bounded_time(text: str) -> None:
    refused(text)


NAMES = st.sampled_from(
    ["boss", "vp.a", "vp.b", "gm.n", "clerk", "gone", "north", "", "x", "Boss", "a@example.com", "vp", "en", "\\n"]
)
VALUES = st.one_of(
    NAMES.map(lambda name: f'"{name}"'),
    st.lists(NAMES, max_size=3).map(lambda names: "[" + ", ".join(f'"{n}"' for n in names) + "]"),
    st.sampled_from(
        ["1", "true", "1.5", "nan", "2026-12-01", "2026-12-01T09:00:00", "2026-12-01T09:00:00Z", "09:00:00"]
    ),
    st.sampled_from(["{}", "{ id = 1 }", "[[1], {a = 2}]", '"""\n[[person]]\n"""']),
)
LINES = st.one_of(
    st.sampled_from(
        ["[[person]]", "[[department]]", "[[delegation]]", "[person]", "[[person.roles]]", "[x]", "", "# x"]
    ),
    st.tuples(
        st.sampled_from(
            "company sales_vps id name email login roles department reports_to active language gm vp person delegate "
            "start end reason x.y".split()
        ),
        VALUES,
    ).map(lambda pair: f"{pair[0]} = {pair[1]}"),
)


def _only_its_own_exception(text: str) -> None:
    try:
        read_organisation(text)
    except OrganisationMistakes as refusal:
        count = text.count("\n") + 1
        strays = [mistake for mistake in refusal.mistakes if not 1 <= (mistake.line or 1) <= count]
        assert not strays


@given(st.text(max_size=200))
def test_no_text_raises_another_exception(text: str) -> None:
    _only_its_own_exception(text)


@settings(max_examples=200)
@given(st.lists(LINES, max_size=14))
def test_no_document_raises_another_exception(lines: list[str]) -> None:
    _only_its_own_exception("\n".join(lines))


@settings(max_examples=200)
@given(st.data())
def test_no_change_of_a_good_file_raises_another_exception(data: st.DataObject) -> None:
    lines = GOOD.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        key = lines[index].partition(" = ")[0]
        lines[index] = data.draw(st.one_of(LINES, VALUES.map(lambda value, key=key: f"{key} = {value}")))  # type: ignore[misc]
    _only_its_own_exception("\n".join(lines))


def test_n6_a_delegation_from_one_sales_vp_to_the_other_is_pointed_out_with_its_line() -> None:
    """Neither reviews in the other's place: whoever counts on it would wait for the general manager (N12)."""
    given = '\n[[delegation]]\nperson = "{}"\ndelegate = "{}"\nstart = 2026-12-01T00:00:00+08:00\n'
    given += "end = 2026-12-09T00:00:00+08:00\n"
    sample = SAMPLE.read_text(encoding="utf-8")
    text = sample + given.format("li.ming", "wang.fang") + given.format("li.ming", "sun.li")
    (found,) = delegations_without_effect(text, read_organisation(text))
    assert text.splitlines()[(found.line or 0) - 1] == 'delegate = "wang.fang"'
    for words in ("李明", "王芳", "主管VP审核不起作用", "N6", "N12"):
        assert words in found.message_zh
    assert "has no effect" in found.message_en
    assert not delegations_without_effect(sample, read_organisation(sample))
