"""``python -m epic`` is the ``epic`` command."""

from epic.cli import main

main()
