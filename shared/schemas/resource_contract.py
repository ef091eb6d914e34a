"""The contract of a versioned resource, and what follows from it: snapshot, commands and topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import create_model
from pydantic.json_schema import SkipJsonSchema

from shared.errors import BadInput, FieldError
from shared.schemas.base import CommandBody, Id, JoinedKey, MergePatch, Snapshot, WireModel, wire_names

B = TypeVar("B", bound=WireModel)
C = TypeVar("C", bound=CommandBody)
M = TypeVar("M", bound=WireModel)
Bases = tuple[type[WireModel], ...]
_Unlisted: Any = SkipJsonSchema  # its argument is known at run time only


@dataclass(frozen=True, slots=True)
class ExtraEvent:
    """An event beside created, updated and deleted. It carries the snapshot and is kept for 30 days."""

    verb: str
    summary: str
    consumers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ResourceContract(Generic[M]):
    """One versioned resource on the wire: ``model`` is its document, ``key`` the members that make its key.

    A member of the key that has a default may be left out. The key's parts are joined by ``#``; ``joined_key`` is the
    member that shows the whole, where there is one. ``managed`` are members of the model that only EPIC sets; each has
    a default. ``consumers`` are the services that read the events, ``topic`` is how the events' names begin.

    Derived unless given: ``snapshot`` (the document with its version; given where EPIC adds members, or where Python
    code of another service needs the type), ``read`` (the snapshot with what a read shows beside it) and ``commands``
    (Create, Update and Delete). ``actions`` are commands beside those three.
    """

    model: type[M]
    owner: str
    key: tuple[str, ...]
    joined_key: str | None = None
    managed: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    events: tuple[str, ...] = ("created", "updated", "deleted")
    extra_events: tuple[ExtraEvent, ...] = ()
    actions: tuple[type[CommandBody], ...] = ()
    partitions: int = 3
    key_text: str = ""
    given_snapshot: type[Snapshot] | None = None
    given_read: type[Snapshot] | None = None
    given_commands: tuple[type[CommandBody], ...] | None = None

    def __post_init__(self) -> None:
        for command in (*(self.given_commands or ()), *self.actions):
            command.ignored = self.ignored - wire_names(command)

    @cached_property
    def name(self) -> str:
        return self.model.__name__

    @cached_property
    def topic(self) -> str:
        return self.name.lower()

    @cached_property
    def key_defaults(self) -> Mapping[str, str]:
        """The members of the key that may be left out, with what they are then."""
        defaults = {field.alias: field.default for field in self.model.model_fields.values()}
        return {name: defaults[name] for name in self.key if isinstance(defaults[name], str)}

    def key_in(self, values: Mapping[str, Any]) -> str:
        """The key in a document, or in the parts of a key, by wire names."""
        return "#".join(values[name] for name in self.key)

    def key_of(self, command: CommandBody) -> str:
        """The key of the document that a command is about. BadInput when the command repeats another key."""
        key = "#".join(getattr(command, attribute) for attribute in self._key_attributes)
        self.check_joined_key(command, key)
        return key

    def check_joined_key(self, command: CommandBody, key: str) -> None:
        """BadInput when a request repeats the whole key and it is not that of its parts."""
        given = getattr(command, self._attribute(self.joined_key), None) if self.joined_key else None
        if given not in (None, key):
            error = FieldError(f"/{self.joined_key}", f"must equal {key}; correct it or leave it out")
            raise BadInput("the body's id is not that of its parts", [error], slug="key-mismatch")

    @cached_property
    def snapshot(self) -> type[Snapshot]:
        """The data of every event: the document with its version."""
        if self.given_snapshot is not None:
            return self.given_snapshot
        verbs = ",".join((*self.events, *(event.verb for event in self.extra_events)))
        fields: dict[str, Any] = {self._attribute(self.joined_key): (JoinedKey, ...)} if self.joined_key else {}
        return self._made(
            Snapshot, f"{self.name}Snapshot", (self.model, Snapshot), f"``{self.topic}.{{{verbs}}}``.", fields
        )

    @property
    def read(self) -> type[Snapshot]:
        """What a read answers."""
        return self.given_read or self.snapshot

    @cached_property
    def body(self) -> type[WireModel]:
        """What a caller may give of the document."""
        if not self.managed:
            return self.model
        return self._made(WireModel, self.name, (self.model,), self.model.__doc__, self._hidden_fields())

    @cached_property
    def create(self) -> type[CommandBody]:
        """The command that makes a document."""
        fields = self._hidden_fields() | self._joined_key_field()
        return self._command(CommandBody, "Create", (self.model, CommandBody), None, fields)

    @cached_property
    def update(self) -> type[MergePatch]:
        """The command that changes a document by a merge patch."""
        fields = self._key_fields() | self._joined_key_field()
        return self._command(MergePatch, "Update", (MergePatch,), f"A merge patch of {_a(self.name)}.", fields)

    @cached_property
    def delete(self) -> type[CommandBody]:
        """The command that deletes a document."""
        fields = self._key_fields() | self._joined_key_field()
        return self._command(
            CommandBody, "Delete", (CommandBody,), f"Deletes {_a(self.name)}; its history stays.", fields
        )

    @property
    def commands(self) -> tuple[type[CommandBody], ...]:
        """Every command about the resource."""
        own = (self.create, self.update, self.delete) if self.given_commands is None else self.given_commands
        return (*own, *self.actions)

    @cached_property
    def ignored(self) -> frozenset[str]:
        """The members that only EPIC sets, so that a request may hold whatever a read has shown."""
        given = wire_names(self.model) - {self._field_alias(name) for name in self.managed}
        return wire_names(self.read) - given - {self.joined_key, "AuditMetadata"}

    def _made(self, kind: type[B], name: str, bases: Bases, doc: str | None, fields: dict[str, Any]) -> type[B]:
        module = self.model.__module__
        return _of_kind(kind, create_model(name, __base__=bases, __module__=module, __doc__=doc, **fields))

    def _command(self, kind: type[C], verb: str, bases: Bases, doc: str | None, fields: dict[str, Any]) -> type[C]:
        command = self._made(kind, f"{verb}{self.name}", bases, doc, fields)
        command.ignored = self.ignored
        return command

    @cached_property
    def _key_attributes(self) -> tuple[str, ...]:
        return tuple(map(self._attribute, self.key))

    def _attribute(self, wire_name: str) -> str:
        fields = self.model.model_fields | (self.given_snapshot.model_fields if self.given_snapshot else {})
        return next((name for name, field in fields.items() if field.alias == wire_name), _snake(wire_name))

    def _field_alias(self, attribute: str) -> str:
        return self.model.model_fields[attribute].alias or attribute

    def _key_fields(self) -> dict[str, Any]:
        """The parts of the key; one that EPIC assigns on creation is required afterwards."""
        parts = {name: self.model.model_fields[name] for name in self._key_attributes}
        return {
            name: (Id, ...) if field.default is None else (field.rebuild_annotation(), field)
            for name, field in parts.items()
        }

    def _joined_key_field(self) -> dict[str, Any]:
        """The whole key as a request may repeat it; the use case compares it."""
        return {self._attribute(self.joined_key): (_Unlisted[str | None], None)} if self.joined_key else {}

    def _hidden_fields(self) -> dict[str, Any]:
        """The managed members, left out of the schema of what a caller may give."""
        fields = {name: self.model.model_fields[name] for name in self.managed}
        return {name: (_Unlisted[field.annotation], field.default) for name, field in fields.items()}


def _of_kind(kind: type[B], model: type[Any]) -> type[B]:
    if not issubclass(model, kind):
        raise TypeError(f"{model.__name__} must be a {kind.__name__}")
    return model


def _snake(wire_name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in wire_name).lstrip("_")


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
