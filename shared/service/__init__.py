"""How a service is assembled, started, served and stopped."""

from shared.service.kit import DocumentKit, ServiceKit
from shared.service.run import Build, open_transport, quiet_collector, run, serve, uvicorn_server
from shared.service.running import Hook, Part, RunningService, ServiceStore, periodic

__all__ = [
    "Build",
    "DocumentKit",
    "Hook",
    "Part",
    "RunningService",
    "ServiceKit",
    "ServiceStore",
    "open_transport",
    "periodic",
    "quiet_collector",
    "run",
    "serve",
    "uvicorn_server",
]
