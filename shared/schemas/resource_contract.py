"""The contract of a versioned resource, and what follows from it: snapshot and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import Field, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from shared.errors import BadInput, FieldError
from shared.schemas.base import CommandBody, Id, JoinedKey, RestoreVersion, Snapshot, WireModel, check_id, wire_names
from shared.schemas.merge_patch import MergePatch

B = TypeVar("B", bound=WireModel)
M = TypeVar("M", bound=WireModel)
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

    A member of the key that has a default may be left out. The key's parts are joined by ``#``, after ``key_prefix``;
    ``joined_key`` is the member that shows the whole, where there is one. ``managed`` are members of the model that
    only EPIC sets; each has a default. ``consumers`` are the services that read the events, ``topic`` is how the
    events' names begin.

    ``creation``: the members of Create that differ from the document's. Those that the document lacks name what a new
    document is made from, and are not stored; a required one of the document may be left out where that gives it.

    Derived unless given: ``name`` (the model's; given where that would hide a name of Python), ``snapshot`` (the
    document with its version; given where EPIC adds members, or where Python code of another service needs the type),
    ``read`` (the snapshot with what a read shows beside it) and ``commands`` (Create, Update, Delete and Restore).
    ``actions`` are commands beside those.
    """

    model: type[M]
    owner: str
    key: tuple[str, ...]
    joined_key: str | None = None
    managed: tuple[str, ...] = ()
    creation: type[WireModel] | None = None
    consumers: tuple[str, ...] = ()
    events: tuple[str, ...] = ("created", "updated", "deleted")
    extra_events: tuple[ExtraEvent, ...] = ()
    actions: tuple[type[CommandBody], ...] = ()
    partitions: int = 3
    key_text: str = ""
    key_prefix: str = ""
    given_name: str | None = None
    given_snapshot: type[Snapshot] | None = None
    given_read: type[Snapshot] | None = None
    given_commands: tuple[type[CommandBody], ...] | None = None

    def __post_init__(self) -> None:
        for command in (*(self.given_commands or ()), *self.actions):
            command.ignored = self.ignored - wire_names(command)
            if issubclass(command, MergePatch):
                command.document, command.managed = self.model, self.managed

    @cached_property
    def name(self) -> str:
        return self.given_name or self.model.__name__

    @cached_property
    def topic(self) -> str:
        return self.name.lower()

    @property
    def one(self) -> str:
        """The name in a sentence: ``an Event``."""
        return f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name}"

    @property
    def many(self) -> str:
        """The name of several: ``Events``, ``Philosophies``."""
        return f"{self.name[:-1]}ies" if self.name.endswith("y") else f"{self.name}s"

    @cached_property
    def completed(self) -> tuple[str, ...]:
        """The attributes of a document that its creation may leave out where a source gives them."""
        named = {} if self.creation is None else self.creation.model_fields
        return tuple(name for name in named if name in self.model.model_fields)

    @cached_property
    def key_defaults(self) -> Mapping[str, str]:
        """The members of the key that may be left out, with what they are then."""
        fields = self._key_fields.values()
        return {field.alias or "": field.default for field in fields if isinstance(field.default, str)}

    @cached_property
    def key_types(self) -> Mapping[str, Any]:
        """The members of the key that are no ids, with their types, such as a name or a day."""
        return {
            field.alias or "": field.rebuild_annotation()
            for field in self._key_fields.values()
            if field.is_required() and not any(getattr(rule, "func", None) is check_id for rule in field.metadata)
        }

    def type_of(self, member: str) -> Any:
        """The type of a member of the document where it is there, by its wire name; ``A.B`` is B inside A."""
        found: Any = self.model
        for name in member.split("."):
            by_name = {field.alias: field for field in found.model_fields.values()}
            found = by_name[name].rebuild_annotation()
            if get_origin(found) in (Union, UnionType):
                (found,) = (kind for kind in get_args(found) if kind is not NoneType)
        return found

    def key_in(self, values: Mapping[str, Any]) -> str:
        """The key in a document, or in the parts of a key, by wire names."""
        return self.key_prefix + "#".join(values[name] for name in self.key)

    def own(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The members of the model in a state, which the joined key is not."""
        return {name: value for name, value in state.items() if name != self.joined_key}

    def key_of(self, command: CommandBody) -> str:
        """The key of the document that a command is about. BadInput when the command repeats another key."""
        key = self.key_prefix + "#".join(str(getattr(command, attribute)) for attribute in self._key_fields)
        self.check_joined_key(command, key)
        return key

    def check_joined_key(self, command: CommandBody, key: str) -> None:
        """BadInput when a request repeats the whole key and it is not that of its parts."""
        if getattr(command, "joined_key", None) not in (None, key):
            error = FieldError(f"/{self.joined_key}", f"must equal {key}; correct it or leave it out")
            raise BadInput("the body's id is not that of its parts", [error], slug="key-mismatch")

    @cached_property
    def snapshot(self) -> type[Snapshot]:
        """The data of every event: the document with its version."""
        if self.given_snapshot is not None:
            return self.given_snapshot
        verbs = ",".join((*self.events, *(event.verb for event in self.extra_events)))
        fields = {"joined_key": (JoinedKey, Field(alias=self.joined_key))} if self.joined_key else {}
        return self._made(Snapshot, f"{self.name}Snapshot", f"``{self.topic}.{{{verbs}}}``.", fields, whole=True)

    @property
    def read(self) -> type[Snapshot]:
        """What a read answers."""
        return self.given_read or self.snapshot

    @cached_property
    def body(self) -> type[M]:
        """What a caller may give of a new document."""
        hidden = self._hidden_fields()
        if not hidden and self.creation is None:
            return self.model
        return self._made(self.model, self.name, self.model.__doc__, hidden, first=self.creation)

    @cached_property
    def create(self) -> type[CommandBody]:
        """The command that makes a document."""
        fields = self._hidden_fields() | self._joined_key_field()
        return self._made(CommandBody, f"Create{self.name}", None, fields, whole=True, first=self.creation)

    @cached_property
    def update(self) -> type[MergePatch]:
        """The command that changes a document by a merge patch."""
        fields = self._id_fields() | self._joined_key_field()
        made = self._made(MergePatch, f"Update{self.name}", f"A merge patch of {self.one}.", fields)
        made.document, made.managed = self.model, self.managed
        return made

    @cached_property
    def delete(self) -> type[CommandBody]:
        """The command that deletes a document."""
        fields = self._id_fields() | self._joined_key_field()
        return self._made(CommandBody, f"Delete{self.name}", f"Deletes {self.one}; its history stays.", fields)

    @cached_property
    def restore(self) -> type[RestoreVersion]:
        """The command that makes a document what a former version of it is."""
        fields = self._id_fields() | self._joined_key_field()
        doc = f"Makes {self.one} what a former version is, by the rules of a change."
        made = self._made(RestoreVersion, f"Restore{self.name}", doc, fields)
        made.ignored = self.ignored - {"VersionId"}
        return made

    @property
    def commands(self) -> tuple[type[CommandBody], ...]:
        """Every command about the resource."""
        own = (
            (self.create, self.update, self.delete, self.restore)
            if self.given_commands is None
            else self.given_commands
        )
        return (*own, *self.actions)

    @cached_property
    def settable(self) -> frozenset[str]:
        """The members that a person may set, beside the key."""
        return wire_names(self.body) - {self.model.model_fields[name].alias for name in self.managed} - {*self.key}

    @cached_property
    def ignored(self) -> frozenset[str]:
        """The members that only EPIC sets, so that a request may hold whatever a read has shown."""
        given = wire_names(self.model) - {self.model.model_fields[name].alias for name in self.managed}
        return wire_names(self.read) - given - {self.joined_key, "AuditMetadata"}

    def _made(
        self,
        kind: type[B],
        name: str,
        doc: str | None,
        fields: Mapping[str, Any],
        *,
        whole: bool = False,
        first: type[WireModel] | None = None,
    ) -> type[B]:
        """A model of a kind, with these members and, if ``whole``, those of the document; ``first`` wins over both."""
        bases: tuple[type[WireModel], ...] = (self.model, kind) if whole else (kind,)
        if first is not None:
            bases = (first, *bases)
        module = self.model.__module__
        made = _of_kind(kind, create_model(name, __base__=bases, __module__=module, __doc__=doc, **fields))
        if issubclass(made, CommandBody):
            made.ignored = self.ignored
        return made

    @cached_property
    def _key_fields(self) -> Mapping[str, FieldInfo]:
        """The fields of the model that make the key, by attribute."""
        by_alias = {field.alias: (attribute, field) for attribute, field in self.model.model_fields.items()}
        return dict(by_alias[name] for name in self.key)

    def _id_fields(self) -> dict[str, Any]:
        """The parts of the key; one that EPIC assigns on creation is required afterwards."""
        return {
            attribute: (Id, ...) if field.default is None else (field.rebuild_annotation(), field)
            for attribute, field in self._key_fields.items()
        }

    def _joined_key_field(self) -> dict[str, Any]:
        """The whole key as a request may repeat it."""
        return {"joined_key": (_Unlisted[str | None], Field(None, alias=self.joined_key))} if self.joined_key else {}

    def _hidden_fields(self) -> dict[str, Any]:
        """The managed members, left out of the schema of what a caller may give."""
        fields = {name: self.model.model_fields[name] for name in self.managed}
        return {name: (_Unlisted[field.annotation], field.default) for name, field in fields.items()}


def _of_kind(kind: type[B], model: type[Any]) -> type[B]:
    if not issubclass(model, kind):
        raise TypeError(f"{model.__name__} must be a {kind.__name__}")
    return model
