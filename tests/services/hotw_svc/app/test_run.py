"""Who is written down as the one who asked."""

from __future__ import annotations

from services.hotw_svc.app.runs.run import user_of


def test_automation_is_written_as_auto_and_people_by_name() -> None:
    assert [user_of(name) for name in ("EPICAutomation", "HOTWAutomation", "auto", "jsmith")] == [
        "auto",
        "auto",
        "auto",
        "jsmith",
    ]
