"""Import first in server processes: disables garbage collection during start-up imports.

Imported objects are never freed, and collecting garbage would take a sixth of the start-up time (measured), which
counts when a killed process is replaced.
"""

from __future__ import annotations

import gc

gc.disable()


def imported() -> None:
    """Call after all imports: enables garbage collection and exempts the imported objects from it."""
    gc.freeze()
    gc.enable()
