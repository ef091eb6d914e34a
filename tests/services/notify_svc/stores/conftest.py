"""Replicas of notify_svc on both stores, and a real SMTP server."""

from __future__ import annotations

import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from services.notify_svc.adapters.mailbox import SmtpMailbox
from services.notify_svc.app.send_mails import Mailbox
from tests.support.notify import SMTP_TIMEOUT, BoundController, Post, Replicas
from tests.support.servers import HOST


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.docker)])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    if request.param == "sqlite":
        on_store = Replicas(tmp_path / "notify.db", "")
    else:
        on_store = Replicas(request.getfixturevalue("mongo_url"), f"notify_{uuid.uuid4().hex[:8]}")
    yield on_store
    for store in {id(replica.store): replica.store for replica in on_store.all}.values():
        await store.stop()
    if isinstance(on_store.place, str):
        with pymongo.MongoClient[dict[str, Any]](on_store.place) as client:
            for collection in client[on_store.database].list_collection_names():
                client[on_store.database].drop_collection(collection)


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    with socket.create_server((HOST, 0)) as bound:
        controller = BoundController(post, bound)
        post.url = f"smtp://{HOST}:{controller.port}"
        controller.start()
        yield post
        controller.stop()


@pytest.fixture
def smtp(post: Post) -> Callable[[], Mailbox]:
    return lambda: SmtpMailbox(post.url, "epic@example.com", timeout=SMTP_TIMEOUT)
