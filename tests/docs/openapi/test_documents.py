"""What the OpenAPI document of every service says of each operation."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import jsonschema
import pytest

from epic.openapi import joined
from shared.schemas.topics import SERVICES
from tests.support.openapi import GATEWAY, openapi_documents, operations


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return asyncio.run(openapi_documents(tmp_path_factory.mktemp("openapi")))


def each(documents: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every operation: its name, itself and the document it is in."""
    return [
        (f"{service}: {name}", operation, document)
        for service, document in documents.items()
        for name, operation in operations(document).items()
    ]


def fits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    jsonschema.validate(value, {**schema, "components": document["components"]})
    return True


def test_every_answer_is_typed_and_its_example_fits(documents: dict[str, dict[str, Any]]) -> None:
    for name, operation, document in each(documents):
        content, *others = operation["responses"]["200"]["content"].values()
        assert all(other == {"schema": {"type": "string"}} for other in others), name
        assert content["schema"] != {"type": "object"}, name
        assert name.endswith(("openapi.json", "asyncapi.json", "metrics", ".ics")) or fits(
            content["example"], content["schema"], document
        ), name


def test_every_body_has_an_example_that_fits_and_is_required_where_a_member_is(
    documents: dict[str, dict[str, Any]],
) -> None:
    for name, operation, document in each(documents):
        if "requestBody" not in operation:
            continue
        for content in operation["requestBody"]["content"].values():
            assert fits(content["example"], content["schema"], document), name
            if "$ref" not in content["schema"]:
                continue  # the body of a route that streams it
            component = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            assert operation["requestBody"]["required"] == ("required" in component), name
            assert component["additionalProperties"] is False, name


def test_no_bound_is_named_as_only_pydantic_names_it(documents: dict[str, dict[str, Any]]) -> None:
    for service, document in documents.items():
        found = {key for key in keys_in(document) if key in ("ge", "gt", "le", "lt", "max_length", "min_length")}
        assert not found, service


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_in(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in keys_in(inner)}
    return set()


def test_parameters_have_their_bounds(documents: dict[str, dict[str, Any]]) -> None:
    for name, operation, _ in each(documents):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            if schema["type"] == "integer":
                assert {"minimum", "maximum"} <= schema.keys(), name
            elif not name.endswith(("/dlq/{Id}", "/dlq/{Id}/replay")):
                assert "pattern" in schema or "enum" in schema, (name, parameter["name"])


def test_operations_have_names_for_generated_clients(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        names = [operation["operationId"] for operation in operations(document).values()]
        assert len(names) == len(set(names))
        for name in names:
            assert re.fullmatch("[a-z]+([A-Z]+[a-z]+)*", name), name


def test_a_put_of_a_document_takes_a_merge_patch_of_its_own(documents: dict[str, dict[str, Any]]) -> None:
    document = documents["fleet_svc"]
    body = operations(document)["PUT /service/{ServiceId}"]["requestBody"]
    assert set(body["content"]) == {"application/json", "application/merge-patch+json"}
    assert body["required"] is False
    schemas = document["components"]["schemas"]
    patch = schemas["UpdateService"]
    assert "required" not in patch
    assert "ServiceId" not in patch["properties"]
    assert "anyOf" not in patch["properties"]["Owner"]  # null would clear what a service must have
    assert {"type": "null"} in patch["properties"]["LeaderAlias"]["anyOf"]
    assert patch["properties"]["Philosophy"]["anyOf"][0] == {"$ref": "#/components/schemas/ServicePhilosophyPatch"}
    assert "required" in schemas["CreateService"]


def test_a_document_has_an_entity_tag_and_a_list_has_none(documents: dict[str, dict[str, Any]]) -> None:
    found = operations(documents["event_svc"])
    assert "ETag" in found["GET /event/{EventId}"]["responses"]["200"]["headers"]
    assert "ETag" in found["PUT /event/{EventId}"]["responses"]["200"]["headers"]
    assert "ETag" not in found["GET /event"]["responses"]["200"]["headers"]
    assert "304" in found["GET /event/{EventId}"]["responses"]
    taken = {parameter["name"] for parameter in found["PUT /event/{EventId}"]["parameters"]}
    assert {"If-Match", "If-None-Match", "Idempotency-Key", "X-Epic-User"} <= taken
    components = documents["event_svc"]["components"]
    assert "Retry-After" in components["responses"]["Unavailable"]["headers"]


def test_only_what_is_done_once_by_its_key_takes_one(documents: dict[str, dict[str, Any]]) -> None:
    without = {
        name
        for name, operation, _ in each(documents)
        if not name.startswith(GATEWAY)
        and " GET " not in name
        and "Idempotency-Key" not in {parameter["name"] for parameter in operation["parameters"]}
    }
    dead_letters = {
        f"{service}: {end}" for service in SERVICES for end in ("POST /dlq/{Id}/replay", "DELETE /dlq/{Id}")
    }
    boards = {f"eventplan_svc: PUT /event/{{EventId}}/dashboard{which}" for which in ("", "/descaling")}
    assert without == {*boards, *dead_letters}


def test_every_operation_may_be_over_a_rate_limit(documents: dict[str, dict[str, Any]]) -> None:
    """10.5.9."""
    for name, operation, document in each(documents):
        response = operation["responses"]["429"]
        assert response == {"$ref": "#/components/responses/TooManyRequests"}, name
        described = document["components"]["responses"]["TooManyRequests"]
        assert {"Retry-After", "RateLimit", "RateLimit-Policy"} < described["headers"].keys()


def test_the_examples_of_problems_are_of_the_status_that_they_stand_at(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        found = {}
        for name, response in document["components"]["responses"].items():
            content = response["content"]["application/problem+json"]
            assert fits(content["example"], content["schema"], document)
            found[name] = content["example"]["status"]
        assert found == {"Refused": 400, "TooManyRequests": 429, "Unavailable": 503}


def test_the_gateways_document_has_every_operation_of_every_service(documents: dict[str, dict[str, Any]]) -> None:
    found = operations(documents[GATEWAY])
    assert {"GET /", "GET /health/ready", "GET /hotw_svc/metrics", "PUT /event/{EventId}/dashboard"} <= found.keys()
    assert len(found) == sum(len(operations(documents[service])) for service in SERVICES) + 4
    assert [server["url"] for server in documents[GATEWAY]["servers"]] == ["/"]


def test_two_services_cannot_mean_different_things_by_one_name(documents: dict[str, dict[str, Any]]) -> None:
    other = {**documents["event_svc"], "components": {"schemas": {"FleetRead": {"type": "object"}}}}
    with pytest.raises(ValueError, match="two services have a FleetRead in their schemas"):
        joined(documents["fleet_svc"], {"event_svc": other})


def test_servers_tags_and_contact_are_given(documents: dict[str, dict[str, Any]]) -> None:
    for service in SERVICES:
        document = documents[service]
        assert [server["url"] for server in document["servers"]] == ["/", f"/{service}"]
        assert document["info"]["contact"]["name"]
        assert all(tag["description"] for tag in document["tags"])
        used = {tag for operation in operations(document).values() for tag in operation["tags"]}
        assert used == {tag["name"] for tag in document["tags"]}
        assert set(operations(document)["GET /metrics"]["responses"]["200"]["content"]) == {"text/plain"}
