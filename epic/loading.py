"""Loads NDJSON over HTTP: in phases, many rows at once; each failure is named by file and line."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from epic.api import Answer, Api
from epic.bulk import send_rows
from epic.configuration import run, url_of
from epic.failure import CommandFailed
from epic.files import STANDARD, reading
from epic.options import CONCURRENCY
from epic.rows import BadRow, Request, read_row
from epic.terminal import Terminal, json_text
from shared.tasks import for_each

_ENDINGS: Final = (".ndjson", ".jsonl")
_ALREADY_THERE: Final = "exists"
_IN_BULK: Final = 1_000
"""So many rows of one kind go as a bulk job: it takes up to a second to begin, and is much faster then."""
_SHOWN: Final = 100  # failures printed; what they are is then clear
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file and what it asks for."""

    file: str
    line: int
    request: Request


@dataclass(frozen=True, slots=True)
class RowFailure:
    """Why one line was not loaded, and what to do. ``status`` is HTTP's; None when the line never went out."""

    file: str
    line: int
    reason: str
    resource: str | None = None
    id: str | None = None
    status: int | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """One line: ``fleets.ndjson:17: Fleet X-NA-X0: /FleetConfiguration/Region: required; add it``."""
        what = f" {self.resource} {self.id}:" if self.resource else ""
        problem = "; ".join(f"{pointer or 'the body'}: {detail}" for pointer, detail in self.fields) or self.reason
        return f"{self.file}:{self.line}:{what} {problem}"

    def wire(self) -> dict[str, Any]:
        return {
            "File": self.file,
            "Line": self.line,
            "Resource": self.resource,
            "Id": self.id,
            "Status": self.status,
            "Detail": self.reason,
            "Errors": [{"Pointer": pointer, "Detail": detail} for pointer, detail in self.fields],
        }


@dataclass(slots=True)
class Loaded:
    """What became of all rows."""

    loaded: Counter[str] = field(default_factory=Counter)
    already_there: Counter[str] = field(default_factory=Counter)
    failures: list[RowFailure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return self.loaded.total() + self.already_there.total() + len(self.failures)

    def text(self) -> str:
        """The outcome in one line."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.loaded.items()) or "nothing"
        there = f"; {self.already_there.total()} already there, left as they are" if self.already_there else ""
        failed = f"; {len(self.failures)} failed" if self.failures else ""
        return f"loaded {kinds}{there}{failed}, in {self.seconds:.1f} s"

    def wire(self) -> dict[str, Any]:
        return {
            "Rows": self.rows,
            "Loaded": dict(self.loaded),
            "AlreadyThere": dict(self.already_there),
            "Failed": len(self.failures),
            "Seconds": round(self.seconds, 3),
            "Errors": [failure.wire() for failure in self.failures],
        }


def files_of(path: Path) -> list[Path]:
    """The file, ``-``, or a folder's NDJSON files by name. CommandFailed when there is none."""
    if path == STANDARD or (path.exists() and not path.is_dir()):
        return [path]
    if not path.is_dir():
        raise CommandFailed(f"{path} is not there; give an NDJSON file, or a folder with some")
    files = sorted(file for file in path.iterdir() if file.suffix in _ENDINGS and file.is_file())
    if not files:
        raise CommandFailed(f"{path} holds no {' or '.join(_ENDINGS)} file; give the folder that does, or one file")
    return files


def read_rows(files: Iterable[Path]) -> Iterator[Row | RowFailure]:
    """Every line that is not blank: what it asks for, or why it asks for nothing."""
    for file in files:
        name = "stdin" if file == STANDARD else file.name
        try:
            with reading(file) as lines:
                for number, line in enumerate(lines, 1):
                    text = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
                    if not text:
                        continue
                    try:
                        yield Row(name, number, read_row(text))
                    except BadRow as error:
                        yield RowFailure(name, number, str(error))
        except OSError as error:
            raise CommandFailed(f"{file} cannot be read: {error.strerror}") from None


async def load(
    rows: Iterable[Row | RowFailure],
    api: Api,
    terminal: Terminal,
    *,
    failed: Callable[[RowFailure], None],
    concurrency: int = CONCURRENCY,
    user: str | None = None,
) -> Loaded:
    """Sends every row, phase by phase, and calls ``failed`` for each failure as it happens. Many of a kind go in bulk.

    Rows that are checked against each other are sent one by one, in the order of their lines. Idempotent: the same rows
    again answer as they did, or are counted as already there.
    """
    began = time.monotonic()
    outcome = Loaded()
    phases: dict[tuple[int, bool], list[Row]] = {}
    for row in rows:
        if isinstance(row, RowFailure):
            outcome.failures.append(row)
            failed(row)
        else:
            phases.setdefault((row.request.phase, row.request.in_order), []).append(row)
    for (_, in_order), batch in sorted(phases.items()):
        await _send(batch, api, terminal, outcome, failed, 1 if in_order else concurrency, user)
    outcome.seconds = time.monotonic() - began
    return outcome


async def _send(
    rows: Sequence[Row],
    api: Api,
    terminal: Terminal,
    outcome: Loaded,
    failed: Callable[[RowFailure], None],
    concurrency: int,
    user: str | None,
) -> None:
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.request.kind, []).append(row)
    for kind, of_kind in by_kind.items():
        if len(of_kind) >= _IN_BULK:
            await _send_in_bulk(kind, of_kind, api, terminal, outcome, failed, user)
    rows = [row for of_kind in by_kind.values() if len(of_kind) < _IN_BULK for row in of_kind]
    if not rows:
        return
    what = " and ".join(dict.fromkeys(row.request.kind for row in rows))
    with terminal.progress(what, len(rows)) as advance:

        async def send(row: Row) -> None:
            request = row.request
            answer = await api.call(
                request.method,
                request.path,
                request.body,
                key=request.idempotency_key,
                user=user,
                having=request.created,
            )
            failure = _count(row, answer, outcome)
            if failure:
                failed(failure)
            advance(1)

        await for_each(rows, send, at_once=concurrency)


async def _send_in_bulk(
    kind: str,
    rows: Sequence[Row],
    api: Api,
    terminal: Terminal,
    outcome: Loaded,
    failed: Callable[[RowFailure], None],
    user: str | None,
) -> None:
    """The same in bulk. A row creates as a single request does; an inventory, which nobody creates, is reported."""
    mode = "create" if rows[0].request.method == "POST" else "upsert"
    with terminal.progress(kind, len(rows)) as advance:
        bodies = (row.request.row for row in rows)
        sent = await send_rows(api, kind.lower(), bodies, mode=mode, user=user, advance=advance)
    there = [one for one in sent.refused if one.type == _ALREADY_THERE]
    outcome.already_there.update({kind: len(there)} if there else {})
    loaded = len(rows) - len(sent.refused)
    outcome.loaded.update({kind: loaded} if loaded else {})
    for one in sent.refused:
        if one.type != _ALREADY_THERE:
            row = rows[one.place]
            failure = RowFailure(row.file, row.line, one.reason, kind, row.request.id)
            outcome.failures.append(failure)
            failed(failure)


def _count(row: Row, answer: Answer, outcome: Loaded) -> RowFailure | None:
    if answer.ok:
        outcome.loaded[row.request.kind] += 1
        return None
    if answer.status == 409 and answer.slug == _ALREADY_THERE:
        outcome.already_there[row.request.kind] += 1
        return None
    failure = RowFailure(
        row.file, row.line, answer.detail, row.request.kind, row.request.id, answer.status, tuple(answer.fields)
    )
    outcome.failures.append(failure)
    return failure


def load_and_print(path: Path, url: str | None, *, concurrency: int, as_json: bool) -> bool:
    """Loads the files at ``path``, and prints what became of each row. Whether all of them were loaded."""
    files = files_of(path)
    output = Terminal(sys.stderr) if as_json else Terminal()
    errors = Terminal(sys.stderr)
    shown = 0

    def failed(failure: RowFailure) -> None:
        nonlocal shown
        shown += 1
        if not as_json and shown <= _SHOWN:
            errors.print(failure.text(), style="red")

    async def work() -> Loaded:
        async with Api(url_of(url), connections=concurrency) as api:
            return await load(read_rows(files), api, output, failed=failed, concurrency=concurrency)

    outcome = run(work())
    if as_json:
        Terminal().raw(json_text(outcome.wire()))
    else:
        if shown > _SHOWN:
            errors.print(f"and {shown - _SHOWN} more rows failed; --json lists them all", style="red")
        output.print(outcome.text())
    return not outcome.failures
