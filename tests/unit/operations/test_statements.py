"""X1: whatever a statement holds, it becomes one that can be written down."""

from __future__ import annotations

from typing import Any

import pytest

from domain.accounts.named_account import choices_for
from domain.statements import AnswerTask, Withdraw
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import AnswerChoice, TaskKind


@pytest.mark.parametrize(
    "sent",
    [
        {"person": "a\0b"},
        {"message_id": "\0"},
        {"reason": "\ud800"},
        {"fields": {"note_credit": ["ok", {"\0": 1}]}},
        {"fields": {"note_credit": {"deep": ["\udfff"]}}},
        {"person": 5},
        ["not", "a", "statement"],
    ],
)
def test_x1_a_statement_that_no_database_keeps_is_unreadable_and_empty(sent: Any) -> None:
    read = AnswerTask.model_validate(sent)
    assert read == AnswerTask(unreadable=True)
    assert read.fingerprint


def test_x1_every_other_text_stays_as_it_was_said() -> None:
    said = Withdraw.model_validate({"person": "yang.fan", "reason": "客户暂停\n𠮷 😀"})
    assert (said.unreadable, said.reason) == (False, "客户暂停\n𠮷 😀")


@pytest.mark.parametrize(
    ("value", "key"),
    [("a\0", "control_character"), ("\ud800", "not_unicode"), ("x" * 10_001, "string_too_long"), (5, "string_type")],
)
def test_n5_a_note_is_text_that_can_be_kept(value: Any, key: str) -> None:
    choices = choices_for(TaskKind.COMMERCE_CHECK)
    found = answer_problems(choices, choice=AnswerChoice.PASS, reason="", fields={"note_credit": value})
    assert [(problem.field, problem.key) for problem in found] == [("fields.note_credit", key)]
