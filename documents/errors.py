"""What can go wrong with attached files, whatever they are attached to."""

from __future__ import annotations


class StoreAway(Exception):
    """The document store cannot be reached, is full, or has lost a file."""


class ScannerAway(Exception):
    """The virus scanner cannot be asked, or cannot tell."""


class Infected(Exception):
    """The virus scanner found something; the message is its name."""
