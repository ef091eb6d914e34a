"""Read models in a relational store: a table each, with the snapshots as JSON and a column for each declared filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    Table,
    bindparam,
    delete,
    inspect,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from shared.durability.read_model import Snapshot, State, field_of, is_same_state, newest_of_each_key
from shared.relational.bulk import insert_rows, slices
from shared.relational.tables import TABLE_OPTIONS, big_integer, create_missing, long_text, short_text
from shared.relational.transactions import Transactions

_KEY_LENGTH: Final = 400
"""The longest key is a projection's, of three ids of 128 characters."""
_ROWS_AT_ONCE: Final = 1000  # some MB of snapshots


class ReadModelTable:
    """The declaration of a read model, and its statements within the caller's transaction.

    ``filters`` maps each field that is filtered or joined by (``A.B`` is B inside A) to the type of its column:
    ``table.c["A.B"]``. A column is null where the field is absent.

    >>> FLEETS = ReadModelTable("fleet", {"ServiceId": short_text(), "FleetConfiguration.Region": short_text()})
    >>> select(FLEETS.table.c.Key).where(FLEETS.table.c.ServiceId == "X", FLEETS.is_present)
    """

    def __init__(self, name: str, filters: Mapping[str, TypeEngine[Any]] | None = None) -> None:
        self.name = name
        self.filters = {field: field.replace(".", "_") for field in filters or {}}
        self.table = Table(
            f"read_model_{name}",
            MetaData(),
            Column("Key", short_text(_KEY_LENGTH), primary_key=True),
            Column("VersionId", big_integer(), nullable=False),
            Column("Deleted", Boolean, nullable=False),
            Column("State", long_text(), nullable=False),
            *(Column(self.filters[field], type_, key=field, nullable=True) for field, type_ in (filters or {}).items()),
            *(Index(f"read_model_{name}_{column}", field, "Key") for field, column in self.filters.items()),
            **TABLE_OPTIONS,
        )

    @property
    def is_present(self) -> ColumnElement[bool]:
        """The condition that leaves the tombstones out."""
        return self.table.c.Deleted.is_(False)

    async def put(self, connection: AsyncConnection, snapshots: Sequence[Snapshot]) -> set[str]:
        """See ``ReadModel.put``. A race for a new key fails on it; the transaction is then to be tried again."""
        table, newest = self.table, newest_of_each_key(snapshots)
        stored: dict[str, int] = {}
        for keys in slices(sorted(newest)):
            versions = select(table.c.Key, table.c.VersionId).where(table.c.Key.in_(keys)).with_for_update()
            stored.update((row.Key, row.VersionId) for row in await connection.execute(versions))
        newer = [key for key in sorted(newest) if newest[key][0] > stored.get(key, 0)]
        for keys in slices([key for key in newer if key in stored]):
            await connection.execute(delete(table).where(table.c.Key.in_(keys)))
        await insert_rows(connection, table, [self._row(key, *newest[key]) for key in newer])
        again = [key for key, version in stored.items() if version == newest[key][0]]
        states = await self.rows(connection, again) if again else {}
        return {*newer, *(key for key in again if is_same_state(orjson.loads(states[key].State), newest[key][1]))}

    async def rows(self, connection: AsyncConnection, keys: Iterable[str]) -> dict[str, Any]:
        """The rows of those keys that there are, tombstones too."""
        found: dict[str, Any] = {}
        for some in slices(list(dict.fromkeys(keys))):
            rows = await connection.execute(select(self.table).where(self.table.c.Key.in_(some)))
            found.update((row.Key, row) for row in rows)
        return found

    def bring_up_to_date(self, connection: Connection) -> None:
        """Creates the table, or the columns of filters that were declared since, filled from the stored snapshots."""
        table = self.table
        if inspect(connection).has_table(table.name):
            present = {column["name"] for column in inspect(connection).get_columns(table.name)}
            missing = [column for column in table.columns if column.name not in present]
            operations = Operations(MigrationContext.configure(connection))
            for column in missing:
                operations.add_column(table.name, Column(column.name, column.type, nullable=True))
            if missing:
                self._fill_filters(connection)
        create_missing(connection, table.metadata)

    def _fill_filters(self, connection: Connection) -> None:
        table, after = self.table, ""
        page = select(table.c.Key, table.c.State).where(table.c.Key > bindparam("after")).order_by(table.c.Key)
        fill = update(table).where(table.c.Key == bindparam("its_key"))
        fill = fill.values({table.c[field]: bindparam(f"its_{column}") for field, column in self.filters.items()})
        while rows := connection.execute(page.limit(_ROWS_AT_ONCE), {"after": after}).all():
            after = rows[-1].Key
            filters = [(row.Key, self._filtered(orjson.loads(row.State))) for row in rows]
            its = [{"its_key": key} | {f"its_{name}": value for name, value in found.items()} for key, found in filters]
            connection.execute(fill, its)

    def _row(self, key: str, version: int, state: State) -> dict[str, Any]:
        text = orjson.dumps(state).decode()
        deleted = state.get("Deleted") is True
        return {"Key": key, "VersionId": version, "Deleted": deleted, "State": text, **self._filtered(state)}

    def _filtered(self, state: State) -> dict[str, Any]:
        """The values of the filters' columns, by the columns' names."""
        return {column: field_of(state, field) for field, column in self.filters.items()}


@dataclass(frozen=True, slots=True)
class RelationalReadModel:
    """See ``ReadModel``. Each call is a transaction by itself."""

    declared: ReadModelTable
    database: Transactions

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        return await self.database.transact(lambda connection: self.declared.put(connection, snapshots))

    async def get(self, key: str) -> State | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        async with self.database.read() as connection:
            rows = await self.declared.rows(connection, keys)
        return {key: orjson.loads(row.State) for key, row in rows.items() if not row.Deleted}

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, after: str = "", page: int = 1000
    ) -> AsyncIterator[Sequence[State]]:
        table, equal = self.declared.table, where or {}
        unknown = equal.keys() - self.declared.filters
        if unknown:
            raise ValueError(f"not declared as filters: {', '.join(sorted(unknown))}")
        query = select(table.c.Key, table.c.State).where(self.declared.is_present).order_by(table.c.Key)
        query = query.where(*(table.c[field].is_not_distinct_from(value) for field, value in equal.items()))
        while rows := await self.database.rows(query.where(table.c.Key > after).limit(page)):
            yield [orjson.loads(row.State) for row in rows]
            after = rows[-1].Key
