"""How far a bulk job has come, as its cursor holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """The rows that were tried, the bytes that they had, those that failed, and in how many parts these are kept.

    ``types``: how many failed with each type of problem. ``unreadable`` says why the file cannot be read on.
    """

    rows: int = 0
    bytes: int = 0
    failed: int = 0
    parts: int = 0
    types: dict[str, int] = field(default_factory=dict)
    unreadable: str | None = None

    @classmethod
    def decode(cls, cursor: str | None) -> BulkProgress:
        """What ``encode`` gave; the beginning where there is no cursor."""
        return cls(**orjson.loads(cursor)) if cursor else cls()

    def encode(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    def after(self, *, rows: int, size: int, failed: Sequence[str], parts: int) -> BulkProgress:
        """Behind so many more rows; ``failed``: the type of problem of each that failed, ``parts``: how many in all."""
        return replace(
            self,
            rows=self.rows + rows,
            bytes=self.bytes + size,
            failed=self.failed + len(failed),
            parts=parts,
            types=dict(Counter(self.types) + Counter(failed)),
        )

    def shown(self) -> dict[str, Any]:
        """The members of the job as it is read."""
        return {"RowsDone": self.rows, "RowsFailed": self.failed, "BytesRead": self.bytes, "FailedByType": self.types}
