"""Renders mails and ticket descriptions from the files in ``templates/``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


class Templates:
    """A mail is ``<name>.txt.j2`` and ``<name>.html.j2``, a ticket's description ``<name>.md.j2``.

    A variable that a template uses and the context lacks is an error, not an empty place.
    """

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def mail(self, name: str, subject: str, context: Mapping[str, Any]) -> tuple[str, str]:
        """The mail's text and its HTML."""
        variables = {"Subject": subject, **context}
        text, html = (self._environment.get_template(f"{name}.{kind}.j2").render(variables) for kind in ("txt", "html"))
        return text, html

    def ticket_description(self, about: Mapping[str, Any]) -> str:
        """The description of the ticket of a service's orders, in Markdown."""
        return self._environment.get_template("order_ticket.md.j2").render(about)
