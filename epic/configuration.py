"""The configuration of the command line: the ``EPIC_*`` variables, EPIC's address and Kafka's servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from epic.failure import CommandFailed

if TYPE_CHECKING:
    from shared.settings import Settings


def settings(**given: Any) -> Settings:
    """The settings; ``given`` overrides the ``EPIC_*`` variables. CommandFailed, in one line, when one is wrong."""
    from shared.settings import BadSettings, load_settings  # costs half a second, which --help need not wait for

    try:
        return load_settings(**given)
    except BadSettings as error:
        raise CommandFailed(str(error)) from None


def url_of(url: str | None) -> str:
    """The given address, else the address of an ``epic up`` with the same variables."""
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url} is not an address; give one such as http://127.0.0.1:8000")
        return url.rstrip("/")
    known = settings()
    host = "127.0.0.1" if known.http_host in ("0.0.0.0", "::") else known.http_host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{known.http_port}"


def kafka_servers(given: str | None) -> str | None:
    """The Kafka servers; None: the messages are those of an ``epic up`` and are reached over its HTTP."""
    return given or settings().kafka_bootstrap_servers
