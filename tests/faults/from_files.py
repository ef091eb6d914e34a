"""The picture of an embedded EPIC that is not running: read from the SQLite files and the log of its folder."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from shared.embedded import EmbeddedTransport
from shared.messaging.transport import follow_records
from shared.schemas.topics import SERVICES, TOPICS
from tests.faults.hotw_rows import letter_of, take_rows
from tests.faults.picture import TREND, Picture, PublishedRecord, Row, Stored, Version, canonical
from tests.faults.topics import published_record

_HEADS = ".heads"


def picture_of_files(folder: Path) -> Picture:
    """Everything the files of a data folder hold but the log."""
    picture = Picture()
    for service in SERVICES:
        file = folder / f"{service.removesuffix('_svc')}.db"
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one state of the file, whoever writes into it meanwhile

        def select(statement: str, on: sqlite3.Connection = connection) -> list[Row]:
            return [dict(row) for row in on.execute(statement)]

        try:
            if service == "hotw_svc":
                take_rows(picture, select)
            else:
                _take_documents(picture, service, connection)
        finally:
            connection.close()
    return picture


async def published_in_folder(folder: Path) -> list[PublishedRecord]:
    """Every record of every topic of the folder's log; nobody else may have it open."""
    transport = EmbeddedTransport(folder)
    await transport.start()
    try:
        published: list[PublishedRecord] = []
        for topic in TOPICS:
            records = follow_records(transport, topic, to_end=True)
            published += [published_record(record) async for record in records]
        return published
    finally:
        await transport.stop()


def _take_documents(picture: Picture, service: str, connection: sqlite3.Connection) -> None:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        if table.startswith("read_model."):
            held = dict(tuple(row) for row in connection.execute(f'SELECT key, version FROM "{table}"'))
            picture.replicas[service, table.removeprefix("read_model.")] = held
            if table == TREND:
                rows = connection.execute(f'SELECT key, state FROM "{table}"')
                picture.trend = {key: json.loads(state)["ByColour"] for key, state in rows}
        elif table.endswith(_HEADS):
            name = table.removesuffix(_HEADS)
            documents = {
                row["key"]: Stored(_version(row), row["version"], {}, json.loads(row["side"]))
                for row in connection.execute(f'SELECT * FROM "{table}"')
            }
            for row in connection.execute(f'SELECT * FROM "{name}.items"'):
                documents[row["key"]].items[row["version"]] = _version(row)
            picture.documents[service, name] = documents
    outbox = connection.execute("SELECT resource, key, version FROM outbox")
    picture.waiting += [f"{service} {row['resource']} {row['key']} outbox: {row['version']}" for row in outbox]
    letters = connection.execute("SELECT letter FROM dead_letters")
    picture.letters += [letter_of(service, row["letter"]) for row in letters]


def _version(row: sqlite3.Row) -> Version:
    state = json.loads(row["state"])
    stored = {name: row[name] for name in row.keys() if name not in ("side", "state")}  # noqa: SIM118 sqlite3.Row
    return Version(
        row["version"], canonical([stored, state]), state, bool(row["deleted"]), row["message"], row["changed"]
    )
