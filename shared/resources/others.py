"""The documents that a document names by their key, as a write needs them.

A write is decided by a pure function. Where that asks for a document that was not read yet, the write is given up, the
document is read, and the write begins again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from shared.documents import Documents, State, Written
from shared.errors import NotFound
from shared.schemas.base import WireModel
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.validation import validated

M = TypeVar("M", bound=WireModel)

LookUp = Callable[[State], Awaitable[Any]]
"""What a service finds in its store for a document that is about to be written, by its members."""

_UNREAD: Final = object()


@dataclass(frozen=True, slots=True)
class Reference:
    """A document that another one names: the name of its resource, and its key."""

    resource: str
    key: str


class _Unread(Exception):
    """A write needs documents that were not read for it; none: what the service looks up."""

    def __init__(self, references: Sequence[Reference], state: State) -> None:
        super().__init__()
        self.references = references
        self.state = state


class Others:
    """The documents that one document names, and what the service looks up for it. Each is read when it is asked for.

    ``read`` are those that were read, None for one that does not exist.
    """

    __slots__ = ("_found", "_named", "_read", "_state")

    def __init__(
        self, state: State, named: Sequence[Reference], read: Mapping[Reference, State | None], found: Any
    ) -> None:
        self._state = state
        self._named = named
        self._read = read
        self._found = found

    def of(self, contract: ResourceContract[M]) -> M | None:
        """The document of this resource; None when none is named, or it does not exist any more."""
        named = [reference for reference in self._named if reference.resource == contract.name]
        state = self._states(named)[0] if named else None
        return None if state is None else validated(contract.model, contract.own(state))

    @property
    def found(self) -> Any:
        """What the service looks up (``Resources.look_up``)."""
        if self._found is _UNREAD:
            raise _Unread((), self._state)
        return self._found

    def check(self, known: Iterable[Reference] = ()) -> None:
        """NotFound for the first document that is named, beside those in ``known``, and does not exist."""
        new = [reference for reference in self._named if reference not in known]
        for reference, state in zip(new, self._states(new), strict=True):
            if state is None:
                raise NotFound(f"there is no {reference.resource} {reference.key}; create it first")

    def _states(self, references: Sequence[Reference]) -> list[State | None]:
        unread = [reference for reference in references if reference not in self._read]
        if unread:
            raise _Unread(unread, self._state)
        return [self._read[reference] for reference in references]


Ask = Callable[[State], Others]
"""What the function that decides a write calls with the document that it makes."""


class References:
    """What the documents of one resource name. ``documents`` are those of the named resources, by name.

    ``members``: those that hold the keys, or parts of them.
    """

    def __init__(self, contracts: Sequence[ResourceContract[Any]], documents: Mapping[str, Documents]) -> None:
        self._contracts = contracts
        self._documents = documents
        self.members = frozenset(name for contract in contracts for name in contract.key)
        self.look_up: LookUp | None = None

    def named_in(self, state: State) -> list[Reference]:
        """What a document names by a whole key. A member that is absent names nothing."""
        return [
            Reference(contract.name, contract.key_in(state))
            for contract in self._contracts
            if all(isinstance(state.get(name), str) for name in contract.key)
        ]

    async def write(self, write: Callable[[Ask], Awaitable[Written]], *, new: State | None = None) -> Written:
        """The outcome of ``write``, which begins again each time that it needs what was not read yet.

        ``new``: the document that is made, where what it names is needed anyway.
        """
        read = {} if new is None else await self._read(self.named_in(new))
        found = _UNREAD if self.look_up else None

        def ask(state: State) -> Others:
            return Others(state, self.named_in(state), read, found)

        while True:
            try:
                return await write(ask)
            except _Unread as unread:
                read |= await self._read(unread.references)
                if not unread.references and self.look_up is not None:
                    found = await self.look_up(unread.state)

    async def _read(self, references: Iterable[Reference]) -> dict[Reference, State | None]:
        read: dict[Reference, State | None] = {}
        for reference in references:
            document = await self._documents[reference.resource].latest(reference.key)
            read[reference] = None if document is None else document.state
        return read
