"""The documents that a document names by their key: a write reads them first, and is decided by what it read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.documents import Documents, State, Written
from shared.errors import NotFound
from shared.schemas.base import WireModel
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.validation import validated

M = TypeVar("M", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Reference:
    """A document that another one names: the name of its resource, and its key."""

    resource: str
    key: str


@dataclass(frozen=True, slots=True)
class Referenced:
    """The documents that a document names, as they were read for its write; None for one that does not exist."""

    states: Mapping[Reference, State | None]

    def of(self, contract: ResourceContract[M]) -> M | None:
        """The document of this resource; None when none is named, or it does not exist any more."""
        states = (state for reference, state in self.states.items() if reference.resource == contract.name)
        state = next(states, None)
        return None if state is None else validated(contract.model, contract.own(state))

    def check(self, references: Iterable[Reference]) -> None:
        """NotFound for the first of these that does not exist."""
        for reference in references:
            if self.states[reference] is None:
                raise NotFound(f"there is no {reference.resource} {reference.key}; create it first")


class _Unread(Exception):
    """A write needs documents that were not read for it."""

    def __init__(self, references: Collection[Reference]) -> None:
        super().__init__()
        self.references = references


Read = Callable[[Collection[Reference]], Referenced]
"""What the function that decides a write calls for the documents that the write names."""


class References:
    """What the documents of one resource name. ``documents`` are those of the named resources, by name."""

    def __init__(self, contracts: Sequence[ResourceContract[Any]], documents: Mapping[str, Documents]) -> None:
        self._contracts = contracts
        self._documents = documents

    def named_in(self, state: Mapping[str, Any]) -> list[Reference]:
        """What a state, or a patch, names by a whole key. A member that is absent names nothing."""
        return [
            Reference(contract.name, contract.key_in(state))
            for contract in self._contracts
            if all(isinstance(state.get(name), str) for name in contract.key)
        ]

    async def write(self, first: Iterable[Reference], write: Callable[[Read], Awaitable[Written]]) -> Written:
        """The outcome of ``write``. It begins with what was read of ``first``, and begins again where it needs more."""
        states: dict[Reference, State | None] = {}
        waiting = first
        while True:
            for reference in waiting:
                document = await self._documents[reference.resource].latest(reference.key)
                states[reference] = None if document is None else document.state

            def read(references: Collection[Reference]) -> Referenced:
                unread = [reference for reference in references if reference not in states]
                if unread:
                    raise _Unread(unread)
                return Referenced({reference: states[reference] for reference in references})

            try:
                return await write(read)
            except _Unread as unread:
                waiting = unread.references
