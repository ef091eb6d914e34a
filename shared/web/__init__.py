"""HTTP: the application of a service, its routes, the parsing of requests, and the making of responses."""

from shared.web.app import create_app
from shared.web.health import Check, Unready
from shared.web.middleware import Gate
from shared.web.requests import Page, WriteRequest, cursor_of, page_of, query_of, read_write
from shared.web.responses import KeepRefusal, json_response, problem_response
from shared.web.routes import PAGING, Handler, Parameter, Routes

__all__ = [
    "PAGING",
    "Check",
    "Gate",
    "Handler",
    "KeepRefusal",
    "Page",
    "Parameter",
    "Routes",
    "Unready",
    "WriteRequest",
    "create_app",
    "cursor_of",
    "json_response",
    "page_of",
    "problem_response",
    "query_of",
    "read_write",
]
