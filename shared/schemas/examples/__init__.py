"""An example of each contract for the documents of the interfaces: the reference's own, where it has one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel

from shared.schemas.topics import TOPICS, golden_path

_FOLDER: Final = Path(__file__).parent


@cache
def example_of(model: type[BaseModel]) -> Any:
    """The data of the contract's golden message, else the file of its name in this folder, else its base's example.

    None where there is none. The caller must not change it.
    """
    for kind in model.__mro__:
        file = _FOLDER / f"{kind.__name__}.json"
        if file.exists():
            return orjson.loads(file.read_bytes())
        for topic in TOPICS.values():
            for message in topic.messages:
                if message.model is kind:
                    return orjson.loads(golden_path(topic.name, message.ce_type).read_bytes())["data"]
    return None
