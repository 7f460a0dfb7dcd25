"""Every rule of the regulation is decided by a module and tested by name, and `docs/rules.md` says where."""

import pytest

from docs.rules import CHAPTERS, PAGE, ROOT, Rule, citations, named_tests, page, rule_ids, rules

RULES = rules()
BUILT = [rule for rule in RULES if not rule.planned]


def test_the_page_is_up_to_date() -> None:
    stale = "docs/rules.md is stale: run .venv/bin/python -m docs.rules"
    assert PAGE.read_text(encoding="utf-8") == page(RULES), stale


def test_the_rules_of_each_chapter_are_numbered_without_a_gap() -> None:
    for chapter in CHAPTERS:
        numbers = [int(rule.id[1:]) for rule in RULES if rule.id[0] == chapter]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
    assert len(RULES) == len({rule.id for rule in RULES})


@pytest.mark.parametrize(("readme", "until"), [("README.md", "to"), ("README.zh.md", "至")])
def test_the_readmes_name_the_rules_that_are_built(readme: str, until: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    for chapter in dict.fromkeys(rule.id[0] for rule in BUILT):
        last = [rule.id for rule in BUILT if rule.id[0] == chapter][-1]
        assert f"{chapter}1 {until} {last}" in text


@pytest.mark.parametrize("rule", BUILT, ids=lambda rule: rule.id)
def test_a_rule_is_decided_by_a_module_and_tested_by_name(rule: Rule) -> None:
    assert rule.decided, f"no module cites {rule.id}"
    assert rule.tested, f"no test carries {rule.id} in its name"
    for path in rule.decided:
        assert rule.id in rule_ids((ROOT / path).read_text(encoding="utf-8")), f"{path} does not cite {rule.id}"


def test_a_planned_rule_is_built_nowhere() -> None:
    planned = {rule.id for rule in RULES if rule.planned}
    assert planned.isdisjoint(citations())
    assert planned.isdisjoint(named_tests())


def test_no_module_or_test_names_a_rule_that_does_not_exist() -> None:
    known = {rule.id for rule in RULES}
    assert citations().keys() <= known
    assert named_tests().keys() <= known


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("refused (N9, D2)", ["N9", "D2"]),
        ("the silence of U2–U4", ["U2", "U3", "U4"]),
        ("R1 to R3", ["R1", "R2", "R3"]),
        ("clause E1a, cell XA12, SHA256", []),
    ],
)
def test_ids_and_ranges_of_ids_are_found(text: str, ids: list[str]) -> None:
    assert list(rule_ids(text)) == ids
