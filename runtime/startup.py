"""Imported first by a process that serves: nothing is collected while it imports, for all of that stays.

A process that was killed is waited for, and a sixth of its start would go into collecting garbage (ran).
"""

from __future__ import annotations

import gc

gc.disable()


def imported() -> None:
    """All is imported: collect from now on, and leave what was imported alone."""
    gc.freeze()
    gc.enable()
