"""The ``epic`` command, the all-in-one runner and the play of the sample company."""

__version__ = "0.1.0"
