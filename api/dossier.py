"""N11: everything about one application in one document."""

from __future__ import annotations

from typing import Any

from api.composing import Composer
from db import applications, audit, messages
from db.applications import ApplicationRow
from db.engine import AsyncConnection


async def dossier_of(tx: AsyncConnection, composer: Composer, row: ApplicationRow) -> dict[str, Any]:
    """Forms of every round, evidence, decisions, mails and the whole record of `row`, as plain JSON."""
    shown = await composer.sees_evidence(row)
    view = await composer.application(row, shown=shown)
    rounds = []
    for one in await applications.rounds(tx, row.id):
        found = await applications.evidence_of(tx, row.id, one["round"]) if shown else ()
        rounds.append(
            {
                "round": one["round"],
                "submitted_at": one["submitted_at"].isoformat(),
                "form": one["form"],
                "evidence": [composer.evidence(item).model_dump(mode="json") for item in found],
            }
        )
    return {
        "application": view.model_dump(mode="json", exclude={"form", "evidence", "timeline"}),
        "rounds": rounds,
        "mails": [
            {
                "kind": mail.kind,
                "to": composer.person(mail.person).model_dump(),
                "created_at": mail.created_at.isoformat(),
                "sent_at": mail.sent_at.isoformat() if mail.sent_at else None,
            }
            for mail in await messages.mails_of(tx, row.id)
        ],
        "record": [
            {
                **composer.entry(entry, shown=shown).model_dump(mode="json"),
                "seq": entry.seq,
                "hash": entry.hash,
            }
            for entry in await audit.of_subject(tx, row.id)
        ],
    }
