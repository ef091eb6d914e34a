"""A member of a document that is large: each value lies in a part of its own, and the versions hold what describes it.

A write stores the part (``shared/durability/parts.py``) first and then the version, which holds the number of the part.
A part is never changed. So a crash leaves the old version or the new one, and at most a part that no version names.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, Written
from shared.documents.contract import UpdateFn
from shared.durability.parts import Parts
from shared.durability.turns import Turns
from shared.errors import NotFound, Refused, Unavailable
from shared.resources.declaration import Apart, Resource
from shared.resources.use_cases import Resources
from shared.schemas.base import WireModel

M = TypeVar("M", bound=WireModel)

PART: Final = "_Part"
"""The member of a version that holds the number of its part."""
_NUMBER_BITS: Final = 60  # so that two writes of one document never draw the same number
_ATTEMPTS: Final = 50  # each but the first three follows upon a write of another process


class _Unread(Exception):
    """The present document is to be seen whole, and its part was not read."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Unstored(Exception):
    """The next version is to hold a value that no part holds yet."""

    def __init__(self, packed: bytes) -> None:
        super().__init__()
        self.packed = packed


class ResourcesApart(Resources[M]):
    """The documents of a resource with a member apart.

    A version that is read by itself, and the outcome of a write, are whole. Lists, batches and the history are not.
    """

    def __init__(
        self,
        resource: Resource[M],
        documents: Documents,
        *,
        others: Mapping[str, Documents] | None = None,
        apart: Apart,
        parts: Parts,
    ) -> None:
        super().__init__(resource, documents, others=others, write=self._write_whole)
        self._apart = apart
        self._parts = parts
        self._turns: WeakValueDictionary[str, Turns] = WeakValueDictionary()  # while somebody is in them

    async def latest(self, key: str) -> Document:
        return await self._read_whole(await super().latest(key))

    async def version(self, key: str, version: int) -> Document:
        document = await super().version(key, version)
        return document if self._apart.member in document.state else await self._read_whole(document)

    async def value_of(self, document: Document) -> Any:
        """The value of a version that is not whole, as a list gives it; None once the document is forgotten."""
        return await self._value_in(document.key, document.state[PART])

    async def forget(self, key: str, cause: Cause) -> None:
        """Deletes a document, which nobody may create again, and the values of all its versions for good.

        It does nothing when that was done. The versions stay, without their values, until they are purged.
        """
        event = OutgoingEvent(f"{self.resource.contract.topic}.deleted")

        def deleted(present: Document | None) -> Change | None:
            return None if present is None else Change(None, (event,))

        with suppress(NotFound):
            await self.documents.update(key, deleted, cause)
        await self._parts.delete(self._name_of(key))

    async def _write_whole(self, key: str, fn: UpdateFn, cause: Cause) -> Written:
        """Writes what ``fn`` decides on whole documents. Unavailable when others write the document all the time."""
        read, stored = dict[int, Any](), dict[bytes, int]()

        def decided(present: Document | None) -> Change | None:
            if present is None:
                return self._kept(fn(None), None, stored)
            number: int = present.state[PART]
            if number not in read:
                raise _Unread(number)
            return self._kept(fn(self._whole(present, read[number])), (number, read[number]), stored)

        async with self._turns.setdefault(key, Turns(f"{self.resource.name} {key}")):
            return await self._try(key, decided, cause, read, stored)

    async def _try(
        self, key: str, decided: UpdateFn, cause: Cause, read: dict[int, Any], stored: dict[bytes, int]
    ) -> Written:
        """Writes, and each time that ``decided`` lacks a part, reads or stores it and begins again."""
        for _ in range(_ATTEMPTS):
            try:
                written = await self.documents.update(key, decided, cause)
            except _Unread as unread:
                value = await self._value_in(key, unread.number)
                if value is not None:  # else the document is being forgotten
                    read[unread.number] = value
            except _Unstored as unstored:
                stored[unstored.packed] = number = secrets.randbits(_NUMBER_BITS)
                await self._parts.put(self._name_of(key), number, unstored.packed)
            except Refused:  # by any other error the version may have been written
                await self._delete(key, stored.values())
                raise
            else:
                used = written.document.state[PART]
                await self._delete(key, (number for number in stored.values() if number != used))
                return replace(written, document=await self._read_whole(written.document))
        detail = f"other processes write {self.resource.name} {key} all the time; try again"
        raise Unavailable(detail, slug="busy", title="Busy")

    def _kept(
        self, change: Change | None, present: tuple[int, Any] | None, stored: Mapping[bytes, int]
    ) -> Change | None:
        """A change of a whole document as it is stored. ``present``: the part that the document has, and its value."""
        if change is None or change.state is None:
            return change
        state = dict(change.state)
        value = state.pop(self._apart.member)
        if present is not None and present[1] == value:
            number = present[0]
        else:
            packed = self._apart.pack(value)
            if packed not in stored:
                raise _Unstored(packed)
            number = stored[packed]
        return replace(change, state={**state, **self._apart.describe(value), PART: number})

    async def _read_whole(self, document: Document) -> Document:
        value = await self.value_of(document)
        return document if value is None else self._whole(document, value)

    async def _value_in(self, key: str, number: int) -> Any:
        packed = await self._parts.get(self._name_of(key), number)
        return None if packed is None else self._apart.unpack(packed)

    async def _delete(self, key: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            await self._parts.delete(self._name_of(key), number)

    def _whole(self, document: Document, value: Any) -> Document:
        own = {name: one for name, one in document.state.items() if not name.startswith("_")}
        return document._replace(state={**own, self._apart.member: value})

    def _name_of(self, key: str) -> str:
        return f"{self.resource.contract.topic}/{key}"
