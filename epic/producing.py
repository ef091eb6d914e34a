"""What ``epic produce`` does: it sends a message, and prints the answer to a command."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from epic.api import login_name
from epic.checking import check_message
from epic.configuration import run
from epic.failure import CommandFailed
from epic.files import reading
from epic.messages import open_messages
from epic.terminal import Terminal, json_text
from shared.envelope import Message
from shared.schemas.results import CommandResult, Outcome
from shared.trace import Trace, new_id

_SOURCE: Final = "/epic/produce"


def produce_and_print(
    topic: str,
    ce_type: str,
    key: str,
    file: Path,
    *,
    if_match: str | None,
    message_id: str | None,
    user: str | None,
    wait: float | None,
    unchecked: bool,
    url: str | None,
    bootstrap: str | None,
    as_json: bool,
) -> bool:
    """Produces one message; of a command prints the answer, for which it waits at most ``wait`` seconds (None: it does
    not wait). Whether it was not Refused."""
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
    answered = not unchecked and topic.endswith(".commands")
    result = run(_produce(message, url, bootstrap, wait if answered else None))
    _print_answer(message, result, as_json=as_json)
    if unchecked and not as_json:
        Terminal().print("unchecked: epic does not wait for an answer; `epic dlq list` shows what could not be handled")
    return result is None or result.outcome is not Outcome.REFUSED


async def _produce(
    message: Message, url: str | None, bootstrap: str | None, timeout: float | None
) -> CommandResult | None:
    async with open_messages(url, bootstrap) as messages:
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
