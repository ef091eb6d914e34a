"""CSV answers: RFC 4180, and nothing in them that a spreadsheet runs."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterator
from io import StringIO

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.web import CSV, Routes, csv_response
from tests.support.http import app_of, calling

ROWS: list[list[object]] = [[number, f"text {number}"] for number in range(1_201)]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    routes = Routes("test")

    async def long(_: Request) -> Response:
        return csv_response(["Number", "Text"], iter(ROWS), name="long.csv")

    async def odd(_: Request) -> Response:
        return csv_response(["Text"], odd_rows(), name="odd.csv")

    for path, handler in (("/long", long), ("/odd", odd)):
        routes.add("GET", path, handler, action="test.read", summary="", media_type=CSV)
    async with calling(app_of(routes)) as client:
        yield client


ODD = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "plain",
    'a "quote", and a comma',
    "two\nlines",
    "ü🚀",
    "",
]
GUARDED = [f"'{text}" for text in ODD[:7]] + ODD[7:]


def odd_rows() -> Iterator[list[object]]:
    for cell in (*ODD, -1, None):
        yield [cell]


async def test_every_row_arrives_in_order_however_many_portions_it_takes(http: httpx.AsyncClient) -> None:
    answer = await http.get("/long")
    assert answer.text.startswith("Number,Text\r\n0,text 0\r\n")
    rows = list(csv.reader(StringIO(answer.text, newline="")))
    assert rows == [["Number", "Text"], *([str(cell) for cell in row] for row in ROWS)]
    assert answer.headers["content-disposition"] == 'attachment; filename="long.csv"'


async def test_a_text_that_begins_as_a_formula_is_a_text_and_a_number_stays_one(http: httpx.AsyncClient) -> None:
    answer = await http.get("/odd")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    cells = [row[0] if row else "" for row in csv.reader(StringIO(answer.text, newline=""))]
    assert cells == ["Text", *GUARDED, "-1", ""]
