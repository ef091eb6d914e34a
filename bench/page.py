"""The generated part of docs/performance.md: the table between two markers, everything else being hand-written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.figure import number

BEGIN: Final = "<!-- bench:begin, written by python -m bench --write -->"
END: Final = "<!-- bench:end -->"
_HEAD: Final = ("what", "compared with", "EPIC", "the other", "ratio: min", "median", "max", "goal", "")


def write_table(page: Path, parts: Mapping[str, Any]) -> None:
    """Puts the results in the place of what stands between the markers. ValueError when the page has none.

    ``parts``: by each bench's name its ``figures`` (``Figure.wire``) and where they were ``measured``.
    """
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END} to write between")
    figures = [figure for part in parts.values() for figure in part["figures"]]
    page.write_text(f"{before}{BEGIN}\n{_table(figures)}\n\n{_measured(parts)}\n{END}{after}")


def _table(figures: Sequence[Mapping[str, Any]]) -> str:
    lines = [_HEAD, tuple("---" for _ in _HEAD), *(_line(figure) for figure in figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(figure: Mapping[str, Any]) -> tuple[str, ...]:
    ratio, unit = figure["ratio"], figure["unit"]
    judged = ratio or figure["ours"]
    note = f" ({figure['note']})" if figure["note"] else ""
    met = {True: "met", False: "missed", None: ""}[figure["met"]]
    return (
        figure["name"] + note,
        figure["compared"],
        f"{number(figure['ours']['median'])} {unit}",
        f"{number(figure['theirs']['median'])} {unit}" if figure["theirs"] else "–",
        *(f"{judged[name]:.2f}" for name in ("min", "median", "max")),
        figure["goal"] or "–",
        met,
    )


def _measured(parts: Mapping[str, Any]) -> str:
    """How and when each part was measured, and on what: parts of one machine together."""
    lines = ["EPIC and the other are medians of the rounds.", ""]
    machines: list[dict[str, Any]] = []
    servers: dict[str, str] = {}
    for name, part in parts.items():
        on, rounds = part["measured"], len(part["figures"][0]["ours"]["rounds"])
        lines.append(f"- {name}: `{on['command']}`, {on['date']}, {rounds} {'round' if rounds == 1 else 'rounds'}")
        servers |= on["servers"]  # each part names those it started
        machine = {what: value for what, value in on.items() if what not in ("command", "date", "servers")}
        if machine not in machines:
            machines.append(machine)
    return "\n".join([*lines, *(line for machine in machines for line in _machine(machine, servers))])


def _machine(on: Mapping[str, Any], versions: Mapping[str, str]) -> list[str]:
    drivers = ", ".join(f"{name} {version}" for name, version in on["drivers"].items())
    servers = ", ".join(
        f"{kind} {versions.get(kind, '')} ({image})".replace("  ", " ") for kind, image in on["images"].items()
    )
    return [
        f"- {on['processor']}, {on['cores']} cores, {on['memory_gb']} GB; {on['system']}; Python {on['python']}",
        f"- {drivers}",
        f"- {servers}",
    ]
