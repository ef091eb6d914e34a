"""Refuses what a page of another site could have a browser send: the rules 10.6.12 to 10.6.15 of the contract.

Every route is protected, with or without a login: a browser on this machine reaches whatever this machine reaches, and
sends its cookies along. Clients other than browsers send neither Origin nor Sec-Fetch-Site, and notice nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from starlette.types import Scope

from shared.errors import BadInput, FieldError, Forbidden
from shared.settings import LOOPBACK_NAMES
from shared.web.openapi import JSON, MERGE_PATCH

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing; every other request is a write."""

JSON_TYPES: Final = frozenset({JSON, MERGE_PATCH})
"""The media types of a body unless a route declares others. A page of another site cannot send them unasked."""

_HOST: Final = re.compile(rb"(\[[^\]]*\]|[^:]*)(?::[0-9]*)?")
_SAME_SITE: Final = frozenset({b"same-origin", b"none"})  # none: a person typed the address
_OPEN: Final = "/health/"
_UNKNOWN_BYTES: Final = "application/octet-stream"


class Protection:
    """What one HTTP server accepts of browsers.

    ``allowed_hosts`` are the names and addresses it is reached by, without a port; ``permitted_origins`` are those of
    other sites whose pages may write, such as ``https://capacity.example.com``.
    """

    def __init__(
        self, *, allowed_hosts: Collection[str] = LOOPBACK_NAMES, permitted_origins: Collection[str] = ()
    ) -> None:
        names = [f"[{host}]" if ":" in host else host.lower() for host in allowed_hosts]
        self._hosts = frozenset(name.encode() for name in names)
        self._names = ", ".join(names)
        self._origins = frozenset(origin.lower().encode() for origin in permitted_origins)

    def check(self, scope: Scope, given: Mapping[bytes, bytes]) -> None:
        """Returns for a request that may reach its route. ``given`` are its headers, each with one value.

        BadInput for a Host that is not allowed, except below ``/health/``, which a probe asks by address: a page whose
        name is made to lead to this machine would otherwise read all of EPIC. There too for HTTP/1.1 without a Host, or
        with one that is none (RFC 9112, 3.2). Forbidden for a write whose Origin or Sec-Fetch-Site shows a page of
        another site, unless its origin is permitted.
        """
        host = given.get(b"host", b"").lower()
        name = _HOST.fullmatch(host)
        if name is None or name[1] not in self._hosts:
            is_unusable = name is None or (b"host" not in given and scope.get("http_version") == "1.1")
            if is_unusable or not scope["path"].startswith(_OPEN):
                remedy = f"give one of {self._names}, or let EPIC_ALLOWED_HOSTS name this one"
                detail = f"{host.decode('latin-1')!r} is no name of this EPIC" if host else "the request has no Host"
                raise BadInput(detail, [FieldError("/Host", remedy)], slug="bad-host")
        if scope["method"] in READS:
            return
        origin = given[b"origin"].lower() if b"origin" in given else None
        own = origin is None or origin.partition(b"://")[2] == host
        site = given.get(b"sec-fetch-site", b"none").lower()
        if not (own and site in _SAME_SITE) and origin not in self._origins:
            detail = "Origin or Sec-Fetch-Site shows a page of another site, which may not write; "
            raise Forbidden(f"{detail}EPIC_CORS_ORIGINS names the origins that may", slug="cross-site")


def check_media_type(headers: Iterable[tuple[bytes, bytes]], accepted: Collection[str], *, has_body: bool) -> None:
    """BadInput where the Content-Type is not one of ``accepted``, whatever its parameters (charset).

    Without a body it may also be that of unknown bytes, which some clients send unasked; a page of another site cannot.
    """
    given = next((value for name, value in headers if name == b"content-type"), b"")
    media_type = given.partition(b";")[0].strip().lower().decode("latin-1")
    if media_type not in accepted and (has_body or media_type != _UNKNOWN_BYTES):
        remedy = FieldError("/Content-Type", f"give {' or '.join(sorted(accepted))}")
        detail = f"this route takes no {media_type}" if media_type else "the body has no Content-Type"
        raise BadInput(detail, [remedy], slug="bad-content-type")
