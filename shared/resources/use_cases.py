"""The use cases of every declared resource. HTTP and commands call the same ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from heapq import nlargest, nsmallest
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.conditions import Condition, entity_tag
from shared.documents import MANAGED, Change, Document, Documents, HistoryPage, OutgoingEvent, State, Written
from shared.documents.contract import UpdateFn
from shared.durability.lease import Leases
from shared.errors import Conflict, NotFound, Refused
from shared.messaging.commands import Command
from shared.resources.among import WritesAmong
from shared.resources.declaration import Action, Resource
from shared.resources.references import Read, References
from shared.schemas.base import CommandBody, ReasonedCommand, RestoreVersion, WireModel
from shared.schemas.merge_patch import MergePatch
from shared.schemas.validation import patched, validated
from shared.trace import current_trace, new_id

M = TypeVar("M", bound=WireModel)

_ABSENT: Final = object()

_NOTHING: Final[Mapping[str, WireModel]] = MappingProxyType({})

View = Callable[[Document], dict[str, Any]]
"""Gives a document as it is read."""
Beforehand = Callable[[Any], Awaitable[WireModel]]
"""What a service does before a creation that names what the document is made from: it gives the creation completed."""
Afterwards = Callable[[Written, Cause], Awaitable[None]]
"""What a service does after an action was written. It is called again when the request is repeated."""
LookUp = Callable[[State], Awaitable[Any]]
"""What a service finds in its store for a document that is about to be created or changed, by its members."""


class Reads:
    """Reads the documents of one resource. ``view`` gives a document as it is read.

    ``needs_others``: that takes other documents as well, which ``shown`` reads.
    """

    needs_others = False

    def __init__(self, name: str, documents: Documents, view: View = Document.wire) -> None:
        self._name = name
        self.documents = documents
        self.view = view

    async def shown(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """The documents as they are read."""
        return [self.view(document) for document in documents]

    def tag(self, document: Document, shown: Mapping[str, Any] | None = None, *, base: bool = False) -> str:
        """The ETag of a document that is read as ``shown``; its hash is of the members that the version does not hold.

        ``base``: the document is a base line that stands in for an event's line.
        """
        body = self.view(document) if shown is None else shown
        outside = body.keys() - document.state.keys() - MANAGED
        return entity_tag(document.version, {name: body[name] for name in outside}, base=base)

    def check_condition(
        self, condition: Condition | None, present: Document | None, *, base: bool = False, view: View | None = None
    ) -> None:
        """Stale unless the condition of a write holds for the present document; None: there is none.

        The function that decides the write calls it, so that it holds at the write itself. ``base`` as in ``tag``;
        ``view`` in place of the reads' own.
        """
        if condition is None:
            return
        if present is None:
            condition.check(None)
        elif condition.if_none_match is not None or condition.is_stale(entity_tag(present.version, base=base)):
            # If-Match judges the version alone; a refusal names the whole tag, which takes a view of the document.
            condition.check(self.tag(present, (view or self.view)(present), base=base))

    def missing(self, key: str, what: str = "") -> NotFound:
        """The error for a document that does not exist."""
        return NotFound(f"there is no {self._name} {key.replace('#', ', ')}{what}")

    async def latest(self, key: str) -> Document:
        """The latest version. NotFound when there is none, or it was deleted."""
        document = await self.documents.latest(key)
        if document is None:
            raise self.missing(key)
        return document

    async def version(self, key: str, version: int) -> Document:
        """One version; 0 is the latest."""
        if version == 0:
            return await self.latest(key)
        document = await self.documents.version(key, version)
        if document is None:
            raise self.missing(key, f" with VersionId {version}")
        return document

    async def batch(self, keys: Sequence[str]) -> tuple[list[Document], list[str]]:
        """The latest versions of these in one read, and the keys of which there is none, both in the order given."""
        wanted = list(dict.fromkeys(keys))
        found = await self.documents.latest_many(wanted)
        return [found[key] for key in wanted if key in found], [key for key in wanted if key not in found]

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        """Versions newest first, tombstones included. NotFound when there never was one."""
        page = await self.documents.history(key, before=before, limit=limit)
        if not page.items and before is None:
            raise self.missing(key)
        return page


class Resources(Reads, Generic[M]):
    """The documents of one declared resource.

    Every write is idempotent by its cause's id: the same request again gets the outcome of the first. Refusals:
    BadInput 400, NotFound 404, Conflict 409, Stale 412. ``referenced`` are the documents of the resources that the
    declaration references or shows beside its own, by name. ``leases`` are needed where documents are judged among one
    another.
    """

    def __init__(
        self,
        resource: Resource[M],
        documents: Documents,
        *,
        referenced: Mapping[str, Documents] | None = None,
        leases: Leases | None = None,
    ) -> None:
        super().__init__(resource.name, documents, self._view)
        self.resource = resource
        self.needs_others = resource.beside is not None
        self._references = References(resource.references, referenced or {})
        self._referenced = referenced or {}
        self._write: Callable[[str, UpdateFn, Cause], Awaitable[Written]] = documents.update
        if resource.among is not None:
            if leases is None:
                raise ValueError(f"{resource.name} is judged among its others, which takes leases")
            contract = resource.contract
            name = f"{contract.topic}.writes"
            among = WritesAmong(resource.among, contract.model, documents, leases, name=name, own=contract.own)
            self._write = among.update
        self._afterwards: dict[str, Afterwards] = {}
        self._look_up: LookUp | None = None
        self._beforehand: Beforehand | None = None

    def commands(self) -> list[Command[Any]]:
        """The commands about the documents, which HTTP calls as well; none when only the service itself writes them."""
        topic, contract = self.resource.contract.topic, self.resource.contract
        if self.resource.read_only:
            return []
        return [
            Command(contract.create, self.create, f"{topic}.create"),
            Command(contract.update, self.update, f"{topic}.update"),
            Command(contract.delete, self.delete, f"{topic}.delete"),
            Command(contract.restore, self.restore, f"{topic}.restore"),
            *(
                Command(action.command, partial(self.act, action), f"{topic}.{action.word}")
                for action in self.resource.actions
            ),
        ]

    def after(self, word: str, afterwards: Afterwards) -> None:
        """Makes ``afterwards`` follow the action with this word."""
        self._afterwards[word] = afterwards

    def look_up(self, look_up: LookUp) -> None:
        """Hands what ``look_up`` finds to the declaration's ``complete``. It is asked once, before the write."""
        self._look_up = look_up

    def missing(self, key: str, what: str = "") -> NotFound:
        return super().missing(key.removeprefix(self.resource.contract.key_prefix), what)

    def before_creation(self, beforehand: Beforehand) -> None:
        """Makes ``beforehand`` precede a creation that names what the document is made from."""
        self._beforehand = beforehand

    async def create(self, command: CommandBody, cause: Cause) -> Written:
        """Makes the document; Conflict when there is one. Made again after a deletion, it counts its versions on."""
        resource, contract = self.resource, self.resource.contract
        if not isinstance(command, contract.model):
            raise TypeError(f"a {type(command).__name__} does not create a {resource.name}")
        document: M = command
        lacking = any(getattr(command, name) is None for name in contract.completed)
        if lacking or any(getattr(command, name) is not None for name in contract.sources):
            try:
                document = await self._document_of(document)
            except Refused as refusal:  # the same request again gets its first answer, also where the source has gone
                return await self.documents.update(contract.key_of(command), partial(_refuse, refusal), cause)
        made = document if resource.on_create is None else resource.on_create(document, cause)
        if resource.complete is not None:
            made = resource.complete(None, made, await self._found(_state_of(made)), cause)
        state = _state_of(made)
        if resource.assign_key is not None:
            state.setdefault(contract.key[0], resource.assign_key(cause.id or new_id()))
        key = contract.key_in(state)
        if contract.joined_key is not None:
            contract.check_joined_key(command, key)
            state[contract.joined_key] = key
        names = any(not state.keys().isdisjoint(other.key) for other in resource.references)
        named = self._references.named_in(state) if names else []
        view = self.view if cause.condition is None else await self._view_of(key, cause.condition)

        def created(read: Read | None, present: Document | None) -> Change:
            if cause.condition is not None:
                self.check_condition(cause.condition, present, view=view)
            if present is not None:
                raise Conflict(f"{resource.name} {key} is there already; PUT changes it", slug="exists")
            if read is not None:
                referenced = read(named)
                referenced.check(named)
                if resource.judge is not None:
                    resource.judge(validated(contract.model, contract.own(state)), referenced)
            return Change(state, (OutgoingEvent(f"{contract.topic}.created"),))

        if not named and resource.judge is None:
            return await self._write(key, partial(created, None), cause)
        return await self._references.write(named, lambda read: self._write(key, partial(created, read), cause))

    async def _document_of(self, creation: M) -> M:
        """The document that a creation makes. BadInput names what neither it nor what it names gives."""
        contract, beforehand = self.resource.contract, self._beforehand
        made: WireModel = creation
        if beforehand is not None and any(getattr(creation, name) is not None for name in contract.sources):
            made = await beforehand(creation)
        state = _state_of(made)
        own = (field.alias for field in contract.model.model_fields.values())
        return validated(contract.model, {name: state[name] for name in own if name in state})

    async def update(self, command: MergePatch, cause: Cause) -> Written:
        """Merges the command's patch into the latest version; a patch that changes nothing makes no version.

        A computed member that the patch only repeats is not taken from it.
        """
        resource, contract = self.resource, self.resource.contract

        def merged(before: State) -> M:
            patch = command.patch
            if resource.computed is not None:
                shown = resource.computed(validated(contract.model, before))
                patch = {
                    name: value for name, value in patch.items() if name in before or shown.get(name, _ABSENT) != value
                }
            return patched(contract.model, before, patch)

        return await self._revise(contract.key_of(command), merged, command.patch, cause)

    async def restore(self, command: RestoreVersion, cause: Cause) -> Written:
        """Makes the members that a person may set those of a former version, by the rules of a change (3.20).

        NotFound for a version that there is not, Conflict for one that is a deletion.
        """
        contract, number = self.resource.contract, command.version_id
        key = contract.key_of(command)
        former = await self.version(key, number)
        if former.deleted:
            raise Conflict(f"version {number} is a deletion, which holds nothing; give another one", slug="deletion")
        given = {name: former.state.get(name) for name in contract.settable}

        def restored(before: State) -> M:
            state = {**before, **given}
            return validated(contract.model, {name: value for name, value in state.items() if value is not None})

        return await self._revise(key, restored, given, _with_reason(cause, command), self.resource.on_restore)

    async def _revise(
        self,
        key: str,
        revise: Callable[[State], M],
        given: Mapping[str, Any],
        cause: Cause,
        finish: Callable[[M, Cause], M] | None = None,
    ) -> Written:
        """Writes what ``revise`` makes of the present document, by the rules of a change.

        ``given``: the members that the request states, by wire name; null clears. ``finish`` has the last word.
        """
        resource, contract = self.resource, self.resource.contract
        present = None if resource.complete is None else await self.documents.latest(key)
        found = None if present is None else await self._found({**present.state, **given})

        def updated(read: Read | None, before: State) -> M:
            after = revise(before)
            if resource.implied is not None:
                implied = resource.implied(validated(contract.model, before), after)
                stated = {attribute for attribute, field in contract.model.model_fields.items() if field.alias in given}
                after = after.model_copy(update={name: implied[name] for name in implied.keys() - stated})
            if resource.on_update is not None:
                after = resource.on_update(validated(contract.model, before), after, cause)
            if resource.complete is not None:
                after = resource.complete(validated(contract.model, before), after, found, cause)
            if read is not None and (state := _state_of(after)) != before:
                named, known = self._references.named_in(state), self._references.named_in(before)
                new = [reference for reference in named if reference not in known]
                referenced = read(named if resource.judge else new)
                referenced.check(new)
                if resource.judge is not None:
                    resource.judge(after, referenced)
            return after if finish is None else finish(after, cause)

        if resource.judge is None and all(given.keys().isdisjoint(one.key) for one in resource.references):
            return await self._change(key, cause, partial(updated, None), "updated")
        return await self._references.write(
            self._references.named_in(given),
            lambda read: self._change(key, cause, partial(updated, read), "updated"),
        )

    async def delete(self, command: CommandBody, cause: Cause) -> Written:
        """Makes a tombstone version: there is no latest version any more, the history stays."""
        contract = self.resource.contract
        key = contract.key_of(command)
        view = await self._view_of(key, cause.condition)

        def deleted(present: Document | None) -> Change:
            if present is None:
                raise self.missing(key)
            self.check_condition(cause.condition, present, view=view)
            return Change(None, (OutgoingEvent(f"{contract.topic}.deleted"),))

        return await self._write(key, deleted, cause)

    async def act(self, action: Action[M], command: CommandBody, cause: Cause) -> Written:
        """Applies an action of the declaration; one that changes nothing makes no version."""
        contract = self.resource.contract

        def acted(before: State) -> M:
            return action.apply(validated(contract.model, before), command, cause)

        cause = _with_reason(cause, command)
        events = ("updated",) if action.event is None else ("updated", action.event)
        written = await self._change(contract.key_of(command), cause, acted, *events)
        if action.word in self._afterwards:
            await self._afterwards[action.word](written, cause)
        return written

    async def expire(self, clock: Clock) -> None:
        """Changes the documents that the clock makes expire."""
        expire, model = self.resource.expire, self.resource.contract.model
        if expire is None:
            return

        def expired(before: State, now: datetime) -> M | None:
            return expire(validated(model, before), now)

        async for page in self.documents.scan():
            for document in page:
                now = clock.now()
                if expired(self.resource.contract.own(document.state), now) is not None:
                    with suppress(NotFound):  # deleted meanwhile
                        cause = Cause(now, AUTOMATION, current_trace())
                        await self._change(document.key, cause, partial(expired, now=now), "updated")

    async def _found(self, state: State) -> Any:
        """What the service looks up for a document with these members; None where it looks nothing up."""
        return None if self._look_up is None else await self._look_up(state)

    async def _change(self, key: str, cause: Cause, rule: Callable[[State], M | None], *events: str) -> Written:
        """Writes the document that ``rule`` makes of the present one; None, and the same document, make no version."""
        contract = self.resource.contract
        view = await self._view_of(key, cause.condition)

        def changed(present: Document | None) -> Change | None:
            if present is None:
                raise self.missing(key)
            self.check_condition(cause.condition, present, view=view)
            after = rule(contract.own(present.state))
            state = present.state if after is None else _state_of(after)
            if contract.joined_key is not None:
                state = {**state, contract.joined_key: key}
            if state == present.state:
                return None
            return Change(state, tuple(OutgoingEvent(f"{contract.topic}.{event}") for event in events))

        return await self._write(key, changed, cause)

    async def sorted_list(
        self, where: Mapping[str, Any], member: str, *, descending: bool, after: Sequence[Any] | None, limit: int
    ) -> tuple[Sequence[Document], Sequence[Any] | None]:
        """The latest versions of all that match, sorted by a member and then by key; and the place to continue after.

        A document without the member comes before all others.
        """

        def place(document: Document) -> tuple[bool, Any, str]:
            value = document.state.get(member)
            return value is not None, 0 if value is None else value, document.key

        found = [document async for page in self.documents.scan(where) for document in page]
        if after is not None:
            last = tuple(after)
            found = [one for one in found if (place(one) < last if descending else place(one) > last)]
        best = (nlargest if descending else nsmallest)(limit + 1, found, key=place)
        return best[:limit], place(best[limit - 1]) if len(best) > limit else None

    async def shown(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """The documents as they are read; what stands beside them is read at once."""
        if not self.needs_others:
            return [self._view(document) for document in documents]
        beside = await self._beside([document.key for document in documents if _is_latest(document)])
        return [self._view(document, beside) for document in documents]

    async def _view_of(self, key: str, condition: Condition | None) -> View:
        """How a condition sees the document with this key. What stands beside it is read before the write."""
        if not self.needs_others or condition is None:
            return self.view
        beside = await self._beside([key])
        return lambda document: self._view(document, beside)

    async def _beside(self, keys: Sequence[str]) -> dict[str, WireModel]:
        """What stands beside the documents with these keys, by these keys, in one read."""
        if self.resource.beside is None or not keys:
            return {}
        own, contract = self.resource.contract, self.resource.beside.contract
        parts = {key: dict(zip(own.key, key.split("#"), strict=True)) for key in keys}
        others = {key: contract.key_in({**contract.key_defaults, **part}) for key, part in parts.items()}
        found = await self._referenced[contract.name].latest_many(list(dict.fromkeys(others.values())))
        models = {key: validated(contract.model, contract.own(document.state)) for key, document in found.items()}
        return {key: models[other] for key, other in others.items() if other in models}

    def _view(self, document: Document, beside: Mapping[str, WireModel] = _NOTHING) -> dict[str, Any]:
        """The document with its computed members, and those of what stands beside it."""
        shown, resource = document.wire(), self.resource
        if document.deleted or (resource.computed is None and resource.beside is None):
            return shown
        contract = resource.contract
        own = document.state if contract.joined_key is None else contract.own(document.state)
        model = validated(contract.model, own)
        if resource.computed is not None:
            for name, value in resource.computed(model).items():
                shown.setdefault(name, value)
        if resource.beside is not None and _is_latest(document):
            shown |= resource.beside.show(model, beside.get(document.key))
        return shown

    def model_of(self, document: Document) -> M:
        """The document as its contract's model."""
        return validated(self.resource.contract.model, self.resource.contract.own(document.state))


def _refuse(refusal: Refused, _: Document | None) -> Change:
    raise refusal


def _is_latest(document: Document) -> bool:
    """Whether it is the latest version, which alone has what stands outside the versions."""
    return document.created is not None and not document.deleted


def _with_reason(cause: Cause, command: CommandBody) -> Cause:
    """The cause with the reason that the command gives; without one it stays as it is."""
    if isinstance(command, ReasonedCommand) and command.reason is not None:
        return replace(cause, message=command.reason)
    return cause


def _state_of(document: WireModel) -> State:
    return document.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"audit_metadata"})
