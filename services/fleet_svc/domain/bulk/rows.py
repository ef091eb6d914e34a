"""The rows of NDJSON and of a JSON array, cut out of a body that arrives in pieces.

A reader keeps no more than the row that it is in, of at most 1 MiB. Each row is decoded by itself, as a request is, so
that it is exact to the last digit and its errors are those of HTTP. (ijson would give decoded values, in which a member
that comes twice and a number that is not exact no longer show.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.fleet_svc.domain.bulk.csv_cells import cells_of
from shared import exact_json
from shared.errors import EpicError, TooLarge
from shared.schemas.base import BODY_LIMIT
from shared.schemas.decoding import decode_object

ROW_LIMIT: Final = BODY_LIMIT
"""The most bytes of a row: those of a request."""

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"
_SIGN: Final = re.compile(rb'[][{}",]')
_IN_TEXT: Final = re.compile(rb'["\\]')


class Unreadable(EpicError):
    """From ``line`` on nobody can say where a row begins: no further row may be written."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file: ``number`` counts the rows, ``line`` the lines, both from 1.

    ``content`` is JSON text, or the cells of CSV; None for a row of over ROW_LIMIT bytes, which was not kept.
    """

    number: int
    line: int
    content: bytes | Sequence[str] | None
    size: int


class Rows(Protocol):
    """Reads the rows of one body. ``feed`` gets the next bytes, in pieces of any size; ``end`` follows the last.

    Both raise Unreadable, after the rows before that place.
    """

    def feed(self, data: bytes) -> Iterator[Row]: ...
    def end(self) -> Iterator[Row]: ...

    def fields(self, row: Row) -> dict[str, Any]:
        """The members of a row. Refused, as by HTTP, when it has none that can be taken."""

    def cells(self, row: Row) -> Mapping[str, str]:
        """The row as columns of CSV, from which it can be read again; none where it cannot be read at all."""


def too_large() -> TooLarge:
    """The refusal of a row that was not kept."""
    return TooLarge(f"the row is over {ROW_LIMIT} bytes; take out what is not needed, or send it by its own request")


class _JsonRows:
    """What NDJSON and a JSON array share: rows are JSON text."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._line = 1  # where the buffer begins
        self._number = 0
        self._dropped = 0  # bytes of the row that the reader is in, which are too many to be kept
        self._first_line = 1  # of that row
        self._at_beginning = True

    def fields(self, row: Row) -> dict[str, Any]:
        if not isinstance(row.content, bytes):
            raise too_large()
        return decode_object(row.content)

    def cells(self, row: Row) -> Mapping[str, str]:
        try:
            value = exact_json.loads(row.content) if isinstance(row.content, bytes) else None
            return cells_of(value) if isinstance(value, dict) else {}
        except (ValueError, TypeError):  # no JSON, or nothing that can be written as JSON again
            return {}

    def _add(self, data: bytes) -> bool:
        """Whether there is something to read: the first bytes may be the beginning of a byte order mark."""
        self._buffer += data
        if self._at_beginning and len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._at_beginning:
            self._buffer[:] = self._buffer.removeprefix(_BOM)
            self._at_beginning = False
        return True

    def _cut(self, length: int) -> bytes:
        """Takes the first bytes out of the buffer."""
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _row(self, text: bytes) -> Row:
        """The row whose last bytes these are, with the space around it."""
        begin = text[: len(text) - len(text.lstrip(_SPACE))].count(b"\n") if not self._dropped else 0
        self._number += 1
        size = self._dropped + len(text)
        content = None if self._dropped or len(text) > ROW_LIMIT else text.strip(_SPACE)
        row = Row(self._number, self._line_of_row + begin, content, size)
        self._line += text.count(b"\n")
        self._dropped = 0
        return row

    @property
    def _line_of_row(self) -> int:
        return self._first_line if self._dropped else self._line

    def _drop(self, length: int) -> None:
        """Forgets so many bytes of the row that the reader is in."""
        if not self._dropped:
            self._first_line = self._line
        self._dropped += length
        self._line += self._cut(length).count(b"\n")


class NdjsonRows(_JsonRows):
    """One JSON object a line; blank lines are no rows."""

    def feed(self, data: bytes) -> Iterator[Row]:
        if not self._add(data):
            return
        while (end := self._buffer.find(b"\n")) >= 0:
            yield from self._line_taken(self._cut(end + 1))
        if len(self._buffer) > ROW_LIMIT:
            self._drop(len(self._buffer))

    def end(self) -> Iterator[Row]:
        if self._buffer or self._dropped:
            yield from self._line_taken(self._cut(len(self._buffer)))

    def _line_taken(self, line: bytes) -> Iterator[Row]:
        if line.strip(_SPACE) or self._dropped:
            yield self._row(line)
        else:
            self._line += line.count(b"\n")


class JsonRows(_JsonRows):
    """The objects of one JSON array. Only where each begins and ends is looked for; ``fields`` reads what is inside."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0  # up to here the buffer is scanned
        self._depth = 0
        self._in_text = False
        self._has_comma = False
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Row]:
        if not self._add(data):
            return
        while (sign := self._next_sign()) is not None:
            yield from self._met(sign)
        if not self._depth:
            self._check_outside(bytes(self._buffer))
            self._line += self._taken().count(b"\n")
        if self._depth and len(self._buffer) > ROW_LIMIT:
            self._drop(self._at)
            self._at = 0

    def end(self) -> Iterator[Row]:
        self._check_outside(bytes(self._buffer) if not self._depth else b"")
        if not self._ended:
            line = self._line + self._buffer.count(b"\n")
            raise Unreadable("the JSON array does not end; the file is cut off", line)
        yield from ()

    def _next_sign(self) -> bytes | None:
        """The next bracket, brace or comma outside texts; the scan stands behind it. None: there is none yet."""
        while True:
            found = (_IN_TEXT if self._in_text else _SIGN).search(self._buffer, self._at)
            if found is None:
                self._at = len(self._buffer)
                return None
            if found[0] == b"\\":
                if found.end() == len(self._buffer):
                    self._at = found.start()  # what it escapes is still to come
                    return None
                self._at = found.end() + 1
            else:
                self._at = found.end()
                if found[0] != b'"':
                    return found[0]
                self._in_text = not self._in_text

    def _met(self, sign: bytes) -> Iterator[Row]:
        if not self._depth:
            self._check_outside(bytes(self._buffer[: self._at - 1]))
            if sign != b"[" or self._ended:
                self._check_outside(sign)
            self._depth = 1
            self._line += self._taken().count(b"\n")
        elif sign in (b"[", b"{"):
            self._depth += 1
        elif sign in (b"]", b"}"):
            self._depth -= 1
            if not self._depth:
                yield from self._element(is_last=True)
                self._ended = True
        elif self._depth == 1:
            yield from self._element(is_last=False)
            self._has_comma = True

    def _element(self, *, is_last: bool) -> Iterator[Row]:
        text = self._taken()[:-1]
        if is_last and not self._has_comma and not text.strip(_SPACE) and not self._dropped:
            self._line += text.count(b"\n")  # an empty array
        else:
            yield self._row(text)

    def _taken(self) -> bytes:
        taken, self._at = self._cut(self._at), 0
        return taken

    def _check_outside(self, text: bytes) -> None:
        """Unreadable unless it is the space around the array."""
        if text.strip(_SPACE):
            place = self._line + text[: len(text) - len(text.lstrip(_SPACE))].count(b"\n")
            what = "something follows the JSON array" if self._ended else "the body must be one JSON array of objects"
            raise Unreadable(f'{what}; send [{{"ServiceId": …}}, …], or NDJSON as application/x-ndjson', place)
