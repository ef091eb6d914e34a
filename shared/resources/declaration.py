"""Owns how a resource that is only versioned CRUD is declared, once: routes, commands, events follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.documents.contract import Document
from shared.errors import BadInput, FieldError
from shared.resources.states import State, apply, checked_ids, parse, with_keys
from shared.schemas.base import WireModel

__all__ = ["Resource"]


def _no_defaults(state: Mapping[str, Any]) -> State:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource type. Everything here is pure.

    ``name``: ``Service``, whose commands are CreateService, UpdateService and DeleteService. ``topic``: ``service``,
    whose events are service.created and so on. ``key``: the members its key is made of, joined by ``#``; those in
    ``query_key`` come by the query with a default, the others are path segments. ``id_member``: the member that holds
    the whole key, where there is one. ``filters``: query parameters of the list, and the stored member each asks for.
    ``snapshot``: the contract of what is read. ``defaults``: members a read shows although nobody gave them, computed
    from the others.
    """

    name: str
    path: str
    topic: str
    model: type[WireModel]
    snapshot: type[WireModel]
    key: tuple[str, ...]
    query_key: Mapping[str, str] = field(default_factory=dict)
    id_member: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    defaults: Callable[[State], State] = _no_defaults

    @property
    def path_key(self) -> tuple[str, ...]:
        return tuple(name for name in self.key if name not in self.query_key)

    @property
    def item_path(self) -> str:
        return self.path + "".join(f"/{{{name}}}" for name in self.path_key)

    def keys_of(self, values: Mapping[str, Any]) -> dict[str, str]:
        """The key's members out of a path, a query or a command, the defaults filled in. BadInput for bad ids."""
        return checked_ids({name: values.get(name, self.query_key.get(name, "")) for name in self.key})

    def document_key(self, keys: Mapping[str, str]) -> str:
        return "#".join(keys[name] for name in self.key)

    def created(self, body: Mapping[str, Any]) -> tuple[str, State]:
        """The key and the first state a body asks for."""
        state = parse(self.model, self._without_id(body))
        key = self.document_key(self.keys_of(state))
        self._check_id(body, key)
        return key, self._with_id(state, key)

    def patch_of(self, keys: Mapping[str, str], body: Mapping[str, Any]) -> State:
        """A body of PUT as a merge patch of the document with these keys."""
        self._check_id(body, self.document_key(keys))
        return with_keys(self._without_id(body), keys)

    def updated(self, state: State, patch: Mapping[str, Any]) -> State:
        """The state after a patch; what the patch only echoes of the computed defaults is not given by it."""
        defaults = self.defaults(state)
        given = {
            name: value
            for name, value in patch.items()
            if name in state or name not in defaults or defaults[name] != value
        }
        next_state = apply(self.model, self._without_id(state), given)
        return self._with_id(next_state, self.document_key(self.keys_of(next_state)))

    def view(self, document: Document) -> dict[str, Any]:
        """The document as it is read."""
        shown = document.wire()
        if not document.deleted:
            for name, value in self.defaults(document.state).items():
                shown.setdefault(name, value)
        return shown

    def missing(self, keys: Mapping[str, str]) -> str:
        """What a 404 says."""
        return f"there is no {self.name} {', '.join(keys[name] for name in self.key)}"

    def _without_id(self, fields: Mapping[str, Any]) -> State:
        return {name: value for name, value in fields.items() if name != self.id_member}

    def _with_id(self, state: State, key: str) -> State:
        return {self.id_member: key, **state} if self.id_member else state

    def _check_id(self, body: Mapping[str, Any], key: str) -> None:
        if self.id_member and body.get(self.id_member, key) != key:
            error = FieldError(f"/{self.id_member}", f"must equal {key}; correct it or leave it out")
            raise BadInput("the body's id is not that of its parts", [error], slug="key-mismatch")
