"""Which path belongs to which service, by the services' own routes. The gateway and nginx use the same patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

ANY: Final = "*"
# What each service has for itself: under the gateway it stands behind /{service}/.
OWN_PAGES: Final = frozenset({"health", "metrics", "openapi.json", "asyncapi.json", "docs", "redoc", "dlq"})


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one service; a parameter's segment is ``*``."""

    segments: tuple[str, ...]
    service: str

    def is_below(self, other: Route) -> bool:
        """Whether it lies below another route of the same service."""
        above = zip(other.segments, self.segments, strict=False)
        return (
            other.service == self.service
            and len(other.segments) < len(self.segments)
            and all(theirs in (ANY, mine) for theirs, mine in above)
        )


def routes_of(apps: Mapping[str, FastAPI]) -> list[Route]:
    """Every route of every service but its own pages. ValueError when two services serve the same path."""
    found: dict[tuple[str, ...], str] = {}
    for service, app in apps.items():
        for path in (route.path for route in app.routes if isinstance(route, APIRoute)):
            segments = tuple(ANY if part.startswith("{") else part for part in path.strip("/").split("/"))
            if segments[0] in OWN_PAGES or segments == ("",):
                continue
            other = found.setdefault(segments, service)
            if other != service:
                raise ValueError(f"{path} is served by {other} and by {service}; one of them must give it up")
    return [Route(segments, service) for segments, service in sorted(found.items())]


def patterns_of(routes: Sequence[Route]) -> Iterator[tuple[str, str]]:
    """Regular expressions of paths, each with its service. The first that matches decides.

    A first word belongs as a whole to the service with its shortest route. The routes of others come before.
    """
    words_of: dict[str, list[str]] = {}
    shared: list[Route] = []
    for word, with_word in groupby(routes, key=lambda route: route.segments[0]):
        group = list(with_word)
        owner = min(group, key=lambda route: len(route.segments)).service
        words_of.setdefault(owner, []).append(word)
        shared += [route for route in group if route.service != owner]
    for route in shared:
        if not any(route.is_below(other) for other in shared):
            path = "/".join("[^/]+" if part == ANY else re.escape(part) for part in route.segments)
            yield f"^/{path}(/|$)", route.service
    for service, words in words_of.items():
        escaped = [re.escape(word) for word in words]
        yield f"^/({'|'.join(escaped)})(/|$)" if len(words) > 1 else f"^/{escaped[0]}(/|$)", service
