"""The OpenAPI document of all five services under one address: theirs in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from epic.routes import OWN_PAGES

Document = Mapping[str, Any]


def joined(gateway: Document, services: Mapping[str, Document]) -> dict[str, Any]:
    """The gateway's own document with the operations of the services, each service's own pages behind its name.

    ValueError when two services mean different things by one name of a component.
    """
    paths: dict[str, Any] = dict(gateway["paths"])
    components: dict[str, dict[str, Any]] = {}
    tags = {tag["name"]: tag for tag in gateway["tags"]}
    for document in (gateway, *services.values()):
        for kind, named in document["components"].items():
            for name, component in named.items():
                if components.setdefault(kind, {}).setdefault(name, component) != component:
                    raise ValueError(f"two services have a {name} in their {kind}, and they differ; rename one of them")
    for service, document in services.items():
        tags |= {tag["name"]: tag for tag in document["tags"]}
        for path, operations in document["paths"].items():
            if path.split("/")[1] in OWN_PAGES:
                paths[f"/{service}{path}"] = {
                    method: {**operation, "operationId": _of(service, operation["operationId"])}
                    for method, operation in operations.items()
                }
            else:
                paths.setdefault(path, {}).update(operations)
    servers = [server for server in gateway["servers"] if server["url"] == "/"]
    return {**gateway, "servers": servers, "tags": list(tags.values()), "paths": paths, "components": components}


def _of(service: str, operation_id: str) -> str:
    """``getReadiness`` of ``fleet_svc`` is ``getReadinessOfFleetSvc``."""
    return f"{operation_id}Of{re.sub('(?:^|_)([a-z])', lambda found: found[1].upper(), service)}"
