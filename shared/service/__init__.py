"""How a service is assembled, started and stopped."""

from shared.service.kit import DocumentKit, ServiceKit
from shared.service.running import Hook, Part, RunningService, periodic

__all__ = ["DocumentKit", "Hook", "Part", "RunningService", "ServiceKit", "periodic"]
