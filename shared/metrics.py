"""Every Prometheus metric of EPIC: its name, what it means, and what to do when it looks wrong."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

T = TypeVar("T", Counter, Gauge, Histogram)

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)


class Metrics:
    """The metrics of one service, in a registry of their own: several services may live in one process.

    Each line of help says what the metric means, and after "If …" the remedy.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(_metric, Counter, self.registry)
        gauge = partial(_metric, Gauge, self.registry)
        histogram = partial(_metric, Histogram, self.registry, buckets=_SECONDS)

        # -- consuming -------------------------------------------------------------------------------------------------
        self.consumed = counter(
            "epic_consumer_records{group,topic,outcome}",
            "Records settled, by outcome: handled, refused (a rule said no), dead (now a dead letter). If dead grows: "
            "look at GET /dlq, mend what its reasons name, and replay.",
        )
        self.retries = counter(
            "epic_consumer_retries{group,reason}",
            "Attempts made again: transient (a store or the broker was away) or unexpected (the handler failed). If "
            "transient grows: see /health/ready for what is away; unexpected: the log has the error at each attempt.",
        )
        self.rewinds = counter(
            "epic_consumer_rewinds{group,reason}",
            "Batches released before all of their records were settled, by reason; they are delivered again. If "
            "reason too-slow grows: a batch takes longer than its patience; give the service replicas or mend the use "
            "case that is slow.",
        )
        self.batch_seconds = histogram(
            "epic_consumer_batch_seconds{group}",
            "How long a batch took from fetch to commit. If it rises with the lag: the store is slow, or replicas are "
            "too few.",
        )
        self.batch_records = histogram(
            "epic_consumer_batch_records{group}",
            "How many records a batch had. If it stays at the maximum: the consumer is behind; see epic_consumer_lag.",
            buckets=_SIZES,
        )
        self.lag = gauge(
            "epic_consumer_lag{group,topic}",
            "Records of a topic the whole group has not committed yet, sampled every few seconds. If it grows "
            "steadily: add replicas (at most one per partition is at work), or find the slow use case.",
        )
        self.in_work_seconds = gauge(
            "epic_consumer_in_work_seconds{group}",
            "For how long the oldest record now in work has been so; 0 when idle. If it passes 60: the record waits "
            "for a store that is away, or a use case hangs; readiness says which group.",
        )
        self.stopped = gauge(
            "epic_consumer_stopped{group}",
            "1 when the consumer stopped because most decodable records failed; nothing was committed past them. If "
            "it is 1: the fault is in the code or its store, not in one record; mend it and start the service anew.",
        )
        self.dead_letters = counter(
            "epic_dead_letters{group,topic,kind}",
            "Records made dead letters, by kind: undecodable, or failed (unexpectedly, each time). If undecodable "
            "grows: a producer breaks the contract (GET /dlq names the topic); failed: see the reasons.",
        )
        self.replays = counter(
            "epic_dead_letter_replays{outcome}",
            "Dead letters replayed, by outcome: replayed, failed. If failed grows: the cause is not mended yet; the "
            "answer and the log say why.",
        )

        # -- publishing ------------------------------------------------------------------------------------------------
        self.published = counter(
            "epic_published_records{topic,outcome}",
            "Messages handed to the broker, by outcome: acknowledged, failed. If failed grows: the broker is away or "
            "refuses; nothing is lost, the outbox keeps what was not acknowledged.",
        )
        self.publish_seconds = histogram(
            "epic_publish_seconds",
            "How long one publish of a batch of messages took. If it rises: the broker is slow to acknowledge; look "
            "at its disk and its replicas.",
        )
        self.outbox_open = gauge(
            "epic_outbox_open",
            "Events written and not yet acknowledged by the broker. If it grows: the broker is away; writes are "
            "refused with 503 when 100,000 wait.",
        )
        self.outbox_oldest_seconds = gauge(
            "epic_outbox_oldest_seconds",
            "Age of the oldest event not yet acknowledged; 0 when none is. If it passes 30: the relay does not get "
            "on; see the log of the relay and the broker.",
        )

        # -- HTTP ------------------------------------------------------------------------------------------------------
        self.http_requests = counter(
            "epic_http_requests{method,route,status}",
            "Requests answered, by method, route (the path's pattern) and status. If 5xx grows: 503 means a store is "
            "away; 500 is a bug, with its trace in the log under the correlation id.",
        )
        self.http_seconds = histogram(
            "epic_http_request_seconds{method,route}",
            "How long a request took until its last byte. If it rises: the store is slow, or the process is short of "
            "CPU.",
        )
        self.http_in_progress = gauge(
            "epic_http_requests_in_progress",
            "Requests being answered now. If it stays high: requests wait for a store; see epic_http_request_seconds "
            "by route.",
        )

        # -- background work -------------------------------------------------------------------------------------------
        self.periodic_runs = counter(
            "epic_periodic_runs{name,outcome}",
            "Runs of a periodic job, by outcome: done, failed. If failed grows: the log has the error; the job runs "
            "again within ten seconds.",
        )
        self.periodic_seconds = histogram(
            "epic_periodic_seconds{name}",
            "How long a run of a periodic job took. If it nears the job's interval: there is more to do than time to "
            "do it in.",
        )

    def render(self) -> bytes:
        """The exposition text that ``/metrics`` answers."""
        return generate_latest(self.registry)


def _metric(kind: type[T], registry: CollectorRegistry, name: str, meaning: str, **options: Any) -> T:
    """A metric whose labels stand in braces behind its name, as Prometheus writes them."""
    plain, _, labels = name.partition("{")
    return kind(plain, meaning, re.findall(r"[a-z]+", labels), registry=registry, **options)
