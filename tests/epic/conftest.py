"""What tests of the ``epic`` command share."""

from tests.epic.fake import epic  # noqa: F401 - a fixture
from tests.support.epic_command import run  # noqa: F401 - a fixture
