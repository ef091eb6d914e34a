"""Creates Kafka's topics, and raises the record size of those that exist."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError, for_code

from shared.messaging.transport import TopicMismatch, TopicSpec

log = structlog.get_logger(__name__)

_LARGEST_RECORD: Final = "max.message.bytes"
_DYNAMIC_TOPIC_CONFIG: Final = 1  # Kafka's number for "set on this topic", since version 1 of DescribeConfigs
_SETTLING_SECONDS: Final = 30  # electing the leaders of all topics takes a loaded cluster some seconds
_RETRY_SECONDS: Final = 0.1


async def create_topics(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Create the topics that do not exist; returns when each partition of each topic has a leader.

    TopicMismatch when a partition count differs, KafkaTimeoutError when leaders are missing for too long.
    """
    wanted = {spec.name: spec for spec in specs}
    response = await admin.create_topics([_new_topic(spec) for spec in wanted.values()])
    existing: list[TopicSpec] = []
    for failed in response.to_object()["topic_errors"]:
        error = for_code(failed["error_code"])
        if error is TopicAlreadyExistsError:
            existing.append(wanted[failed["topic"]])
        elif failed["error_code"]:
            raise error(f"topic {failed['topic']}: {failed['error_message']}")
    deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
    while missing := await _without_leader(admin, wanted):
        if asyncio.get_running_loop().time() > deadline:
            raise KafkaTimeoutError(f"topics without a leader after {_SETTLING_SECONDS} s: {', '.join(missing)}")
        await asyncio.sleep(_RETRY_SECONDS)
    await _raise_largest_record(admin, {spec.name: spec.setting(_LARGEST_RECORD, 0) for spec in existing})


def _new_topic(spec: TopicSpec) -> NewTopic:
    # The replication factor -1 is the broker's default; Kafka accepts it only beside an empty assignment.
    config = {name: str(value) for name, value in spec.config.items()}
    return NewTopic(spec.name, spec.partitions, -1, {}, config)


async def _without_leader(admin: AIOKafkaAdminClient, wanted: Mapping[str, TopicSpec]) -> list[str]:
    """The topics that cannot be written to yet."""
    waiting = []
    for described in await admin.describe_topics(list(wanted)):
        spec, partitions = wanted[described["topic"]], described["partitions"]
        if described["error_code"] or not partitions or any(found["leader"] < 0 for found in partitions):
            waiting.append(spec.name)
        elif len(partitions) != spec.partitions:
            raise TopicMismatch(spec.name, wanted=spec.partitions, found=len(partitions))
    return waiting


async def _raise_largest_record(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Let each topic take records of so many bytes; a topic that takes larger ones stays as it is.

    A broker that refuses is no reason not to start: a warning is logged, and records that are too large wait.
    """
    topics = [name for name, size in wanted.items() if size]
    if not topics:
        return
    try:
        changed = []
        for name, (largest, own) in (await _describe(admin, topics)).items():
            if largest < wanted[name]:
                # AlterConfigs replaces the topic's own settings, so all of them are sent again.
                settings = {**own, _LARGEST_RECORD: str(wanted[name])}
                changed.append(ConfigResource(ConfigResourceType.TOPIC, name, settings))
        if changed:
            for response in await admin.alter_configs(changed):
                for code, message, _, name in response.resources:
                    if code:
                        raise for_code(code)(f"topic {name}: {message}")
            log.info("topics take larger records now", topics=sorted(resource.name for resource in changed))
    except (KafkaError, NotImplementedError) as error:
        log.warning(
            "the largest record of the topics could not be raised; set it by hand",
            setting=_LARGEST_RECORD,
            error=repr(error),
        )


async def _describe(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, tuple[int, dict[str, str]]]:
    """For each topic its largest record, and the settings that were set on it."""
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]):
        for code, message, _, name, settings in response.resources:
            if code:
                raise for_code(code)(f"topic {name}: {message}")
            largest, own = 0, {}
            for setting, value, _, source, *_ in settings:
                if setting == _LARGEST_RECORD:
                    largest = int(value)
                if source == _DYNAMIC_TOPIC_CONFIG if response.API_VERSION else not source:
                    own[setting] = value
            found[name] = (largest, own)
    return found
