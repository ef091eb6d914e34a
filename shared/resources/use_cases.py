"""The use cases that write the documents of a declared resource. HTTP and commands call the same ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.documents import Change, Document, Documents, OutgoingEvent, State, Written
from shared.documents.contract import UpdateFn
from shared.errors import Conflict, NotFound, Refused
from shared.messaging.commands import Command
from shared.resources.declaration import Action, Resource
from shared.resources.others import Ask, LookUp, References
from shared.resources.reads import ResourceReads
from shared.schemas.base import CommandBody, ReasonedCommand, RestoreVersion, WireModel
from shared.schemas.merge_patch import MergePatch
from shared.schemas.validation import patched, validated
from shared.trace import current_trace, new_id

M = TypeVar("M", bound=WireModel)

_ABSENT: Final = object()

Write = Callable[[str, UpdateFn, Cause], Awaitable[Written]]
"""Writes what a pure function decides on the document with a key."""
Afterwards = Callable[[Written, Cause], Awaitable[None]]
"""What a service does after a write. It is called again when the request is repeated."""


class Resources(ResourceReads[M], Generic[M]):
    """The documents of one declared resource.

    Every write is idempotent by its cause's id: the same request again gets the outcome of the first. Refusals:
    BadInput 400, NotFound 404, Conflict 409, Stale 412. ``others`` are the documents of the resources that the
    declaration names, by name. ``write`` takes the place of ``Documents.update``.
    """

    def __init__(
        self,
        resource: Resource[M],
        documents: Documents,
        *,
        others: Mapping[str, Documents] | None = None,
        write: Write | None = None,
    ) -> None:
        super().__init__(resource, documents, others or {})
        self._write = write or documents.update
        self._references = References(resource.references, others or {})
        self._afterwards: dict[str, Afterwards] = {}

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
        """Makes ``afterwards`` follow the action with this word, or ``create``, ``update``, ``delete``, ``restore``."""
        self._afterwards[word] = afterwards

    def look_up(self, look_up: LookUp) -> None:
        """Lets the declaration's ``on_write`` find what ``look_up`` gives. It is asked at most once a write."""
        self._references.look_up = look_up

    async def create(self, command: CommandBody, cause: Cause) -> Written:
        """Makes the document; Conflict when there is one. Made again after a deletion, it counts its versions on."""
        resource, contract = self.resource, self.resource.contract
        if not isinstance(command, contract.model):
            raise TypeError(f"a {type(command).__name__} does not create a {resource.name}")
        document: M = command
        lacking = any(getattr(command, name) is None for name in contract.completed)
        if lacking or any(getattr(command, source.attribute) is not None for source in resource.sources):
            try:
                document = await self._completed(document)
            except Refused as refusal:  # the same request again gets its first answer, also where the source has gone
                return await self.documents.update(contract.key_of(command), partial(_refuse, refusal), cause)
        given = _state_of(document)
        if resource.assign_key is not None:
            given.setdefault(contract.key[0], resource.assign_key(cause.id or new_id()))
        key = contract.key_in(given)
        if contract.joined_key is not None:
            contract.check_joined_key(command, key)
            given[contract.joined_key] = key
        identity = given.keys() & {*contract.key, contract.joined_key}
        view = self.view if cause.condition is None else await self.view_of(key, cause.condition)

        def created(ask: Ask | None, present: Document | None) -> Change:
            if cause.condition is not None:
                self.check_condition(cause.condition, present, view=view)
            if present is not None:
                raise Conflict(f"{resource.name} {key} is there already; PUT changes it", slug="exists")
            state = given
            if ask is not None:
                others = ask(given)
                others.check()
                if resource.on_write is not None:
                    made = resource.on_write(None, document, others, cause)
                    state = _state_of(made) | {name: given[name] for name in identity}
            return Change(state, (OutgoingEvent(f"{contract.topic}.created"),))

        if resource.on_write is None and given.keys().isdisjoint(self._references.members):
            written = await self._write(key, partial(created, None), cause)
        else:
            write = partial(self._write, key)
            written = await self._references.write(lambda ask: write(partial(created, ask), cause), new=given)
        return await self._finished("create", written, cause) if self._afterwards else written

    async def _completed(self, creation: M) -> M:
        """The document that a creation makes. BadInput names what neither it nor its source gives."""
        contract, made = self.resource.contract, creation
        for source in self.resource.sources:
            key = getattr(creation, source.attribute)
            if key is not None:
                found = await self._others[source.contract.name].latest(key)
                if found is None:
                    raise NotFound(f"there is no {source.contract.name} {key}")
                made = source.complete(made, validated(source.contract.model, source.contract.own(found.state)))
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

        written = await self._revise(contract.key_of(command), merged, command.patch, cause)
        return await self._finished("update", written, cause)

    async def restore(self, command: RestoreVersion, cause: Cause) -> Written:
        """Makes the members that a person may set those of a former version, by the rules of a change (3.20).

        NotFound for a version that there is not, Conflict for one that is a deletion.
        """
        contract, number = self.resource.contract, command.version_id
        key = contract.key_of(command)
        try:
            former = await self.version(key, number)
            if former.deleted:
                detail = f"version {number} is a deletion, which holds nothing; give another one"
                raise Conflict(detail, slug="deletion")
        except Refused as refusal:  # the same request again gets its first answer, also once there is such a version
            return await self.documents.update(key, partial(_refuse, refusal), cause)
        given = {name: former.state.get(name) for name in contract.settable}

        def restored(before: State) -> M:
            state = {**before, **given}
            return validated(contract.model, {name: value for name, value in state.items() if value is not None})

        written = await self._revise(key, restored, given, with_reason(cause, command), self.resource.on_restore)
        return await self._finished("restore", written, cause)

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

        def updated(ask: Ask | None, before: State) -> M:
            after = revise(before)
            if resource.implied is not None:
                implied = resource.implied(validated(contract.model, before), after)
                stated = {attribute for attribute, field in contract.model.model_fields.items() if field.alias in given}
                after = after.model_copy(update={name: implied[name] for name in implied.keys() - stated})
            if ask is not None and (state := _state_of(after)) != before:
                others = ask(state)
                others.check(self._references.named_in(before))
                if resource.on_write is not None:
                    after = resource.on_write(validated(contract.model, before), after, others, cause)
            return after if finish is None else finish(after, cause)

        if resource.on_write is None and given.keys().isdisjoint(self._references.members):
            return await self._change(key, cause, partial(updated, None), "updated")
        return await self._references.write(lambda ask: self._change(key, cause, partial(updated, ask), "updated"))

    async def delete(self, command: CommandBody, cause: Cause) -> Written:
        """Makes a tombstone version: there is no latest version any more, the history stays."""
        contract = self.resource.contract
        key = contract.key_of(command)
        view = await self.view_of(key, cause.condition)

        def deleted(present: Document | None) -> Change:
            if present is None:
                raise self.missing(key)
            self.check_condition(cause.condition, present, view=view)
            return Change(None, (OutgoingEvent(f"{contract.topic}.deleted"),))

        return await self._finished("delete", await self._write(key, deleted, cause), cause)

    async def act(self, action: Action[M], command: CommandBody, cause: Cause) -> Written:
        """Applies an action of the declaration; one that changes nothing makes no version."""
        contract = self.resource.contract

        def acted(before: State) -> M:
            return action.apply(validated(contract.model, before), command, cause)

        cause = with_reason(cause, command)
        events = ("updated",) if action.event is None else ("updated", action.event)
        written = await self._change(contract.key_of(command), cause, acted, *events)
        return await self._finished(action.word, written, cause)

    async def expire(self, clock: Clock) -> None:
        """Changes the documents that the clock makes expire. It reads those alone that may."""
        expiry, model = self.resource.expiry, self.resource.contract.model
        if expiry is None:
            return

        def expired(before: State, now: datetime) -> M | None:
            return expiry.apply(validated(model, before), now)

        async for page in self.documents.scan(expiry.where):
            for document in page:
                now = clock.now()
                if expired(self.resource.contract.own(document.state), now) is not None:
                    with suppress(NotFound):  # deleted meanwhile
                        cause = Cause(now, AUTOMATION, current_trace())
                        await self._change(document.key, cause, partial(expired, now=now), "updated")

    async def _change(self, key: str, cause: Cause, rule: Callable[[State], M | None], *events: str) -> Written:
        """Writes the document that ``rule`` makes of the present one; None, and the same document, make no version."""
        contract = self.resource.contract
        view = await self.view_of(key, cause.condition)

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

    async def _finished(self, word: str, written: Written, cause: Cause) -> Written:
        """The outcome, once what follows it was done."""
        if word in self._afterwards:
            await self._afterwards[word](written, cause)
        return written


def _refuse(refusal: Refused, _: Document | None) -> Change:
    raise refusal


def with_reason(cause: Cause, command: CommandBody) -> Cause:
    """The cause with the reason that the command gives; without one it stays as it is."""
    if isinstance(command, ReasonedCommand) and command.reason is not None:
        return replace(cause, message=command.reason)
    return cause


def _state_of(document: WireModel) -> State:
    return document.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"audit_metadata"})
