"""AWS Auto Scaling as a provider: over HTTP against moto's server, and answer by answer with botocore's Stubber.

moto is more lenient than AWS: it schedules actions in the past, two of a group at one time and any number in one batch,
keeps their names once for all groups, and never runs them. ``tests/support/fake_provider.py`` is strict about these.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer

from services.hotw_svc.adapters.providers.aws import AwsAutoScaling
from services.hotw_svc.adapters.providers.configured import provider_of
from services.hotw_svc.adapters.providers.rehearsed import RehearsedProvider
from services.hotw_svc.app.providers.provider import GroupName, Throttled
from services.hotw_svc.domain.providers.actions import Action
from shared.errors import Unavailable
from shared.settings import Settings
from tests.support.hotw_inputs import asg_name

pytestmark = pytest.mark.slow

GROUP = GroupName("us-east-1", asg_name("a"))
START = datetime(2034, 7, 15, tzinfo=UTC)


def client(endpoint: str | None = None) -> Any:
    return boto3.client(
        "autoscaling",
        region_name=GROUP.region,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def action(number: int, *, hosts: int = 70, most: int | None = 70) -> Action:
    name = f"PD2034-{GROUP.name}-{number}"
    return Action(name, "", START + timedelta(days=number), hosts, hosts, most)


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    """A client of moto's server, on which there is one group of 50 hosts."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = client(f"http://{host}:{port}")
    made.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-1", InstanceType="c5.2xlarge")
    made.create_auto_scaling_group(
        AutoScalingGroupName=GROUP.name,
        LaunchConfigurationName="lc",
        MinSize=1,
        MaxSize=60,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
    )
    yield made
    server.stop()


@pytest.fixture
def stubbed() -> Iterator[tuple[AwsAutoScaling, Stubber]]:
    made = client()
    with Stubber(made) as stubber:
        yield AwsAutoScaling(lambda region: made), stubber
        stubber.assert_no_pending_responses()


async def test_actions_are_scheduled_read_back_and_taken_back(moto: Any) -> None:
    aws = AwsAutoScaling(lambda region: moto)
    wanted = (action(1), action(2, hosts=5, most=None))
    for _ in range(2):
        assert await aws.submit(GROUP, wanted) == {}
    state = await aws.read_back(GROUP)
    assert state is not None
    assert (state.min_size, state.desired_capacity, state.max_size) == (1, 1, 60)
    assert sorted(state.actions, key=lambda found: found.name) == list(wanted)
    assert await aws.submit(GROUP, [action(1, hosts=80, most=80)]) == {}
    for _ in range(2):
        assert await aws.cancel(GROUP, [wanted[1].name]) == {}
    state = await aws.read_back(GROUP)
    assert state is not None
    assert state.actions == (action(1, hosts=80, most=80),)
    assert await aws.read_back(GroupName(GROUP.region, "Nothing/1x")) is None


async def test_fifty_actions_go_at_a_time_and_fail_one_by_one(stubbed: tuple[AwsAutoScaling, Stubber]) -> None:
    aws, stubber = stubbed
    wanted = [action(number) for number in range(1, 61)]

    def expect(some: list[Action], failed: list[Action]) -> None:
        request = [
            {
                "ScheduledActionName": one.name,
                "StartTime": one.at,
                "MinSize": 70,
                "DesiredCapacity": 70,
                "MaxSize": 70,
            }
            for one in some
        ]
        failures = [
            {"ScheduledActionName": one.name, "ErrorCode": "ValidationError", "ErrorMessage": "taken"} for one in failed
        ]
        stubber.add_response(
            "batch_put_scheduled_update_group_action",
            {"FailedScheduledUpdateGroupActions": failures},
            {"AutoScalingGroupName": GROUP.name, "ScheduledUpdateGroupActions": request},
        )

    expect(wanted[:50], [wanted[3]])
    expect(wanted[50:], [wanted[59]])
    assert await aws.submit(GROUP, wanted) == {
        wanted[3].name: "ValidationError: taken",
        wanted[59].name: "ValidationError: taken",
    }


async def test_an_action_that_is_gone_is_no_refusal(stubbed: tuple[AwsAutoScaling, Stubber]) -> None:
    """It has run meanwhile, or was taken back by a request whose answer was lost."""
    aws, stubber = stubbed
    one, two = action(1), action(2)
    failure = {"ErrorCode": "ValidationError", "ErrorMessage": "not found"}
    stubber.add_response(
        "batch_delete_scheduled_action",
        {"FailedScheduledActions": [{"ScheduledActionName": item.name, **failure} for item in (one, two)]},
    )
    there = {"ScheduledActionName": two.name, "StartTime": two.at, "MinSize": 1, "DesiredCapacity": 1, "MaxSize": 1}
    stubber.add_response("describe_scheduled_actions", {"ScheduledUpdateGroupActions": [there]})
    assert await aws.cancel(GROUP, [one.name, two.name]) == {two.name: "ValidationError: not found"}


async def test_all_pages_of_scheduled_actions_are_read_and_recurring_ones_are_the_owners(
    stubbed: tuple[AwsAutoScaling, Stubber],
) -> None:
    aws, stubber = stubbed
    stubber.add_response(
        "describe_auto_scaling_groups",
        {
            "AutoScalingGroups": [
                {
                    "AutoScalingGroupName": GROUP.name,
                    "MinSize": 5,
                    "MaxSize": 60,
                    "DesiredCapacity": 50,
                    "DefaultCooldown": 0,
                    "AvailabilityZones": [],
                    "HealthCheckType": "EC2",
                    "CreatedTime": START,
                }
            ]
        },
    )

    def page(number: int, **more: Any) -> dict[str, Any]:
        made = {"ScheduledActionName": action(number).name, "StartTime": action(number).at, "MinSize": 70}
        return {"ScheduledUpdateGroupActions": [{**made, "DesiredCapacity": 70, "MaxSize": 70, **more}]}

    asked = {"AutoScalingGroupName": GROUP.name, "MaxRecords": 100}
    stubber.add_response("describe_scheduled_actions", page(1) | {"NextToken": "t"}, asked)
    stubber.add_response("describe_scheduled_actions", page(2, Recurrence="0 9 * * *"), asked | {"NextToken": "t"})
    state = await aws.read_back(GROUP)
    assert state is not None
    assert (state.min_size, state.desired_capacity, state.max_size, state.actions) == (5, 50, 60, (action(1),))


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("Throttling", 400, Throttled),
        ("RequestLimitExceeded", 503, Throttled),
        ("InternalFailure", 500, Unavailable),
        ("AccessDenied", 403, Unavailable),
    ],
)
async def test_what_keeps_aws_from_answering_is_waited_out(
    stubbed: tuple[AwsAutoScaling, Stubber], code: str, status: int, error: type[Exception]
) -> None:
    aws, stubber = stubbed
    stubber.add_client_error("describe_auto_scaling_groups", code, http_status_code=status)
    with pytest.raises(error, match=code):
        await aws.read_back(GROUP)


async def test_a_request_that_aws_does_not_take_refuses_each_of_its_actions(
    stubbed: tuple[AwsAutoScaling, Stubber],
) -> None:
    aws, stubber = stubbed
    stubber.add_client_error("batch_put_scheduled_update_group_action", "ValidationError", "no such group")
    refused = await aws.submit(GROUP, [action(1)])
    assert "no such group" in refused[action(1).name]


async def test_an_address_where_nobody_listens_is_unavailable() -> None:
    nowhere = client("http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="does not answer"):
        await AwsAutoScaling(lambda region: nowhere).submit(GROUP, [action(1)])


def test_nobody_is_asked_unless_it_is_configured_and_never_in_a_rehearsal() -> None:
    """7.8.15, 7.8.21b, 2.30b."""
    assert provider_of(Settings()) is None
    rehearsed = provider_of(Settings(hotw_provider="aws", now="2024-06-15T09:00:00Z"))
    assert rehearsed is not None
    assert (type(rehearsed.provider), rehearsed.looks) == (RehearsedProvider, False)
    for settings in (
        Settings(hotw_provider="aws"),
        Settings(hotw_provider="aws", now="2024-06-15T09:00:00Z", rehearsal_send=True),
    ):
        asked = provider_of(settings)
        assert asked is not None
        assert (type(asked.provider), asked.looks) == (AwsAutoScaling, True)


def test_boto3_is_imported_only_where_it_is_used() -> None:
    code = "import services.hotw_svc.bootstrap, sys; sys.exit('boto3' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
