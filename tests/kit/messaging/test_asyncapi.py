"""What the AsyncAPI document says of the registry."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from shared.envelope import encode_headers
from shared.messaging.asyncapi import asyncapi
from shared.schemas.topics import SERVICES, TOPICS
from tests.support.goldens import golden


def test_every_topic_is_a_channel_and_every_type_a_message_with_an_object_as_payload() -> None:
    document = asyncapi()

    assert set(document["channels"]) == set(TOPICS)
    schemas = document["components"]["schemas"]
    for message in document["components"]["messages"].values():
        name = message["payload"]["$ref"].removeprefix("#/components/schemas/")
        assert schemas[name]["type"] == "object"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_document_has_what_it_sends_and_receives_and_nothing_else(service: str) -> None:
    document = asyncapi(service)

    sent = {topic.name for topic in TOPICS.values() if service in topic.producers}
    received = {topic.name for topic in TOPICS.values() if service in topic.consumers}
    assert set(document["channels"]) == sent | received | {"command.results"}
    assert channels(document, "send") == sent
    assert channels(document, "receive") == received


def test_a_command_is_answered_on_command_results() -> None:
    operation = asyncapi("fleet_svc")["operations"]["fleet_svc.receives.fleet.commands"]

    assert operation["reply"]["channel"] == {"$ref": "#/channels/command.results"}


def test_the_example_of_each_message_fits_its_schema() -> None:
    document = asyncapi()
    for message in document["components"]["messages"].values():
        resolved = {**message["payload"], "components": document["components"]}
        jsonschema.validate(message["examples"][0]["payload"], resolved)


def test_the_headers_of_each_message_are_declared_and_fit() -> None:
    """5.2a. The limits of a command's attributes are keywords of the schema."""
    declared = asyncapi()["components"]["schemas"]["CloudEventHeaders"]
    for topic in TOPICS.values():
        for kind in topic.messages:
            sent = encode_headers(golden(topic.name, kind.ce_type))
            jsonschema.validate({name: value.decode() for name, value in sent}, declared)
            assert {name for name, _ in sent} <= declared["properties"].keys()
    assert declared["properties"]["ce_id"]["maxLength"] == declared["properties"]["ce_user"]["maxLength"] == 255
    assert declared["properties"]["ce_ifmatch"]["maxLength"] == 4_096


def channels(document: dict[str, Any], action: str) -> set[str]:
    return {
        operation["channel"]["$ref"].removeprefix("#/channels/")
        for operation in document["operations"].values()
        if operation["action"] == action
    }
