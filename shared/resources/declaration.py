"""The declaration of a resource: what a service adds to a contract to make routes, commands and events of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, Generic, TypeVar

from shared.cause import Cause
from shared.documents import Document, State
from shared.schemas.base import CommandBody, MergePatch, WireModel
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.validation import patched, validated
from shared.trace import new_id

M = TypeVar("M", bound=WireModel)

_ABSENT: Final = object()


@dataclass(frozen=True, kw_only=True)
class Action(Generic[M]):
    """A further request about a document: ``PUT {path of the document}/{word}``, or its command.

    ``apply`` is pure: by the document, the command and the cause it gives the next document, or raises Refused.
    ``event`` names the event that is published with the new version, beside ``updated``.
    """

    word: str
    command: type[CommandBody]
    apply: Callable[[M, Any, Cause], M]
    event: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[M]):
    """One resource of a service. Its functions are pure and raise Refused to say no.

    ``filters``: the members by which a list can be filtered (``A.B`` is B inside A; the query parameter is ``B``).
    ``sort``: the members by which a list can be sorted, ``?Sort=Name`` or ``?Sort=-Name``. A sorted list reads all that
    match, so this is for resources of some thousands of documents.
    ``references``: resources of the same store that a document names by their key. Each must exist when the document is
    created, and when an update makes it name another; a member that is absent names nothing.
    ``on_create``, ``on_update``: check and complete a new document, or the document before and after a change.
    ``assign_key``: the key of a document that is created without one, by a text that is the same when the request is
    repeated.
    ``computed``: members by wire name that a read shows where nobody gave them.
    ``expire``: the document as the clock changes it, None while it stays; the service asks once a minute.
    ``also_latest``, ``also_history``: further paths of the latest version and of the history.
    ``read_only``: only the service itself writes the documents.
    """

    contract: ResourceContract[M]
    path: str
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    references: tuple[ResourceContract[Any], ...] = ()
    on_create: Callable[[M, Cause], M] | None = None
    on_update: Callable[[M, M, Cause], M] | None = None
    assign_key: Callable[[str], str] | None = None
    computed: Callable[[M], Mapping[str, Any]] | None = None
    expire: Callable[[M, datetime], M | None] | None = None
    actions: tuple[Action[M], ...] = ()
    also_latest: tuple[str, ...] = ()
    also_history: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def name(self) -> str:
        return self.contract.name

    @cached_property
    def topic(self) -> str:
        return self.contract.topic

    @property
    def item_path(self) -> str:
        """The path of one document. A part of the key that has a default comes by the query."""
        defaults = self.contract.key_defaults
        return self.path + "".join(f"/{{{name}}}" for name in self.contract.key if name not in defaults)

    @property
    def filter_members(self) -> Mapping[str, str]:
        """The query parameters of a list, and the stored member that each compares."""
        return {member.rpartition(".")[2]: member for member in self.filters}

    def created(self, command: CommandBody, cause: Cause) -> tuple[str, State]:
        """The key and the first state of the document that a command asks for."""
        contract = self.contract
        if not isinstance(command, contract.model):
            raise TypeError(f"a {type(command).__name__} does not create a {self.name}")
        state = _state_of(command if self.on_create is None else self.on_create(command, cause))
        if self.assign_key is not None:
            state.setdefault(contract.key[0], self.assign_key(cause.id or new_id()))
        key = contract.key_in(state)
        if contract.joined_key is not None:
            contract.check_joined_key(command, key)
            state[contract.joined_key] = key
        return key, state

    def updated(self, state: State, command: MergePatch, cause: Cause) -> State:
        """The state after a merge patch. A computed member that the patch only repeats is not taken from it."""
        model = self.contract.model

        def update(before: State) -> M:
            patch = command.patch
            if self.computed is not None:
                shown = self.computed(validated(model, before))
                patch = {
                    name: value for name, value in patch.items() if name in before or shown.get(name, _ABSENT) != value
                }
            after = patched(model, before, patch)
            return after if self.on_update is None else self.on_update(validated(model, before), after, cause)

        return self._next(state, update)

    def acted(self, state: State, action: Action[M], command: CommandBody, cause: Cause) -> State:
        """The state after an action."""
        return self._next(state, lambda before: action.apply(validated(self.contract.model, before), command, cause))

    def expired(self, state: State, now: datetime) -> State:
        """The state as the clock changes it, or as it is."""
        if self.expire is None:
            return state
        after = self.expire(validated(self.contract.model, self._own(state)), now)
        return state if after is None else self._next(state, lambda _: after)

    def view(self, document: Document) -> dict[str, Any]:
        """The document as it is read."""
        shown = document.wire()
        if self.computed is not None and not document.deleted:
            for name, value in self.computed(validated(self.contract.model, self._own(document.state))).items():
                shown.setdefault(name, value)
        return shown

    def _next(self, state: State, change: Callable[[State], M]) -> State:
        """What ``change`` makes of a state."""
        joined = self.contract.joined_key
        after = _state_of(change(self._own(state)))
        return after if joined is None else {**after, joined: state[joined]}

    def _own(self, state: State) -> State:
        """The members of the model, which the joined key is not."""
        return {name: value for name, value in state.items() if name != self.contract.joined_key}


def _state_of(document: WireModel) -> State:
    return document.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"audit_metadata"})


def declarations_in(package: str, path: Sequence[str]) -> tuple[Resource[Any], ...]:
    """The declarations in a package's modules, one module each. A new module is found without being named anywhere."""
    modules = [import_module(f"{package}.{info.name}") for info in iter_modules(path)]
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Resource))
