"""``epic dlq``: list, show, replay and drop dead letters, over HTTP."""

from __future__ import annotations

import base64
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from epic.api import Answer, Api
from epic.configuration import AsJson, Url, check_service, run, url_of
from epic.failure import SOME_FAILED, CommandFailed, NotEpic
from epic.terminal import Terminal, json_text
from shared.schemas.results import DeadLetter
from shared.schemas.topics import SERVICES

dlq = typer.Typer(
    name="dlq",
    help="Dead letters: messages that could not be handled, kept with the reason.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="As `epic dlq list` shows it, such as hotw_svc.commands:hotw.commands:3:17.")
]


@dlq.command("list")
def list_letters(
    only: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="Only this one's, as --service.", show_default=False)
    ] = None,
    service: Annotated[
        str | None, typer.Option(help=f"Only one service's: {', '.join(SERVICES)}.", show_default=False)
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of every service, with the reason of each."""
    if only is not None and service is not None and only != service:
        raise CommandFailed(f"{only} and --service {service} differ; give one service, or none for all")
    service = service or only
    if service is not None:
        check_service(service)

    async def work() -> list[dict[str, Any]]:
        async with Api(url_of(url)) as api:
            return [
                _checked(letter, api.url)
                for name in ((service,) if service else SERVICES)
                for letter in await api.items(f"/{name}/dlq")
            ]

    letters = run(work())
    terminal = Terminal()
    if as_json:
        terminal.raw(json_text(letters))
    elif not letters:
        terminal.print("No dead letters.")
    else:
        rows = [
            (letter["Id"], letter["Topic"], letter["Attempts"], letter["DeadSince"], letter["Reason"])
            for letter in letters
        ]
        terminal.table(("Id", "Topic", "Attempts", "Since", "Reason"), rows)


@dlq.command()
def show(letter_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Show one dead letter: its origin, the reason, its headers and its value."""
    letter = _checked(_ask("GET", letter_id, "", url).body, url_of(url))
    terminal = Terminal()
    if as_json:
        terminal.raw(json_text(letter))
        return
    value = _text(letter.pop("Value", None))
    headers = letter.pop("Headers", [])
    letter["Key"] = _text(letter.get("Key"))
    terminal.table(("Member", ""), [(name, "" if item is None else item) for name, item in letter.items()])
    terminal.table(("Header", ""), [tuple(header) for header in headers])
    terminal.print()
    terminal.print(value)


@dlq.command()
def replay(letter_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Handle a dead letter again. It is removed when that succeeds; otherwise the reason is printed (exit code 1)."""
    answer = _ask("POST", letter_id, "/replay", url)
    _done(letter_id, "replayed", answer, as_json=as_json)


@dlq.command()
def drop(
    letter_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Remove a dead letter without handling it, for good. Asks first."""
    if not yes:
        _confirm(letter_id)
    answer = _ask("DELETE", letter_id, "", url)
    _done(letter_id, "dropped", answer, as_json=as_json)


def _confirm(letter_id: str) -> None:
    """Returns when a person says yes. CommandFailed otherwise, or when there is nobody to ask."""
    if not sys.stdin.isatty():
        raise CommandFailed(f"{letter_id} would be removed for good, and there is no terminal to ask on; give --yes")
    if not typer.confirm(f"Remove {letter_id} for good, without handling it?", err=True):
        raise CommandFailed(f"{letter_id} was not removed")


def _done(letter_id: str, what: str, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        Terminal().raw(json_text(answer.body))
    else:
        Terminal().print(f"{letter_id}: {what}")


def _ask(method: str, letter_id: str, below: str, url: str | None) -> Answer:
    service = letter_id.partition(".")[0]
    if service not in SERVICES:
        raise CommandFailed(f"{letter_id} is not the id of a dead letter; `epic dlq list` shows them")

    async def work() -> Answer:
        async with Api(url_of(url)) as api:
            return await api.call(
                method, f"/{service}/dlq/{quote(letter_id, safe=':')}{below}", having={"Id": letter_id}
            )

    answer = run(work())
    if not answer.ok:
        raise CommandFailed(answer.reason(), SOME_FAILED)
    return answer


def _checked(letter: Any, url: str) -> dict[str, Any]:
    """The letter as it is. NotEpic when it is none."""
    try:
        DeadLetter.model_validate(letter, extra="ignore")
    except ValueError:
        raise NotEpic(url, "what it lists are no dead letters") from None
    return dict(letter)


def _text(encoded: str | None) -> str:
    """The text in base64; other bytes are escaped."""
    return "" if encoded is None else base64.b64decode(encoded).decode(errors="backslashreplace")
