"""The dead letters of an EPIC, over its HTTP: listed, shown, replayed and dropped."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from epic.api import Answer, Api
from epic.configuration import run, url_of
from epic.failure import SOME_FAILED, CommandFailed, NotEpic
from epic.terminal import Terminal, json_text
from shared.schemas.results import DeadLetter
from shared.schemas.services import SERVICES


def list_and_print(services: Iterable[str], url: str | None, *, as_json: bool) -> None:
    """Prints the dead letters of these services, with the reason of each."""

    async def work() -> list[dict[str, Any]]:
        async with Api(url_of(url)) as api:
            return [_checked(letter, api.url) for name in services for letter in await api.items(f"/{name}/dlq")]

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


def show_and_print(letter_id: str, url: str | None, *, as_json: bool) -> None:
    """Prints one dead letter: its origin, the reason, its headers and its value."""
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


def replay_and_print(letter_id: str, url: str | None, *, as_json: bool) -> None:
    """Has it handled again. CommandFailed with the reason when that fails."""
    _print_done(letter_id, "replayed", _ask("POST", letter_id, "/replay", url), as_json=as_json)


def drop_and_print(letter_id: str, url: str | None, *, as_json: bool) -> None:
    """Has it removed without being handled."""
    _print_done(letter_id, "dropped", _ask("DELETE", letter_id, "", url), as_json=as_json)


def _print_done(letter_id: str, what: str, answer: Answer, *, as_json: bool) -> None:
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
