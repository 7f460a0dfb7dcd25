"""What a review of Named Accounts hears: answers to its tasks, and nothing else (R1–R6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from pydantic import JsonValue

from domain.refusals import RefusalCode, Refused
from domain.reviews.review import ACCOUNTS_FIELD
from domain.statements import Statement
from domain.tasks.answer_fields import given_rows
from domain.tasks.task import Choice


def judge_statement(statement: Statement) -> NoReturn:
    """Whatever is no answer to a task is nothing that a review could hear. Raises `Refused`."""
    del statement
    raise Refused(RefusalCode.UNREADABLE)


def said_of_accounts(chosen: Choice, fields: Mapping[str, JsonValue]) -> dict[str, dict[str, str]]:
    """What an answer says of each account, by its id and by column, as it was judged."""
    for spec in chosen.fields:
        if spec.name == ACCOUNTS_FIELD:
            return given_rows(spec, fields.get(spec.name))
    return {}
