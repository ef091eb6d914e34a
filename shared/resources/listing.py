"""How a list of documents is filtered, sorted and paged by its query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema
from pydantic_core import to_jsonable_python

from shared.documents import Document, Documents, Place
from shared.errors import BadInput, FieldError
from shared.schemas.resource_contract import ResourceContract
from shared.web import PAGING, Parameter, bad_cursor, page_of

_WHOLE_NUMBERS: Final = range(-(2**63), 2**63)  # as both stores hold them


class Listing:
    """The lists of one resource. ``filters`` and ``sort`` are members of its documents, ``A.B`` is B inside A.

    A query parameter is named like the last part of its member. ``Sort`` takes the members of both, so each has an
    index in the store.
    """

    def __init__(self, contract: ResourceContract[Any], filters: Sequence[str], sort: Sequence[str] = ()) -> None:
        self.members: Mapping[str, str] = {_name(member): member for member in filters}
        self.sort: Mapping[str, str] = {_name(member): member for member in (*filters, *sort)}
        self.fields = tuple(self.sort.values())
        self.parameters: tuple[Parameter, ...] = (
            *(
                Parameter(name, f"Only those with this {name}.", of=contract.type_of(member))
                for name, member in self.members.items()
            ),
            *sort_parameter(self.sort),
            *PAGING,
        )

    async def page(self, documents: Documents, query: Mapping[str, Any]) -> tuple[list[Document], Any]:
        """The documents that a checked query asks for, and the place to continue after (None: it is the end).

        BadInput names Sort, and a Cursor of another order.
        """
        where = {member: to_jsonable_python(query[name]) for name, member in self.members.items() if name in query}
        if "Sort" not in query:
            page = page_of(query, str)
            found = await documents.list(where, after=page.after, limit=page.limit)
            return found.items, found.next_after
        sort = query["Sort"]
        name, descending = sort_of(sort, self.sort)
        page = page_of(query, list)
        after = None if page.after is None else _place_in(page.after, sort)
        sorted_ = await documents.list_sorted(
            self.sort[name], where, descending=descending, after=after, limit=page.limit
        )
        return sorted_.items, None if sorted_.next_after is None else (sort, *sorted_.next_after)


def _name(member: str) -> str:
    return member.rpartition(".")[2]


def _place_in(after: Sequence[Any], sort: str) -> Place:
    """The place in a cursor, which belongs to one order."""
    match after:
        case [str() as of, (None | str() | bool() | int() | float()) as value, str() as key] if of == sort:
            if not isinstance(value, int) or value in _WHOLE_NUMBERS:
                return Place(value, key)
    raise bad_cursor()


def sort_of(sort: str, names: Collection[str]) -> tuple[str, bool]:
    """The name that ``?Sort=`` asks for, and whether the last comes first. BadInput for any other name."""
    name = sort.removeprefix("-")
    if name not in names:
        detail = f"give one of {', '.join(names)}, with - before it for the last first"
        raise BadInput("the list cannot be sorted so", [FieldError("/Sort", detail)])
    return name, sort.startswith("-")


def sort_parameter(names: Iterable[str]) -> list[Parameter]:
    """The parameter of a list that can be sorted by these; none where there are none."""
    both = [name for one in names for name in (one, f"-{one}")]
    by_name = Annotated[str, WithJsonSchema({"type": "string", "enum": both})]
    return [Parameter("Sort", "Sorted by this member; in reverse with - before it.", of=by_name)] if names else []
