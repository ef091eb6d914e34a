"""Read models of frozen dataclasses, with and without what they held at earlier times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import orjson
from pydantic import TypeAdapter

from services.eventplan_svc.domain.history import History, Known, Versioned
from shared.clock import iso
from shared.documents import ReadModel, State, Store
from shared.documents.contract import MAX_STATE_BYTES
from shared.durability.read_model import Snapshot

T = TypeVar("T", bound=Versioned)

_AT_ONCE: Final = 1000  # keys in one query; more make no query faster


class TypedReadModel(Generic[T]):
    """A read model of values of one frozen dataclass."""

    def __init__(self, states: ReadModel, kind: type[T]) -> None:
        self._states = states
        self._codec = TypeAdapter(kind)

    async def put(self, values: Iterable[tuple[str, T]]) -> set[str]:
        """Keeps those that are newer than what is held; returns the keys whose newest value given is held now."""
        dump = self._codec.dump_python
        given = [(key, value.version, dump(value, mode="json")) for key, value in values]
        return await self._states.put(given) if given else set()

    async def get(self, key: str) -> T | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """The values by key; keys that nothing is known of are left out."""
        found: dict[str, T] = {}
        names = list(dict.fromkeys(keys))
        for first in range(0, len(names), _AT_ONCE):
            states = await self._states.get_many(names[first : first + _AT_ONCE])
            found.update((key, self._codec.validate_python(state)) for key, state in states.items())
        return found

    async def pages(self, where: Mapping[str, Any] | None = None) -> AsyncIterator[list[T]]:
        """All values, or those that match, some at a time."""
        async for states in self._states.scan(where, page=_AT_ONCE):
            yield [self._codec.validate_python(state) for state in states]


class RecordedReadModel(TypedReadModel[T]):
    """A read model that can also say what it held at an earlier time.

    The history of a key is one document, in a read model beside this one: its values with the instants at which they
    were consumed. Of two processes that consume one version the first one's instant is kept, as it is when the version
    comes again.
    """

    def __init__(self, store: Store, name: str, kind: type[T], *, filters: Sequence[str] = ()) -> None:
        super().__init__(store.read_model(name, filters=filters), kind)
        self._histories = store.read_model(f"{name}_history")

    async def consume(self, values: Iterable[tuple[str, T]], at: datetime) -> set[str]:
        """``put``, and the histories with it. Where a process dies in between, the messages come again, and this with
        them.

        Several versions of one key that come together count as the newest of them: no dashboard showed the others. A
        history that does not begin with a first version is not complete. A first version is stored without a look at
        what is there, so resources that are created cost one write of all.
        """
        instant, dump = iso(at), self._codec.dump_python
        newest, begun = dict[str, T](), set[str]()
        for key, value in values:
            if value.version == 1:
                begun.add(key)
            if key not in newest or value.version > newest[key].version:
                newest[key] = value
        if not newest:
            return set()
        states = {key: dump(value, mode="json") for key, value in newest.items()}
        held = await self._states.put([(key, value.version, states[key]) for key, value in newest.items()])
        accepted = {key: newest[key] for key in newest if key in held}
        later = [key for key, value in accepted.items() if value.version > 1]
        histories = await self._histories_of(later) if later else {}
        changed: list[Snapshot] = []
        for key, value in accepted.items():
            if key not in histories:
                changed.append((key, value.version, {"Complete": key in begun, "Values": [[instant, states[key]]]}))
            elif (history := histories[key].with_value(value, instant)) is not histories[key]:
                changed.append((key, value.version, self._encode(history)))
        if changed:
            await self._histories.put(changed)
        return held

    async def known_since(self, key: str) -> str | None:
        """The instant at which a resource became known, as far as that is known itself; None: it never was."""
        history = (await self._histories_of([key])).get(key)
        return None if history is None else history.since

    async def known_at(self, keys: Iterable[str], at: datetime) -> dict[str, Known[T]]:
        """What was known of each key at an instant. A key without a history is known as it is now, and not exactly."""
        names, instant = list(dict.fromkeys(keys)), iso(at)
        histories = await self._histories_of(names)
        known = {key: history.at(instant) for key, history in histories.items()}
        present = await self.get_many(key for key in names if key not in known)
        return known | {key: Known(value, exact=False) for key, value in present.items()}

    async def all_known_at(self, at: datetime) -> list[Known[T]]:
        """What was known at an instant of all that have a history."""
        instant = iso(at)
        pages = self._histories.scan(page=_AT_ONCE)
        return [self._decode(state).at(instant) async for states in pages for state in states]

    async def _histories_of(self, keys: Sequence[str]) -> dict[str, History[T]]:
        """The histories by key; a key without one was never consumed, or before histories were kept."""
        found: dict[str, History[T]] = {}
        for first in range(0, len(keys), _AT_ONCE):
            states = await self._histories.get_many(keys[first : first + _AT_ONCE])
            found.update((key, self._decode(state)) for key, state in states.items())
        return found

    def _encode(self, history: History[T]) -> State:
        """The history as it is stored, without its older half as often as it would be too large."""
        dump = self._codec.dump_python
        values = [[at, dump(value, mode="json")] for at, value in history.values]
        state = {"Complete": history.complete, "Values": values}
        while len(values) > 1 and len(orjson.dumps(state)) > MAX_STATE_BYTES:
            values = values[len(values) // 2 :]
            state = {"Complete": False, "Values": values}
        return state

    def _decode(self, state: Mapping[str, Any]) -> History[T]:
        values = tuple((at, self._codec.validate_python(value)) for at, value in state["Values"])
        return History(state["Complete"], values)
