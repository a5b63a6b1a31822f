"""A station file is loaded whole, or answered with all that is wrong in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from edge.cameras.settings import FolderSettings
from edge.config import Problem, StationConfig, StationFileError, load_station
from edge.config.walk import _models_in
from edge.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[3] / "configs/stations").glob("*.yaml"))
HEAD = "station: {name: s}\nproduct: bottle\ncamera: {kind: folder, path: images}\n"

Load = Callable[[str], StationConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_text(text: str) -> StationConfig:
        (tmp_path / "station.yaml").write_text(text, encoding="utf-8")
        return load_station(tmp_path / "station.yaml")

    return load_text


def problems_of(load: Load, text: str) -> tuple[Problem, ...]:
    with pytest.raises(StationFileError) as caught:
        load(text)
    return caught.value.problems


@pytest.mark.parametrize("text", ["just words\n", "3\n", "- a list\n"])
def test_a_file_that_is_no_mapping_is_one_problem_and_no_crash(load: Load, text: str) -> None:
    (problem,) = problems_of(load, text)
    assert (problem.line, problem.column) == (1, 1)
    assert "must be a section" in problem.reason


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_loaded(example: Path) -> None:
    config = load_station(example)
    assert isinstance(config.camera, FolderSettings)
    assert config.camera.path.parent == example.parent


def test_there_are_examples_for_a_replay_and_for_a_broker() -> None:
    assert [path.stem for path in EXAMPLES] == ["folder-replay", "folder-watch-broker"]
    assert load_station(EXAMPLES[1]).messaging.enabled


@pytest.mark.parametrize("policy", ["skip", "latest"])
def test_a_queue_without_room_is_for_a_camera_that_waits(load: Load, policy: str) -> None:
    assert load(HEAD + "queue: {size: 0}\n").queue.size == 0
    with pytest.raises(StationFileError, match=r"queue.*size 0 is for policy: wait"):
        load(HEAD + f"queue: {{size: 0, policy: {policy}}}\n")


def test_three_lines_make_a_station(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYGPT_EDGE_DATA", str(tmp_path / "data"))
    config = load(HEAD)
    assert config.data_dir == tmp_path / "data"
    assert config.bundle is None
    assert (config.queue.size, config.queue.policy) == (4, "wait")
    assert (config.verdict.decided_by, config.verdict.on_language_error) == ("language", "calibration")
    assert config.language.words == "ng"
    assert config.engine.precision == "auto"
    assert config.records.keep_images == "ng"
    assert not config.messaging.enabled


def test_relative_paths_are_seen_from_the_file(load: Load, tmp_path: Path) -> None:
    config = load(
        HEAD + "data_dir: ../data\nbundle: bundles/mine\n"
        "messaging: {brokers: [{host: h, username: u, password_file: secret, tls: {ca: /etc/ca.pem}}]}\n"
    )
    broker = config.messaging.brokers[0]
    assert isinstance(config.camera, FolderSettings)
    assert config.camera.path == tmp_path / "images"
    assert config.data_dir == tmp_path.parent / "data"
    assert config.bundle == str(tmp_path / "bundles/mine")
    assert broker.password_file == tmp_path / "secret"
    assert broker.tls is not None
    assert broker.tls.ca == Path("/etc/ca.pem")


def test_a_bundle_without_a_slash_is_a_name(load: Load) -> None:
    assert load(HEAD + "bundle: dinov2-s\n").bundle == "dinov2-s"


def test_the_stations_names_are_the_topics_names(load: Load) -> None:
    config = load(HEAD.replace("{name: s}", "{site: plant, line: l2, name: s3}"))
    assert (config.messaging.site, config.messaging.line, config.messaging.station) == ("plant", "l2", "s3")


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "value", "says"),
    [
        # A misspelt key: its line, and what was meant. Never its value.
        ("queue:\n  sise: 3\n", 5, 3, "queue.sise", "", "did you mean size?"),
        ("whatever: 3\n", 4, 1, "whatever", "", "which has station, product"),
        (
            "queue:\n  policy: skpi\n",
            5,
            11,
            "queue.policy",
            "skpi",
            "one of wait, skip, latest; did you mean skip?",
        ),
        ("queue:\n  size: four\n", 5, 9, "queue.size", "four", "must be a valid integer"),
        ("queue:\n  size: -1\n", 5, 9, "queue.size", "-1", "greater than or equal to 0"),
        ("queue:\n", 4, 7, "queue", "", "a section with the keys size, policy"),
        ("engine: 3\n", 4, 9, "engine", "3", "a section with the keys runtime, precision, threads"),
        ("queue: {}\nqueue: {}\n", 5, 1, "queue", "", "is repeated here, after line 4"),
        (
            "verdict: {decided_by: languge}\n",
            4,
            23,
            "verdict.decided_by",
            "languge",
            "did you mean language?",
        ),
        ("verdict: {timeout_s: 0}\n", 4, 22, "verdict.timeout_s", "0", "greater than 0"),
        ("language: {words: some}\n", 4, 19, "language.words", "some", "one of ng, all, none"),
        ("records: {keep_images: no}\n", 4, 24, "records.keep_images", "no", "did you mean none?"),
        ("records: {max_size_gb: .inf}\n", 4, 24, "records.max_size_gb", ".inf", "must be a valid number"),
        ("messaging: {site: x}\n", 4, 13, "messaging.site", "", "is already set by station.site"),
        (
            "messaging:\n  brokers:\n    - host: h\n    - port: 1\n",
            *(7, 7, "messaging.brokers[1].host", "", "is missing"),
        ),
        (
            "messaging:\n  brokers:\n    - host: h\n      port: 70000\n",
            *(7, 13, "messaging.brokers[0].port", "70000", "less than or equal to 65535"),
        ),
    ],
)
def test_a_problem_names_line_key_value_and_reason(
    load: Load, text: str, line: int, column: int, key: str, value: str, says: str
) -> None:
    (problem,) = problems_of(load, HEAD + text)
    assert (problem.line, problem.column, problem.key, problem.value) == (line, column, key, value)
    assert says in problem.reason


@pytest.mark.parametrize(
    ("camera", "column", "key", "says"),
    [
        ("{kind: foldr, path: x}", 16, "camera.kind", "did you mean folder?"),
        ("{path: x}", 1, "camera.kind", "is missing; it is one of folder"),
        ("{kind: folder, pth: x, path: x}", 24, "camera.pth", "did you mean path?"),
        ("{kind: folder}", 1, "camera.path", "is missing"),
        ("{kind: folder, path: x, rate_hz: -1}", 42, "camera.rate_hz", "greater than 0"),
        ("{kind: folder, path: x, loop: yes, watch: yes}", 1, "camera", "cannot be combined"),
        # The kind's own keys only, though other kinds have more.
        (
            "{kind: folder, path: x, zzz: 1}",
            33,
            "camera.zzz",
            "which has name, views, kind, path, subfolders",
        ),
    ],
)
def test_a_cameras_problems_are_those_of_its_kind(
    load: Load, camera: str, column: int, key: str, says: str
) -> None:
    (problem,) = problems_of(load, f"station: {{name: s}}\nproduct: p\ncamera: {camera}\n")
    assert (problem.line, problem.column, problem.key) == (3, column, key)
    assert says in problem.reason


def test_several_cameras_stand_in_a_list(load: Load, tmp_path: Path) -> None:
    config = load(SEVERAL)
    assert config.camera is None
    assert [(camera.name, camera.kind) for camera in config.all_cameras] == [
        ("top", "folder"),
        ("side", "gige"),
    ]
    assert isinstance(config.all_cameras[0], FolderSettings)
    assert config.all_cameras[0].path == tmp_path / "images"
    one = load(HEAD)
    assert one.all_cameras == (one.camera,)


SEVERAL = """\
station: {name: s}
product: bottle
cameras:
  - {name: top, kind: folder, path: images}
  - {name: side, kind: gige}
"""


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (SEVERAL.replace("side", "top"), 3, "cameras", "two cameras named top"),
        (SEVERAL.replace("gige", "gigi"), 5, "cameras[1].kind", "did you mean gige?"),
        (SEVERAL.replace("path", "pats"), 4, "cameras[0].path", "is missing"),
        (SEVERAL + "camera: {kind: gige}\n", 6, "camera", "keep one of the two"),
        ("station: {name: s}\nproduct: b\ncameras: []\n", 1, "camera", "is missing"),
        ("station: {name: s}\nproduct: b\ncameras: 3\n", 3, "cameras", "must be a list"),
    ],
)
def test_the_problems_of_several_cameras_are_told_at_theirs(
    load: Load, text: str, line: int, key: str, says: str
) -> None:
    problem = problems_of(load, text)[0]
    assert (problem.line, problem.key) == (line, key)
    assert says in problem.reason


def test_all_problems_are_told_at_once_in_the_files_order(load: Load) -> None:
    problems = problems_of(
        load, "product: 12\nproduct: x\nqueue: {size: -1, policy: x}\nstation: {name: a/b}\n"
    )
    assert [(problem.line, problem.key) for problem in problems] == [
        (1, "camera"),
        (1, "product"),
        (2, "product"),
        (3, "queue.size"),
        (3, "queue.policy"),
        (4, "station.name"),
    ]


def test_the_message_has_a_line_for_each_problem(load: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "queue: {size: x}\nengine: {treads: 2}\n")
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/station.yaml:4:15: queue.size: 'x' must be a valid integer",
        f"{tmp_path}/station.yaml:5:10: engine.treads: is not a key of this section; did you mean threads?",
    ]


def test_the_error_crosses_process_borders(load: Load) -> None:
    with pytest.raises(StationFileError) as caught:
        load("queue: {size: x}")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "is empty"),
        (b"# nothing yet\n", 0, "is empty"),
        (b"- a\n", 1, "must be a section with the keys station, product"),
        (b"a: 1\nb: \xff\xfe", 2, "not UTF-8"),
        (b"x" * 1_000_001, 0, "cannot be a station file"),
        (b"a: [1\nb: 2", 2, "expected"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused(tmp_path: Path, content: bytes, line: int, says: str) -> None:
    (tmp_path / "station.yaml").write_bytes(content)
    with pytest.raises(StationFileError, match=says) as caught:
        load_station(tmp_path / "station.yaml")
    assert caught.value.problems[0].line == line


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StationFileError, match=r"none\.yaml cannot be read: No such file"):
        load_station(tmp_path / "none.yaml")
    with pytest.raises(StationFileError, match="cannot be read: Is a directory"):
        load_station(tmp_path)


def test_a_byte_order_mark_is_no_problem(load: Load) -> None:
    assert load("\ufeff" + HEAD).product == "bottle"


@pytest.mark.parametrize(
    "text",
    [
        "messaging: {password: hunter2secret}",  # a key that there is not
        "messaging: {brokers: [{host: h, pasword_file: hunter2secret}]}",  # a misspelt one
        "messaging: {brokers: [{host: h, password_file: [hunter2secret]}]}",
        "messaging: {password: *hunter2secret}",
        "queue: {policy: 'rtsp://user:hunter2secret@camera/1'}",
        "messaging: {password: %hunter2secret}",
        "messaging: {password: 'hunter2secret",
        "messaging: {password: hunter2secret: x: y}",
        "messaging: {brokers: [{host: 'mqtt://plc:hunter2secret@broker:1883'}]}",
        "messaging: {brokers: [{host: 'plc:hunter2secret@broker'}]}",
        "messaging: {brokers: [{host: 'mqtts://plc:hunter2secret'}]}",
        "messaging: {brokers: [{host: 'mqtt://plc:/hunter2secret/@@broker'}]}",
        "messaging: {brokers: [{host: 'mqtt://plc:x hunter2secret@broker'}]}",
        "cameras: [{name: c, kind: rtsp, url: 'rtsp://user:a/hunter2secret@camera/1'}]",
        "cameras: [{name: c, kind: rtsp, url: 'user:hunter2secret@camera/1'}]",
        "queue: {policy: 'user:a hunter2secret@camera/1'}",
    ],
)
def test_a_secret_is_never_told(load: Load, text: str) -> None:
    with pytest.raises(StationFileError) as caught:
        load(HEAD + text)
    assert "hunter2secret" not in str(caught.value)


SECRET = st.text(st.characters(codec="utf-8"), min_size=8, max_size=30).map(lambda text: f"q7Z{text}")


@given(secret=SECRET, key=st.sampled_from(["password", "brokers", "passwort", "password_file"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_follows_a_password_key_is_not_told(
    tmp_path_factory: pytest.TempPathFactory, secret: str, key: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "secret.yaml"
    file.write_text(f"messaging:\n  brokers:\n    - host: h\n      {key}: {secret}\n", encoding="utf-8")
    with pytest.raises(StationFileError) as caught:
        load_station(file)
    assert "q7Z" not in str(caught.value)


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [found for field in model.model_fields.values() for found in _models_in(field.annotation)]
    return [model, *(section for found in inner for section in sections(found))]


SECTIONS = {section.__name__: section for section in sections(StationConfig)}


@pytest.mark.parametrize("section", [SECTIONS[name] for name in sorted(SECTIONS)])
def test_every_section_forbids_unknown_keys_and_explains_its_own(section: Any) -> None:
    assert section.model_config["extra"] == "forbid"
    for name, field in section.model_fields.items():
        assert field.title, name
        assert field.description, name


NAMES = st.sampled_from(
    [
        *("station", "product", "camera", "queue", "messaging", "brokers", "tls", "records", "bundle"),
        *("kind", "folder", "gige", "path", "region", "trigger", "features", "name", "size", "x"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(NAMES, ANYTHING))
@settings(deadline=None)
def test_any_yaml_is_a_station_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    try:
        load_station(file)
    except StationFileError as error:
        assert error.problems
        assert all(problem.reason for problem in error.problems)
