"""The calls of the published contract: what each is sent, and whom and what of a running product it can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.e2e.support.attaching import attach
from tests.e2e.support.journey import CLERK, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.project_journey import ProjectJourney, named_account, new_project
from tests.e2e.support.stack import Stack, new_form

HEADERS = {
    *("X-Envelope-From", "X-Envelope-To", "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"),
    *("X-Auto-Response-Suppress", "In-Reply-To", "References", "MIME-Version", "Content-Type", "X-Peer", "Received"),
}


# ---- the answers are the published ones ----------------------------------------


OPERATIONS = (
    ("POST", "/api/v1/applications", 40),
    ("GET", "/api/v1/applications", 40),
    ("GET", "/api/v1/applications/{application_id}", 15),
    ("GET", "/api/v1/applications/{application_id}/dossier", 15),
    ("POST", "/api/v1/applications/{application_id}/withdraw", 40),
    ("POST", "/api/v1/applications/{application_id}/appeal", 40),
    ("POST", "/api/v1/applications/{application_id}/evidence", 15),
    ("GET", "/api/v1/accounts", 40),
    ("GET", "/api/v1/accounts/{account_id}", 15),
    ("POST", "/api/v1/projects", 40),
    ("GET", "/api/v1/projects", 40),
    ("GET", "/api/v1/projects/{project_id}", 15),
    ("GET", "/api/v1/projects/{project_id}/dossier", 15),
    ("POST", "/api/v1/projects/{project_id}/updates", 40),
    ("POST", "/api/v1/projects/{project_id}/loss", 15),
    ("POST", "/api/v1/projects/{project_id}/contract-review", 30),
    ("POST", "/api/v1/projects/{project_id}/contract-correction", 15),
    ("POST", "/api/v1/projects/{project_id}/resume", 15),
    ("POST", "/api/v1/projects/{project_id}/objection", 15),
    ("POST", "/api/v1/projects/{project_id}/agreement", 40),
    ("POST", "/api/v1/projects/{project_id}/meeting", 15),
    ("POST", "/api/v1/projects/{project_id}/meeting/move", 15),
    ("POST", "/api/v1/projects/{project_id}/meeting/call-off", 15),
    ("POST", "/api/v1/projects/{project_id}/withdraw", 15),
    ("POST", "/api/v1/{collection}/{subject_id}/documents", 30),
    ("GET", "/api/v1/{collection}/{subject_id}/documents", 15),
    ("GET", "/api/v1/documents/{document_id}", 15),
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
        "responsible": "yang.fan",
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
            "collection": ("applications", "projects"),
            "subject_id": (active.id, waiting.id, living.id, disputed.id),
            "document_id": (attach(stack, "yang.fan", f"/projects/{living.id}").json["id"],),
            "kind": ("weekly-digest", "forecast", "accounts"),
        }
