"""What tests of the ``epic`` command share."""

from tests.support.epic_command import run  # noqa: F401 - a fixture
