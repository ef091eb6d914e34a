"""The state of the play in a data folder: begun or finished."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

from epic.failure import CommandFailed

_FILE: Final = "play.json"


class Played(StrEnum):
    NOT_YET = "NotYet"
    BEGUN = "Begun"
    FINISHED = "Finished"


class PlayRecord:
    """A small file beside the stores. An interrupted play starts again; each of its steps may repeat."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def read(self) -> Played:
        try:
            content: Any = orjson.loads(self._file.read_bytes())
            return Played(content["Play"])
        except FileNotFoundError:
            return Played.NOT_YET
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise CommandFailed(
                f"{self._file} is damaged; remove it, or start with another folder: --data DIR"
            ) from None

    def write(self, played: Played) -> None:
        self._file.write_bytes(orjson.dumps({"Play": played}))
