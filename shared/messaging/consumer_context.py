"""What all batches of a consumer have in common: the subscription, its pace, and what records are settled with."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.durability.failures import StopLimit
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher
from shared.messaging.subscription import Subscribed
from shared.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Tuning:
    """The pace of a consumer; seconds.

    ``patience``: a batch that takes longer is released; well under the broker's max.poll.interval of 300 s, after which
    the group would lose the member. ``handover``: how long a rebalance waits for the batch in work; under the broker's
    rebalance timeout of 30 s. ``stuck_after``: a record that takes longer makes the consumer unhealthy. ``max_records``
    of a few kilobytes are a few megabytes. ``concurrency``: keys at a time; more only queue at the store's connections.
    """

    max_records: int = 2_000
    concurrency: int = 32
    patience: float = 100.0
    handover: float = 20.0
    stuck_after: float = 60.0
    transient: Backoff = field(default_factory=lambda: Backoff(0.1, 5.0))
    unexpected: Backoff = field(default_factory=lambda: Backoff(0.05, 1.0))


@dataclass(frozen=True, slots=True)
class ConsumerContext:
    """What all batches of a consumer have in common."""

    subscription: Subscribed
    publisher: Publisher
    dead_letters: DeadLetterQueue
    clock: Clock
    metrics: Metrics
    tuning: Tuning
    limit: StopLimit = field(default_factory=StopLimit)
