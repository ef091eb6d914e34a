"""The rows of a bulk job that were refused: as they are kept, as a read shows them, and as CSV to be sent again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from services.fleet_svc.domain.bulk.csv_rows import REMARK
from services.fleet_svc.domain.bulk.rows import Row
from shared.errors import Problem
from shared.schemas.fleet_svc.bulk_job import FailedRow

_LINE: Final = f"{REMARK}Line"
_TYPE: Final = f"{REMARK}Type"
_REASON: Final = f"{REMARK}Reason"
_MOST_REASON: Final = 16_000  # characters, as a text on the wire may have
_MOST_KEY: Final = 255  # characters of a key, which may be what is wrong with the row


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused row, with what was in it as cells of CSV."""

    row: int
    line: int
    key: str | None
    problem: Mapping[str, Any]
    cells: Mapping[str, str]

    @classmethod
    def of(cls, row: Row, key: str | None, problem: Problem, cells: Mapping[str, str]) -> Failure:
        shown = None if key is None else _readable(key)[:_MOST_KEY]
        readable = {_readable(name): _readable(cell) for name, cell in cells.items()}
        return cls(row.number, row.line, shown, problem.problem(), readable)

    @property
    def reason(self) -> str:
        """What is wrong and what to do, in one line."""
        errors = "; ".join(f"{error['pointer']}: {error['detail']}" for error in self.problem.get("errors", ()))
        return (errors or str(self.problem["detail"]))[:_MOST_REASON]

    @property
    def type(self) -> str:
        """The type of its problem, such as ``exists``."""
        return str(self.problem["type"]).rpartition(":")[2]

    def shown(self) -> FailedRow:
        """The failure as a read of the job shows it."""
        return FailedRow.model_validate(
            {
                "Row": self.row,
                "Line": self.line,
                "Key": self.key,
                "Status": self.problem["status"],
                "Type": self.type,
                "Reason": str(self.problem["detail"])[:_MOST_REASON],
                "Errors": [
                    {"Pointer": error["pointer"], "Detail": error["detail"]} for error in self.problem.get("errors", ())
                ],
            }
        )


def encode_failures(failures: Iterable[Failure], *, most: int) -> list[bytes]:
    """Failures as they are kept, a line of JSON each, in parts of at most ``most`` bytes.

    One that is larger by itself is kept without its cells: a megabyte of control characters is six as JSON.
    """
    parts = [bytearray()]
    for failure in failures:
        line = orjson.dumps(asdict(failure)) + b"\n"
        if len(line) > most:
            line = orjson.dumps(asdict(replace(failure, cells={}))) + b"\n"
        if len(parts[-1]) + len(line) > most:
            parts.append(bytearray())
        parts[-1] += line
    return [bytes(part) for part in parts if part]


def decode_failures(data: bytes) -> Iterator[Failure]:
    """The failures in one of the parts that ``encode_failures`` gave."""
    for line in data.splitlines():
        yield Failure(**orjson.loads(line))


def columns_of(failures: Iterable[Failure], known: Iterable[str] = ()) -> list[str]:
    """The columns of these failures, behind those that are known already, in the order in which they come."""
    return list(dict.fromkeys([*known, *(name for failure in failures for name in failure.cells)]))


def csv_header(columns: Iterable[str]) -> str:
    """The header of the CSV of failures."""
    return _line_of([*columns, _LINE, _TYPE, _REASON])


def csv_line(failure: Failure, columns: Iterable[str]) -> str:
    """One refused row. It may be corrected and sent again as it is: the remarks at its end are no members."""
    cells = [failure.cells.get(name, "") for name in columns]
    return _line_of([*cells, str(failure.line), failure.type, failure.reason])


def _readable(text: str) -> str:
    """The text without halves of characters, which no JSON can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _line_of(cells: Iterable[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()
