"""Resources by declaration: from a contract and a declaration follow routes, commands, events and use cases."""

from shared.resources.apart import ResourcesApart
from shared.resources.declaration import Action, Apart, Beside, Expiry, Resource, Source, declarations_in
from shared.resources.declared import Declared
from shared.resources.handlers import DocumentHandlers
from shared.resources.listing import Listing, sort_of, sort_parameter
from shared.resources.others import Others
from shared.resources.reads import Reads
from shared.resources.use_cases import Afterwards, Resources, with_reason

__all__ = [
    "Action",
    "Afterwards",
    "Apart",
    "Beside",
    "Declared",
    "DocumentHandlers",
    "Expiry",
    "Listing",
    "Others",
    "Reads",
    "Resource",
    "Resources",
    "ResourcesApart",
    "Source",
    "declarations_in",
    "sort_of",
    "sort_parameter",
    "with_reason",
]
