"""The documentation's examples are what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from edge.cameras import CameraSettings
from edge.config import StationConfig

PAGE = (Path(__file__).parents[3] / "docs" / "cameras.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid(example: str) -> None:
    StationConfig.model_validate({"station": {"name": "s"}, "product": "p"} | yaml.safe_load(example))


def test_every_kind_is_documented() -> None:
    schema = TypeAdapter(CameraSettings).json_schema()
    table = PAGE.split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \| \w", table, re.MULTILINE)) - {"kind"} == set(
        schema["discriminator"]["mapping"]
    )


def test_the_lens_example_is_what_the_function_says() -> None:
    call, answer = re.search(r"^(widest_field\(.*\))\n# (.*)$", PAGE, re.MULTILINE).groups()  # type: ignore[union-attr]
    from edge.cameras.lens import widest_field

    result = str(eval(call, {"widest_field": widest_field}))
    assert result.startswith(answer.split("...")[0])
