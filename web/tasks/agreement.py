"""The choices of two salespeople who are to agree (D1): the page tells agreeing from making another proposal."""

from __future__ import annotations

from typing import Final

from api.tasks.wording import choice_key
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from texts.catalogue import Texts

PROPOSE: Final = "propose"
"""The page's choice for a proposal of one's own; recorded as `agree` with the fields of a proposal."""


_ON_PAGE: Final = frozenset({AnswerChoice.AGREE, PROPOSE, AnswerChoice.DISAGREE})


def agreement_choices(*, proposed: bool) -> tuple[tuple[str, str], ...]:
    """The choices with their text keys. `proposed`: whether there is a proposal to agree to."""
    agree = ((AnswerChoice.AGREE.value, "page.agree.agree"), (PROPOSE, "page.agree.propose"))
    first = ((PROPOSE, "page.agree.propose_first"),)
    return (*(agree if proposed else first), (AnswerChoice.DISAGREE.value, "page.agree.disagree"))


def said_label(kind: TaskKind, subject: SubjectType, choice: str, texts: Texts) -> str:
    """What somebody has just answered on the page, in the words of its choices; empty for no choice of the task."""
    if kind is TaskKind.AGREE_SPLIT and choice in _ON_PAGE:
        return texts.text(f"page.agree.{choice}")
    key = choice_key(kind, subject, choice)
    return texts.text(key) if choice and texts.has(key) else ""
