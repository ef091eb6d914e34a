"""What the commands are configured with: the ``EPIC_*`` variables, EPIC's address and Kafka's servers."""

from __future__ import annotations

import difflib
import os
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

import uvloop
from pydantic import ValidationError

from epic.failure import CommandFailed
from shared.settings import PREFIX, Settings, without_password

T = TypeVar("T")

SILENCE: Final = 10.0
"""Seconds that a command waits for a connection, and then for each next byte or record, before it gives up."""

_OF_THE_TESTS: Final = frozenset({"EPIC_REQUIRE_DOCKER", "EPIC_LONG"})
_OF_COMPOSE: Final = frozenset({"EPIC_PORT", "EPIC_IMAGE"})  # docker-compose.yml's own, often exported beside EPIC's
BY_MAKE_RUN: Final = "EPIC_BY_MAKE_RUN"  # set by `make run`, whose remedies are arguments of make
_OF_OTHERS: Final = _OF_THE_TESTS | _OF_COMPOSE | {BY_MAKE_RUN}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end. Ctrl-C cancels it in order."""
    return uvloop.run(work)


def load_settings(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings of the environment, what is ``given`` winning (None counts as not given).

    CommandFailed names the first variable that is unknown or wrong, and the remedy, in one line.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable in _OF_OTHERS:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in Settings.model_fields:
            raise CommandFailed(f"{variable} is not a variable of EPIC; {_nearest(variable)}")
        if value:
            values[name] = value
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise CommandFailed(_one_line(error, values)) from None


def _nearest(variable: str) -> str:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    near = difflib.get_close_matches(variable, known, n=1)
    return f"did you mean {near[0]}?" if near else f"unset it; known are {', '.join(known)}"


def _one_line(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    name = str(first["loc"][0])
    return f"{PREFIX}{name.upper()} is {without_password(str(values.get(name)))!r}: {reason[0].lower()}{reason[1:]}"


def url_of(url: str | None) -> str:
    """The given address, else the address of an ``epic up`` with the same variables."""
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url} is not an address; give one such as http://127.0.0.1:8000")
        return url.rstrip("/")
    known = load_settings()
    host = "127.0.0.1" if known.http_host in ("0.0.0.0", "::") else known.http_host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{known.http_port}"


def kafka_servers(given: str | None) -> str | None:
    """The Kafka servers; None: the messages are those of an ``epic up`` and are reached over its HTTP."""
    return given or load_settings().kafka_bootstrap_servers
