"""When all is quiet: nothing waits to be published, every group has taken in everything, every run has ended."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pymysql
from sqlalchemy import make_url

from shared.documents.mongo.codec import decode_state
from shared.schemas.topics import SERVICES
from tests.faults.doors import Stuck
from tests.faults.from_servers import open_intents
from tests.faults.picture import Picture
from tests.faults.topics import Topics

_SOON = timedelta(seconds=8)


def unfinished(picture: Picture, *, mails_too: bool = False) -> list[str]:
    """What a picture shows that is still to be done by somebody."""
    found = list(picture.waiting)
    found += [f"run {run['RunId']} is Running" for run in picture.table("hotw_run") if run["RunStatus"] == "Running"]
    events = picture.replicas.get(("hotw_svc", "event"), {})
    for row in picture.table("hotw_dashboard"):
        if row["EventVersionId"] < events.get(row["EventId"], 0):
            found.append(f"the book of {row['FleetId']} is of an older {row['EventId']}")
        if str(row["DueAt"]).startswith("1971"):  # a changed fleet or service made it due
            found.append(f"the book of {row['FleetId']} for {row['EventId']} is not settled")
    for key, stored in picture.of("notify_svc", "notification").items():
        if _is_to_be_sent(stored.head.state, mails_too=mails_too):
            found.append(f"the mail {key} waits")
    return found


def _is_to_be_sent(notification: dict[str, Any], *, mails_too: bool) -> bool:
    """Whether a mail goes now or within a look or two, or is just being handed over; not one put off for longer."""
    if notification["Status"] != "Pending":
        return False
    due = notification.get("_NextAttempt")
    if mails_too or due is None:
        return True
    left = datetime.fromisoformat(due) - datetime.now(UTC)
    return left < _SOON


class Quiet:
    """Looks at the stores and the broker until two looks in a row find the same ends and nothing to be done.

    Who has taken a record in has written what follows from it before it commits; so at rest, with no lag and no
    outbox, nothing more comes but by the clock.
    """

    def __init__(self, topics: Topics, groups: dict[str, tuple[str, ...]], mongo_url: str, mysql_url: str) -> None:
        self._topics = topics
        self._groups = groups
        self._mongo: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongo_url, serverSelectionTimeoutMS=2000)
        self._mysql = make_url(mysql_url)
        self._mails_too = False
        self._ends: Any = None

    def close(self) -> None:
        self._mongo.close()

    async def wait(self, seconds: float = 400, *, mails_too: bool = False) -> float:
        """How long it took; Stuck, saying what still moved, when it does not come to rest.

        ``mails_too``: also those that are put off, to be gathered or until a lease is over (half a minute, or two).
        """
        self._mails_too = mails_too
        began = time.monotonic()
        self._ends = None
        while True:
            waiting, ends = await self._look()
            if not waiting and ends == self._ends:
                return time.monotonic() - began
            self._ends = ends if not waiting else None
            if time.monotonic() - began > seconds:
                raise Stuck(f"not quiet after {seconds:.0f} s: {'; '.join(waiting[:20])}")
            await asyncio.sleep(0.1)

    async def lasts(self) -> bool:
        """Whether nothing moved since the last wait: no mail that was put off has gone."""
        waiting, ends = await self._look()
        return not waiting and ends == self._ends

    async def _look(self) -> tuple[list[str], Any]:
        ends, lags = await self._topics.behind(self._groups)
        waiting = [f"{group} is {lag} behind" for group, lag in lags.items() if lag]
        if not waiting:
            try:
                waiting = await asyncio.to_thread(self._unfinished)
            except (pymongo.errors.PyMongoError, pymysql.Error, OSError) as error:
                waiting = [repr(error)]
        return waiting, ends

    def _unfinished(self) -> list[str]:
        found = []
        for service in SERVICES:
            if service == "hotw_svc":
                continue
            database = self._mongo[service.removesuffix("_svc")]
            names = database.list_collection_names()
            heads = [name for name in names if name.endswith(".heads")]
            if not heads or "intents" not in names:
                found.append(f"{service} has no collections yet")
            for name in heads:
                for form in database[name].find({"Outbox.0": {"$exists": True}}, {"_id": 1}).limit(3):
                    found.append(f"{service} {name} {form['_id']} waits in its outbox")
            found += [f"{service} has an intent" for _ in open_intents(database)]
        return found + self._mails() + self._rows()

    def _mails(self) -> list[str]:
        waiting = self._mongo["notify"]["notification.heads"].find({"Item.State.Status": "Pending"})
        return [
            f"the mail {form['_id']} waits"
            for form in waiting
            if _is_to_be_sent(decode_state(form["Item"]), mails_too=self._mails_too)
        ]

    def _rows(self) -> list[str]:
        url, found = self._mysql, []
        connection = pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.username,
            password=str(url.password),
            database=url.database,
            autocommit=True,
            connect_timeout=3,
        )
        with connection, connection.cursor() as cursor:
            for what, statement in _WAITING.items():
                cursor.execute(statement)
                count = cursor.fetchone()[0]
                if count:
                    found.append(f"{count} {what}")
        return found


_WAITING = {
    "rows in HOTW's outbox": "SELECT COUNT(*) FROM outbox",
    "runs Running": "SELECT COUNT(*) FROM hotw_run WHERE RunStatus = 'Running'",
    "books that a fleet or service made due": "SELECT COUNT(*) FROM hotw_dashboard WHERE DueAt < '1972-01-01'",
    "books of an older event": (
        "SELECT COUNT(*) FROM hotw_dashboard d JOIN event_index i ON i.EventIndexId = d.EventIndexId "
        "JOIN read_model_event e ON e.`Key` = i.EventId WHERE d.EventVersionId < e.VersionId"
    ),
}
