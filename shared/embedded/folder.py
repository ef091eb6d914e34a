"""The claim of one process on a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from shared.errors import EpicError


class DataFolderInUse(EpicError):
    """Another process, or another log of this process, has the data folder open."""


class FolderClaim:
    """Held from ``take`` to ``release`` or to the end of the process, however it ends. Creates a missing folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def take(self) -> None:
        """DataFolderInUse when another claim holds it, in this process or in another."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._folder / "in-use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise DataFolderInUse(
                f"the data folder {self._folder.resolve()} is in use by process {holder}: "
                "stop that one first, or start this one on another folder (--data DIR or EPIC_DATA_DIR)"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
