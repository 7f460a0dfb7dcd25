"""The published contract, taken at its word: whatever is sent, the answers are the ones it lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.e2e.journey import CLERK, GENERAL_MANAGER, VPS, Journey
from tests.e2e.project_journey import ProjectJourney, named_account, new_project
from tests.e2e.stack import Stack, new_form

OPERATIONS = (
    ("POST", "/api/v1/applications", 40),
    ("GET", "/api/v1/applications", 40),
    ("GET", "/api/v1/applications/{application_id}", 15),
    ("GET", "/api/v1/applications/{application_id}/dossier", 15),
    ("POST", "/api/v1/applications/{application_id}/withdraw", 40),
    ("POST", "/api/v1/applications/{application_id}/appeal", 40),
    ("GET", "/api/v1/accounts", 40),
    ("GET", "/api/v1/accounts/{account_id}", 15),
    ("POST", "/api/v1/projects", 40),
    ("GET", "/api/v1/projects", 40),
    ("GET", "/api/v1/projects/{project_id}", 15),
    ("GET", "/api/v1/projects/{project_id}/dossier", 15),
    ("POST", "/api/v1/projects/{project_id}/updates", 40),
    ("POST", "/api/v1/projects/{project_id}/loss", 15),
    ("POST", "/api/v1/projects/{project_id}/contract-review", 30),
    ("POST", "/api/v1/projects/{project_id}/resume", 15),
    ("POST", "/api/v1/projects/{project_id}/objection", 15),
    ("POST", "/api/v1/projects/{project_id}/agreement", 40),
    ("POST", "/api/v1/projects/{project_id}/meeting", 15),
    ("POST", "/api/v1/projects/{project_id}/withdraw", 15),
    ("GET", "/api/v1/project-numbers/{number}", 40),
    ("POST", "/api/v1/conflicts/check", 60),
    ("GET", "/api/v1/reports", 30),
    ("GET", "/api/v1/reports/{kind}", 30),
    ("GET", "/api/v1/reports/{kind}.xlsx", 20),
    ("GET", "/api/v1/reports/{kind}.svg", 20),
    ("GET", "/api/v1/tasks", 40),
    ("GET", "/api/v1/tasks/{task_id}", 15),
    ("POST", "/api/v1/tasks/{task_id}/answer", 60),
    ("GET", "/api/v1/receipts/{receipt}", 15),
    ("GET", "/healthz", 1),
    ("GET", "/readyz", 1),
    ("GET", "/metrics", 1),
    ("POST", "/codec/{direction}", 40),
)
"""Every published call, and how many examples of each kind, right and wrong, are sent."""
PEOPLE = ("yang.fan", "xu.jing", CLERK, VPS[0], GENERAL_MANAGER, "song.jie", "hu.bin")
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")

NEARLY_RIGHT: dict[str, Callable[[st.DataObject], dict[str, Any]]] = {
    "/api/v1/applications": lambda _: new_form(),
    "/api/v1/projects": lambda _: new_project(),
    "/api/v1/projects/{project_id}/agreement": lambda _: {
        "cooperation": "联合投标",
        "split": [{"person": "yang.fan", "percent": "60"}, {"person": "xu.jing", "percent": "40"}],
    },
    "/api/v1/conflicts/check": lambda data: {
        "customer": {"name": data.draw(st.sampled_from(["云岭", "北京银行", "x", "", "%_'\"--", "\U0001f409\u202e"]))},
        "related_parties": [{"name": "云岭后勤", "relation": "子公司"}],
        "end_user": {"name": "南京银行股份有限公司", "uscc": None},
        "project": {"name": "核心网扩容", "amount": "1250000.00", "tender_number": "ZB-1"},
    },
    "/api/v1/tasks/{task_id}/answer": lambda data: {
        "choice": data.draw(st.sampled_from(["pass", "return", "approve", "reject", "assign", "clear", "agree"])),
        "reason": data.draw(st.sampled_from(["", "x"])),
        "fields": {},
    },
}
"""Bodies of which one part is then replaced by what was generated for it."""


class Known:
    """What stands in the record, so that calls reach further than the first 404."""

    def __init__(self, stack: Stack) -> None:
        active = Journey(stack, "yang.fan").activate()
        waiting = Journey(stack, "yang.fan").to_vps()
        checking = Journey(stack, "yang.fan")
        review = stack.portal.open_task(VPS[0], waiting.id)["id"]
        check = stack.portal.open_task(CLERK, checking.id)["id"]
        living = ProjectJourney(stack, "yang.fan").active()
        disputed = ProjectJourney(stack, "yang.fan", new_project(named_account(stack, "xu.jing")))
        disputed.reaches("disputed")
        assigning = ProjectJourney(stack, "hu.bin")
        noted = stack.portal.withdraw("yang.fan", Journey(stack, "yang.fan").id, "x").json["receipt"]
        self.parameters: dict[str, tuple[str, ...]] = {
            "application_id": (active.id, waiting.id, checking.id),
            "account_id": (active.id,),
            "project_id": (living.id, disputed.id, assigning.id),
            "number": (living.reaches("active")["number"],),
            "task_id": (
                *(review, check),
                stack.portal.open_task("lin.xia", assigning.id)["id"],
                stack.portal.open_task("xu.jing", disputed.id)["id"],
            ),
            "receipt": (noted,),
            "direction": ("encode", "decode"),
            "kind": ("weekly-digest", "forecast", "accounts"),
        }


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


@pytest.mark.parametrize(("method", "path", "examples"), OPERATIONS, ids=lambda value: str(value))
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
