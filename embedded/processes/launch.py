"""Replaces itself by a program that dies with its parent.

Run by path (`python -I -S launch.py PARENT SIGNAL USER GROUP PROGRAM ARGUMENT…`) as the first image of every child of
the supervisor. It runs between fork and exec because a `preexec_fn` is unsafe in a process with threads, and because
the kernel clears PR_SET_PDEATHSIG when the uid changes. The process id stays the same.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Entry point: runs with the arguments of the command line."""
    parent, death_signal, user, group = (int(value) for value in argv[:4])
    program = argv[4:]
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl was called
            sys.exit(1)
    try:
        os.execv(program[0], program)
    except OSError as error:
        sys.stderr.write(f"{program[0]} cannot be run: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
