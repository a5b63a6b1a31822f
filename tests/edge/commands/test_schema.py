"""``schema`` prints the keys of a station file."""

from __future__ import annotations

import json

from click.testing import CliRunner

from edge.commands.schema import command
from edge.config import json_schema, station_keys


def test_every_key_is_shown_with_its_sentence() -> None:
    done = CliRunner().invoke(command, catch_exceptions=False)
    lines = done.output.splitlines()
    assert [line.split("  ")[0] for line in lines if not line.startswith(" ")] == [
        key.path for key in station_keys()
    ]
    words = " ".join(done.output.split())
    assert [key.path for key in station_keys() if key.sentence not in words] == []


def test_one_section_is_shown_with_types_ranges_and_defaults() -> None:
    done = CliRunner().invoke(command, ["queue"], catch_exceptions=False)
    assert "queue.size  integer, 0 to 1,000  [4]\n" in done.output
    assert "queue.policy  wait | skip | latest  [wait]\n" in done.output
    assert "verdict.decided_by" not in done.output


def test_a_key_of_one_kind_of_camera_says_of_which() -> None:
    done = CliRunner().invoke(command, ["camera.exposure_us"], catch_exceptions=False)
    assert done.output.startswith("camera.exposure_us  (kind: gige)  number, more than 0\n")


def test_json_prints_the_whole_schema_and_takes_no_key() -> None:
    done = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    assert json.loads(done.output) == json_schema()
    assert CliRunner().invoke(command, ["queue", "--json"]).exit_code == 2
