"""Trained weights are read without torch, and the graph has what was learned and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from build_engines.graph.head import HeadSpec, uncalibrated_memory, write_head
from build_engines.graph.learned import TrainedWeights, read_learned
from build_engines.graph.onnx_writer import FLOAT, GraphWriter
from build_engines.language.language_half import weights_file
from build_engines.presets import load_preset
from edge.bundle import DEFAULT_BUNDLE
from edge.errors import SourceError
from tests.build_engines.learned_weights import (
    COMMITTED,
    LANGUAGE_WIDTH,
    PROMPT_ROWS,
    TURN_ROWS,
    random_learned,
    random_tensors,
    write_learned,
)

SPEC = HeadSpec(size=(140, 112), patch=14, width=16)
PATCHES, BANK = 80, 37


def test_a_weights_file_gives_its_tensors_in_float32_and_what_it_says_of_itself(tmp_path: Path) -> None:
    tensors = random_tensors(2, 16)
    halves = {name: value.astype(np.float16) for name, value in tensors.items()}
    learned = read_learned(write_learned(tmp_path / "w.safetensors", halves, command="train", data="free"))
    assert learned.about == {"command": "train", "data": "free"}
    assert set(learned.tensors) == set(tensors)
    for name, value in learned.tensors.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, halves[name].astype(np.float32))
    matrix, bias = learned.linear("learner.prompt")
    np.testing.assert_array_equal(matrix, halves["learner.prompt.weight"].T)
    assert matrix.flags.c_contiguous and bias.shape == (matrix.shape[1],)


@pytest.mark.parametrize("content", [None, b"", b"no safetensors at all, only words"])
def test_a_weights_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=r"w\.safetensors") as caught:
        read_learned(path)
    assert caught.value.remedy == "Restore the file."


PORTS = {
    # what was learned: the head's inputs beside the taps, its outputs
    "nothing": ({"bank", "scale"}, {"features", "map", "score"}),
    "decoder": ({"bank", "scale", "bank_text", "text_worth"}, {"features", "text", "map", "score"}),
    "reader and learner": (
        {"bank", "scale", "boundary"},
        {"features", "map", "score", "rows", "evidence"},
    ),
    "all": (
        {"bank", "scale", "bank_text", "text_worth", "boundary"},
        {"features", "text", "map", "score", "rows", "evidence"},
    ),
}


def learned_parts(what: str) -> TrainedWeights | None:
    tensors = random_tensors(2, SPEC.width)
    if what == "nothing":
        return None
    begins = {"decoder": ("decoder.",), "reader and learner": ("reader.", "learner."), "all": ("",)}[what]
    return TrainedWeights({name: value for name, value in tensors.items() if name.startswith(begins)}, {})


@pytest.mark.parametrize("what", PORTS)
def test_the_graph_takes_and_gives_what_was_learned(what: str) -> None:
    session, head_inputs = head(learned_parts(what))
    inputs, outputs = PORTS[what]
    assert head_inputs == inputs
    assert {port.name for port in session.get_outputs()} == outputs


def test_rows_and_text_have_the_shapes_that_are_promised() -> None:
    session, _ = head(random_learned(2, SPEC.width))
    shapes = {port.name: port.shape for port in session.get_outputs()}
    assert shapes["text"] == [PATCHES]
    assert shapes["rows"] == [1 + PROMPT_ROWS + TURN_ROWS, LANGUAGE_WIDTH]
    assert shapes["evidence"] == [1]


def test_text_is_the_taps_mean_share_of_abnormal() -> None:
    """The definition, step by step: a softmax over two cosines at a temperature of 1/100."""
    learned = random_learned(2, SPEC.width)
    taps = random_taps(1)
    shares = []
    for number, tap in enumerate(taps):
        matrix, bias = learned.linear(f"decoder.layers.{number}")
        inside = unit(unit(tap[0]) @ matrix + bias)
        normal, abnormal = np.exp(100 * (inside @ learned.tensors["decoder.text"].T)).T
        shares.append(abnormal / (normal + abnormal))
    found = run(learned, taps)["text"]
    assert found.std() > 0.05
    np.testing.assert_allclose(found, np.mean(shares, axis=0), atol=1e-5)


def test_only_what_is_more_abnormal_than_its_match_adds_to_the_distance() -> None:
    learned, taps = random_learned(2, SPEC.width), random_taps(2)
    plain = run(learned, taps)
    all_usual = run(learned, taps, bank_text=np.ones(BANK), text_worth=[5])
    np.testing.assert_array_equal(all_usual["map"], plain["map"])
    some = run(learned, taps, bank_text=np.full(BANK, plain["text"].mean()), text_worth=[5])
    assert (some["map"] >= plain["map"] - 1e-6).all() and some["map"].max() > plain["map"].max() + 0.2


def test_the_match_that_counts_is_the_nearest_patch_of_the_bank() -> None:
    learned, taps = random_learned(2, SPEC.width), random_taps(4)
    found = run(learned, taps)
    known = {"bank": found["features"], "text_worth": [5]}  # Each patch is its own match.
    told_alike = run(learned, taps, bank_text=found["text"], **known)
    np.testing.assert_allclose(told_alike["map"], 0, atol=1e-4)
    told_of_others = run(learned, taps, bank_text=np.roll(found["text"], 1), **known)
    assert told_of_others["map"].max() > 0.1


def test_evidence_is_nothing_on_the_boundary_and_grows_with_the_score() -> None:
    learned, taps = random_learned(2, SPEC.width), random_taps(3)
    score = float(run(learned, taps)["score"][0])
    for ratio in (0.1, 1, 10):
        said = float(run(learned, taps, boundary=[score / ratio])["evidence"][0])
        assert said == pytest.approx(3 * np.log((ratio + 0.1) / 1.1), abs=1e-4)


def test_the_committed_weights_fit_the_default_preset() -> None:
    preset = load_preset(DEFAULT_BUNDLE)
    assert preset.language == COMMITTED
    learned = read_learned(weights_file(COMMITTED))
    layers = {name for name in learned.tensors if name.startswith("decoder.layers.")}
    assert len(layers) == 2 * len(preset.taps)
    assert learned.has_decoder and learned.has_reader
    assert all(np.isfinite(value).all() for value in learned.tensors.values())
    assert weights_file(COMMITTED).stat().st_size < 10_000_000


def test_a_graph_with_all_that_was_learned_is_written_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from tests.build_engines.graph.test_learned import head, random_learned, SPEC\n"
        "head(random_learned(2, SPEC.width))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def head(learned: TrainedWeights | None, taps: int = 2) -> tuple[onnxruntime.InferenceSession, set[str]]:
    """The head alone behind taps that are given to it, and the names of its own inputs."""
    writer = GraphWriter()
    names = [f"tap.{number}" for number in range(taps)]
    written = write_head(writer, names, SPEC, learned)
    inputs = [(name, FLOAT, [1, PATCHES, SPEC.width]) for name in names]
    model = writer.model("head", [*inputs, *written.inputs], written.outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session, {name for name, *_ in written.inputs}


def run(learned: TrainedWeights, taps: list[np.ndarray], **memory: object) -> dict[str, np.ndarray]:
    session, names = head(learned)
    bank = unit(np.random.default_rng(9).normal(size=(BANK, SPEC.width))).astype(np.float32)
    feed = {f"tap.{number}": tap for number, tap in enumerate(taps)} | uncalibrated_memory(names, bank)
    feed |= {name: np.array(value, np.float32) for name, value in memory.items()}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))


def random_taps(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(1, PATCHES, SPEC.width)).astype(np.float32) for _ in range(2)]


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))
