"""Rows that another service owns: sent to it as commands, and answered on ``command.results`` (4.594).

Every process reads the answers by itself, without a consumer group, as long as it works on such a job. An answer that
was not read is no loss: a worker that begins anew sends its chunk again, and each command is answered as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.fleet_svc.app.bulk.write_rows import RowCommand, Send
from services.fleet_svc.domain.bulk.kinds import SOURCE
from shared import exact_json
from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.envelope import Message, Record, decode
from shared.errors import Poison, Unavailable, refusal_of
from shared.messaging.transport import Transport, follow_records
from shared.schemas.results import CommandResult, Outcome
from shared.schemas.topics import COMMAND_RESULTS
from shared.security import ANONYMOUS
from shared.tasks import end

log = structlog.get_logger(__name__)

_AWAY: Final = Backoff(first=0.5, longest=5.0)
_AGAIN: Final = 600.0
"""Seconds after which a command is sent once more. Its topic keeps it for days, so this is for what nobody foresees."""

Publish = Callable[[Sequence[Message]], Awaitable[list[Exception | None]]]


class CommandAnswers:
    """See ``Answers``. ``publish`` is the publisher's."""

    def __init__(self, transport: Transport, publish: Publish, clock: Clock, *, again: float = _AGAIN) -> None:
        self._transport = transport
        self._publish = publish
        self._clock = clock
        self._again = again
        self._open: dict[Send, _Conversation] = {}

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Send]:
        """Unavailable while the broker is away: the topic's end must be known before the first command is sent."""
        conversation = _Conversation(self._transport, self._publish, self._clock, self._again)
        await conversation.begin()
        following = asyncio.create_task(conversation.follow(), name="answers to rows")
        send = conversation.send
        self._open[send] = conversation
        try:
            yield send
        finally:
            del self._open[send]
            await end(following)

    def awaited(self, send: Send) -> int:
        return len(self._open[send].waiting)


class _Conversation:
    """The commands of one job, and the answers to them."""

    def __init__(self, transport: Transport, publish: Publish, clock: Clock, again: float) -> None:
        self._transport = transport
        self._publish = publish
        self._clock = clock
        self._again = again
        self._positions: dict[TopicPartition, int] = {}
        self._away = False
        self.waiting: dict[str, asyncio.Future[CommandResult]] = {}

    async def begin(self) -> None:
        try:
            self._positions = dict(await self._transport.end_offsets(COMMAND_RESULTS))
        except (KafkaError, OSError) as error:
            raise Unavailable(f"the answers of other services cannot be read: {error!r}") from error

    async def send(self, row: RowCommand) -> None:
        """Sends one command and waits for its answer, however long its service is away."""
        message = Message(
            topic=row.kind.command_topic,
            type=row.model.__name__,
            key=row.kind.message_key(row.fields),
            data=exact_json.dumps(row.fields),
            source=SOURCE,
            time=self._clock.now(),
            trace=row.trace,
            id=row.id,
            user=None if row.user == ANONYMOUS.name else row.user,
        )
        answered = self.waiting[row.id] = asyncio.get_running_loop().create_future()
        try:
            attempt = 0
            while not answered.done():
                attempt += 1
                (error,) = await self._publish([message])
                if error is not None and not self._away:  # one line, and not one for each row
                    log.warning("rows wait: their commands are not sent", id=row.id, error=str(error))
                self._away = error is not None
                pause = self._again if error is None else _AWAY.before(attempt)
                await asyncio.wait({answered}, timeout=pause)
            result = answered.result()
        finally:
            del self.waiting[row.id]
        if result.outcome is Outcome.REFUSED:
            raise refusal_of(result.problem or {})

    async def follow(self) -> None:
        """Takes the answers as they come; while the broker is away, it goes on where it was."""
        attempt = 0
        while True:
            try:
                async with aclosing(follow_records(self._transport, COMMAND_RESULTS, self._positions)) as records:
                    async for record in records:
                        attempt = 0
                        self._take(record)
                        self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1
            except (Unavailable, KafkaError, OSError) as error:
                attempt += 1
                log.warning("rows wait: the answers cannot be read", error=repr(error))
            except Exception:  # the rows wait for nothing else
                attempt += 1
                log.exception("rows wait: the answers cannot be read")
            await asyncio.sleep(_AWAY.before(attempt))

    def _take(self, record: Record) -> None:
        cause = next((value for name, value in record.headers if name == "ce_causationid"), None)  # 5.26a
        answered = self.waiting.get((cause or b"").decode(errors="replace"))
        if answered is None or answered.done():
            return
        try:
            result = CommandResult.model_validate(decode(record).body(), extra="ignore")
        except (Poison, ValueError) as error:
            log.warning("an answer cannot be read", offset=record.offset, error=repr(error))
            return
        if result.source == SOURCE:
            answered.set_result(result)
