"""The command ``python -m tests.faults``: EPIC under faults for as long as one likes, and an exit code.

Four parts, all of them unless ``--only`` names some: rounds of load and faults on a real stack, ``epic up`` killed
again and again, the availability while replicas are killed, and fuzzed records in every topic.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from tests.faults import availability, fuzz
from tests.faults.embedded import embedded_harness
from tests.faults.harness import real_harness
from tests.faults.mending import mend_and_replay
from tests.faults.plan import Sizes
from tests.faults.rounds import Harness, Report, play_round, settle
from tests.support import docker_engine

PARTS: Final = ("rounds", "embedded", "availability", "fuzz")
_KILLS_A_ROUND: Final = 8
_INTERRUPTED: Final = 130
_READING_KILLS: Final = 2  # each look into the files of a round kills the process once more


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="reproduces the plan of load and faults; drawn if not given")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be repeated")
    parser.add_argument("--rounds", type=int, default=20, help="rounds on the real stack (%(default)s)")
    parser.add_argument(
        "--first", type=int, default=1, help="the first round's number: --first N --rounds 1 is N alone"
    )
    parser.add_argument("--fleets", type=int, default=Sizes().fleets, help="fleets a round (%(default)s)")
    parser.add_argument("--events", type=int, default=Sizes().events, help="events a round (%(default)s)")
    parser.add_argument("--disturbances", type=int, default=Sizes().disturbances, help="faults a round (%(default)s)")
    parser.add_argument("--per-harness", type=int, default=25, help="rounds on one set of servers (%(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="kills of epic up (%(default)s)")
    parser.add_argument("--seconds", type=float, default=180, help="of the availability figure (%(default)s)")
    parser.add_argument("--records", type=int, default=1000, help="fuzzed records for each topic (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a little of each: some minutes in all")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.kills, options.seconds, options.records = 2, 8, 20, 40
    return options


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Tally:
    """What all parts did and found."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.found: list[str] = []

    def note(self, part: str, violations: list[str]) -> None:
        self.found += [f"{part}: {wrong}" for wrong in violations]
        for wrong in violations[:40]:
            say(f"  {wrong[:1500]}")


async def rounds(options: argparse.Namespace, tally: Tally) -> None:
    sizes = Sizes(options.fleets, options.events, disturbances=options.disturbances)
    say(f"rounds: {options.rounds} of {sizes.fleets} fleets, {sizes.events} events, {sizes.disturbances} faults")
    await _rounds(real_harness, "rounds", sizes, range(options.first, options.first + options.rounds), options, tally)


async def embedded(options: argparse.Namespace, tally: Tally) -> None:
    each = min(_KILLS_A_ROUND, max(1, options.kills - _READING_KILLS))
    sizes = replace(Sizes(options.fleets, options.events), window=3.0 * each, disturbances=each)
    count = -(-options.kills // (each + _READING_KILLS))
    say(f"embedded: epic up killed {count * (each + _READING_KILLS)} times, in {count} rounds on one folder")
    await _rounds(embedded_harness, "embedded", sizes, range(1, count + 1), options, tally)


async def _rounds(
    make: Callable[[], AbstractAsyncContextManager[Harness]],
    part: str,
    sizes: Sizes,
    numbers: range,
    options: argparse.Namespace,
    tally: Tally,
) -> None:
    for first in range(0, len(numbers), options.per_harness):
        bad = False
        async with make() as harness:
            for number in numbers[first : first + options.per_harness]:
                report = await play_round(harness, tally.seed, number, sizes)
                print_summary(part, report, tally)
                if report.violations:
                    bad = harness.evidence.keep = True
                    break
            if not bad:
                left, records = await settle(harness)
                tally.note(part, left)
                tally.counts["records in the topics"] += records
                bad = harness.evidence.keep = bool(left)
            tally.counts += harness.counts
            tally.counts["commands delivered"] += harness.clients.commands.produced
        if bad:
            return


def print_summary(part: str, report: Report, tally: Tally) -> None:
    phases = " ".join(f"{phase} {seconds:.1f}" for phase, seconds in report.seconds.items())
    verdict = "ok" if not report.violations else f"{len(report.violations)} VIOLATIONS"
    did = f"{report.writes} writes, {report.commands} commands"
    took = f"{sum(report.seconds.values()):.1f} s ({phases})"
    say(f"{part} {report.number}: {verdict}, {took}; {did}; {'; '.join(map(str, report.disturbances))}")
    tally.counts += Counter(
        {f"{part} played": 1, "writes acknowledged": report.writes, "commands answered": report.commands}
    )
    tally.note(f"{part} {report.number}", report.violations)
    if report.violations and part == "rounds":
        say(f"  again: python -m tests.faults --only rounds --seed {tally.seed} --first {report.number} --rounds 1")


async def available(options: argparse.Namespace, tally: Tally) -> None:
    say(f"availability: one of two replicas is killed again and again for {options.seconds:.0f} s")
    async with real_harness() as harness:
        figure = await availability.measure(harness, tally.seed, options.seconds)
        say(f"availability: {figure}")
        for failure in figure.failures[:20]:
            say(f"  {failure}")
        tally.counts += Counter({f"kill {service}": count for service, count in figure.kills.items()})
        tally.note("availability", [*figure.missed(), *figure.violations])
        harness.evidence.keep = bool(figure.violations or figure.failures)


async def fuzzed(options: argparse.Namespace, tally: Tally) -> None:
    say(f"fuzz: {options.records} records into every topic")
    async with real_harness() as harness:
        found = await fuzz.fuzz_every_topic(harness, tally.seed, options.records)
        say(f"fuzz: {found}")
        tally.counts["records fuzzed"] += found.records
        tally.note("fuzz", [*found.violations, *await mend_and_replay(harness)])
        harness.evidence.keep = bool(found.violations)


async def play(options: argparse.Namespace) -> int:
    tally = Tally(options.seed if options.seed is not None else random.randrange(1_000_000))
    began = time.monotonic()
    say(f"seed {tally.seed}")
    parts = dict(zip(PARTS, (rounds, embedded, available, fuzzed), strict=True))
    interrupted = ""
    try:
        for name in options.only or PARTS:
            await parts[name](options, tally)
    except asyncio.CancelledError:
        interrupted = ", interrupted"
    verdict = f"{len(tally.found)} VIOLATIONS" if tally.found else "no violation"
    say(f"seed {tally.seed}: {verdict} in {time.monotonic() - began:.0f} s{interrupted}")
    for what, count in sorted(tally.counts.items()):
        print(f"  {count:7} {what}")
    return 1 if tally.found else _INTERRUPTED if interrupted else 0


def main() -> int:
    options = arguments()
    why = docker_engine.missing()
    if why is not None and options.only != ["embedded"]:
        print(f"the faults need Docker, and {why}; --only embedded needs none", file=sys.stderr)
        return 2
    try:
        return asyncio.run(play(options))
    except KeyboardInterrupt:  # what was found until then is printed already
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
