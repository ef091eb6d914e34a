"""Schemas, and the dimensions and custom inputs that they judge."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.support.fleet import BARE, ok
from tests.support.http import pointers

pytestmark = pytest.mark.slow

SCHEMA: dict[str, Any] = {
    "SchemaId": "Marketplace",
    "Name": "TPM by marketplace",
    "Definition": {"properties": {"Key": {"enum": ["US", "CA"]}, "TPM": {"multipleOf": 100, "maximum": 50_000}}},
    "AppliesTo": "Dimension",
}
INPUTS: dict[str, Any] = {
    "SchemaId": "Factors",
    "Name": "Factors that are possible",
    "Definition": {"properties": {"CTFactor": {"multipleOf": 0.1}}, "maxProperties": 2},
    "AppliesTo": "CustomInput",
}
DIMENSION: dict[str, Any] = {
    "FleetId": "F1",
    "EventId": "PD",
    "DimensionName": "Marketplace",
    "SchemaId": "Marketplace",
    "Values": [{"Key": "US", "TPM": 40_000}, {"Key": "CA", "TPM": 8_000}],
}
INPUT: dict[str, Any] = {
    "CustomInputId": "I1",
    "EventId": "PD",
    "FleetId": "F1",
    "SchemaId": "Factors",
    "Input": {"CTFactor": 1.1, "PeakTPM": 50_000},
    "Reason": "the partner doubles its campaign",
}
PATH = "/dimension/F1/PD/Marketplace"


@pytest.fixture
async def world(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """With a fleet, and a schema of each kind."""
    await ok(http.post("/fleet", json=BARE))
    await ok(http.post("/schema", json=SCHEMA))
    await ok(http.post("/schema", json=INPUTS))
    return http


async def test_each_value_of_a_dimension_is_judged_by_its_schema(world: httpx.AsyncClient) -> None:
    """4.481, 4.486."""
    values = [{"Key": "US", "TPM": 40_050}, {"Key": "CA", "TPM": 100}, {"Key": "MX", "TPM": 60_000}]
    refused = await world.post("/dimension", json={**DIMENSION, "Values": values})
    assert (refused.status_code, refused.json()["detail"]) == (400, "it does not match Schema Marketplace; see errors")
    assert refused.json()["errors"] == [
        {"pointer": "/Values/0/TPM", "detail": 'must match {"multipleOf":100} of the schema'},
        {"pointer": "/Values/2/Key", "detail": 'must match {"enum":["US","CA"]} of the schema'},
        {"pointer": "/Values/2/TPM", "detail": 'must match {"maximum":50000} of the schema'},
    ]
    await ok(world.post("/dimension", json=DIMENSION))
    again = await world.put(PATH, json={"Values": values[:1]})
    assert (again.status_code, pointers(again)) == (400, ["/Values/0/TPM"])
    assert (await ok(world.get(PATH)))["VersionId"] == 1


async def test_a_dimension_without_a_schema_holds_any_values(world: httpx.AsyncClient) -> None:
    free = {name: value for name, value in DIMENSION.items() if name != "SchemaId"}
    await ok(world.post("/dimension", json={**free, "Values": [{"Key": "anything", "TPM": 7}]}))
    refused = await world.put(PATH, json={"SchemaId": "Marketplace"})
    assert pointers(refused) == ["/Values/0/TPM", "/Values/0/Key"] or pointers(refused) == [
        "/Values/0/Key",
        "/Values/0/TPM",
    ]


async def test_the_input_of_a_custom_input_is_judged_exactly(world: httpx.AsyncClient) -> None:
    """4.482. In floats 1.1 is no multiple of 0.1."""
    await ok(world.post("/custominput", json=INPUT))
    for given, pointer in (
        ({"CTFactor": 1.15}, "/Input/CTFactor"),
        ({"BufferFactor": "1.2"}, "/Input"),
    ):
        refused = await world.put("/custominput/I1", json={"Input": given})
        assert (refused.status_code, pointers(refused)) == (400, [pointer])
    await ok(world.put("/custominput/I1", json={"Input": {"CTFactor": "1.3"}}))


async def test_a_schema_is_named_by_what_it_applies_to(world: httpx.AsyncClient) -> None:
    """4.480b."""
    for path, body, other in (("/dimension", DIMENSION, "Factors"), ("/custominput", INPUT, "Marketplace")):
        refused = await world.post(path, json={**body, "SchemaId": other})
        assert (refused.status_code, pointers(refused)) == (400, ["/SchemaId"])
        unknown = await world.post(path, json={**body, "SchemaId": "None"})
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no Schema None; create it first")
        nowhere = await world.post(path, json={**body, "FleetId": "F0"})
        assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "there is no Fleet F0; create it first")


async def test_a_changed_schema_leaves_what_is_there_and_the_next_write_must_match(world: httpx.AsyncClient) -> None:
    made = await ok(world.post("/dimension", json=DIMENSION))
    await ok(world.put("/schema/Marketplace", json={"Definition": {"properties": {"TPM": {"maximum": 30_000}}}}))
    read = await ok(world.get(PATH))
    assert (read["Values"], read["VersionId"]) == (DIMENSION["Values"], 1)
    assert (await ok(world.put(PATH, json=made)))["VersionId"] == 1, "what changes nothing is no write"

    for change, bad in (
        ({"Values": [{"Key": "US", "TPM": 31_000}]}, ["/Values/0/TPM"]),
        ({"Values": [*DIMENSION["Values"], {"Key": "CA", "TPM": 100}]}, ["/Values/0/TPM"]),
    ):
        refused = await world.put(PATH, json=change)
        assert (refused.status_code, pointers(refused)) == (400, bad)
    assert (await ok(world.put(PATH, json={"Values": [{"Key": "US", "TPM": 30_000}]})))["VersionId"] == 2


async def test_what_names_a_deleted_schema_stays_until_it_is_written_again(world: httpx.AsyncClient) -> None:
    await ok(world.post("/dimension", json=DIMENSION))
    await ok(world.delete("/schema/Marketplace"))
    assert (await ok(world.get(PATH)))["SchemaId"] == "Marketplace"
    change = {"Values": [{"Key": "US", "TPM": 100}]}
    refused = await world.put(PATH, json=change)
    assert (refused.status_code, pointers(refused)) == (400, ["/SchemaId"])
    assert "SchemaId" not in await ok(world.put(PATH, json={**change, "SchemaId": None}))


async def test_racing_writers_of_a_schema_and_a_dimension_leave_a_match(world: httpx.AsyncClient) -> None:
    """Whichever schema a writer names, it is judged by that one."""
    narrow = {**SCHEMA, "SchemaId": "Narrow", "Definition": {"properties": {"TPM": {"maximum": 10}}}}
    await ok(world.post("/schema", json=narrow))
    for _ in range(10):
        await world.delete(PATH)
        await ok(world.post("/dimension", json={**DIMENSION, "Values": [{"Key": "US", "TPM": 0}]}))
        answers = await asyncio.gather(
            world.put(PATH, json={"SchemaId": "Narrow"}),
            world.put(PATH, json={"Values": [{"Key": "US", "TPM": 40_000}]}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400]


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        ({"Input": {"PeakTPM": 1}}, ["/Input/PeakTPM"]),
        ({"Input": {"CTFactor": 1.5, "HostThroughPutTPM": 250}}, ["/Input/HostThroughPutTPM"]),
        ({"Input": {"CTFactor": 1.5, "Hosts": 1}}, ["/Input/Hosts"]),
        ({"Input": {}, "Reason": None}, ["/Reason"]),
        ({"Input": {"CTFactor": "1.2345678"}}, ["/Input/CTFactor"]),
    ],
)
async def test_an_input_for_all_fleets_holds_only_factors(
    world: httpx.AsyncClient, body: dict[str, Any], bad: list[str]
) -> None:
    """4.551."""
    for_all = {"CustomInputId": "I2", "EventId": "PD", "Reason": "r"}
    refused = await world.post("/custominput", json={**for_all, **body})
    assert (refused.status_code, pointers(refused)) == (400, bad)
    await ok(world.post("/custominput", json={**for_all, "Input": {"CTFactor": 1.5, "BufferFactor": "1.25"}}))


async def test_a_fleets_input_cannot_become_one_for_all_fleets(world: httpx.AsyncClient) -> None:
    """4.551."""
    await ok(world.post("/custominput", json=INPUT))
    refused = await world.put("/custominput/I1", json={"FleetId": None})
    assert (refused.status_code, pointers(refused)) == (400, ["/Input/PeakTPM"])


@pytest.mark.parametrize(
    ("definition", "bad"),
    [
        ({"type": "text"}, "/Definition/type"),
        ({"properties": {"TPM": {"maximum": "50"}}}, "/Definition/properties/TPM/maximum"),
        ({"properties": {"TPM": 5}}, "/Definition/properties/TPM"),
        ({"$ref": "https://example.com/schema.json"}, "/Definition/$ref"),
        ({"$ref": "#"}, "/Definition/$ref"),
        ({"$ref": "#/$defs/None"}, "/Definition/$ref"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/Definition/$defs/a/$ref"),
        ({"$id": "https://example.com/a"}, "/Definition/$id"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "/Definition/$schema"),
        ({"$dynamicRef": "#a"}, "/Definition/$dynamicRef"),
        ({"patternProperties": {"^T": {}}}, "/Definition/patternProperties"),
        ({"not": {"unevaluatedProperties": {}}}, "/Definition/not/unevaluatedProperties"),
        ({"properties": {"Key": {"pattern": r"(a+)\1"}}}, "/Definition/properties/Key/pattern"),
        ({"pattern": "(((a{99}){99}){99}){99}"}, "/Definition/pattern"),
        ({"pattern": "a" * 257}, "/Definition/pattern"),
        ({"allOf": [{"pattern": "a"}] * 9}, "/Definition/allOf/8/pattern"),
        ({"const": None}, "/Definition/const"),
        ({"maximum": 10**30}, "/Definition/maximum"),
        ({"allOf": [{}] * 64}, "/Definition/allOf/63"),
        ({"description": "x" * 65_536}, "/Definition"),
    ],
)
async def test_what_is_no_schema_or_has_no_bounds_is_refused(
    http: httpx.AsyncClient, definition: dict[str, Any], bad: str
) -> None:
    """4.480a."""
    refused = await http.post("/schema", json={**SCHEMA, "Definition": definition})
    assert (refused.status_code, pointers(refused)) == (400, [bad]), refused.text


async def test_a_schema_that_doubles_at_each_step_is_refused_at_once(http: httpx.AsyncClient) -> None:
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(6)}
    definition = {"$defs": {**steps, "s6": {}}, "$ref": "#/$defs/s0"}
    refused = await http.post("/schema", json={**SCHEMA, "Definition": definition})
    assert "at most 64 subschemas" in refused.json()["errors"][0]["detail"]


async def test_a_deep_definition_is_refused(http: httpx.AsyncClient) -> None:
    definition: dict[str, Any] = {}
    for _ in range(20):
        definition = {"not": definition}
    refused = await http.post("/schema", json={**SCHEMA, "Definition": definition})
    assert (refused.status_code, "levels" in refused.json()["errors"][0]["detail"]) == (400, True)
    for _ in range(20):
        definition = {"not": definition}
    refused = await http.post("/schema", json={**SCHEMA, "Definition": definition})
    assert (refused.status_code, "levels" in refused.json()["errors"][0]["detail"]) == (400, True)


async def test_a_definition_comes_back_as_it_was_given(http: httpx.AsyncClient) -> None:
    definition = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"Key": {"type": "string", "pattern": "^(US|CA|\\p{Lu}{2})$", "enum": ["US", None, ""]}},
        "properties": {"Key": {"$ref": "#/$defs/Key"}, "TPM": {"maximum": 1e5, "multipleOf": 0.5}},
        "additionalProperties": False,
        "examples": [{"Key": "US", "a.b": [1.25, True, None]}],
    }
    made = await ok(http.post("/schema", json={**SCHEMA, "Definition": definition}))
    assert made["Definition"] == definition
    assert (await ok(http.put("/schema/Marketplace", json=made)))["VersionId"] == 1
    merged = await ok(http.put("/schema/Marketplace", json={"Definition": {"examples": None, "title": "T"}}))
    assert merged["Definition"].keys() == (definition.keys() - {"examples"}) | {"title"}


async def test_a_pattern_takes_linear_time(world: httpx.AsyncClient) -> None:
    await ok(world.put("/schema/Marketplace", json={"Definition": {"properties": {"Key": {"pattern": "^(a+)+$"}}}}))
    await ok(world.put("/schema/Marketplace", json={"Definition": {"properties": {"Key": {"enum": None}}}}))
    values = [{"Key": "a" * 254 + "b", "TPM": 0}] * 1000
    refused = await world.post("/dimension", json={**DIMENSION, "Values": values})
    assert (refused.status_code, len(refused.json()["errors"])) == (400, 100)


async def test_the_deepest_schema_that_is_taken_judges_at_once(world: httpx.AsyncClient) -> None:
    definition: dict[str, Any] = {"properties": {"Key": {"minLength": 1}}}
    for keyword in ("allOf", "anyOf", "oneOf", "if", "not", "not", "allOf", "oneOf", "anyOf", "allOf", "if", "oneOf"):
        definition = {keyword: definition if keyword in ("if", "not") else [definition, {"maxProperties": 1}]}
    await ok(world.post("/schema", json={**SCHEMA, "SchemaId": "Deep", "Definition": definition}))
    started = time.process_time()
    answer = await world.post("/dimension", json={**DIMENSION, "SchemaId": "Deep"})
    assert answer.status_code in (200, 400)
    assert time.process_time() - started < 2


async def test_a_dimension_has_a_bounded_number_of_values(world: httpx.AsyncClient) -> None:
    values = [{"Key": "US", "TPM": 0}] * 1001
    refused = await world.post("/dimension", json={**DIMENSION, "Values": values})
    assert (refused.status_code, pointers(refused)) == (400, ["/Values"])


async def test_a_read_shows_the_sum_beside_the_projection(world: httpx.AsyncClient) -> None:
    """4.487, 4.488: of Peak (4.445), in a read of the latest version and in lists, not in a version of the past."""
    made = await world.post("/dimension", json=DIMENSION)
    assert (made.json()["Sum"], "PeakTPM" in made.json(), "Difference" in made.json()) == (48_000, False, False)
    projection = {"FleetId": "F1", "EventId": "PD", "TotalInputTPM": 50_000}
    await ok(world.post("/projection", json={**projection, "ProjectionType": "BAU", "TotalInputTPM": 1}))
    await ok(world.post("/projection", json=projection))
    read = await world.get(PATH)
    compared = {"Sum": 48_000, "PeakTPM": 50_000, "Difference": -2_000}
    assert read.json().items() >= compared.items()
    listed = (await ok(world.get("/dimension?EventId=PD")))["Items"]
    assert listed == [read.json()]
    assert not compared.keys() & (await ok(world.get(f"{PATH}/versions/1"))).keys()

    await ok(world.put("/projection/F1/PD", json={"ManualOverride": 40_000}))
    again = await world.get(PATH, headers={"If-None-Match": read.headers["etag"]})
    assert (again.status_code, again.json()["Difference"], again.json()["VersionId"]) == (200, 8_000, 1), "3.23"
    assert (await world.get(PATH, headers={"If-None-Match": again.headers["etag"]})).status_code == 304
    sent_back = await world.put(PATH, json=again.json(), headers={"If-Match": read.headers["etag"]})
    assert (sent_back.status_code, sent_back.json()["VersionId"]) == (200, 1), "2.18, 3.25"


@pytest.mark.parametrize("name", ["Payment method", "-1", "Größe", "価格帯", "a;b", "p99.9 (ms)", "x@0000000001"])
async def test_a_dimension_name_may_hold_what_an_id_may_not(world: httpx.AsyncClient, name: str) -> None:
    """2.13."""
    path = str(
        httpx.URL("http://x/dimension/F1/PD/").join(httpx.URL(path=f"/dimension/F1/PD/{name}")).raw_path, "ascii"
    )
    made = await ok(world.post("/dimension", json={**DIMENSION, "DimensionName": name}))
    assert made["DimensionName"] == name
    assert await ok(world.get(path)) == made
    assert (await ok(world.put(path, json={"Values": []})))["VersionId"] == 2
    assert len((await ok(world.get(f"{path}/versions")))["Items"]) == 2
    assert (await ok(world.delete(path)))["Deleted"] is True


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a ",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a%b",
        'a"b',
        "a\nb",
        "status",
        "versions",
        "..",
        "x" * 129,
        "e\u0301",
    ],
)
async def test_a_dimension_name_that_no_path_can_hold_is_refused(world: httpx.AsyncClient, name: str) -> None:
    """2.13, 2.13b, 2.13c."""
    refused = await world.post("/dimension", json={**DIMENSION, "DimensionName": name})
    assert (refused.status_code, pointers(refused)) == (400, ["/DimensionName"])
