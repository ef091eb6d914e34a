"""What the AsyncAPI document says of the registry."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from shared.messaging.asyncapi import asyncapi
from shared.schemas.topics import SERVICES, TOPICS


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


def channels(document: dict[str, Any], action: str) -> set[str]:
    return {
        operation["channel"]["$ref"].removeprefix("#/channels/")
        for operation in document["operations"].values()
        if operation["action"] == action
    }
