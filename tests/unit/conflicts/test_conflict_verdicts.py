"""N3, P4: what is said of two companies or two projects, and why."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conflicts.verdict import Level
from matching.parties import Party, compare
from matching.projects import ProjectSides, compare_projects

A_USCC, B_USCC = "91320594MA27XK3C44", "91310115MA1K4BCD29"


def test_one_name_is_one_company_unless_the_codes_differ() -> None:
    """N3."""
    asked = Party(name="云岭精密有限公司", uscc=A_USCC)
    assert compare(asked, Party(name="云岭精密")).level is Level.SAME
    assert compare(asked, Party(name="别的名称", uscc=A_USCC)).reasons[0].key == "same_uscc"
    assert compare(asked, Party(name="云岭精密有限公司", uscc=B_USCC)).level is not Level.SAME


def test_a_shared_related_party_makes_customers_related_not_the_same() -> None:
    """N3."""
    found = compare(Party(name="云岭精密"), Party(name="云岭精密有限公司", role="related_party"))
    assert found.level is Level.RELATED
    assert [reason.key for reason in found.reasons] == ["same_name", "related_party"]


def test_the_same_tender_number_means_the_same_project() -> None:
    """P4."""
    left = ProjectSides(name="一期网络", tender_number="ZB-2026-001")
    right = ProjectSides(name="数据中心", tender_number="zb 2026 001")
    assert compare_projects(left, right).level is Level.SAME
    assert not compare_projects(left, ProjectSides(name="数据中心")).found


@pytest.mark.parametrize(
    ("asked", "registered", "level"),
    [
        ("长江新区体育馆智能化工程招标公告", "长江新区体育馆智能化工程（第二次）中标候选人公示", Level.SAME),
        ("长江新区体育馆智能化工程一标段", "长江新区体育馆智能化工程二标段", Level.RELATED),
        ("长江新区体育馆智能化工程（一期）", "长江新区体育馆智能化工程（二期）", Level.RELATED),
        ("长江新区体育馆智能化工程监理", "长江新区体育馆智能化工程施工", Level.RELATED),
        ("长江新区体育馆智能化工程", "长江新区图书馆智能化工程", Level.NONE),
        ("江北分公司2026年电梯维保服务采购项目", "江南分公司2026年电梯维保服务采购项目", Level.NONE),
        ("云桌面", "门禁", Level.NONE),
    ],
)
def test_titles_are_compared_by_subject_and_part(asked: str, registered: str, level: Level) -> None:
    """P4."""
    assert compare_projects(ProjectSides(name=asked), ProjectSides(name=registered)).level is level


def test_two_customers_may_each_have_a_project_of_the_same_plain_name() -> None:
    """P4: it is looked at, and it is the same where the end user is."""
    left = ProjectSides(name="机房改造", customer=Party(name="云岭精密有限公司"))
    right = ProjectSides(name="机房改造", customer=Party(name="南山乳业有限公司"))
    assert compare_projects(left, right).level is Level.LOOK
    end_user = Party(name="长江大学", role="end_user")
    both = [side.model_copy(update={"end_user": end_user}) for side in (left, right)]
    assert compare_projects(*both).level is Level.SAME


def test_same_customer_products_and_similar_price_give_a_look() -> None:
    """P4."""
    customer = Party(name="云岭精密有限公司")
    left = ProjectSides(name="核心网", customer=customer, products=("存储", "交换机"), amount=Decimal("1000000"))
    right = ProjectSides(name="灾备", customer=customer, products=("存储",), amount=Decimal("1100000"))
    found = compare_projects(left, right)
    assert found.level is Level.LOOK
    assert [reason.key for reason in found.reasons] == ["same_products", "near_amount"]
    assert not compare_projects(left, right.model_copy(update={"amount": Decimal("3000000")})).found
    elsewhere = right.model_copy(update={"customer": Party(name="南山乳业有限公司")})
    assert not compare_projects(left, elsewhere).found


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_two_titles_can_be_compared(left: str, right: str) -> None:
    assert compare_projects(ProjectSides(name=left), ProjectSides(name=left)).level is Level.SAME
    compare_projects(ProjectSides(name=left), ProjectSides(name=right))
