"""The address that EPIC's HTTP listens on: this machine's own, bound before anything is started."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from epic.failure import CommandFailed

_BACKLOG: Final = 2048  # uvicorn's own default


@dataclass(frozen=True, slots=True)
class Remedies:
    """How a person gives another address, for the text of a failure; ``{}`` stands for the value."""

    host: str
    port: str


BY_OPTION: Final = Remedies(host="--host {}", port="--port {}")
BY_VARIABLE: Final = Remedies(host="EPIC_HTTP_HOST={}", port="EPIC_HTTP_PORT={}")
BY_MAKE: Final = Remedies(host="make run ARGS='--host {}'", port="make run ARGS='--port {}'")


def listen(host: str, port: int, *, behind_gateway: bool = False, remedies: Remedies = BY_OPTION) -> socket.socket:
    """A listening socket. CommandFailed when it cannot be bound, with what to give instead.

    CommandFailed also for an address that other machines reach, unless ``behind_gateway``: there is no login, and
    everybody is who they say they are (rules 10.1.5 to 10.1.8).
    """
    here = remedies.host.format("127.0.0.1")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandFailed(f"{host} is no address of this machine ({error.strerror}); give {here}") from None
    if not behind_gateway and not ip_address(address[0]).is_loopback:
        taken.close()
        raise CommandFailed(
            f"{host} lets other machines in, and there is no login; give {here} "
            "(EPIC_BEHIND_GATEWAY=1 permits it to the services of compose, which publish no port)"
        )
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        other_port = remedies.port.format(port + 1)
        reasons = {
            errno.EADDRINUSE: f"port {port} of {host} is in use; stop what uses it, or take another: {other_port}",
            errno.EACCES: f"port {port} needs more rights; take one above 1023: {remedies.port.format(8000)}",
            errno.EADDRNOTAVAIL: f"{host} is no address of this machine; give {here}",
        }
        otherwise = f"cannot listen on {host}:{port}: {error.strerror}"
        raise CommandFailed(reasons.get(error.errno or 0, otherwise)) from None
    taken.setblocking(False)
    return taken
