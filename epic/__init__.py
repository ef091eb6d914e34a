"""The ``epic`` command, the all-in-one runner and the play of the sample company."""
