"""Presets: what ships can be loaded, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_engines.presets import load_preset, preset_names
from edge.bundle import DEFAULT_BUNDLE
from edge.errors import ConfigError
from tests.build_engines.tiny import tiny_preset


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_that_ships_can_be_loaded(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert "fp32" in preset.precisions
    assert preset.source.licence


def test_the_default_bundle_has_a_preset() -> None:
    assert DEFAULT_BUNDLE in preset_names()


@pytest.mark.parametrize(
    ("size", "taps", "name"),
    [
        (None, None, "dinov2-s"),
        ((448, 448), (6, 7, 8, 9), "dinov2-s"),  # said aloud what it is anyway
        ((336, 336), None, "dinov2-s-336"),
        ((448, 224), (6, 9), "dinov2-s-448x224-taps6.9"),
    ],
)
def test_another_size_or_other_taps_make_another_name(
    size: tuple[int, int] | None, taps: tuple[int, ...] | None, name: str
) -> None:
    assert load_preset("dinov2-s").adapted(size, taps).name == name


@pytest.mark.parametrize("taps", [(6, 11), (6, 6), (0,)])
def test_taps_that_the_source_spoils_or_twice_the_same_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="cannot tap") as caught:
        load_preset("dinov2-s").adapted(None, taps)
    assert "6, 7, 8, 9, 10" in caught.value.remedy


@pytest.mark.parametrize(
    ("size", "taps", "talks"),
    [
        (None, None, True),
        ((336, 336), None, True),  # what was trained reads patches, whatever their number
        (None, (6, 7, 8, 9), True),
        (None, (6, 7, 8), False),  # each tap has a trained layer of its own
        (None, (9, 8, 7, 6), False),
        ((336, 336), (6, 7, 8, 10), False),
    ],
)
def test_other_taps_than_those_that_were_trained_drop_the_language_half(
    size: tuple[int, int] | None, taps: tuple[int, ...] | None, talks: bool
) -> None:
    preset = load_preset("dinov2-s")
    assert preset.adapted(size, taps).language == (preset.language if talks else None)
    assert preset.language is not None


def test_a_preset_may_only_see(tmp_path: Path) -> None:
    assert tiny_preset(tmp_path).language is None


def test_an_unknown_preset_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no preset 'dinov9'") as caught:
        load_preset("dinov9")
    assert "dinov2-s" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_size": "large"}, "input_size"),
        ({"taps": []}, "taps"),
        ({"precisions": ["fp64"]}, "precisions"),
        ({"source": {"kind": "ftp"}}, "source"),
        ({"surprise": 1}, "surprise"),
        ({"language": {"weights": "w.safetensors"}}, "language.quantization"),
        ({"language": {"weights": "w.safetensors", "quantization": "Q2_K"}}, "language.quantization"),
        ({"language": {"weights": "w.safetensors", "quantization": "Q4_0", "lora": 1}}, "language.lora"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny_preset(tmp_path, **changes)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_preset(str(tmp_path / "bad.yaml"))
