"""Errors that keep the one-machine mode from starting."""

from __future__ import annotations


class StartError(Exception):
    """The message is for people: what is wrong and what to do. It is printed without a traceback."""
