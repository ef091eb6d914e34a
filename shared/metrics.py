"""Every Prometheus metric of EPIC: its name, what it means, and what to do when it looks wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)


class Metrics:
    """The metrics of one service, in a registry of their own: several services may live in one process.

    Each line of help says what the metric means, and after "If …" the remedy.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        # -- consuming -------------------------------------------------------------------------------------------------
        self.consumed = self._counter(
            "epic_consumer_records{group,topic,outcome}",
            "Records settled, by outcome: handled, refused (a rule said no), dead (now a dead letter). If dead grows: "
            "look at GET /dlq, mend what its reasons name, and replay.",
        )
        self.retries = self._counter(
            "epic_consumer_retries{group,reason}",
            "Attempts made again: transient (a store or the broker was away) or unexpected (the handler failed). If "
            "transient grows: see /health/ready for what is away; unexpected: the log has the error at each attempt.",
        )
        self.rewinds = self._counter(
            "epic_consumer_rewinds{group,reason}",
            "Batches released before all of their records were settled, by reason; they are delivered again. If "
            "reason too-slow grows: a batch takes longer than its patience; give the service replicas or mend the use "
            "case that is slow.",
        )
        self.batch_seconds = self._histogram(
            "epic_consumer_batch_seconds{group}",
            "How long a batch took from fetch to commit. If it rises with the lag: the store is slow, or replicas are "
            "too few.",
        )
        self.batch_records = self._histogram(
            "epic_consumer_batch_records{group}",
            "How many records a batch had. If it stays at the maximum: the consumer is behind; see epic_consumer_lag.",
            buckets=_SIZES,
        )
        self.lag = self._gauge(
            "epic_consumer_lag{group,topic}",
            "Records of a topic the whole group has not committed yet, sampled every few seconds. If it grows "
            "steadily: add replicas (at most one per partition is at work), or find the slow use case.",
        )
        self.in_work_seconds = self._gauge(
            "epic_consumer_in_work_seconds{group}",
            "For how long the oldest record now in work has been so; 0 when idle. If it passes 60: the record waits "
            "for a store that is away, or a use case hangs; readiness says which group.",
        )
        self.stopped = self._gauge(
            "epic_consumer_stopped{group}",
            "1 when the consumer stopped because most decodable records failed; nothing was committed past them. If "
            "it is 1: the fault is in the code or its store, not in one record; mend it and start the service anew.",
        )
        self.dead_letters = self._counter(
            "epic_dead_letters{group,topic,kind}",
            "Records made dead letters, by kind: undecodable, or failed (unexpectedly, each time). If undecodable "
            "grows: a producer breaks the contract (GET /dlq names the topic); failed: see the reasons.",
        )
        self.replays = self._counter(
            "epic_dead_letter_replays{outcome}",
            "Dead letters replayed, by outcome: replayed, failed. If failed grows: the cause is not mended yet; the "
            "answer and the log say why.",
        )

        # -- publishing ------------------------------------------------------------------------------------------------
        self.published = self._counter(
            "epic_published_records{topic,outcome}",
            "Messages handed to the broker, by outcome: acknowledged, failed. If failed grows: the broker is away or "
            "refuses; nothing is lost, the outbox keeps what was not acknowledged.",
        )
        self.publish_seconds = self._histogram(
            "epic_publish_seconds",
            "How long one publish of a batch of messages took. If it rises: the broker is slow to acknowledge; look "
            "at its disk and its replicas.",
        )
        self.outbox_open = self._gauge(
            "epic_outbox_open",
            "Events written and not yet acknowledged by the broker. If it grows: the broker is away; writes are "
            "refused with 503 when 100,000 wait.",
        )
        self.outbox_oldest_seconds = self._gauge(
            "epic_outbox_oldest_seconds",
            "Age of the oldest event not yet acknowledged; 0 when none is. If it passes 30: the relay does not get "
            "on; see the log of the relay and the broker.",
        )

        # -- HTTP ------------------------------------------------------------------------------------------------------
        self.http_requests = self._counter(
            "epic_http_requests{method,route,status}",
            "Requests answered, by method, route (the path's pattern) and status. If 5xx grows: 503 means a store is "
            "away; 500 is a bug, with its trace in the log under the correlation id.",
        )
        self.http_seconds = self._histogram(
            "epic_http_request_seconds{method,route}",
            "How long a request took until its last byte. If it rises: the store is slow, or the process is short of "
            "CPU.",
        )
        self.http_in_progress = self._gauge(
            "epic_http_requests_in_progress",
            "Requests being answered now. If it stays high: requests wait for a store; see epic_http_request_seconds "
            "by route.",
        )

        # -- background work -------------------------------------------------------------------------------------------
        self.periodic_runs = self._counter(
            "epic_periodic_runs{name,outcome}",
            "Runs of a periodic job, by outcome: done, failed. If failed grows: the log has the error; the job runs "
            "again within ten seconds.",
        )
        self.periodic_seconds = self._histogram(
            "epic_periodic_seconds{name}",
            "How long a run of a periodic job took. If it nears the job's interval: there is more to do than time to "
            "do it in.",
        )

    def render(self) -> bytes:
        """The exposition text that ``/metrics`` answers."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(_plain(name), meaning, _labels(name), registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(_plain(name), meaning, _labels(name), registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float] = _SECONDS) -> Histogram:
        return Histogram(_plain(name), meaning, _labels(name), registry=self.registry, buckets=buckets)


def _plain(name: str) -> str:
    return name.partition("{")[0]


def _labels(name: str) -> list[str]:
    """What is in the braces behind a name, as Prometheus writes labels."""
    return re.findall(r"[a-z]+", name.partition("{")[2])
