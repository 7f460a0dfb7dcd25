"""Decisions as lines to display, with names instead of ids (N11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.organisation import Organisation
from domain.tasks.task import Decision, TaskKind
from texts.view_lines import DecisionLine

SPEAKS_OF_OTHERS: Final = frozenset({TaskKind.CONFLICT_CHECK, TaskKind.CONFLICT_CONFIRMATION})
"""P4, P5: the reasons of these decisions mention other people's registrations. A refusal states its own reason (P7)."""


def decision_lines(decided: Sequence[tuple[int, Decision]], organisation: Organisation) -> tuple[DecisionLine, ...]:
    """Decisions, each with its round, as mails and pages show them."""
    return tuple(
        DecisionLine(
            kind=decision.kind,
            choice=decision.choice,
            person_name=organisation.name_of(decision.person),
            decided_at=decision.decided_at,
            reason=decision.reason,
            special_reason=decision.special,
            on_behalf_of_name=organisation.name_of(decision.on_behalf_of) if decision.on_behalf_of else None,
            capacity=decision.capacity,
            round=number,
            slot_name=organisation.name_of(decision.slot) if decision.slot else None,
        )
        for number, decision in decided
    )


def without_others(lines: Sequence[DecisionLine]) -> tuple[DecisionLine, ...]:
    """The lines without reasons that mention registrations which the reader may not see (X2)."""
    return tuple(line.model_copy(update={"reason": ""}) if line.kind in SPEAKS_OF_OTHERS else line for line in lines)
