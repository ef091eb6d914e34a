"""How a service is wired, started, served and stopped."""

from shared.service.clocks import ProcessClock, not_before
from shared.service.kit import DocumentKit, ServiceKit, ServiceStore
from shared.service.run import Build, quiet_collector, run, serve, uvicorn_server
from shared.service.running import Call, Part, Periodic, RunningService
from shared.service.transports import open_transport

__all__ = [
    "Build",
    "Call",
    "DocumentKit",
    "Part",
    "Periodic",
    "ProcessClock",
    "RunningService",
    "ServiceKit",
    "ServiceStore",
    "not_before",
    "open_transport",
    "quiet_collector",
    "run",
    "serve",
    "uvicorn_server",
]
