"""``python -m build_engines``: one command from a preset to a bundle, errors in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from build_engines.__main__ import main
from build_engines.assembly.export import content_of, preset_graph
from build_engines.assembly.pack import pack
from build_engines.language.gguf import REQUANTIZED
from build_engines.parity.labelled import rendered_set
from build_engines.parity.limits import PATCH_COSINE_LIMIT
from edge.bundle import FASTEST_FIRST, Bundle
from edge.choices import Precision
from edge.errors import BundleError
from edge.language import library
from edge.vision.openvino import cpu_precisions
from tests.build_engines.learned_weights import random_tensors, write_learned
from tests.build_engines.tiny import WIDTH, tiny_bundle, tiny_preset, write_tiny_dinov2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and few images to measure on."""
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "build_engines.parity.labelled.rendered_set", lambda: rendered_set(products=2, parts=2)
    )
    return tmp_path / "cache"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr("sys.argv", ["build_engines", *(str(a) for a in arguments)])
    main()


def failed(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        call(monkeypatch, *arguments)
    assert caught.value.code not in (0, None)
    return str(caught.value.code)


def test_build_makes_a_bundle_and_the_second_time_has_nothing_to_do(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_preset(tmp_path)
    call(monkeypatch, "build", tmp_path / "tiny.yaml")
    bundle = Bundle.resolve("tiny")
    assert bundle.path == cache / "bundles" / "tiny"
    assert bundle.id in capsys.readouterr().out
    parity = bundle.graph("fp32").parity
    assert parity is not None
    assert parity.passed
    assert bundle.manifest.origins[0].licence == "Apache-2.0"
    assert "onnx" in bundle.manifest.tools

    call(monkeypatch, "build", tmp_path / "tiny.yaml")
    assert "up to date" in capsys.readouterr().out


def test_a_damaged_bundle_or_other_weights_are_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_preset(tmp_path)
    call(monkeypatch, "build", tmp_path / "tiny.yaml")
    first = Bundle.resolve("tiny")
    (first.path / "vision.fp32.onnx").write_bytes(b"damaged")
    call(monkeypatch, "build", tmp_path / "tiny.yaml")
    assert Bundle.resolve("tiny").id == first.id

    preset = tiny_preset(tmp_path)
    write_tiny_dinov2(tmp_path / "tiny.onnx", seed=1)
    assert preset.source.sha256 in failed(monkeypatch, "build", tmp_path / "tiny.yaml")


def fastest(*without: Precision) -> Precision:
    """What this CPU takes first of a preset's precisions."""
    return next(p for p in FASTEST_FIRST if p in cpu_precisions() and p not in without)


@pytest.fixture
def three_precisions(tmp_path: Path) -> Path:
    """A preset with all that CPUs compute."""
    tiny_preset(tmp_path, precisions=["fp32", "bf16", "int8"])
    return tmp_path / "tiny.yaml"


def test_by_default_it_holds_what_this_cpu_takes(
    three_precisions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "build", three_precisions)
    assert set(Bundle.resolve("tiny").manifest.graphs) == {"fp32", fastest()}

    call(monkeypatch, "build", three_precisions, "--all-precisions")
    assert set(Bundle.resolve("tiny").manifest.graphs) == {"fp32", "bf16", "int8"}
    capsys.readouterr()

    # What was asked for once is not taken away again.
    call(monkeypatch, "build", three_precisions)
    assert "up to date" in capsys.readouterr().out


@pytest.mark.skipif(fastest() == "fp32", reason="this CPU computes fp32 only")
def test_where_the_fastest_is_not_right_the_next_is_built(
    three_precisions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PATCH_COSINE_LIMIT, fastest(), 1.1)  # No patch can be so near.
    call(monkeypatch, "build", three_precisions)
    assert set(Bundle.resolve("tiny").manifest.graphs) == {"fp32", fastest(fastest())}
    assert "The next precision is built instead." in capsys.readouterr().err

    message = failed(monkeypatch, "build", three_precisions, "--precision", fastest())
    assert "limit 1.1" in message  # What is asked for by name is an error.


def test_without_the_language_half_the_graph_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was learned stays in it, so that the language half can be added later."""
    sha256 = REQUANTIZED["Q4_0"]
    weights = write_learned(tmp_path / "weights.safetensors", random_tensors(2, WIDTH), gguf_sha256=sha256)
    preset = tiny_preset(tmp_path, language={"weights": str(weights), "quantization": "Q4_0"})
    monkeypatch.setitem(sys.modules, "llama_cpp", None)  # Its import fails, as where it is not installed.
    monkeypatch.setattr(library, "_loaded", library._loaded.__wrapped__)  # another test may have loaded it
    call(monkeypatch, "build", tmp_path / "tiny.yaml", "--without-language")
    bundle = Bundle.resolve("tiny")
    assert bundle.manifest.language is None
    learned = preset_graph(preset, preset.source.fetch_all())[0]
    assert bundle.file(bundle.graph("fp32").file).read_bytes() == content_of(learned)
    capsys.readouterr()
    call(monkeypatch, "build", tmp_path / "tiny.yaml", "--without-language")
    assert "up to date" in capsys.readouterr().out
    assert "llama-cpp-python" in failed(monkeypatch, "pack", tmp_path / "tiny.yaml")


def test_the_steps_one_by_one_make_the_same_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = tmp_path / "tiny.yaml"
    tiny_preset(tmp_path)
    call(monkeypatch, "fetch", preset)
    call(monkeypatch, "export", preset, "--size", "56", "--taps", "1,3")
    assert "not measured" in failed(monkeypatch, "pack", preset, "--size", "56", "--taps", "1,3")
    call(monkeypatch, "verify", preset, "--size", "56", "--taps", "1,3")
    call(monkeypatch, "pack", preset, "--size", "56", "--taps", "1,3", "--out", tmp_path / "mine")
    bundle = Bundle.resolve(str(tmp_path / "mine"))
    assert bundle.name == "tiny-56-taps1.3"
    assert bundle.manifest.encoder.input_size == (56, 56)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", "85"), "Take 84x84"),
        (("--taps", "0,1"), "Choose different layers from 1, 2, 3"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_with_what_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str], words: str
) -> None:
    tiny_preset(tmp_path)
    message = failed(monkeypatch, "export", tmp_path / "tiny.yaml", *arguments)
    assert message.startswith("error: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--size", "big", "not a size"),
        ("--size", "1x2x3", "not a size"),
        ("--taps", "six", "not a list of layers"),
    ],
)
def test_an_option_that_cannot_be_read_says_how_it_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    assert failed(monkeypatch, "export", "dinov2-s", option, value) == "2"
    assert words in capsys.readouterr().err


def test_help_teaches_the_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    call(monkeypatch, "--help")
    text = capsys.readouterr().out
    for command in ("fetch", "export", "verify", "pack", "build"):
        assert f"\n  {command} " in text
    assert "dinov2-s" in text


def test_a_bundle_is_replaced_whole(tmp_path: Path) -> None:
    first, second = tiny_bundle(tmp_path / "a"), tiny_bundle(tmp_path / "b", ("fp32", "bf16"))
    pack(first, tmp_path / "out" / "tiny")
    pack(second, tmp_path / "out" / "tiny")
    assert set(Bundle.load(tmp_path / "out" / "tiny").manifest.graphs) == {"fp32", "bf16"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["tiny"]


def test_a_folder_that_holds_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"dear to someone")
    with pytest.raises(BundleError, match="not a bundle and not empty"):
        pack(tiny_bundle(tmp_path / "a"), tmp_path / "photos")
    assert (tmp_path / "photos" / "holiday.jpg").is_file()


def test_a_damaged_work_folder_is_not_packed(tmp_path: Path) -> None:
    made = tiny_bundle(tmp_path / "a")
    (made.path / "vision.fp32.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"vision\.fp32\.onnx"):
        pack(made, tmp_path / "out" / "tiny")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_manifest_is_plain_json(tmp_path: Path) -> None:
    made = tiny_bundle(tmp_path / "a")
    content = json.loads((made.path / "manifest.json").read_text())
    assert content["version"] == 1
    assert content["encoder"]["taps"] == [1, 2]
