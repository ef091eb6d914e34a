"""The declaration of a resource: what a service adds to a contract to make routes, commands and events of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Generic, Literal, TypeVar

from shared.cause import Cause
from shared.resources.among import Among
from shared.resources.listing import Listing
from shared.resources.others import Others
from shared.schemas.base import CommandBody, WireModel
from shared.schemas.resource_contract import ResourceContract

M = TypeVar("M", bound=WireModel)
N = TypeVar("N", bound=WireModel)


@dataclass(frozen=True, kw_only=True)
class Beside(Generic[M, N]):
    """Members of a read that are worked out from another document of the same store as well.

    The key of that document is made of members of the document's own key, and of the defaults of its own contract.
    ``show`` is pure: by the document and the other one (None where there is none) it gives members by wire name. Reads
    of the latest version show them, beside the versioned state; old versions and events do not.
    """

    contract: ResourceContract[N]
    show: Callable[[M, N | None], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Source(Generic[M, N]):
    """Another document of the same store that a creation may name, to be made from it.

    ``attribute``: the attribute of the creation that holds the other document's key. ``complete`` is pure: it gives the
    creation with what it lacks.
    """

    attribute: str
    contract: ResourceContract[N]
    complete: Callable[[M, N], M]


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A member that is too large for the versions: each of its values lies beside them, once.

    ``pack`` and ``unpack`` make bytes of a value and back. ``describe`` gives the members that a version holds in its
    place; those whose name begins with ``_`` are the service's own memory. The read of one version shows the member.
    Lists, batches, the history and events show what describes it.
    """

    member: str
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]
    describe: Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Action(Generic[M]):
    """A further request about a document: ``{method} {path of the document}/{word}``, or its command.

    ``apply`` is pure: by the document, the command and the cause it gives the next document, or raises Refused.
    ``event`` names an event that is published with the new version, beside ``updated``.
    """

    word: str
    method: Literal["PUT", "POST"] = "PUT"
    command: type[CommandBody]
    apply: Callable[[M, Any, Cause], M]
    event: str | None = None
    summary: str


@dataclass(frozen=True, kw_only=True)
class Expiry(Generic[M]):
    """How the clock changes documents. The service asks once a minute.

    ``where``: the values of filters that a document has which may expire; only those are read. ``apply`` is pure: it
    gives the document as the time changes it, None while it stays.
    """

    where: Mapping[str, Any]
    apply: Callable[[M, datetime], M | None]


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[M]):
    """One resource of a service. Its functions are pure and raise Refused to say no.

    ``filters``: the members by which a list can be filtered and sorted (``A.B`` is B inside A; the query parameter is
    ``B``).
    ``sort``: further members by which it can be sorted, ``?Sort=Name`` or ``?Sort=-Name``.
    ``references``: resources of the same store that a document names by their key. Each must exist when the document is
    created, and when an update makes it name another; a member that is absent names nothing.
    ``sources``: documents that a creation may name to be made from.
    ``on_write``: checks and completes a document that a creation, a change or a restoration makes. It gets the document
    before (None: it is new) and after, the documents that this names, and the cause; a write that leaves the document
    as it is does not ask it.
    ``on_restore``: completes a document that was made what a former version is, after all others.
    ``among``: judges every write by all other documents of the resource. Such writes are made one at a time, and each
    reads them all, so this is for resources of some thousands of documents that are seldom written.
    ``implied``: members that a change sets, by their attributes, where the request does not state them; by the document
    before and after it.
    ``assign_key``: the key of a document that is created without one, by a text that is the same when the request is
    repeated.
    ``computed``: members by wire name that a read shows where nobody gave them.
    ``beside``: members that a read shows and that another document is needed for.
    ``apart``: the member that is kept beside the versions.
    ``expiry``: how the clock changes documents.
    ``also_latest``, ``also_history``: further paths of the latest version and of the history.
    ``read_only``: only the service itself writes the documents.
    """

    contract: ResourceContract[M]
    path: str
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    references: tuple[ResourceContract[Any], ...] = ()
    sources: tuple[Source[Any, Any], ...] = ()
    on_write: Callable[[M | None, M, Others, Cause], M] | None = None
    on_restore: Callable[[M, Cause], M] | None = None
    among: Among[M] | None = None
    implied: Callable[[M, M], Mapping[str, Any]] | None = None
    assign_key: Callable[[str], str] | None = None
    computed: Callable[[M], Mapping[str, Any]] | None = None
    beside: Beside[M, Any] | None = None
    apart: Apart | None = None
    expiry: Expiry[M] | None = None
    actions: tuple[Action[M], ...] = ()
    also_latest: tuple[str, ...] = ()
    also_history: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def item_path(self) -> str:
        """The path of one document. A part of the key that has a default comes by the query."""
        defaults = self.contract.key_defaults
        return self.path + "".join(f"/{{{name}}}" for name in self.contract.key if name not in defaults)

    @property
    def listing(self) -> Listing:
        """How its lists are filtered, sorted and paged."""
        return Listing(self.contract, self.filters, self.sort)


def declarations_in(package: str, path: Sequence[str]) -> tuple[Resource[Any], ...]:
    """The declarations in a package's modules, one module each. A new module is found without being named anywhere."""
    modules = [import_module(f"{package}.{info.name}") for info in iter_modules(path)]
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Resource))
