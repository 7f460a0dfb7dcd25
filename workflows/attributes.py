"""The search attributes of a process: what operators filter and sort by in the Temporal UI."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from workflows.messages import DUE_AT, LAST_UPDATE_AT, SEARCH_ATTRIBUTES, STAGE, WAITING_FOR


class Shown(NamedTuple):
    """Where a process stands, as its search attributes say it."""

    stage: str
    waiting_for: list[str]
    """People, sorted."""
    due_at: datetime | None
    updated_at: datetime | None
    """When the subject was last updated, where that is shown (U1)."""

    def updates(self) -> list[SearchAttributeUpdate[Any]]:
        """What has to be written; nothing where it stands so already, for each write is one more billed Action."""
        known = workflow.info().typed_search_attributes
        before = (known.get(STAGE), sorted(known.get(WAITING_FOR) or ()), known.get(DUE_AT), known.get(LAST_UPDATE_AT))
        if tuple(self) == before:
            return []
        updates: list[SearchAttributeUpdate[Any]] = [
            STAGE.value_set(self.stage),
            WAITING_FOR.value_set(self.waiting_for) if self.waiting_for else WAITING_FOR.value_unset(),
            DUE_AT.value_set(self.due_at) if self.due_at else DUE_AT.value_unset(),
        ]
        if self.updated_at is not None:
            updates.append(LAST_UPDATE_AT.value_set(self.updated_at))
        return updates

    def of_next_run(self) -> TypedSearchAttributes:
        """All attributes with which the next run starts."""
        known = workflow.info().typed_search_attributes
        values = {key: known.get(key) for key in SEARCH_ATTRIBUTES}
        values |= {update.key: update.value for update in self.updates()}
        return TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in values.items() if value is not None]
        )
