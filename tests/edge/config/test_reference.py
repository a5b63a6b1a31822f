"""What ``schema`` prints of a station file is what ``check`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from edge.config import (
    SettingKey,
    StationConfig,
    StationFileError,
    json_schema,
    keys_below,
    load_station,
    station_keys,
)
from edge.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[3] / "configs" / "stations").glob("*.yaml"))
NEEDED: dict[str, Any] = {"station": {"name": "s"}, "product": "p", "camera": {"kind": "folder", "path": "x"}}
KINDS: dict[str, dict[str, Any]] = {
    "": {},
    "folder": {"path": "x"},
    "gige": {},
    "rtsp": {"url": "rtsp://a/b"},
    "uvc": {},
    "video": {"path": "x"},
}


def file_with(key: SettingKey, value: Any) -> dict[str, Any]:
    """A station file that is complete but for nothing, with this key set."""
    camera = {"kind": key.kind, **KINDS[key.kind]} if key.kind else {**NEEDED["camera"]}
    data: dict[str, Any] = {"station": {"name": "s"}, "product": "p", "camera": camera}
    here = data
    *sections, last = key.path.split(".")
    for section in sections:
        name = section.removesuffix("[]")
        below: dict[str, Any] = {"host": "broker"} if name == "brokers" else {}
        below |= {"width": 64, "height": 64} if name == "region" else {}
        here = here.setdefault(name, [below] if section.endswith("[]") else below)
        here = here[0] if isinstance(here, list) else here
    here[last] = value
    return data


def values_with_defaults() -> list[SettingKey]:
    return [key for key in station_keys() if key.default not in ("", "required")]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_keep_to_the_schema(example: Path) -> None:
    Draft202012Validator.check_schema(json_schema())
    assert list(Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(example.read_text()))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"camera": None, "cameras": []},  # a station without eyes
        {"queue": {"size": -1}},
        {"queue": {"sise": 1}},
        {"messaging": {"site": "a"}},  # `station` says it
        {"camera": {"kind": "rtsp"}},  # without its address
    ],
)
def test_what_the_schema_refuses_the_station_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    data = NEEDED | change
    wrong = data if data["camera"] else {key: value for key, value in data.items() if "camera" not in key}
    assert list(Draft202012Validator(json_schema()).iter_errors(wrong))
    (tmp_path / "station.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(StationFileError):
        load_station(tmp_path / "station.yaml")


@pytest.mark.parametrize("key", values_with_defaults(), ids=lambda key: f"{key.path}-{key.kind}")
def test_a_default_written_into_the_file_changes_nothing(key: SettingKey) -> None:
    told = StationConfig.model_validate(file_with(key, yaml.safe_load(key.default)))
    untold = file_with(key, None)
    *sections, last = key.path.split(".")
    here: Any = untold
    for section in sections:
        here = here[section.removesuffix("[]")]
        here = here[0] if isinstance(here, list) else here
    del here[last]
    assert told == StationConfig.model_validate(untold)


def test_every_key_is_there_once_with_a_sentence() -> None:
    keys = station_keys()
    assert len({(key.path, key.kind) for key in keys}) == len(keys) > 100
    assert [key.path for key in keys if not key.sentence.endswith(".")] == []
    assert {key.kind for key in keys} == set(KINDS)
    assert {key.path.partition(".")[0] for key in keys} >= {*StationConfig.model_fields} - {"cameras[]"}


def test_a_range_stands_with_its_key() -> None:
    (size,) = keys_below("queue.size")
    assert (size.type, size.range, size.default) == ("integer", "0 to 1,000", "4")


def test_keys_below_a_section_are_found_with_and_without_the_brackets_of_a_list() -> None:
    assert keys_below("messaging.brokers.tls") == keys_below("messaging.brokers[].tls")
    assert [key.path for key in keys_below("queue")] == ["queue", "queue.size", "queue.policy"]


def test_an_unknown_key_is_answered_with_those_that_are_meant() -> None:
    with pytest.raises(ConfigError, match=r"no key 'queu'.*Did you mean queue\?"):
        keys_below("queu")
    with pytest.raises(ConfigError, match=r"Did you mean messaging\.brokers\.port\?"):
        keys_below("port")


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(json_schema())) == json_schema()
