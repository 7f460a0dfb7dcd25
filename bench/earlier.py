"""The product of an earlier commit, checked out beside ours and run by the same interpreter."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from embedded.servers.service import project_root


def checked_out(commit: str, folder: Path) -> bool:
    """Write the files of `commit` into `folder`. False where the repository does not have it, or is none."""
    asked = ["git", "-C", str(project_root()), "archive", "--format=tar", commit]
    try:
        files = subprocess.run(asked, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    with tarfile.open(fileobj=BytesIO(files)) as archive:
        archive.extractall(folder, filter="data")
    return True
