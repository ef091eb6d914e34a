"""AWS's Auto Scaling as a provider, by boto3. Credentials come from AWS's own chain alone.

Import it only where it is used: boto3 is an extra (requirements/aws.txt).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC
from functools import cache
from threading import Lock
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.hotw_svc.app.providers.provider import GroupName, Throttled
from services.hotw_svc.domain.providers.actions import Action, GroupState
from shared.errors import Unavailable

_BATCH: Final = 50  # actions of one group in one request; AWS takes no more
_PAGE: Final = 100  # scheduled actions in one answer; AWS gives no more
_TIMEOUTS: Final = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
"""Retries are the caller's, who waits longer each time. An action takes AWS well under a second."""
_THROTTLED: Final = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "ResourceContention"}
)
_AWAY: Final = frozenset({"InternalFailure", "InternalError", "ServiceUnavailable", "RequestTimeout"})

Clients = Callable[[str], Any]
"""The client of Auto Scaling for a region."""


_making: Final = Lock()  # boto3 makes clients in one thread at a time; each may then be used by all


@cache
def auto_scaling_client(region: str) -> Any:
    """The client of a region, which takes long to make."""
    with _making:
        return boto3.client("autoscaling", region_name=region, config=_TIMEOUTS)


class AwsAutoScaling:
    """See ``app.providers.provider.Provider``. Requests run in threads of the event loop's executor."""

    def __init__(self, clients: Clients = auto_scaling_client) -> None:
        self._clients = clients

    async def submit(self, group: GroupName, actions: Sequence[Action]) -> Mapping[str, str]:
        refused: dict[str, str] = {}
        for some in _batches(actions):
            wanted = [_request(action) for action in some]
            failed = await self._batch(
                group,
                [action.name for action in some],
                "batch_put_scheduled_update_group_action",
                "FailedScheduledUpdateGroupActions",
                ScheduledUpdateGroupActions=wanted,
            )
            refused |= failed
        return refused

    async def cancel(self, group: GroupName, names: Collection[str]) -> Mapping[str, str]:
        """AWS refuses a name that it does not know, also because it has run; so that is read back, and is none."""
        refused: dict[str, str] = {}
        for some in _batches(sorted(names)):
            refused |= await self._batch(
                group,
                some,
                "batch_delete_scheduled_action",
                "FailedScheduledActions",
                ScheduledActionNames=list(some),
            )
        if refused:
            there = {action.name for action in await self._actions(group)}
            refused = {name: reason for name, reason in refused.items() if name in there}
        return refused

    async def read_back(self, group: GroupName) -> GroupState | None:
        answer = await self._call(group.region, "describe_auto_scaling_groups", AutoScalingGroupNames=[group.name])
        if not answer["AutoScalingGroups"]:
            return None
        (found,) = answer["AutoScalingGroups"]
        actions = await self._actions(group)
        return GroupState(found["MinSize"], found["DesiredCapacity"], found["MaxSize"], tuple(actions))

    async def _actions(self, group: GroupName) -> list[Action]:
        """The one-time actions; a recurring one is the owner's own."""
        found: list[Action] = []
        more: dict[str, Any] = {}
        while True:
            page = await self._call(
                group.region,
                "describe_scheduled_actions",
                AutoScalingGroupName=group.name,
                MaxRecords=_PAGE,
                **more,
            )
            items = page["ScheduledUpdateGroupActions"]
            found += [_action(item) for item in items if not item.get("Recurrence") and "StartTime" in item]
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    async def _batch(
        self, group: GroupName, names: Sequence[str], operation: str, failures: str, **request: Any
    ) -> dict[str, str]:
        """Why items of a batch were refused, by name; all of them where the request itself was."""
        try:
            answer = await self._call(group.region, operation, AutoScalingGroupName=group.name, **request)
        except _Rejected as error:
            return dict.fromkeys(names, str(error))
        return {
            item["ScheduledActionName"]: f"{item.get('ErrorCode')}: {item.get('ErrorMessage')}"
            for item in answer.get(failures, ())
        }

    async def _call(self, region: str, operation: str, **request: Any) -> Any:
        """The answer. Throttled, Unavailable, or _Rejected for a request that AWS will never take as it is."""

        def call() -> Any:
            return getattr(self._clients(region), operation)(**request)

        try:
            return await asyncio.to_thread(call)
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in _THROTTLED:
                raise Throttled(f"AWS in {region}: {error}") from error
            if code in _AWAY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                raise Unavailable(f"AWS in {region}: {error}") from error
            raise _Rejected(f"AWS in {region}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"AWS in {region} does not answer: {error}") from error


class _Rejected(Unavailable):
    """AWS does not take the request: no permission, say. An operator can repair that, so it is tried again."""


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _request(action: Action) -> dict[str, Any]:
    request = {
        "ScheduledActionName": action.name,
        "StartTime": action.at,
        "MinSize": action.min_size,
        "DesiredCapacity": action.desired_capacity,
    }
    return request if action.max_size is None else {**request, "MaxSize": action.max_size}


def _action(item: Mapping[str, Any]) -> Action:
    """A scheduled action as AWS has it; its event is not known from there."""
    return Action(
        name=item["ScheduledActionName"],
        event_id="",
        at=item["StartTime"].astimezone(UTC),
        min_size=item.get("MinSize", 0),
        desired_capacity=item.get("DesiredCapacity", 0),
        max_size=item.get("MaxSize"),
    )
