"""The picture of a real stack: read from MongoDB by pymongo and from MySQL by pymysql."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pymongo
import pymysql
from pymysql.cursors import DictCursor
from sqlalchemy import make_url

from shared.documents.mongo.codec import decode_state
from shared.schemas.topics import SERVICES
from tests.faults.hotw_rows import letter_of, take_rows
from tests.faults.picture import TREND, Picture, Row, Stored, Version, canonical

_HEADS = ".heads"
_KIT = {"idempotency_records", "intents"}
"""Collections that every service has from its start: one with another name would read as empty."""

_FOLLOWERS = {"eventplan_svc", "notify_svc"}


def picture_of_servers(mongo_url: str, mysql_url: str) -> Picture:
    """Everything both servers hold of EPIC; the topics are another reader's."""
    picture = Picture()
    client: pymongo.MongoClient[Row] = pymongo.MongoClient(mongo_url, serverSelectionTimeoutMS=60_000)
    with client:
        for service in SERVICES:
            if service != "hotw_svc":
                _take_documents(picture, service, client[service.removesuffix("_svc")])
    _take_mysql(picture, mysql_url)
    return picture


def _take_documents(picture: Picture, service: str, database: Any) -> None:
    names = set(database.list_collection_names())
    if not names >= _KIT:
        raise AssertionError(f"{service} has no {sorted(_KIT - names)}: what is read here has another name now")
    if service in _FOLLOWERS and not any(name.startswith("read_model.") for name in names):
        raise AssertionError(f"{service} has no read models: what is read here has another name now")
    for name in sorted(names):
        if name.startswith("read_model."):
            held = {form["_id"]: form["Version"] for form in database[name].find({}, {"Version": 1})}
            picture.replicas[service, name.removeprefix("read_model.")] = held
            if name == TREND:
                picture.trend = {form["_id"]: decode_state(form)["ByColour"] for form in database[name].find({})}
        elif name.endswith(_HEADS):
            _take_resource(picture, service, name.removesuffix(_HEADS), database)
    for form in open_intents(database):
        picture.waiting.append(f"{service} intent of {len(form['Keys'])}")
    picture.letters += [letter_of(service, form["Letter"]) for form in database["dead_letters"].find({})]


def open_intents(database: Any) -> Iterable[Row]:
    """Those that are not only kept to be looked at once more, later."""
    return database["intents"].find({"$or": [{"Complete": {"$exists": False}}, {"Since": {"$lte": datetime.now(UTC)}}]})


def _take_resource(picture: Picture, service: str, name: str, database: Any) -> None:
    documents = picture.documents.setdefault((service, name), {})
    for form in database[f"{name}{_HEADS}"].find({}):
        side = decode_state(form["Side"]) if form.get("Side") else {}
        documents[form["_id"]] = Stored(_version(form["Item"]), form["LatestVersionId"], {}, side)
        open_writes = form["Outbox"] if "Intent" not in form else form.get("Outbox", ())
        picture.waiting += [f"{service} {name} {form['_id']} outbox: {write['Number']}" for write in open_writes]
    for form in database[f"{name}.items"].find({}):
        key, _, number = form["_id"].rpartition("@")
        item = _version(form["Item"])
        if key in documents:
            documents[key].items[int(number)] = item
        else:
            picture.waiting.append(f"{service} {name} {form['_id']} belongs to no document")


def _version(item: Row) -> Version:
    audit = item["AuditMetadata"]
    state, deleted = decode_state(item), item["Deleted"]
    return Version(item["VersionId"], canonical(item), state, deleted, audit["Message"], audit["Timestamp"])


def _take_mysql(picture: Picture, mysql_url: str) -> None:
    url = make_url(mysql_url)
    connection = pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=str(url.password),
        database=url.database,
        cursorclass=DictCursor,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:

        def select(statement: str) -> list[Row]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        take_rows(picture, select)
