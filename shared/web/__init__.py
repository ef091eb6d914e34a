"""HTTP: the application of a service, its routes, the parsing of requests, and the making of responses."""

from shared.web.app import Check, Unready, create_app
from shared.web.middleware import Gate
from shared.web.openapi import PAGING, Parameter, operation_id_of
from shared.web.requests import checked_ids, page_of, query_of, read_write, version_number, with_keys
from shared.web.responses import cursor_of, json_response, page_response
from shared.web.routes import Handler, Routes

__all__ = [
    "PAGING",
    "Check",
    "Gate",
    "Handler",
    "Parameter",
    "Routes",
    "Unready",
    "checked_ids",
    "create_app",
    "cursor_of",
    "json_response",
    "operation_id_of",
    "page_of",
    "page_response",
    "query_of",
    "read_write",
    "version_number",
    "with_keys",
]
