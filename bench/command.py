"""``python -m bench``: what is asked for is measured, printed and, if wanted, written down."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
import uvloop

from bench.catalogue import BENCHES
from bench.figure import Bench, Figure
from bench.machine import described
from bench.page import write_table
from bench.process import ROOT
from bench.rounds import FULL_ROUNDS, QUICK_ROUNDS, Scale
from bench.stage import Stage
from tests.support import docker_engine

_RESULTS: Final = ROOT / "bench" / "results.json"
_PAGE: Final = ROOT / "docs" / "performance.md"
_QUICK_AT_ONCE: Final = 3  # most of a quick bench is waiting for what it starts
_FAILED: Final = 1
_NOT_HERE: Final = 2


def main() -> None:
    options = _options()
    chosen = [bench for bench in BENCHES if not options.names or bench.name in options.names]
    why = docker_engine.missing() if any(bench.needs_docker for bench in chosen) else None
    if why is not None:
        _say(f"{why}: the benches measure real Kafka, MongoDB and MySQL; `embedded` and `traffic_day` need none")
        raise SystemExit(_NOT_HERE)
    _quiet_libraries()
    scale = Scale(options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS), options.quick)
    try:
        figures, servers, failed = uvloop.run(_measure_all(chosen, scale))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("interrupted; what was started is stopped")
        raise SystemExit(130) from None
    measured = described(f"python -m bench {shlex.join(sys.argv[1:])}".strip(), servers)
    parts = {
        name: {"measured": measured, "figures": [figure.wire() for figure in found]} for name, found in figures.items()
    }
    _write(parts, options)
    if failed:
        _say(f"not measured: {', '.join(failed)}")
        raise SystemExit(_FAILED)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What EPIC costs, against the same work by the raw drivers alone.",
        epilog="\n".join(f"{bench.name:<10} {bench.about}" for bench in BENCHES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = [bench.name for bench in BENCHES]
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these; default: all")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the size in one round: only that all run")
    parser.add_argument("--rounds", type=int, help=f"default: {FULL_ROUNDS}, {QUICK_ROUNDS} with --quick")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument(
        "--write", action="store_true", help="put them into bench/results.json and docs/performance.md; others stay"
    )
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"{', '.join(unknown)}: there are {', '.join(known)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if options.write and options.quick:
        parser.error("--write is for full sizes: a table of a fiftieth would say something else")
    return options


async def _measure_all(
    chosen: Sequence[Bench], scale: Scale
) -> tuple[dict[str, list[Figure]], dict[str, str], list[str]]:
    """What was measured by each bench, what the servers are, and the names of the benches that could not be."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    servers: dict[str, str] = {}
    failed: list[str] = []
    turns = asyncio.Semaphore(_QUICK_AT_ONCE if scale.quick else 1)

    async def one(bench: Bench) -> list[Figure]:
        async with turns:
            try:
                return await _measured(bench, scale, servers)
            except Exception:  # the others are measured all the same, and the exit code tells
                traceback.print_exc()
                failed.append(bench.name)
                return []

    found = await asyncio.gather(*(one(bench) for bench in chosen))
    return {bench.name: figures for bench, figures in zip(chosen, found, strict=True) if figures}, servers, failed


async def _measured(bench: Bench, scale: Scale, servers: dict[str, str]) -> list[Figure]:
    _say(f"{bench.name}: {bench.about}")
    began = time.monotonic()
    async with Stage(scale) as stage:
        try:
            figures = await bench.measure(stage)
        except Exception:
            _say(stage.last_words())
            raise
        servers |= await stage.versions()
    if scale.quick:  # so little says nothing about a goal
        figures = [replace(figure, goal=None) for figure in figures]
    lines = [f"{bench.name}: measured in {time.monotonic() - began:.0f} s", *(f"  {one.text()}" for one in figures)]
    _say("\n".join(lines))
    return figures


def _write(parts: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json is not None:
        options.json.write_bytes(_text(parts))
    if options.write:
        before = orjson.loads(_RESULTS.read_bytes()) if _RESULTS.exists() else {}
        parts = {bench.name: (before | parts)[bench.name] for bench in BENCHES if bench.name in before | parts}
        _RESULTS.write_bytes(_text(parts))
        write_table(_PAGE, parts)


def _text(parts: dict[str, Any]) -> bytes:
    return orjson.dumps(parts, option=orjson.OPT_INDENT_2) + b"\n"


def _quiet_libraries() -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("testcontainers").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _say(line: str) -> None:
    print(line, flush=True)
