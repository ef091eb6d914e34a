"""``epic produce`` and ``epic tail``: send a message, follow a topic."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from aiokafka.errors import KafkaError

from epic.api import Api, login_name
from epic.checking import check_message
from epic.configuration import SILENCE, AsJson, Bootstrap, Url, kafka_servers, run, url_of
from epic.failure import SOME_FAILED, CommandFailed
from epic.files import STANDARD, reading
from epic.messages import HttpMessages, Messages, SeenRecord, TransportMessages
from epic.terminal import Terminal, json_text
from shared.clock import iso
from shared.envelope import Message
from shared.errors import Poison
from shared.messaging.kafka import KafkaTransport
from shared.schemas.results import CommandResult, Outcome
from shared.trace import Trace, new_id

_SOURCE: Final = "/epic/produce"


def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Such as fleet.commands; `epic topics` lists them.")],
    ce_type: Annotated[str, typer.Option("--type", "-t", help="The ce_type, such as UpdateFleet.", show_default=False)],
    key: Annotated[str, typer.Option("--key", "-k", help="The Kafka key, such as the FleetId.", show_default=False)],
    file: Annotated[
        Path,
        typer.Argument(metavar="[FILE]", help="The data, one JSON object; - or nothing for stdin.", show_default=False),
    ] = STANDARD,
    if_match: Annotated[
        str | None, typer.Option("--if-match", help="Only if VersionId is still this.", show_default=False)
    ] = None,
    message_id: Annotated[
        str | None, typer.Option("--id", help="The ce_id: the same id again is the same command.", show_default=False)
    ] = None,
    user: Annotated[str | None, typer.Option(help="Who asks; the login name unless given.", show_default=False)] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for a command's answer.")] = True,
    timeout: Annotated[float, typer.Option(min=0.1, max=100, help="Seconds to wait for it.")] = 30,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send the bytes as they are, whatever the topic's contract says.")
    ] = False,
    url: Url = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Produce one message: a command to a service, or an event.

    \b
    echo '{"FleetId": "F-NA-X0", "HostsPresent": 150}' | epic produce fleet.commands -t ReportInventory -k F-NA-X0

    A command is answered on command.results; epic waits for the answer and prints it. Exit code 0: produced, and the
    command was Accepted; 1: Refused, or no answer in time; 2: nothing was sent, such as for data that the contract does
    not take. A message sent --unchecked may never be answered (see `epic dlq list`), so epic does not wait.
    """
    message = Message(
        topic,
        ce_type,
        key,
        _read(file),
        _SOURCE,
        datetime.now(UTC),
        Trace.begin(),
        message_id or new_id(),
        if_match=if_match,
        user=user or login_name(),
    )
    if not unchecked:
        check_message(message)
    answered = wait and not unchecked and topic.endswith(".commands")
    result = run(_produce(message, url, bootstrap, timeout if answered else None))
    _print_answer(message, result, as_json=as_json)
    if unchecked and not as_json:
        Terminal().print("unchecked: epic does not wait for an answer; `epic dlq list` shows what could not be handled")
    if result is not None and result.outcome is Outcome.REFUSED:
        raise typer.Exit(SOME_FAILED)


async def _produce(
    message: Message, url: str | None, bootstrap: str | None, timeout: float | None
) -> CommandResult | None:
    async with _messages(url, bootstrap) as messages:
        if timeout is None:
            await messages.produce(message)
            return None
        return await messages.request(message, patience=timeout)


def _print_answer(message: Message, result: CommandResult | None, *, as_json: bool) -> None:
    terminal = Terminal()
    if as_json:
        answer = result.wire() if result is not None else None
        terminal.raw(json_text({"Topic": message.topic, "Id": message.id, "Answer": answer}))
    elif result is None:
        terminal.print(f"produced {message.type} {message.id} to {message.topic}")
    elif result.outcome is Outcome.ACCEPTED:
        version = f", VersionId {result.version_id}" if result.version_id is not None else ""
        terminal.print(f"Accepted: {message.type} {result.id or message.key}{version}")
    else:
        problem = result.problem or {}
        fields = "".join(f"\n  {e.get('pointer') or 'the data'}: {e.get('detail')}" for e in problem.get("errors", ()))
        detail = problem.get("detail", "without a reason")
        Terminal(sys.stderr).print(f"Refused ({problem.get('status', '')}): {detail}{fields}", style="red")


def _read(file: Path) -> bytes:
    try:
        with reading(file) as opened:
            return opened.read()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from None


def tail(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Such as eventplan.ready; `epic topics` lists them.")],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest kept message, not with the next one.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new messages, or end at the present end.")
    ] = True,
    url: Url = None,
    bootstrap: Bootstrap = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Follow a topic: one line per message, until Ctrl-C."""
    terminal = Terminal()

    async def work() -> None:
        async with _messages(url, bootstrap) as messages:
            async for record in messages.follow(topic, from_beginning=from_beginning, to_end=not follow):
                terminal.raw(orjson.dumps(_shown(record)).decode() if as_json else _line(record))

    run(work())


def _line(record: SeenRecord) -> str:
    """``time  key  type  data``; for a record that is no CloudEvent, the reason instead of the type."""
    key = (record.key or b"").decode(errors="backslashreplace")
    value = (record.value or b"").decode(errors="backslashreplace")
    try:
        message = record.message()
    except Poison as error:
        return f"{record.time()}  {key}  [{error}]  {value}"
    return f"{iso(message.time)}  {key}  {message.type}  {value}"


def _shown(record: SeenRecord) -> dict[str, Any]:
    place: dict[str, Any] = {
        "Topic": record.topic,
        "Partition": record.partition,
        "Offset": record.offset,
        "Timestamp": record.time(),
    }
    try:
        message = record.message()
        data: Any = message.body()
    except Poison as error:
        return {**place, "Poison": str(error), **{name: record.wire()[name] for name in ("Key", "Value", "Headers")}}
    return {
        **place,
        "Time": iso(message.time),
        "Key": message.key,
        "Type": message.type,
        "Id": message.id,
        "Source": message.source,
        "CorrelationId": message.trace.correlation_id,
        "CausationId": message.trace.causation_id,
        "Data": data,
    }


@asynccontextmanager
async def _messages(url: str | None, bootstrap: str | None) -> AsyncIterator[Messages]:
    servers = kafka_servers(bootstrap)
    if servers is None:
        async with Api(url_of(url)) as api:
            yield HttpMessages(api)
        return
    transport = KafkaTransport(servers, timeout=SILENCE)
    try:
        await transport.start()
    except (KafkaError, OSError) as error:
        raise CommandFailed(
            f"no Kafka answers at {servers} ({error}); give its address by --bootstrap-servers"
        ) from None
    try:
        yield TransportMessages(transport, f"Kafka at {servers}")
    except KafkaError as error:
        raise CommandFailed(f"Kafka at {servers} stopped answering ({error})", SOME_FAILED) from None
    finally:
        await transport.stop()
