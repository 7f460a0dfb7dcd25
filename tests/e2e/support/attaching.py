"""Attaches files to what is in a running product, as a portal does."""

from __future__ import annotations

import httpx

from embedded.demo.driver import Answer
from tests.documents import PDF
from tests.e2e.support.stack import Stack


def attach(
    stack: Stack,
    person: str,
    to: str,
    name: str = "plan.pdf",
    content: bytes = PDF,
    *,
    key: str | None = None,
) -> Answer:
    """`to`: the path of an application or a project. Raises `ConnectionError` when no answer comes."""
    form = httpx.Request("POST", "http://form/", files={"file": (name, content)})
    headers = {"Content-Type": form.headers["content-type"]}
    return stack.portal.call(person, "POST", f"{to}/documents", form.read(), key=key, headers=headers)
