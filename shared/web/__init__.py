"""HTTP: the application of a service, its routes, the parsing of requests, and the making of responses."""

from shared.web.app import ALIVE, Check, Unready, create_app, page, routed_app
from shared.web.csv_answer import CSV, csv_response
from shared.web.middleware import Gate
from shared.web.openapi import operation_id_of
from shared.web.parameters import PAGING, Parameter
from shared.web.requests import (
    bad_cursor,
    checked_ids,
    page_of,
    query_of,
    read_write,
    streamed_body,
    version_number,
    with_keys,
)
from shared.web.responses import cursor_of, json_response, page_response
from shared.web.routes import Routes
from shared.web.routing import Handler, offer_of

__all__ = [
    "ALIVE",
    "CSV",
    "PAGING",
    "Check",
    "Gate",
    "Handler",
    "Parameter",
    "Routes",
    "Unready",
    "bad_cursor",
    "checked_ids",
    "create_app",
    "csv_response",
    "cursor_of",
    "json_response",
    "offer_of",
    "operation_id_of",
    "page",
    "page_of",
    "page_response",
    "query_of",
    "read_write",
    "routed_app",
    "streamed_body",
    "version_number",
    "with_keys",
]
