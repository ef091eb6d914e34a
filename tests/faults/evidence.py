"""The folder with a harness's logs and data: gone with the harness, or kept as evidence of what was violated."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Evidence:
    """Set ``keep`` and the folder stays."""

    folder: Path
    keep: bool = False


@contextmanager
def evidence(prefix: str, holds: str) -> Iterator[Evidence]:
    """A new folder; it stays, and is named, when ``keep`` was set or an exception ends it."""
    made = Evidence(Path(tempfile.mkdtemp(prefix=prefix)))
    try:
        yield made
    except BaseException:
        made.keep = True
        raise
    finally:
        if made.keep:
            print(f"{holds} stay in {made.folder}", flush=True)
        else:
            shutil.rmtree(made.folder, ignore_errors=True)
