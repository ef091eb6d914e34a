"""The routes of the nginx gateway, derived from the services' own routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from epic.routes import ANY, Route, RouteTable

_BEGIN: Final = "  # The services' routes, made by `make docs`; change the declarations instead.\n"
_END: Final = "  # End of the services' routes.\n"


def with_routes(config: str, routes: Iterable[Route]) -> str:
    """The nginx configuration with the services' routes between its two marks. ValueError without the marks."""
    before, begin, rest = config.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the nginx configuration has lost the marks around the services' routes")
    patterns = list(_patterns(list(routes)))
    width = max(len(pattern) for pattern, _ in patterns)
    lines = [
        f"  location ~ {pattern:{width}} {{ set $upstream http://{service}:8000; proxy_pass $upstream; }}\n"
        for pattern, service in patterns
    ]
    return f"{before}{begin}{''.join(lines)}{end}{after}"


def _patterns(routes: list[Route]) -> Iterator[tuple[str, str]]:
    """Regular expressions in the order in which nginx tries them, each with its service.

    A first word is one service's as a whole. Where several share it, the routes of the others come before.
    """
    table = RouteTable(routes)
    words = dict.fromkeys(route.segments[0] for route in routes)
    owner = {word: table.service_of(f"/{word}") for word in words}
    shared = [route for route in routes if route.service != owner[route.segments[0]]]
    for route in shared:
        if not any(
            other is not route and other.service == route.service and other.begins(route.segments) for other in shared
        ):
            path = "/".join("[^/]+" if part == ANY else re.escape(part) for part in route.segments)
            yield f"^/{path}(/|$)", route.service
    for service in dict.fromkeys(owner.values()):
        if service is not None:
            own = [word for word in words if owner[word] == service]
            yield f"^/({'|'.join(own)})(/|$)" if len(own) > 1 else f"^/{own[0]}(/|$)", service
