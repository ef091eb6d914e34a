"""Answers tables as CSV (RFC 4180), row by row, safe to open in a spreadsheet."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from io import StringIO
from itertools import islice
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

CSV: Final = "text/csv"

_AT_ONCE: Final = 500  # rows, some tens of kilobytes; other requests are served between two portions
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for a formula, or for the beginning of another cell, at the beginning of a text."""


def csv_response(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, name: str) -> Response:
    """The rows under a header line, in UTF-8, as the file ``name``. None is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe before it; a number never does.
    """
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(_portions(columns, rows), 200, headers, f"{CSV}; charset=utf-8")


def harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


async def _portions(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> AsyncIterator[str]:
    rest = iter(rows)
    portion: list[Sequence[Any]] = [columns]
    while portion:
        text = StringIO()
        csv.writer(text).writerows([harmless(cell) for cell in row] for row in portion)
        yield text.getvalue()
        await asyncio.sleep(0)
        portion = list(islice(rest, _AT_ONCE))
