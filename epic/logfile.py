"""Owns the log file of ``epic up``: it grows to a limit, then starts anew, the last one kept beside it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final, TextIO

__all__ = ["LogFile"]

_LIMIT_BYTES: Final = 50_000_000


class LogFile(io.TextIOBase):
    """A text stream to ``epic.log``, opened when there is something to write.

    A full one becomes ``epic.log.1``, in place of the one before.
    """

    def __init__(self, path: Path, limit: int = _LIMIT_BYTES) -> None:
        super().__init__()
        self._path = path
        self._limit = limit
        self._file: TextIO | None = None
        self._size = 0

    def _open(self) -> TextIO:
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._size = self._file.tell()
        return self._file

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        file = self._file or self._open()
        if self._size + len(text) > self._limit and self._size:
            file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            file = self._open()
        self._size += len(text)
        return file.write(text)

    def flush(self) -> None:
        if self._file is not None and not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()
