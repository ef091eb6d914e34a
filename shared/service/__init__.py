"""How a service is assembled, started, served and stopped."""

from shared.service.kit import DocumentKit, ServiceKit
from shared.service.periodic import Periodic
from shared.service.run import Build, open_transport, quiet_collector, run, serve, uvicorn_server
from shared.service.running import Hook, Part, RunningService, ServiceStore

__all__ = [
    "Build",
    "DocumentKit",
    "Hook",
    "Part",
    "Periodic",
    "RunningService",
    "ServiceKit",
    "ServiceStore",
    "open_transport",
    "quiet_collector",
    "run",
    "serve",
    "uvicorn_server",
]
