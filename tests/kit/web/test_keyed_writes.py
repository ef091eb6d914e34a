"""What makes two HTTP writes the same request: user, path and key, and beside them method, body and conditions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.cause import Cause
from shared.durability.idempotency import is_final
from shared.errors import Refused, UnderWay
from shared.web import Routes, json_response, read_write
from tests.support.clock import FixedClock
from tests.support.http import app_of, calling

BODY = '{"A": 1, "B": {"C": [1, 2], "D": "x"}}'


@pytest.fixture
def causes() -> list[Cause]:
    return []


@pytest.fixture
async def http(causes: list[Cause]) -> AsyncIterator[httpx.AsyncClient]:
    async def keep(request: Request) -> Response:
        causes.append(read_write(request, FixedClock("2024-06-15T09:00:00Z"))[1])
        return json_response({})

    routes = Routes("test")
    for method in ("PUT", "POST", "DELETE"):
        routes.add(method, "/thing/{Id}", keep, action="test.write", summary="Keep the cause")
    async with calling(app_of(routes)) as client:
        yield client


async def put(http: httpx.AsyncClient, body: str, path: str = "/thing/a", **headers: str) -> None:
    sent = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    assert (await http.put(path, content=body, headers=sent)).status_code == 200


@pytest.mark.parametrize("one", ["10.0", "1e1", "1.0E+1", "10.00000000000000000000"])
async def test_how_a_number_is_written_makes_no_other_request_3_35(
    http: httpx.AsyncClient, causes: list[Cause], one: str
) -> None:
    await put(http, '{"A": 10, "B": 1.5}')
    await put(http, f'{{"A": {one}, "B": 1.50}}')

    assert causes[0].digest == causes[1].digest


async def test_another_method_is_another_request_under_the_same_id_3_34_3_40(
    http: httpx.AsyncClient, causes: list[Cause]
) -> None:
    for method in ("PUT", "POST", "DELETE"):
        assert (await http.request(method, "/thing/a", headers={"Idempotency-Key": "k"}, json={})).status_code == 200

    assert len({cause.id for cause in causes}) == 1
    assert len({cause.digest for cause in causes}) == 3


async def test_each_line_of_a_condition_counts_3_35(http: httpx.AsyncClient, causes: list[Cause]) -> None:
    conditions: list[list[tuple[str, str]]] = [
        [],
        [("If-Match", '"1"')],
        [("If-Match", '"1"'), ("If-Match", '"2"')],
        [("If-Match", '"1"'), ("If-Match", '"3"')],
        [("If-None-Match", '"1"')],
        [("If-None-Match", "*")],
        [("If-Match", '"1"'), ("If-None-Match", '"2"')],
    ]
    for condition in conditions:
        headers = [("Idempotency-Key", "k"), *condition]
        assert (await http.put("/thing/a", headers=headers, json={})).status_code == 200

    assert len({cause.digest for cause in causes}) == len(conditions)


async def test_the_order_of_members_makes_no_other_request_3_35a(http: httpx.AsyncClient, causes: list[Cause]) -> None:
    await put(http, BODY)
    await put(http, '{"B":{"D":"x","C":[1,2]},"A":1}')

    assert causes[0].digest == causes[1].digest


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"A": 1, "B": {"C": [2, 1], "D": "x"}}', {}),
        ('{"A": 1.000000000000000001, "B": {"C": [1, 2], "D": "x"}}', {}),
        (BODY, {"If_Match": '"3"'}),
    ],
)
async def test_another_value_or_if_match_is_another_request_3_35(
    http: httpx.AsyncClient, causes: list[Cause], body: str, headers: dict[str, str]
) -> None:
    await put(http, BODY)
    await put(http, body, **headers)

    assert causes[0].id == causes[1].id
    assert causes[0].digest != causes[1].digest


async def test_a_write_s_record_is_kept_by_user_path_and_key_3_34(http: httpx.AsyncClient, causes: list[Cause]) -> None:
    await put(http, BODY)
    await put(http, BODY, X_Epic_User="ann")
    await put(http, BODY, path="/thing/b")
    await put(http, BODY, Idempotency_Key="other")

    assert len({cause.id for cause in causes}) == 4


async def test_a_write_that_is_under_way_is_409_with_retry_after_and_not_kept_3_41_3_42() -> None:
    kept: list[Refused] = []

    async def keep(cause: Cause, refusal: Refused) -> None:
        if is_final(refusal):
            kept.append(refusal)

    async def work(request: Request) -> Response:
        read_write(request, FixedClock("2024-06-15T09:00:00Z"))
        raise UnderWay("the same request is being worked on")

    routes = Routes("test")
    routes.add("PUT", "/thing/{Id}", work, action="test.write", summary="Still under way")
    async with calling(app_of(routes, keep_refusal=keep)) as client:
        answer = await client.put("/thing/a", json={}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert kept == []
