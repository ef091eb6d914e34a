"""The kit's HTTP side: the application factory, what a request says, how an answer looks."""

from shared.web.answers import etag, json_answer, problem_answer, refusal_answer
from shared.web.app import create_app
from shared.web.gate import Gate
from shared.web.health import Check, Unready
from shared.web.openapi import Handler, Parameter, Routes
from shared.web.problems import KeepRefusal
from shared.web.requests import (
    IfMatch,
    Page,
    Reason,
    WriteRequest,
    cursor_of,
    page_of,
    parse_if_match,
    query_of,
    read_write,
    reason_of,
    refuse_condition,
)

__all__ = [
    "Check",
    "Gate",
    "Handler",
    "IfMatch",
    "KeepRefusal",
    "Page",
    "Parameter",
    "Reason",
    "Routes",
    "Unready",
    "WriteRequest",
    "create_app",
    "cursor_of",
    "etag",
    "json_answer",
    "page_of",
    "parse_if_match",
    "problem_answer",
    "query_of",
    "read_write",
    "reason_of",
    "refusal_answer",
    "refuse_condition",
]
