"""Which path belongs to which service, by the services' own routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

    @property
    def path(self) -> str:
        return "/" + "/".join(self.segments)

    def begins(self, path: tuple[str, ...]) -> bool:
        """Whether the path is this route, or lies below it."""
        return len(self.segments) <= len(path) and all(
            mine in (ANY, theirs) for mine, theirs in zip(self.segments, path, strict=False)
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


class RouteTable:
    """Answers whose a path is. The longest route it lies on or below decides, words before parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_word: dict[str, list[Route]] = {}
        for route in routes:
            self._by_word.setdefault(route.segments[0], []).append(route)
        self._only: dict[str, str] = {}
        for word, group in self._by_word.items():
            group.sort(key=lambda route: (-len(route.segments), [part == ANY for part in route.segments]))
            if len({route.service for route in group}) == 1:
                self._only[word] = group[0].service

    def service_of(self, path: str) -> str | None:
        """The service a path belongs to; None when its first word is nobody's."""
        word, _, rest = path.removeprefix("/").partition("/")
        if word in self._only or word not in self._by_word:
            return self._only.get(word)
        segments = (word, *(part for part in rest.split("/") if part))
        group = self._by_word[word]
        return next((route.service for route in group if route.begins(segments)), group[-1].service)
