"""The HTTP floors: bare FastAPI on uvicorn with uvloop and httptools, one motor call and orjson a route.

``python -m bench.floors.http --mongo URL [--kafka SERVERS --topic TOPIC] --port PORT``. No middleware, no validation,
no log, the same server options as EPIC's; handlers take the request as it is, which is what costs FastAPI least.

- ``GET /latest/{key}``: one ``find_one``.
- ``GET /list``: ``find`` of the first hundred by key.
- ``PUT /page``: the documents of EPIC's own collection that the body names, in one ``find``.
- ``PUT /document/{key}``: the version that If-Match names becomes the next by one conditional update, which answers the
  new document; then its copy for the history and its event go at once, side by side, and are awaited.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import uvicorn
import uvloop
from fastapi import FastAPI
from pymongo import ReturnDocument
from starlette.requests import Request
from starlette.responses import Response

from bench.raw.kafka import producing
from bench.raw.mongo import Wire, connected

DATABASE: Final = "floor"
_JSON: Final = "application/json"
_PAGE: Final = 100


def reading(database: Any, epic: Any) -> FastAPI:
    """The application with the routes that read."""
    app = FastAPI(openapi_url=None)
    documents = database["documents"]

    @app.get("/ready")
    async def ready(request: Request) -> Response:
        return Response(b"{}", media_type=_JSON)

    @app.get("/latest/{key}")
    async def latest(request: Request) -> Response:
        found = await documents.find_one({"_id": request.path_params["key"]})
        return Response(orjson.dumps(found), media_type=_JSON)

    @app.get("/list")
    async def first_hundred(request: Request) -> Response:
        found = await documents.find({}, sort=[("_id", 1)], limit=_PAGE, batch_size=_PAGE + 1).to_list(None)
        return Response(orjson.dumps({"Items": found}), media_type=_JSON)

    @app.put("/page")
    async def page(request: Request) -> Response:
        keys = orjson.loads(await request.body())
        found = await epic.find({"_id": {"$in": keys}}, batch_size=len(keys) + 1).to_list(None)
        return Response(orjson.dumps({"Items": found}), media_type=_JSON)

    return app


def add_writing(app: FastAPI, database: Any, producer: Any, topic: str) -> None:
    """Adds the route that writes."""
    heads, items = database["heads"], database["items"]

    @app.put("/document/{key}")
    async def change(request: Request) -> Response:
        key, version = request.path_params["key"], int(request.headers["if-match"].strip('"'))
        change = {**orjson.loads(await request.body()), "VersionId": version + 1}
        new: Wire | None = await heads.find_one_and_update(
            {"_id": key, "VersionId": version}, {"$set": change}, return_document=ReturnDocument.AFTER
        )
        if new is None:
            return Response(b"{}", 412, media_type=_JSON)
        body = orjson.dumps(new)
        await asyncio.gather(
            items.insert_one({**new, "_id": f"{key}@{version + 1:010d}"}),
            producer.send_and_wait(topic, body, key.encode(), headers=[("ce_id", f"{key}:{version + 1}".encode())]),
        )
        return Response(body, media_type=_JSON)


@contextlib.asynccontextmanager
async def built(options: argparse.Namespace) -> AsyncIterator[FastAPI]:
    async with connected(options.mongo, DATABASE) as database:
        app = reading(database, database.client["eventplan"]["eventplan.heads"])
        if not options.kafka:
            yield app
            return
        async with producing(options.kafka) as producer:
            add_writing(app, database, producer, options.topic)
            yield app


async def serve(options: argparse.Namespace) -> None:
    async with built(options) as app:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        await uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=options.port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        ).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description="The HTTP floors.")
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--kafka")
    parser.add_argument("--topic")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
