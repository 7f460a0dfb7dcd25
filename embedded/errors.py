"""What keeps the one-machine mode from starting, told to a person."""

from __future__ import annotations


class StartError(Exception):
    """The text is complete and for people: what is wrong and what to do. It is shown without a traceback."""
