"""The claim of one process on a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from shared.errors import EpicError


class DataFolderInUse(EpicError):
    """Another process, or another log of this process, has the data folder open."""


def claim_folder(folder: Path) -> int:
    """Claims a folder, and creates a missing one. DataFolderInUse when another claim holds it, in any process.

    Returns the descriptor of an open file. The claim ends when that is closed, or with the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise DataFolderInUse(
            f"the data folder {folder.resolve()} is in use by process {holder}: "
            "stop that one first, or start this one on another folder (--data DIR or EPIC_DATA_DIR)"
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file
