"""Imports: reads what another system wrote, shows what it would change, and writes it by bulk jobs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from epic.api import Api
from epic.bulk import send_rows
from epic.configuration import SILENCE, run, url_of
from epic.failure import CommandFailed
from epic.files import reading
from epic.imports import aws, prometheus
from epic.imports.templates import LabelMapping, TagMapping
from epic.terminal import Terminal, json_text
from shared.errors import BadInput
from shared.schemas.decoding import decode_object
from shared.schemas.validation import validated
from shared.settings import without_password
from shared.tasks import for_each

M = TypeVar("M", bound=LabelMapping)

_BATCH: Final = 1_000  # documents read at once: the most that EPIC gives
_AT_ONCE: Final = 16  # documents read side by side, each by its own request
_SHOWN: Final = 200  # lines of a difference that are printed; what it comes to is then clear
_QUERY_SECONDS: Final = 120.0  # as long as Prometheus works on a query by itself
_MOST_SOURCE: Final = 255  # characters of a Source


class LeftOut(Protocol):
    """Something that was not imported, and why."""

    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What a part of an import would write: the rows, and a line of text for each difference."""

    rows: Sequence[Mapping[str, Any]]
    lines: Sequence[str]
    left: Sequence[LeftOut]


Import = Callable[[Api], AsyncIterator[Changes]]
"""An import in parts, each of which is written before the next one is read."""


@dataclass(slots=True)
class _Imported:
    """What became of all parts."""

    rows: int = 0
    lines: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusQuery:
    """What is asked of Prometheus: ``query`` from ``begin`` to ``end``, a point each minute."""

    query: str
    begin: datetime
    end: datetime


def read_mapping(path: Path, model: type[M]) -> M:
    """The mapping file. CommandFailed names each bad member."""
    try:
        return validated(model, decode_object(_read(path)))
    except BadInput as error:
        places = "; ".join(f"{one.pointer}: {one.detail}" for one in error.errors) or error.detail
        raise CommandFailed(f"{path} is no mapping: {places}") from None


def import_aws_and_print(
    files: Sequence[Path], mapping: Path, url: str | None, *, dry_run: bool, as_json: bool, now: datetime | None = None
) -> bool:
    """Imports fleets. Whether all that the mapping takes was imported."""
    tags = read_mapping(mapping, TagMapping)
    try:
        documents = [aws.read_document(_read(file), str(file)) for file in files]
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    found = aws.fleets_of(documents, tags, now=now or datetime.now(UTC))

    async def changes(api: Api) -> AsyncIterator[Changes]:
        present = await _present(api, "/fleet", list(found.rows))
        rows, lines = list[Mapping[str, Any]](), list[str]()
        for fleet_id, row in found.rows.items():
            change = aws.change_of(row, present.get(fleet_id), tags)
            if change is not None:
                rows.append(change)
                lines += aws.difference(change, present.get(fleet_id))
        yield Changes(rows, lines, found.left)

    return _write_and_print("fleet", changes, url, dry_run=dry_run, as_json=as_json)


def import_prometheus_and_print(
    source: str,
    mapping: Path,
    url: str | None,
    *,
    query: PrometheusQuery | None,
    per_minute: Decimal,
    max_series: int,
    dry_run: bool,
    as_json: bool,
) -> bool:
    """Imports traffic of a file, or of Prometheus at an address. Whether every series was imported.

    A part is what one query gives, so that memory does not grow with the period.
    """
    labels, name = read_mapping(mapping, LabelMapping), without_password(source)

    async def answers() -> AsyncIterator[tuple[bytes, str]]:
        if query is None:
            yield _read(Path(source), most=prometheus.MAX_ANSWER_BYTES), name
            return
        for begin, end in prometheus.parts_of(query.begin, query.end, max_series=max_series):
            yield await _answer(source, query.query, begin, end), f"{name} from {begin:%Y-%m-%dT%H:%MZ}"

    async def changes(api: Api) -> AsyncIterator[Changes]:
        async for answer, part in answers():
            traffic = prometheus.Traffic()
            try:
                series = prometheus.read_answer(answer, part, max_series=max_series)
            except ValueError as error:
                raise CommandFailed(str(error)) from None
            prometheus.add_series(traffic, series, labels, per_minute=per_minute)
            rows = {f"{row['FleetId']}#{row['Date']}": row for row in traffic.rows(f"prometheus {name}"[:_MOST_SOURCE])}
            present = await _with_series(api, await _present(api, "/traffic", list(rows)))
            lines = {key: prometheus.difference(row, present.get(key)) for key, row in rows.items()}
            changed = [row for key, row in rows.items() if lines[key] is not None]
            yield Changes(changed, [line for line in lines.values() if line is not None], traffic.left)

    return _write_and_print("traffic", changes, url, dry_run=dry_run, as_json=as_json)


async def _answer(source: str, query: str, begin: datetime, end: datetime) -> bytes:
    """What Prometheus answers for a part of one day. By POST: a query may be longer than an address."""
    period = {"start": str(begin.timestamp()), "end": str(end.timestamp()), "step": str(prometheus.MINUTE)}
    address, name = f"{source.rstrip('/')}/api/v1/query_range", without_password(source)
    waiting = aiohttp.ClientTimeout(total=None, connect=SILENCE, sock_read=_QUERY_SECONDS)
    body = bytearray()
    try:
        async with (
            aiohttp.ClientSession(timeout=waiting) as session,
            session.post(address, data={"query": query, **period}, allow_redirects=False) as response,
        ):
            async for piece in response.content.iter_chunked(1 << 20):
                body += piece
                if len(body) > prometheus.MAX_ANSWER_BYTES:
                    raise CommandFailed(_too_large(name))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CommandFailed(f"{name} does not answer as Prometheus does: {error or type(error).__name__}") from None
    return bytes(body)


async def _present(api: Api, path: str, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The documents of these keys that are there."""
    found: dict[str, Mapping[str, Any]] = {}
    for first in range(0, len(keys), _BATCH):
        some = list(keys[first : first + _BATCH])
        answer = await api.ask("POST", f"{path}/batch", {"Keys": some}, having={"Items": None})
        missing = set(answer["Missing"])
        found |= dict(zip([key for key in some if key not in missing], answer["Items"], strict=True))
    return found


async def _with_series(api: Api, days: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The days of traffic with their minutes, which only a read of one day has."""
    found: dict[str, Mapping[str, Any]] = {}

    async def read(day: tuple[str, Mapping[str, Any]]) -> None:
        key, shown = day
        path = f"/traffic/{quote(shown['FleetId'], safe='')}/{shown['Date']}"
        found[key] = await api.ask("GET", path, having={"Series": None})

    await for_each(list(days.items()), read, at_once=_AT_ONCE)
    return found


def _write_and_print(resource: str, changes: Import, url: str | None, *, dry_run: bool, as_json: bool) -> bool:
    """Shows what would change, writes it unless it is a dry run, and names what was not taken. Whether all was."""
    output = Terminal(sys.stderr) if as_json else Terminal()
    doing = f"{'checking' if dry_run else 'writing'} {resource}"

    async def work() -> _Imported:
        imported = _Imported()
        async with Api(url_of(url)) as api:
            async for part in changes(api):
                imported.lines += part.lines
                imported.left |= {one.name: one.reason for one in part.left}
                imported.rows += len(part.rows)
                if not part.rows:
                    continue
                rows = map(orjson.dumps, part.rows)
                with output.progress(doing, len(part.rows)) as advance:
                    sent = await send_rows(api, resource, rows, mode="upsert", dry_run=dry_run, advance=advance)
                imported.refused += [(str(part.rows[one.place]["FleetId"]), one.reason) for one in sent.refused]
        return imported

    imported = run(work())
    if as_json:
        report = {
            "Resource": resource,
            "DryRun": dry_run,
            "Rows": imported.rows,
            "Differences": imported.lines,
            "Left": [{"Name": name, "Reason": reason} for name, reason in imported.left.items()],
            "Refused": [{"FleetId": fleet_id, "Reason": reason} for fleet_id, reason in imported.refused],
        }
        Terminal().raw(json_text(report))
    else:
        _print(imported, resource, output, dry_run=dry_run)
    return not imported.refused and not imported.left


def _print(imported: _Imported, resource: str, output: Terminal, *, dry_run: bool) -> None:
    errors = Terminal(sys.stderr)
    for line in imported.lines[:_SHOWN]:
        output.print(line)
    if len(imported.lines) > _SHOWN:
        output.print(f"and {len(imported.lines) - _SHOWN} more differences; --json lists them all")
    for name, reason in [*imported.left.items(), *imported.refused]:
        errors.print(f"{name}: {reason}", style="red")
    done = f"{resource} rows {'would be written' if dry_run else 'written'}"
    count = imported.rows - len(imported.refused)
    output.print(f"{count} {done}, {len(imported.refused)} refused, {len(imported.left)} left out")


def _read(path: Path, *, most: int | None = None) -> bytes:
    """The file's content. CommandFailed where it cannot be read, or has more than ``most`` bytes."""
    try:
        with reading(path) as file:
            content = file.read() if most is None else file.read(most + 1)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
    if most is not None and len(content) > most:
        raise CommandFailed(_too_large(str(path)))
    return content


def _too_large(name: str) -> str:
    return f"{name} has over {prometheus.MAX_ANSWER_BYTES} bytes of series; ask for fewer series, or a shorter period"
