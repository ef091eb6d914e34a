"""The beginning of a golden message: what fits the contract is written, what a rule refuses is named."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from pydantic import model_validator

from docs import golden_messages
from shared.schemas.base import Name, WireDate, WireModel
from shared.schemas.topics import MessageType, Topic


class Rotation(WireModel):
    name: Name
    timezone: Name = "UTC"
    first: WireDate
    last: WireDate

    @model_validator(mode="after")
    def _ordered(self) -> Rotation:
        if self.last <= self.first:
            raise ValueError("Last must be after First")
        return self


class Impossible(WireModel):
    name: Name

    @model_validator(mode="after")
    def _never(self) -> Impossible:
        raise ValueError("no example fits")


def test_an_example_has_the_defaults_and_its_days_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = MessageType("good", Rotation, ""), MessageType("bad", Impossible, "")
    topic = Topic("rotation.created", 3, {}, "fleet_svc", "Name", (good, bad), ("fleet_svc",))
    files = {tmp_path / "bad.json": (topic, bad), tmp_path / "good.json": (topic, good)}
    monkeypatch.setattr(golden_messages, "missing", lambda: files)
    refused, written = golden_messages.write()
    reason = "Impossible refuses the example (Value error, no example fits)"
    assert refused == f"{tmp_path}/bad.json: {reason}; write this file by hand"
    assert written == f"{tmp_path}/good.json: written; make it realistic"
    assert not (tmp_path / "bad.json").exists()
    assert orjson.loads((tmp_path / "good.json").read_bytes())["data"] == {
        "Name": "text",
        "Timezone": "UTC",
        "First": "2024-07-16",
        "Last": "2024-07-17",
    }
