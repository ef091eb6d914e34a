"""What a figure says, how sides take turns, and what is written of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bench.figure import Figure, at_least, at_most
from bench.http import Connection, encode
from bench.page import BEGIN, END, write_table
from bench.rounds import Scale, alternate

pytestmark = pytest.mark.slow


def test_a_ratio_is_taken_round_by_round_and_the_goal_is_of_their_median() -> None:
    figure = Figure("reads", "raw reads", "reads/s", (90.0, 200.0, 100.0), (100.0, 100.0, 200.0), at_least(0.85))
    assert figure.ratios == (0.9, 2.0, 0.5)
    assert figure.met
    assert not Figure("waits", "raw", "ms", (3.0,), (1.0,), at_most(2)).met
    assert Figure("size", "nothing", "MB", (3.0,)).met is None


def test_a_figure_without_another_side_is_judged_by_itself() -> None:
    assert Figure("events", "each version", "events", (1.5, 1.0), (), at_most(2)).judged == (1.5, 1.0)


async def test_sides_take_turns_and_the_order_is_swapped_each_round() -> None:
    order: list[str] = []

    def side(name: str) -> Callable[[], Awaitable[dict[str, float]]]:
        async def measured() -> dict[str, float]:
            order.append(name)
            return {"rate": float(len(order))}

        return measured

    first, second = await alternate(Scale(rounds=3), side("a"), side("b"))
    assert "".join(order) == "baabbaab"  # the first pair is to warm up
    assert first == {"rate": (3.0, 6.0, 7.0)}
    assert second == {"rate": (4.0, 5.0, 8.0)}


def test_quick_does_a_fiftieth_and_no_fewer_than_are_worked_on_at_once() -> None:
    quick = Scale(1, quick=True)
    assert [quick.of(count) for count in (20_000, 500, 5)] == [400, 40, 5]
    assert [quick.of(500, least=least) for least in (1, 100, 1_000)] == [10, 100, 500]
    assert Scale().of(20_000) == 20_000


def test_the_table_stands_between_its_markers_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# By hand\n{BEGIN}\nold\n{END}\nby hand too\n")
    figure = Figure("reads", "raw reads", "reads/s", (90.0, 80.0), (100.0, 100.0), at_least(0.85), "16 connections")
    machine = {
        "date": "today",
        "command": "python -m bench",
        "processor": "x",
        "cores": 2,
        "memory_gb": 8,
        "system": "Linux",
        "python": "3.11",
        "drivers": {"motor": "3"},
        "images": {"Kafka": "apache/kafka"},
        "servers": {},
    }
    other = {**machine, "command": "python -m bench put", "date": "yesterday", "servers": {"Kafka": "3.9"}}
    figures = [figure.wire()]
    write_table(
        page, {"latest": {"measured": machine, "figures": figures}, "put": {"measured": other, "figures": figures}}
    )
    text = page.read_text()
    assert text.startswith(f"# By hand\n{BEGIN}\n| what |")
    assert (
        "| reads (16 connections) | raw reads | 85.0 reads/s | 100 reads/s | 0.80 | 0.85 | 0.90 | ≥ 0.85 | met |"
        in text
    )
    assert "- latest: `python -m bench`, today, 2 rounds\n- put: `python -m bench put`, yesterday, 2 rounds\n" in text
    assert text.count("- x, 2 cores") == text.count("- Kafka 3.9 (apache/kafka)") == 1
    assert text.endswith(f"{END}\nby hand too\n")


def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# By hand\n")
    with pytest.raises(ValueError, match="bench:begin"):
        write_table(page, {})


async def test_the_lean_client_reads_answers_however_they_are_cut() -> None:
    pieces = (b"HTTP/1.1 201 Created\r\nContent-", b"Length: 5\r\n\r", b"\nhel", b"lo")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"{}")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        connection = await Connection.open(server.sockets[0].getsockname()[1])
        for _ in range(2):
            assert await connection.ask(encode("PUT", "/x", {"if-match": '"1"'}, b"{}")) == (201, b"hello")
        connection.close()
