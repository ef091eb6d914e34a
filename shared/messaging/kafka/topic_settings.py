"""Owns what is changed of a Kafka topic that is there already: it is made to take records as large as EPIC sends.

aiokafka's own ``alter_configs`` replaces all of a topic's settings; Kafka's IncrementalAlterConfigs, which it lacks,
sets one and leaves the others, so that is spoken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

__all__ = ["LARGEST", "raise_largest_record"]

log = structlog.get_logger(__name__)

LARGEST: Final = "max.message.bytes"
_TOPIC: Final = 2
_SET: Final = 0


async def raise_largest_record(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Sees to it that each topic takes records of so many bytes; one that takes larger ones is left as it is.

    A broker that does not let it is no reason not to start: the log says so, and what is too large waits.
    """
    if not wanted:
        return
    try:
        smaller = {name: wanted[name] for name, size in (await _largest(admin, wanted)).items() if size < wanted[name]}
        if smaller:
            await _set(admin, smaller)
            log.info("topics take larger records now", topics=sorted(smaller))
    except (KafkaError, NotImplementedError) as error:
        log.warning(
            "the topics' largest record could not be seen to; set it by hand", setting=LARGEST, error=repr(error)
        )


async def _largest(admin: AIOKafkaAdminClient, topics: Mapping[str, int]) -> dict[str, int]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {LARGEST: ""}) for name in topics]
    found: dict[str, int] = {}
    for response in await admin.describe_configs(asked):
        for code, message, _, name, settings in response.resources:
            if code:
                raise for_code(code)(f"topic {name}: {message}")
            for setting, value, *_ in settings:
                if setting == LARGEST:
                    found[name] = int(value)
    return found


async def _set(admin: AIOKafkaAdminClient, sizes: Mapping[str, int]) -> None:
    answer = await admin._send_request(_IncrementalAlterConfigs(sizes))  # noqa: SLF001 it has no method for it
    for code, message, _, name in answer.resources:
        if code:
            raise for_code(code)(f"topic {name}: {message}")


class _Answer(Response):  # type: ignore[misc]  # aiokafka carries no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16), ("error_message", String()), ("resource_type", Int8), ("resource_name", String())
            ),
        ),
    )  # fmt: skip


class _AlterConfigsV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String()),
                ("configs", Array(("name", String()), ("operation", Int8), ("value", String()))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _IncrementalAlterConfigs(Request[_AlterConfigsV0]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes

    def build(self, request_struct_class: type[_AlterConfigsV0]) -> Any:
        settings = [(_TOPIC, name, [(LARGEST, _SET, str(size))]) for name, size in self._sizes.items()]
        return request_struct_class(settings, False)
