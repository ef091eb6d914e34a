"""The rows of CSV (RFC 4180): a header of dotted paths, and cells between commas, semicolons or tabs.

Only the header decides between these signs: a text in a row may hold any of them.
"""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from services.fleet_svc.domain.bulk.csv_cells import fields_of, kind_of
from services.fleet_svc.domain.bulk.rows import ROW_LIMIT, Row, Unreadable, too_large
from shared.errors import BadInput

csv.field_size_limit(ROW_LIMIT)  # of the whole process, whose only reader of CSV this is; 131,072 unless set

_DELIMITERS: Final = ",;\t"
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_DEEPEST: Final = 16  # dots in a column; no contract has more than a few levels
REMARK: Final = "_"
"""A column whose name begins so is no member: the CSV of failures has some, and may be sent as it is."""


class _Incomplete(Exception):
    """The row goes on in a line that has not arrived yet."""


class CsvRows:
    """See ``Rows``. ``model`` is the contract of a row, ``known`` its members, ``key`` those that every row needs."""

    def __init__(self, model: type[BaseModel], *, known: frozenset[str], key: Sequence[str]) -> None:
        self._model = model
        self._known = known
        self._key = key
        self._tail = bytearray()  # of a line that has not ended
        self._lines: deque[bytes] = deque()
        self._line = 1  # of the first of them
        self._number = 0
        self._dropped = 0  # bytes of a line that is too long to be kept
        self._quotes = 0  # among them
        self._columns: list[str] | None = None
        self._own: list[int] = []  # the places of the columns that are members
        self._paths: list[list[str]] = []

    def feed(self, data: bytes) -> Iterator[Row]:
        *ended, tail = data.split(b"\n")
        for line in ended:
            yield from self._line_ended(line + b"\n")
        if ended:
            yield from self._rows(is_all=False)
        self._tail += tail
        if len(self._tail) > ROW_LIMIT:
            self._drop()

    def end(self) -> Iterator[Row]:
        if self._tail or self._dropped:
            yield from self._line_ended(b"")
        yield from self._rows(is_all=True)
        if self._columns is None:
            raise Unreadable("the file is empty; begin with a header, such as ServiceId,Owner", self._line)

    def fields(self, row: Row) -> dict[str, Any]:
        cells = row.content
        if cells is None or isinstance(cells, bytes):
            raise too_large() if cells is None else BadInput(cells.decode())
        columns = self._columns or []
        if len(cells) != len(columns):
            raise BadInput(
                f"the row has {len(cells)} cells where the header has {len(columns)}; see its quotation marks"
            )
        return fields_of(self._paths, self._kinds, [cells[place] for place in self._own])

    def cells(self, row: Row) -> Mapping[str, str]:
        if row.content is None or isinstance(row.content, bytes):
            return {}
        named = dict(zip(self._columns or [], row.content, strict=False))
        return {
            name: cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            for name, cell in named.items()
            if cell and not name.startswith(REMARK)
        }

    def _line_ended(self, rest: bytes) -> Iterator[Row]:
        line = bytes(self._tail) + rest
        self._tail.clear()
        if not self._dropped:
            self._lines.append(line)
            return
        yield from self._rows(is_all=False)
        quotes, size = self._quotes + line.count(b'"'), self._dropped + len(line)
        self._dropped = self._quotes = 0
        if quotes % 2 or self._lines or self._columns is None:
            raise Unreadable(f"a row is over {ROW_LIMIT} bytes; a quotation mark may be missing", self._line)
        self._number += 1
        yield Row(self._number, self._line, None, size)
        self._line += 1

    def _drop(self) -> None:
        self._dropped += len(self._tail)
        self._quotes += self._tail.count(b'"')
        self._tail.clear()

    def _rows(self, *, is_all: bool) -> Iterator[Row]:
        """The rows in the lines that are there; a row may have several."""
        while self._lines:
            if self._columns is None:
                self._read_header()
                continue
            used: list[bytes] = []
            content: bytes | list[str]
            try:
                content = next(csv.reader(self._texts(used, is_all), delimiter=self._delimiter, strict=True), [])
            except _Incomplete:
                self._lines.extendleft(reversed(used))
                if sum(map(len, used)) > ROW_LIMIT:
                    reason = f"a quotation mark that is opened here is not closed within {ROW_LIMIT} bytes"
                    raise Unreadable(reason, self._line) from None
                return
            except csv.Error as error:
                if b"".join(used).count(b'"') % 2:
                    raise Unreadable("a quotation mark is missing in the row that begins here", self._line) from None
                content = f"the row is no CSV ({error}); double a quotation mark inside a cell".encode()
            line = self._line
            self._line += len(used)
            if content and (isinstance(content, bytes) or any(content)):
                self._number += 1
                yield Row(self._number, line, content, sum(map(len, used)))

    def _texts(self, used: list[bytes], is_all: bool) -> Iterator[str]:
        while self._lines:
            used.append(self._lines.popleft())
            yield used[-1].decode("utf-8", "surrogateescape")
        if not is_all:
            raise _Incomplete

    def _read_header(self) -> None:
        """The columns, by the first line that is not blank. Unreadable names each that is no member of the resource."""
        line = self._lines.popleft()
        if line.startswith(_UTF_16):
            raise Unreadable("the file is UTF-16; save it as CSV in UTF-8", self._line)
        try:
            text = line.removeprefix(_BOM).decode().rstrip("\r\n")
            found = {sign: next(csv.reader([text], delimiter=sign, strict=True), []) for sign in _DELIMITERS}
        except (UnicodeDecodeError, csv.Error) as error:
            raise Unreadable(f"the header is no CSV in UTF-8: {error}", self._line) from None
        self._delimiter = max(_DELIMITERS, key=lambda sign: len(found[sign]))  # of equal ones the first
        columns = [name.strip() for name in found[self._delimiter]]
        if any(columns):
            self._check_header(columns)
            self._columns = columns
            self._own = [place for place, name in enumerate(columns) if not name.startswith(REMARK)]
            self._paths = [columns[place].split(".") for place in self._own]
            self._kinds = [kind_of(self._model, path) for path in self._paths]
        self._line += 1

    def _check_header(self, columns: Sequence[str]) -> None:
        members = [name for name in columns if not name.startswith(REMARK)]
        unknown = [name or "(empty)" for name in members if name.split(".")[0] not in self._known]
        twice = [name for name, times in Counter(members).items() if times > 1]
        inside = [name for name in members if any(other.startswith(f"{name}.") for other in members)]
        missing = [name for name in self._key if name not in members]
        deep = [name[:40] for name in members if name.count(".") > _DEEPEST]
        faults = {
            "has the unknown columns": unknown,
            "has twice": twice,
            "has beside one of its members": inside,
            "lacks": missing,
            "has too deep paths,": deep,
        }
        found = [f"{fault} {', '.join(names)}" for fault, names in faults.items() if names]
        if found:
            known = ", ".join(sorted(self._known))
            raise Unreadable(f"the header {', and '.join(found)}; columns are dotted paths in {known}", self._line)
