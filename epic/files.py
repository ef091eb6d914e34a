"""Files that a command reads and writes; ``-`` is standard input or output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

STANDARD: Final = Path("-")


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The file, or standard input, which stays open. OSError where it cannot be opened."""
    if path == STANDARD:
        yield sys.stdin.buffer
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A new file, or standard output, which stays open. OSError where it cannot be opened, or not be written whole."""
    if path == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with path.open("wb") as file:
            yield file
