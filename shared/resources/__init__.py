"""Versioned resources declared once: pure state steps, use cases, routes and commands."""

from shared.resources.commands import resource_commands
from shared.resources.declaration import Resource
from shared.resources.routes import document_response, page_response, resource_routes, version_number
from shared.resources.states import (
    State,
    apply,
    checked_ids,
    given_fields,
    merge_patch,
    only_keys,
    parse,
    validated,
    with_keys,
)
from shared.resources.usecases import Admit, Resources

__all__ = [
    "Admit",
    "Resource",
    "Resources",
    "State",
    "apply",
    "checked_ids",
    "document_response",
    "given_fields",
    "merge_patch",
    "only_keys",
    "page_response",
    "parse",
    "resource_commands",
    "resource_routes",
    "validated",
    "version_number",
    "with_keys",
]
