"""The floor of a command: an aiokafka loop that does one conditional update and one send for each record.

``python -m bench.floors.loop --mongo URL --kafka SERVERS --port PORT``. It takes ``floor.commands`` (a JSON object,
the version it is for in ``ce_ifmatch``), makes that version of the document the next by one ``find_one_and_update``,
sends the new document to ``floor.updated``, and commits once a fetch. Partitions go side by side, the records of one
in order. ``GET /ready`` answers once it has its partitions.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from typing import Any, Final

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from pymongo import ReturnDocument

from bench.floors.http import DATABASE
from bench.raw.kafka import producing
from bench.raw.mongo import connected

COMMANDS: Final = "floor.commands"
UPDATED: Final = "floor.updated"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


async def work(documents: Any, producer: Any, consumer: Any) -> None:
    async def one_partition(records: list[Any]) -> None:
        for record in records:
            key, version = record.key.decode(), int(dict(record.headers)["ce_ifmatch"])
            change = {**orjson.loads(record.value), "VersionId": version + 1}
            new = await documents.find_one_and_update(
                {"_id": key, "VersionId": version}, {"$set": change}, return_document=ReturnDocument.AFTER
            )
            if new is not None:
                await producer.send_and_wait(UPDATED, orjson.dumps(new), record.key, headers=list(record.headers))

    while True:
        fetched = await consumer.getmany(timeout_ms=60_000)
        if fetched:
            await asyncio.gather(*(one_partition(records) for records in fetched.values()))
            await consumer.commit()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()


async def serve(options: argparse.Namespace) -> None:
    consumer = AIOKafkaConsumer(
        COMMANDS,
        bootstrap_servers=options.kafka,
        group_id="floor",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with connected(options.mongo, DATABASE) as database, producing(options.kafka) as producer:
        await consumer.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        server = await asyncio.start_server(answer, "127.0.0.1", options.port)
        try:
            await work(database["documents"], producer, consumer)
        finally:
            server.close()
            await consumer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="The floor of a command.")
    for name in ("--mongo", "--kafka"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
