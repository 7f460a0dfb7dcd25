"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from domain.accounts.eligibility import refusal_problems, refusals_in
from domain.refusals import RefusalCode
from domain.tasks.task import Problem
from texts.catalogue import Texts, language_of

MEDIA_TYPE = "application/problem+json"
BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
"""The time zone for times in messages before the policy is loaded."""


class ProblemField(BaseModel):
    """An invalid field."""

    field: str
    rule: str | None = None
    message: str


class DecidedBefore(BaseModel):
    """The decision on a task that was answered too late."""

    choice: str
    by: str
    on_behalf_of: str | None = None
    at: datetime
    reason: str | None = None


class Closed(BaseModel):
    """Why a task can no longer be answered, although nobody decided."""

    because: str
    """The stage that followed; `missed`; `handed_on` or `delegation_over` if the task has other assignees now."""
    by: str | None = None
    on_behalf_of: str | None = None
    at: datetime | None = None


class ProblemDetails(BaseModel):
    """The body of every error response."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] = []
    decided: DecidedBefore | None = None
    """For a 409 on a task."""
    closed: Closed | None = None
    """For a 409 on a task."""


Sentence = Callable[[Texts, tzinfo], str]


class Refusal(Exception):
    """A request that is answered with problem details.

    `code`: the key of the text under `error.`. `words`: another key, if the text for a project or review differs.
    `sentence`: builds the text instead, or returns an empty text if too little is known.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        rule: str | None = None,
        problems: Sequence[Problem] = (),
        facts: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        words: str | None = None,
        sentence: Sentence | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.words = words or code
        self.rule = rule
        self.problems = tuple(problems)
        self.facts = facts or {}
        self.headers = headers or {}
        self._sentence = sentence

    @classmethod
    def forbidden(cls, code: RefusalCode) -> Refusal:
        """403 by the rule of `code`."""
        return cls(403, code, rule=code.rule)

    def text(self, texts: Texts, zone: tzinfo) -> str:
        """What happened, why and what to do, in the reader's language, with times in `zone`."""
        own = self._sentence(texts, zone) if self._sentence else ""
        return own or texts.error(self.words, self.facts)


class Unavailable(Refusal):
    """503: Temporal, the database or the token issuer is unavailable. Nothing was done; the request may be repeated."""

    def __init__(self, code: str) -> None:
        super().__init__(503, code, headers={"Retry-After": "5"})


RULES_BY_FIELD = (
    ("customer.uscc", "N1"),
    ("customer.legal_person", "E2"),
    ("centralised_procurement", "E3"),
    ("forecast", "E1"),
    ("account_plan", "E4"),
)
"""The rule of an application's field, by the start of the field's name. All other fields belong to N1."""
FORM_RULE = "N1"
RULES_BY_CALL = (
    ("/projects", "P1"),
    ("/updates", "U1"),
    ("/loss", "U8"),
    ("/contract-review", "U7"),
    ("/contract-correction", "U7"),
    ("/resume", "U6"),
    ("/objection", "P8"),
    ("/agreement", "D1"),
    ("/meeting", "D2"),
    ("/meeting/move", "D5"),
    ("/meeting/call-off", "D5"),
    ("/project-numbers/", "P9"),
    ("/conflicts/check", "P4"),
    ("/reports/", "U9"),
)
"""The rule of a request's fields, by the end of its path (or, with a final slash, by a part of it)."""

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
CODES = {
    400: RefusalCode.UNREADABLE,
    404: RefusalCode.NOT_FOUND,
    405: RefusalCode.METHOD_NOT_ALLOWED,
    413: RefusalCode.TOO_LARGE,
}
"""The codes of errors that the web framework raises itself."""


def field_problems(
    errors: Iterable[Any], *, prefix: str = "", drop: int = 0, rule_of_form: str = FORM_RULE
) -> tuple[Problem, ...]:
    """pydantic's errors as problems: dotted field, rule and text key. Omits the first `drop` parts of a location."""
    by_field = RULES_BY_FIELD if rule_of_form == FORM_RULE else (("split", "D3"),)
    found = []
    for error in errors:
        path = ".".join(str(part) for part in error["loc"][drop:])
        field = ".".join(part for part in (prefix, path) if part) or "body"
        params = {name: str(value) for name, value in (error.get("ctx") or {}).items()}
        rule = next((rule for start, rule in by_field if path.startswith(start)), rule_of_form if path else None)
        found.append(Problem(field=field, rule=rule, key=str(error["type"]), params=params))
    return tuple(found)


def as_response(refusal: Refusal, texts: Texts, zone: tzinfo = BUSINESS_ZONE) -> JSONResponse:
    """The response for a refusal, in the reader's language."""
    detail = refusal.text(texts, zone)
    errors = [
        ProblemField(field=problem.field, rule=problem.rule, message=texts.error(problem.key, problem.params))
        for problem in refusal.problems
    ]
    if not errors and refusal.rule:
        errors = [ProblemField(field="body", rule=refusal.rule, message=detail)]
    body = ProblemDetails(
        title=TITLES.get(refusal.status, "Error"),
        status=refusal.status,
        detail=detail,
        code=refusal.code,
        errors=errors,
    ).model_dump(mode="json", exclude={"decided", "closed"})  # these come with the facts
    return JSONResponse({**refusal.facts, **body}, refusal.status, refusal.headers, MEDIA_TYPE)


def texts_for(request: Request) -> Texts:
    """Texts in the user's language, before authentication in the browser's, otherwise in Chinese (X4)."""
    known = getattr(request.state, "language", None)
    accepted = request.headers.get("accept-language", "")[:2].lower()
    return Texts(language_of(known or accepted))


def zone_for(request: Request) -> tzinfo:
    """The business time zone set in the policy."""
    parts = getattr(request.app.state, "parts", None)
    return parts.facts.policy.zone if parts else BUSINESS_ZONE


def install(app: FastAPI) -> None:
    """Register the handlers that answer every expected error with problem details."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        return as_response(error, texts_for(request), zone_for(request))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = error.errors()
        if any(detail["type"] == "json_invalid" for detail in errors):
            return as_response(Refusal(400, RefusalCode.JSON_INVALID), texts_for(request))
        in_path = all(detail["loc"][:1] == ("path",) for detail in errors)
        status, code = (404, RefusalCode.NOT_FOUND) if in_path else (422, RefusalCode.FIELDS_WRONG)
        by_call = (
            rule
            for part, rule in RULES_BY_CALL
            if (part in request.url.path if part.endswith("/") else request.url.path.endswith(part))
        )
        problems = field_problems(errors, drop=1, rule_of_form=next(by_call, FORM_RULE))
        parts = getattr(request.app.state, "parts", None)
        if parts and status == 422 and request.url.path.endswith("/applications"):  # N1: everything at once
            problems += refusal_problems(refusals_in(error.body, parts.facts.policy.eligibility))
        return as_response(Refusal(status, code, problems=problems), texts_for(request))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = CODES.get(error.status_code, RefusalCode.INVALID)
        refusal = Refusal(error.status_code, code, headers=dict(error.headers or {}))
        return as_response(refusal, texts_for(request))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 503)
}
"""The error responses of every route, for the OpenAPI document."""
# A single entry with the model publishes its schema. FastAPI builds the model again for every route of every router:
# with all entries, a restart after a crash would take longer (X3).
PROBLEM_RESPONSES[422]["model"] = ProblemDetails
