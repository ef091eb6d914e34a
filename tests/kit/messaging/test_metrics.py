"""Every metric says what it means and what to do, and a service has its own."""

from __future__ import annotations

from shared.metrics import Metrics


def test_every_metric_has_a_meaning_and_a_remedy() -> None:
    for family in Metrics().registry.collect():
        assert family.name.startswith("epic_")
        meaning, found, remedy = family.documentation.partition(" If ")
        assert meaning, family.name
        assert found, f"{family.name} has no remedy"
        assert ": " in remedy, family.name


def test_two_services_of_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.periodic_runs.labels("sweep", "done").inc()

    assert 'epic_periodic_runs_total{name="sweep",outcome="done"} 1.0' in one.render().decode()
    assert "sweep" not in two.render().decode()
