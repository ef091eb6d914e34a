"""The sample company: 12 services and 40 fleets in three regions, as NDJSON for ``epic load``."""
