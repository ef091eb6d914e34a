"""Resources by declaration: from a contract and a declaration follow routes, commands, events and use cases."""

from shared.resources.declaration import Action, Resource
from shared.resources.declared import Declared, declarations_in
from shared.resources.patches import checked_ids, merge_patch, patched, with_keys
from shared.resources.routes import document_response, page_response, resource_routes, version_number
from shared.resources.use_cases import Afterwards, Resources
from shared.schemas.validation import validated

__all__ = [
    "Action",
    "Afterwards",
    "Declared",
    "Resource",
    "Resources",
    "checked_ids",
    "declarations_in",
    "document_response",
    "merge_patch",
    "page_response",
    "patched",
    "resource_routes",
    "validated",
    "version_number",
    "with_keys",
]
