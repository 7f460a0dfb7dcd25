"""What goes wrong at the front door, and the one place that says it (RFC 9457)."""

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
"""In which moments are written before the policy is known."""


class ProblemField(BaseModel):
    """One wrong field."""

    field: str
    rule: str | None = None
    message: str


class DecidedBefore(BaseModel):
    """What was decided on a task that is answered too late."""

    choice: str
    by: str
    on_behalf_of: str | None = None
    at: datetime
    reason: str | None = None


class Closed(BaseModel):
    """Why a task takes no answer, where nobody decided on it."""

    because: str
    """The stage to which its process went on; `missed`; `handed_on` or `delegation_over` where others are asked now."""
    by: str | None = None
    on_behalf_of: str | None = None
    at: datetime | None = None


class ProblemDetails(BaseModel):
    """The body of every answer that is not a success."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] = []
    decided: DecidedBefore | None = None
    """Of a 409 on a task."""
    closed: Closed | None = None
    """Of a 409 on a task."""


Sentence = Callable[[Texts, tzinfo], str]


class Refusal(Exception):
    """A request that is answered with a problem. `code` is a text key under `error.`; `words` another, where the same
    code is said differently of a project; `sentence` makes words of its own, or none when too little is known."""

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

    def text(self, texts: Texts, zone: tzinfo) -> str:
        """What happened, why and what to do, in the reader's language; moments in `zone`."""
        own = self._sentence(texts, zone) if self._sentence else ""
        return own or texts.error(self.words, self.facts)


class Unavailable(Refusal):
    """503: the engine or the record is away; nothing was done, the same request may be sent again."""

    def __init__(self, code: str) -> None:
        super().__init__(503, code, headers={"Retry-After": "5"})


RULES_BY_FIELD = (
    ("customer.uscc", "N1"),
    ("customer.legal_person", "E2"),
    ("centralised_procurement", "E3"),
    ("forecast", "E1"),
    ("account_plan", "E4"),
)
"""The rule a wrong field of an application belongs to, by the beginning of its name; everything else in it is N1."""
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
"""The rule that asks for the fields of a call about projects, by the end of its path (or by a part of it)."""

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
"""What the web framework refuses by itself."""


def field_problems(
    errors: Iterable[Any], *, prefix: str = "", drop: int = 0, rule_of_form: str = FORM_RULE
) -> tuple[Problem, ...]:
    """pydantic's errors as problems: the dotted field, its rule, the text key. `drop` leading parts are not named."""
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
    """The problem in words, in the reader's language."""
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
    ).model_dump(mode="json", exclude={"decided", "closed"})  # they come with the facts
    return JSONResponse({**refusal.facts, **body}, refusal.status, refusal.headers, MEDIA_TYPE)


def texts_for(request: Request) -> Texts:
    """The language of who speaks; of their browser before we know them; Chinese otherwise (X4)."""
    known = getattr(request.state, "language", None)
    accepted = request.headers.get("accept-language", "")[:2].lower()
    return Texts(language_of(known or accepted))


def zone_for(request: Request) -> tzinfo:
    """The business time zone of the policy."""
    parts = getattr(request.app.state, "parts", None)
    return parts.facts.policy.zone if parts else BUSINESS_ZONE


def install(app: FastAPI) -> None:
    """Map every expected failure to a problem."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        return as_response(error, texts_for(request), zone_for(request))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = error.errors()
        if any(one["type"] == "json_invalid" for one in errors):
            return as_response(Refusal(400, RefusalCode.JSON_INVALID), texts_for(request))
        in_path = all(one["loc"][:1] == ("path",) for one in errors)
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
"""Every way a call may be refused, for the published contract."""
# One of them brings the model itself, which makes it known. It is built anew for each call of each router: with all of
# them whoever waits for a front door that was killed would wait for that as well (X3).
PROBLEM_RESPONSES[422]["model"] = ProblemDetails
