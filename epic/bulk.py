"""Sends many rows of one resource as a bulk job, waits for its end, and gives what became of each row."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from epic.api import NDJSON, Api
from epic.failure import SOME_FAILED, CommandFailed

_LOOK: Final = 0.5  # seconds between two looks at a job, which takes some seconds
_UPLOAD: Final = 600.0  # seconds that the body of a job may take to be sent and stored
_MIB: Final = 1_048_576
_MOST_BYTES: Final = 256 * _MIB  # of one job's body; the rows of more are several jobs
_ENDED: Final = frozenset({"Done", "Failed", "Cancelled"})


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was refused: its place among the rows that were sent, from 0, and why."""

    place: int
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of all rows, in the order in which they were sent."""

    rows: int
    refused: list[RefusedRow]


async def send_rows(
    api: Api,
    resource: str,
    rows: Iterable[bytes],
    *,
    mode: str,
    dry_run: bool = False,
    user: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> BulkOutcome:
    """Writes the rows, JSON objects, in bulk jobs of at most 256 MiB, one after another.

    ``advance`` gets how many rows were tried since the last call. The same rows in the same mode are the same jobs: a
    second call within a day gives the first outcome. CommandFailed when EPIC does not take them, or a job is cancelled.
    """
    sent, refused = 0, list[RefusedRow]()
    rest = iter(rows)
    while True:
        async with _body(rest) as (path, count, key):
            if not count:
                return BulkOutcome(sent, refused)
            query = {"Mode": mode, "DryRun": "true" if dry_run else "false"}
            job = await api.ask(
                "POST",
                f"/bulkjobs/{resource}",
                path,
                media_type=NDJSON,
                query=query,
                key=f"bulk-{key}",
                user=user,
                answered_within=_UPLOAD,
                having={"JobId": None},
            )
        job = await _ended(api, job, advance)
        if job["Status"] != "Done" or job["RowsDone"] != count:
            reason = job.get("Reason") or f"it is {job['Status']}, and {job['RowsDone']} of {count} rows were tried"
            raise CommandFailed(f"bulk job {job['JobId']} did not write all rows: {reason}", SOME_FAILED)
        if job["RowsFailed"]:
            refused += [one async for one in _refused(api, job["JobId"], sent)]
        sent += count


@asynccontextmanager
async def _body(rows: Iterable[bytes]) -> AsyncIterator[tuple[Path, int, str]]:
    """A file with the next rows, a line each; how many they are, and a text that is the same for the same rows."""
    with tempfile.TemporaryDirectory(prefix="epic-") as folder:
        path, count, size, digest = Path(folder) / "rows.ndjson", 0, 0, hashlib.blake2b(digest_size=16)
        with path.open("wb") as file:
            for row in rows:
                line = row + b"\n"
                digest.update(line)
                file.write(line)
                count, size = count + 1, size + len(line)
                if size > _MOST_BYTES - 2 * _MIB:  # the next row may have 1 MiB
                    break
        yield path, count, digest.hexdigest()


async def _ended(api: Api, job: Mapping[str, Any], advance: Callable[[int], None]) -> Mapping[str, Any]:
    done = 0
    while True:
        advance(job.get("RowsDone", 0) - done)
        done = job.get("RowsDone", 0)
        if job["Status"] in _ENDED:
            return job
        await asyncio.sleep(_LOOK)
        job = await api.ask("GET", f"/bulkjobs/{job['JobId']}", having={"Status": None})


async def _refused(api: Api, job_id: str, before: int) -> AsyncIterator[RefusedRow]:
    """The refused rows, by the CSV of failures; a row is a line here."""
    text = await api.text(f"/bulkjobs/{job_id}/failures")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield RefusedRow(before + int(row["_Line"]) - 1, row["_Type"], row["_Reason"])
