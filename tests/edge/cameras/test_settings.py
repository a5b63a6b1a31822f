"""A camera's settings are checked before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.cameras import CameraSettings

ADAPTER: TypeAdapter[CameraSettings] = TypeAdapter(CameraSettings)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"kind": "folder"}, "path"),  # what is needed is named
        ({"kind": "folder", "path": "x", "rate": 3}, "rate"),  # a misspelt key is not ignored
        ({"kind": "folder", "path": "x", "rate_hz": 0}, "rate_hz"),
        ({"kind": "folder", "path": "x", "rate_hz": float("inf")}, "rate_hz"),
        ({"kind": "folder", "path": "x", "settle_s": -1}, "settle_s"),
        ({"kind": "folder", "path": "x", "name": "a/b"}, "name"),  # it becomes part of MQTT topics
        ({"kind": "folder", "path": "x", "loop": True, "watch": True}, ""),
        ({"kind": "polaroid"}, ""),
        ({"path": "x"}, ""),
    ],
)
def test_what_cannot_work_is_refused_at_its_key(fields: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(fields)
    assert at in {str(part) for error in caught.value.errors() for part in error["loc"]} | {""}


def test_every_field_has_a_title_and_a_sentence() -> None:
    schema = ADAPTER.json_schema()
    models = [model for model in schema.get("$defs", {"": schema}).values() if "properties" in model]
    assert models
    for model in models:
        for name, field in model["properties"].items():
            assert field.get("title"), name
            assert field.get("description", "").endswith("."), name
