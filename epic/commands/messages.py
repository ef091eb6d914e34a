"""``epic produce`` and ``epic tail``: send a message, follow a topic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epic.failure import SOME_FAILED
from epic.files import STANDARD
from epic.options import AsJson, Bootstrap, Url


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
    from epic.producing import produce_and_print

    accepted = produce_and_print(
        topic,
        ce_type,
        key,
        file,
        if_match=if_match,
        message_id=message_id,
        user=user,
        wait=timeout if wait else None,
        unchecked=unchecked,
        url=url,
        bootstrap=bootstrap,
        as_json=as_json,
    )
    if not accepted:
        raise typer.Exit(SOME_FAILED)


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
    from epic.tailing import tail_and_print

    tail_and_print(topic, from_beginning=from_beginning, follow=follow, url=url, bootstrap=bootstrap, as_json=as_json)
