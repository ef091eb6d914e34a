"""Use case: the rows of a chunk are written, each by the use case or the command that writes one of its kind.

Every command of a row has an id that is the same whenever the row is tried again (4.594, 4.596b): ``{JobId}:{row}``,
and with ``:create`` or ``:update`` behind it for what follows the first. Its idempotency record answers a row that was
written already, so that no row is applied twice (4.596).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog
from pydantic import ValidationError

from services.fleet_svc.app.bulk.bulk_store import Job
from services.fleet_svc.domain.bulk.failures import Failure
from services.fleet_svc.domain.bulk.kinds import SOURCE, RowKind
from services.fleet_svc.domain.bulk.rows import Row, Rows
from shared.cause import Cause, digest_of_request
from shared.clock import Clock
from shared.errors import Problem, Refused, Unavailable
from shared.messaging.commands import Command
from shared.schemas.base import AuditMetadata, CommandBody, wire_names
from shared.schemas.fleet_svc.bulk_job import BulkMode
from shared.schemas.merge_patch import MergePatch, patch_of
from shared.schemas.validation import bad_fields, field_errors, merge_patch, validated
from shared.security import ANONYMOUS, Principal, PrincipalKind, author_of, authorize
from shared.tasks import for_each
from shared.trace import Trace

log = structlog.get_logger(__name__)

_NOT_FOUND: Final = 404
_ALREADY_THERE: Final = "exists"
_MISSING: Final = "missing"  # pydantic's name of the error of a member that is required


@dataclass(frozen=True, slots=True)
class RowCommand:
    """One command of one row. ``user`` asks for it: who started the job, or whom the row itself names."""

    kind: RowKind
    model: type[CommandBody]
    fields: Mapping[str, Any]
    id: str
    user: str
    message: str | None
    trace: Trace


Send = Callable[[RowCommand], Awaitable[None]]
"""Obeys one command of a row. Raises Refused as HTTP would answer it, Unavailable to be tried again."""


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Writes rows of resources of this service, by the use cases that HTTP calls as well."""

    commands: Mapping[str, Command[Any]]
    clock: Clock

    async def __call__(self, row: RowCommand) -> None:
        command = self.commands[row.model.__name__]
        authorize(_principal(row.user), command.action)  # 10.4.52
        cause = Cause(
            now=self.clock.now(),
            user=row.user,
            trace=row.trace,
            id=f"{row.user}\n{SOURCE}\n{row.id}",
            digest=digest_of_request(command.name, row.fields, if_match=None),
            message=row.message,
        )
        await command.use_case(validated(row.model, row.fields), cause)


async def check_row(row: RowCommand) -> None:
    """What a dry run does with a row of another service: only its contract is checked.

    A row that changes a document and gives all that one needs has to keep the rules between its members too: what it
    leaves out is not read by them.
    """
    command = validated(row.model, row.fields)
    if not isinstance(command, MergePatch):
        return
    document, own = command.document, frozenset({*type(command).model_fields, *command.managed})
    validated(patch_of(document, without=own), command.patch)
    names = wire_names(document)
    given = merge_patch({}, {name: value for name, value in row.fields.items() if name in names})
    try:
        document.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        if all(one["type"] != _MISSING for one in error.errors()):
            raise bad_fields(field_errors(error)) from None


@dataclass
class RowsChunk:
    """The rows of a chunk: those that were tried so far, with the failed ones among them."""

    rows: Sequence[Row]
    tried: list[Row] = field(default_factory=list)
    failures: dict[int, Failure] = field(default_factory=dict)
    stopped: bool = False
    """No further row may be begun."""

    def failed(self) -> list[Failure]:
        """The failed rows, in the order of the file."""
        return [self.failures[number] for number in sorted(self.failures)]


async def write_rows(chunk: RowsChunk, job: Job, *, kind: RowKind, reader: Rows, send: Send, at_once: int) -> None:
    """Writes the rows of a chunk, those of one key in the order of the file (4.596a), until it is stopped.

    ``at_once``: how many keys are written side by side. With 1 all rows are written in the order of the file.
    An unexpected error fails its row, as it would fail a request. Raises Unavailable, to be tried again, when the store
    is away.
    """
    lines: dict[str, list[tuple[Row, dict[str, Any]]]] = {}
    for row in chunk.rows:
        try:
            fields = reader.fields(row)
        except Refused as refusal:
            chunk.failures[row.number] = Failure.of(row, None, refusal, reader.cells(row))
            chunk.tried.append(row)
        else:
            key = "" if at_once == 1 else kind.key_in(fields)
            lines.setdefault(f"row {row.number}" if key is None else key, []).append((row, fields))

    async def write(line: list[tuple[Row, dict[str, Any]]]) -> None:
        for row, fields in line:
            if chunk.stopped:
                return
            try:
                await _write_row(row, fields, job, kind=kind, send=send)
            except Refused as refusal:
                _release(refusal)
                chunk.failures[row.number] = Failure.of(row, kind.key_in(fields), refusal, reader.cells(row))
            except Unavailable:
                raise
            except Exception:
                log.exception("a row failed", job=job.id, row=row.number)
                problem = Problem("an unexpected error; the log has it under this job and row")
                chunk.failures[row.number] = Failure.of(row, kind.key_in(fields), problem, reader.cells(row))
            chunk.tried.append(row)

    await for_each(list(lines.values()), write, at_once=at_once)


async def _write_row(row: Row, fields: dict[str, Any], job: Job, *, kind: RowKind, send: Send) -> None:
    """Writes one row by its first command, and by the second where that found no document.

    The second finds one when somebody else made it in between, or when the 404 was about another document that the row
    names. The first command is then sent once more, with an id of its own, since the first outcome of an id stays. Its
    outcome is the row's.
    """
    given = {name: fields[name] for name in ("AuditMetadata",) if name in fields}
    audit: AuditMetadata | None = validated(CommandBody, given).audit_metadata if given else None
    name = f"{job.id}:{row.number}"
    command = partial(
        RowCommand,
        kind,
        fields=fields,
        user=author_of(_principal(job.user), audit),
        message=audit.message if audit else None,
        trace=Trace.begin(job.id)._replace(causation_id=name),
    )
    first, *others = kind.commands(BulkMode(job.mode), fields)
    try:
        await send(command(model=first, id=name))
    except Refused as refusal:
        _release(refusal)
        if refusal.status != _NOT_FOUND or not others:
            raise
    else:
        return
    try:
        await send(command(model=others[0], id=f"{name}:create"))
    except Refused as refusal:
        _release(refusal)
        if refusal.slug != _ALREADY_THERE:
            raise
    else:
        return
    await send(command(model=first, id=f"{name}:update"))


def _release(refusal: Refused) -> None:
    """Lets go of the frames that a refusal was raised through: they hold the row, and often the refusal itself.

    Such a cycle stays until the garbage collector runs, which counts objects. Rows of 1 MiB are few objects.
    """
    refusal.__traceback__ = refusal.__context__ = None


def _principal(user: str) -> Principal:
    return ANONYMOUS if user == ANONYMOUS.name else Principal(user, PrincipalKind.DECLARED)
