"""``epic import``: what other systems know of fleets and traffic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epic.failure import SOME_FAILED, CommandFailed
from epic.options import AsJson, Url

imports = typer.Typer(
    name="import",
    help="Import fleets from AWS, and traffic from Prometheus. --dry-run shows what would change.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Mapping = Annotated[Path, typer.Option("--mapping", "-m", help="A JSON file; see below.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]
_INSTANT = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]


@imports.command()
def aws(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="What the AWS CLI wrote as JSON.")],
    mapping: Mapping,
    dry_run: DryRun = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Import fleets and their ASGs from files of the AWS CLI.

    \b
    aws autoscaling describe-auto-scaling-groups > groups.json
    aws autoscaling describe-scheduled-actions > actions.json
    epic import aws groups.json actions.json --mapping tags.json --dry-run

    The mapping makes ids of tags, Region and AutoScalingGroupName:

    \b
    {"FleetId": "{app}-{realm}", "ServiceId": "{app}", "Rename": {"app": {"orders": "OrderService"}},
     "Only": {"env": ["prod"]}, "HostThroughPutTPM": 250}

    Rename and Only may be left out; HostThroughPutTPM is for new fleets. What only EPIC knows of a fleet stays.
    Exit code 0: all was imported; 1: some was not, each is named; 2: nothing was sent.
    """
    from epic.importing import import_aws_and_print

    if not import_aws_and_print(files, mapping, url, dry_run=dry_run, as_json=as_json):
        raise typer.Exit(SOME_FAILED)


@imports.command()
def prometheus(
    source: Annotated[str, typer.Argument(metavar="URL|FILE", help="Prometheus, or a saved answer of query_range.")],
    mapping: Mapping,
    query: Annotated[str | None, typer.Option(help="PromQL; only with a URL.", show_default=False)] = None,
    begin: Annotated[
        datetime | None, typer.Option("--from", formats=_INSTANT, help="UTC; only with a URL.", show_default=False)
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=_INSTANT, help="UTC; only with a URL.", show_default=False)
    ] = None,
    per_second: Annotated[bool, typer.Option("--per-second", help="The values are requests per second.")] = False,
    max_series: Annotated[int, typer.Option(min=1, max=25_000, help="The most series of one answer.")] = 1_000,
    dry_run: DryRun = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Import traffic, one value a minute, from Prometheus or from a saved answer of query_range.

    \b
    epic import prometheus http://prometheus:9090 --mapping labels.json --per-second \\
        --from 2024-06-01 --to 2024-06-15 --query 'sum by (fleet) (rate(http_requests_total[1m]))'

    The mapping makes a FleetId of labels: {"FleetId": "{fleet}"}, with Rename and Only as for aws. Prometheus is asked
    for a day at a time, and for less where --max-series allows many.
    Exit code 0: all was imported; 1: some was not, each is named; 2: nothing was sent.
    """
    from decimal import Decimal

    from epic.importing import PrometheusQuery, import_prometheus_and_print

    is_url = source.startswith(("http://", "https://"))
    if is_url != (query is not None) or is_url != (begin is not None) or is_url != (end is not None):
        raise CommandFailed("give --query, --from and --to with the URL of Prometheus, and none of them with a file")
    asked = None
    if query is not None and begin is not None and end is not None:
        if begin > end:
            raise CommandFailed(f"--from {begin} is after --to {end}; exchange them")
        asked = PrometheusQuery(query=query, begin=begin.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC))
    if not import_prometheus_and_print(
        source,
        mapping,
        url,
        query=asked,
        per_minute=Decimal(60 if per_second else 1),
        max_series=max_series,
        dry_run=dry_run,
        as_json=as_json,
    ):
        raise typer.Exit(SOME_FAILED)
