"""Resources by declaration: from a contract and a declaration follow routes, commands, events and use cases."""

from shared.resources.declaration import Action, Beside, Resource, declarations_in
from shared.resources.references import Referenced
from shared.resources.routes import Declared, DocumentHandlers
from shared.resources.use_cases import Afterwards, Reads, Resources

__all__ = [
    "Action",
    "Afterwards",
    "Beside",
    "Declared",
    "DocumentHandlers",
    "Reads",
    "Referenced",
    "Resource",
    "Resources",
    "declarations_in",
]
