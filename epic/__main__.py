"""Owns ``python -m epic``, the same as the ``epic`` command."""

from epic.cli import main

main()
