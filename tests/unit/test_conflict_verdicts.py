"""N3, P4: what is said of two companies or two projects, and why."""

from __future__ import annotations

from domain.verdict import Level
from matching.parties import Party, compare
from matching.projects import ProjectSides, compare_projects

A_USCC, B_USCC = "91320594MA27XK3C44", "91310115MA1K4BCD29"


def test_one_name_is_one_company_unless_the_codes_differ() -> None:
    """N3."""
    asked = Party(name="云岭精密有限公司", uscc=A_USCC)
    assert compare(asked, Party(name="云岭精密")).level is Level.SAME
    assert compare(asked, Party(name="别的名称", uscc=A_USCC)).reasons[0].key == "same_uscc"
    assert compare(asked, Party(name="云岭精密有限公司", uscc=B_USCC)).level is not Level.SAME


def test_a_related_party_makes_the_two_related_and_not_the_same() -> None:
    """N3."""
    found = compare(Party(name="云岭精密"), Party(name="云岭精密有限公司", role="related_party"))
    assert found.level is Level.RELATED
    assert [reason.key for reason in found.reasons] == ["same_name", "related_party"]


def test_what_a_person_has_confirmed_counts_either_way_round() -> None:
    """N3."""
    one, other = Party(name="云岭"), Party(name="岭南重工")
    for pair in ((one.key, other.key), (other.key, one.key)):
        assert compare(one, other, aliases=[pair]).level is Level.SAME
    assert not compare(one, other).found


def test_one_tender_number_is_one_project_whatever_it_is_called() -> None:
    """P4."""
    one = ProjectSides(name="一期网络", tender_number="ZB-2026-001")
    other = ProjectSides(name="数据中心", tender_number="zb 2026 001")
    assert compare_projects(one, other).level is Level.SAME
    assert not compare_projects(one, ProjectSides(name="数据中心")).found
