"""The rows of NDJSON, of a JSON array and of CSV, whatever the pieces in which a file arrives (4.590, 4.597)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fleet_svc.domain.bulk.csv_cells import cells_of
from services.fleet_svc.domain.bulk.csv_rows import CsvRows
from services.fleet_svc.domain.bulk.failures import Failure, decode_failures, encode_failures
from services.fleet_svc.domain.bulk.kinds import row_kind
from services.fleet_svc.domain.bulk.rows import ROW_LIMIT, JsonRows, NdjsonRows, Row, Rows, Unreadable
from shared.errors import BadInput, Refused

FLEET = row_kind("Fleet")


def csv_rows(resource: str = "Service") -> CsvRows:
    kind = row_kind(resource)
    return CsvRows(kind.model, known=kind.known, key=kind.required_key)


def read(rows: Rows, body: bytes, size: int = 1 << 16) -> list[Row]:
    return list(reading(rows, body, size))


def reading(rows: Rows, body: bytes, size: int = 1 << 16) -> Iterator[Row]:
    for at in range(0, len(body), size):
        yield from rows.feed(body[at : at + size])
    yield from rows.end()


def read_up_to(rows: Rows, body: bytes, line: int, size: int = 1 << 16) -> list[Row]:
    """The rows before the line from which on the body cannot be read."""
    found: list[Row] = []
    with pytest.raises(Unreadable, match=rf"^line {line}: "):
        found.extend(reading(rows, body, size))
    return found


def fields(rows: Rows, body: bytes, size: int = 1 << 16) -> list[dict[str, Any]]:
    return [rows.fields(row) for row in read(rows, body, size)]


def refusal(rows: Rows, row: Row) -> Refused:
    with pytest.raises(Refused) as error:
        rows.fields(row)
    return error.value


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=5)


@pytest.mark.slow
@given(OBJECTS, st.integers(1, 40), st.booleans(), st.booleans())
def test_json_is_cut_into_the_same_objects_at_any_size_of_pieces(
    given: list[dict[str, Any]], size: int, indent: bool, bom: bool
) -> None:
    text = orjson.dumps(given, option=orjson.OPT_INDENT_2 if indent else 0)
    body = b"\xef\xbb\xbf" * bom + b"\n" + text + b"\n "
    assert fields(JsonRows(), body, size) == given


@pytest.mark.slow
@given(OBJECTS, st.integers(1, 40), st.sampled_from([b"\n", b"\r\n", b"\n\n  \n"]), st.booleans())
def test_ndjson_is_cut_into_the_same_objects_at_any_size_of_pieces(
    given: list[dict[str, Any]], size: int, end: bytes, last: bool
) -> None:
    body = end.join(map(orjson.dumps, given)) + end * last
    assert fields(NdjsonRows(), body, size) == given


@given(st.lists(st.dictionaries(st.sampled_from("abc"), TEXTS, max_size=3), max_size=4), st.integers(1, 30))
def test_lines_and_rows_are_counted_from_one(given: list[dict[str, str]], size: int) -> None:
    body = b"[\n" + b",\n".join(map(orjson.dumps, given)) + b"\n]"
    assert [(row.number, row.line) for row in read(JsonRows(), body, size)] == [
        (number, number + 1) for number in range(1, len(given) + 1)
    ]


def test_a_bad_row_is_refused_by_itself_and_its_line_named() -> None:
    rows = NdjsonRows()
    found = read(rows, b'{"A":1}\n\n{"A":1,"A":2}\nnot json\n{"A":0.1234567890123456789}\n[1]\n')
    assert [row.line for row in found] == [1, 3, 4, 5, 6]
    assert [refusal(rows, found[place]).slug for place in (1, 2, 4)] == [
        "duplicate-member",
        "not-json",
        "not-an-object",
    ]
    assert str(rows.fields(found[3])["A"]) == "0.1234567890123456789"


@pytest.mark.parametrize("size", [1, 1000, 3 * ROW_LIMIT])
@pytest.mark.parametrize("reader", [NdjsonRows, JsonRows])
def test_a_row_that_is_too_large_is_refused_and_not_kept(reader: Callable[[], Any], size: int) -> None:
    if size == 1:
        size = ROW_LIMIT // 7
    large = orjson.dumps({"A": "x" * ROW_LIMIT})
    texts = [b'{"A":1}', large, b'{"A":2}']
    body = b"\n".join(texts) if reader is NdjsonRows else b"[" + b",\n".join(texts) + b"]"
    rows = reader()
    first, second, third = read(rows, body, size)
    assert (rows.fields(first), rows.fields(third)) == ({"A": 1}, {"A": 2})
    assert (second.content, second.line, refusal(rows, second).status) == (None, 2, 413)
    assert (third.number, third.line) == (3, 3)


@pytest.mark.parametrize(
    ("body", "line", "rows"),
    [
        (b"", 1, 0),
        (b'{"A":1}', 1, 0),
        (b"\n\n1, [", 3, 0),
        (b'[{"A":1},\n{"A":', 2, 1),
        (b'[{"A":1}]\n\nmore', 3, 1),
        (b"[][]", 1, 0),
        (b'"[]"', 1, 0),
    ],
)
def test_a_body_that_is_no_json_array_is_read_up_to_there(body: bytes, line: int, rows: int) -> None:
    for size in (1, 100):
        assert len(read_up_to(JsonRows(), body, line, size)) == rows


CSV = "ServiceId,Owner,LeaderAlias,Philosophy.MinHosts,Fleet\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_any_spreadsheet_is_read_alike(delimiter: str, bom: bytes, size: int) -> None:
    """4.597: BOM, the sign between cells, quotes, CRLF, a line break in a cell, emoji, empty cells and null."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["ServiceId", "Owner", "LeaderAlias", "Philosophy.MinHosts", "Fleet"])
    writer.writerow(["S1", 'a "b", c; d\te', "null", "2", '[{"Region": "us-east-1", "Fleets": ["F1"]}]'])
    writer.writerow(["", "", "", "", ""])
    writer.writerow(["S2", "two\r\nlines", "", "", ""])
    writer.writerow(["S3", "🚀 ü", '"null"', "", "null"])
    rows = csv_rows()
    found = read(rows, bom + text.getvalue().encode(), size)
    assert [rows.fields(row) for row in found] == [
        {
            "ServiceId": "S1",
            "Owner": 'a "b", c; d\te',
            "LeaderAlias": None,
            "Philosophy": {"MinHosts": "2"},
            "Fleet": [{"Region": "us-east-1", "Fleets": ["F1"]}],
        },
        {"ServiceId": "S2", "Owner": "two\r\nlines"},
        {"ServiceId": "S3", "Owner": "🚀 ü", "LeaderAlias": "null", "Fleet": None},
    ]
    assert [(row.number, row.line) for row in found] == [(1, 2), (2, 4), (3, 6)]


def test_a_flag_is_true_as_spreadsheets_write_it() -> None:
    header = b"FleetId,FleetConfiguration.Homogeneous\n"
    assert fields(csv_rows("Fleet"), header + b"F1,TRUE\nF2,false\nF3,yes\n") == [
        {"FleetId": "F1", "FleetConfiguration": {"Homogeneous": True}},
        {"FleetId": "F2", "FleetConfiguration": {"Homogeneous": False}},
        {"FleetId": "F3", "FleetConfiguration": {"Homogeneous": "yes"}},
    ]


def test_a_cell_of_a_million_characters_is_read() -> None:
    header = b"ServiceId,Owner\n"
    (row,) = fields(csv_rows(), header + b'S1,"' + b"x" * 1_000_000 + b'"\n', 65_536)
    assert len(row["Owner"]) == 1_000_000


def test_a_row_over_the_limit_is_refused_and_the_next_is_read() -> None:
    rows = csv_rows()
    found = read(rows, b"ServiceId,Owner\nS1,a\nS2," + b"x" * (2 * ROW_LIMIT) + b"\nS3,b\n", 65_536)
    assert [row.line for row in found] == [2, 3, 4]
    assert refusal(rows, found[1]).status == 413
    assert rows.fields(found[2]) == {"ServiceId": "S3", "Owner": "b"}


@pytest.mark.parametrize(
    "end", [b'"never closed,a\nS3,b\n', b'"' + b"never closed,a\n" * 100_000, b'"' + b"x" * 2 * ROW_LIMIT + b"\nS3,b\n"]
)
def test_nothing_is_read_behind_a_quotation_mark_that_is_not_closed(end: bytes) -> None:
    found = read_up_to(csv_rows(), b"ServiceId,Owner\nS1,a\nS2," + end, 3)
    assert [row.content for row in found] == [["S1", "a"]]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b"", "is empty"),
        (b"ServiceId,Ownr\n", "unknown columns Ownr"),
        (b"ServiceId,,Owner\n", r"unknown columns \(empty\)"),
        (b"Owner\n", "lacks ServiceId"),
        (b"ServiceId,Owner,Owner\n", "twice Owner"),
        (b"ServiceId,Philosophy,Philosophy.MinHosts\n", "beside one of its members Philosophy"),
        (b"\xff\xfeS\x00e\x00\n", "UTF-16"),
        (b"ServiceId,\xff\n", "no CSV in UTF-8"),
    ],
)
def test_a_wrong_header_is_named_before_any_row(header: bytes, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault):
        read(csv_rows(), header + (b"S1,a\n" if header else b""))


def test_a_bad_cell_is_named_by_the_pointer_of_its_member() -> None:
    rows = csv_rows()
    body = b'ServiceId,Owner,Fleet\nS1,\xff,[\nS2,a\nS3,a,[]\nS4,a"b,\nS5,"a"b,\n'
    found = read(rows, body)
    assert [error.pointer for error in refusal(rows, found[0]).errors] == ["/Owner", "/Fleet"]
    assert "2 cells where the header has 3" in refusal(rows, found[1]).detail
    assert rows.fields(found[2]) == {"ServiceId": "S3", "Owner": "a", "Fleet": []}
    assert rows.fields(found[3])["Owner"] == 'a"b'
    assert "no CSV" in refusal(rows, found[4]).detail
    assert rows.cells(found[0]) == {"ServiceId": "S1", "Owner": "�", "Fleet": "["}


def test_columns_of_remarks_are_no_members() -> None:
    body = b"ServiceId,_Line,Owner,_Reason\nS1,7,a,it was refused\n"
    assert fields(csv_rows(), body) == [{"ServiceId": "S1", "Owner": "a"}]


MEMBERS = ["LeaderAlias", "Owner", "ServiceId", "ServiceTier"]


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(MEMBERS), TEXTS | st.none(), min_size=1), min_size=1))
def test_a_row_that_is_written_as_csv_is_read_as_it_was(given: list[dict[str, Any]]) -> None:
    """Whatever its texts look like: empty, null, in quotation marks, with line breaks."""
    given = [
        {"ServiceId": f"S{number}", **{k: v for k, v in row.items() if k != "ServiceId"}}
        for number, row in enumerate(given)
    ]
    columns = sorted({name for row in given for name in row})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(map(cells_of, given))
    assert fields(csv_rows(), text.getvalue().encode()) == given


def test_objects_become_dotted_columns_and_lists_json() -> None:
    row = {"A": {"B": {"C": 1.5}, "D": [1, {"E": None}]}, "F": {}, "G": {"h.i": 1}, "J": True, "K": None}
    assert cells_of(row) == {
        "A.B.C": "1.5",
        "A.D": '[1,{"E":null}]',
        "F": "{}",
        "G": '{"h.i":1}',
        "J": "true",
        "K": "null",
    }


def test_failed_rows_are_kept_in_parts_and_one_that_is_too_large_without_its_cells() -> None:
    def failure(number: int, size: int) -> Failure:
        row = Row(number, number + 1, b"", size)
        return Failure.of(row, None, BadInput("it is bad"), {"ServiceId": f"S{number}", "Owner": "\x01" * size})

    given = [failure(1, 10), failure(2, 400), failure(3, 10), failure(4, 120)]
    parts = encode_failures(given, most=1000)
    assert all(len(part) <= 1000 for part in parts)
    found = [one for part in parts for one in decode_failures(part)]
    assert [one.row for one in found] == [1, 2, 3, 4]
    assert [dict(one.cells) for one in found] == [{} if one.row == 2 else dict(one.cells) for one in given]
    assert encode_failures([], most=1000) == []
