"""A service with a broken handler, and what becomes of its dead letters once the handler is mended.

Run as a module it is ``epic`` with notify_svc's replica of services broken for some: the code as it was before somebody
mended it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import pymongo

from tests.faults.harness import RealHarness
from tests.support.stacks import Replica
from tests.support.waiting import eventually

BROKEN: Final = "broken"
_SERVICE: Final = "notify_svc"
_GROUP: Final = "notify_svc.services"
_ATTEMPTS: Final = 5


class _Unmended(Replica):
    """A replica of the code as it was."""

    module = "tests.faults.mending"


async def mend_and_replay(harness: RealHarness) -> list[str]:
    """What is wrong: nothing, when the bad records become letters, the good ones go through, and replay mends all."""
    before = {letter["Id"] for letter in await asyncio.to_thread(_stored, harness.stack.servers["mongo"].url)}
    mended = harness.stack.replicas[_SERVICE]
    unmended = [_Unmended(one.arguments, one.environment, one.port, one.log) for one in mended]
    await _swap(harness, mended, unmended)
    names = [f"{BROKEN}-{n}" for n in range(3)] + [f"whole-{n}" for n in range(3)]
    for name in names:
        body = {"ServiceId": name, "ServiceType": "Onboarding", "Owner": "o@example.com"}
        await harness.clients.http.write("POST", "/service", body, name)
    wrong = []
    letters = await _letters(harness, 3, before)
    await harness.at_rest()  # a letter whose record is not committed comes again after a kill
    for letter in letters:
        if letter["Attempts"] != _ATTEMPTS or "not mended" not in letter["Reason"]:
            wrong.append(f"{letter['Id']} after {letter['Attempts']} attempts: {letter['Reason']}")
    status, answer = await _replay(harness, letters[0]["Id"])
    if status != 409 or "not mended" not in str(answer):
        wrong.append(f"a letter was replayed by the broken handler: {status} {answer}")
    await _swap(harness, unmended, mended)
    for letter in letters:
        status, answer = await _replay(harness, letter["Id"])
        if status != 200:
            wrong.append(f"{letter['Id']} was not replayed by the mended handler: {status} {answer}")
    picture = await harness.picture_at_rest()
    wrong += [
        f"{one.id} is a dead letter still" for one in picture.letters if one.group == _GROUP and one.id not in before
    ]
    held = picture.replicas[_SERVICE, "service"]
    return wrong + [f"notify_svc does not hold {name}" for name in names if name not in held]


async def _swap(harness: RealHarness, old: Sequence[Replica], new: Sequence[Replica]) -> None:
    for one in old:
        await asyncio.to_thread(one.kill)
    for one in new:
        one.start()
    harness.stack.replicas[_SERVICE] = list(new)
    await asyncio.gather(*(one.ready() for one in new))


async def _letters(harness: RealHarness, count: int, before: set[str]) -> list[dict[str, Any]]:
    async def new() -> list[dict[str, Any]]:
        stored = await asyncio.to_thread(_stored, harness.stack.servers["mongo"].url)
        return [letter for letter in stored if letter["Id"] not in before]

    return await eventually(new, lambda found: len(found) >= count, f"{count} dead letters of {_GROUP}", seconds=300)


def _stored(mongo_url: str) -> list[dict[str, Any]]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongo_url)
    with client:
        wrong = [json.loads(form["Letter"]) for form in client["notify"]["dead_letters"].find({})]
    return [letter for letter in wrong if letter["Group"] == _GROUP]


async def _replay(harness: RealHarness, letter: str) -> tuple[int, Any]:
    port = harness.stack.replicas[_SERVICE][0].port
    async with harness.clients.http.session.post(f"http://127.0.0.1:{port}/dlq/{letter}/replay") as answer:
        return answer.status, await answer.json()


def _broken() -> None:
    """Breaks the handler, as a fault in the code would."""
    from shared.documents.mongo.read_models import MongoReadModel

    put = MongoReadModel.put

    async def broken(self: MongoReadModel, snapshots: Any) -> set[str]:
        bad = [key for key, _, _ in snapshots if key.startswith(BROKEN)]
        if bad:
            raise KeyError(f"not mended: {bad}")
        return await put(self, snapshots)

    MongoReadModel.put = broken  # type: ignore[method-assign]


if __name__ == "__main__":
    from epic.cli import main

    _broken()
    main()
