"""Channels of PostgreSQL's NOTIFY. A lost notification costs a poll interval, never a message."""

from __future__ import annotations

RECEIPTS = "baobei_receipt"
"""A receipt is settled; the payload is the id of its message."""
MAILS = "baobei_mail"
"""Mails are queued."""
NUDGES = "baobei_nudge"
"""Something was imported that running processes have to look at."""
