"""Training sees what a station sees: its engine and torch's arithmetic are the graph's, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from build_engines.graph.head import HeadSpec, write_head  # noqa: E402
from build_engines.graph.learned import TrainedWeights, read_learned  # noqa: E402
from build_engines.graph.onnx_writer import FLOAT, GraphWriter  # noqa: E402
from build_engines.language.language_half import weights_file  # noqa: E402
from edge.bundle import Bundle  # noqa: E402
from edge.image_types import Array  # noqa: E402
from edge.vision.engine import Encoded, MemoryArrays  # noqa: E402
from edge.vision.memory import as_float32  # noqa: E402
from edge.vision.openvino import OpenVinoEngine  # noqa: E402
from models.heads.decoder import TextDecoder  # noqa: E402
from models.heads.prompt_learner import PromptLearner  # noqa: E402
from models.heads.reader import Reader, slots  # noqa: E402
from models.training.training_engine import TrainingEngine  # noqa: E402
from tests.build_engines.learned_weights import COMMITTED, random_learned  # noqa: E402
from tests.build_engines.tiny import WIDTH, picture  # noqa: E402

if TYPE_CHECKING:
    from torch.nn import Module

PRODUCTS = [
    # scale, what a share of abnormal is worth, boundary: as they are calibrated
    ([0.0, 1.0], 0.0, 1.0),  # plain distances
    ([0.05, 4.0], 0.3, 0.5),  # words count
    ([0.3, 9.0], 2.0, 3.0),  # they count for more than the references
]


class Trained:
    """The modules of training with a weights file's numbers in them; a name or shape that differs fails."""

    def __init__(self, learned: TrainedWeights) -> None:
        def loaded(module: Module, prefix: str) -> None:
            begins = f"{prefix}."
            module.load_state_dict(
                {
                    name.removeprefix(begins): torch.from_numpy(np.array(value))
                    for name, value in learned.tensors.items()
                    if name.startswith(begins)
                }
            )

        tensors = learned.tensors
        taps = sum(name.startswith("decoder.layers.") for name in tensors) // 2
        width = tensors["decoder.layers.0.weight"].shape[1]
        self.decoder = TextDecoder(taps, width, torch.zeros(tensors["decoder.text"].shape))
        self.reader = Reader()
        self.learner = PromptLearner(tensors["learner.base"].shape[1], width, 1.0)
        for module, prefix in ((self.decoder, "decoder"), (self.reader, "reader"), (self.learner, "learner")):
            loaded(module, prefix)

    @torch.no_grad()
    def spoken(self, shown: Array, score: float, boundary: float, features: Array) -> tuple[Array, float]:
        """The rows and the evidence of a map of 48 cells a side."""
        maps = torch.from_numpy(np.asarray(shown / boundary, np.float32))[None]
        readings = self.reader(maps, torch.tensor([score / boundary], dtype=torch.float32))
        image = torch.nn.functional.normalize(torch.from_numpy(features).mean(0, keepdim=True), dim=1)
        read = slots(readings)
        rows = torch.cat([self.learner.part_rows(read, image), self.learner.turn_rows(read)], dim=1)
        return rows[0].numpy(), readings.evidence.item()


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained(random_learned(taps=2, width=WIDTH))


@pytest.fixture(scope="module")
def station(learned_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(learned_bundle, "fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def training(learned_bundle: Bundle, trained: Trained) -> TrainingEngine:
    return TrainingEngine(learned_bundle, "fp32", trained.decoder)


def test_the_training_engine_takes_the_same_but_for_the_boundary(
    station: OpenVinoEngine, training: TrainingEngine
) -> None:
    assert {**training.memory_shapes, "boundary": (1,)} == station.memory_shapes
    assert (training.grid, training.input_size) == (station.grid, station.input_size)
    assert training.feature_width == station.feature_width


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_encodes_alike(station: OpenVinoEngine, training: TrainingEngine, seed: int) -> None:
    ours, theirs = training.encode(picture(seed)), station.encode(picture(seed))
    np.testing.assert_allclose(ours.features, theirs.features, atol=1e-5)
    assert ours.text is not None and theirs.text is not None and theirs.text.std() > 0.02
    np.testing.assert_allclose(ours.text, theirs.text, atol=1e-4)


@pytest.mark.parametrize(("scale", "worth", "boundary"), PRODUCTS)
def test_it_matches_alike_and_its_map_reads_alike(
    station: OpenVinoEngine,
    training: TrainingEngine,
    trained: Trained,
    scale: list[float],
    worth: float,
    boundary: float,
) -> None:
    known = station.encode(picture(9))
    assert known.text is not None
    memory: MemoryArrays = {
        "bank": known.features,
        "bank_text": known.text,
        "text_worth": as_float32([worth]),
        "scale": as_float32(scale),
        "boundary": as_float32([boundary]),
    }
    for seed in (1, 2):
        encoded = station.encode(picture(seed))
        ours, theirs = training.match(encoded, memory), station.match(encoded, memory)
        assert ours.score == pytest.approx(theirs.score, rel=1e-5, abs=1e-5)
        shown = cv2.resize(theirs.map, (48, 48), interpolation=cv2.INTER_LINEAR)
        assert np.corrcoef(ours.map.ravel(), shown.ravel())[0, 1] > 0.999
        rows, evidence = trained.spoken(ours.map, ours.score, boundary, encoded.features)
        np.testing.assert_allclose(theirs.others["rows"], rows, atol=1e-5)
        assert theirs.others["evidence"].item() == pytest.approx(evidence, abs=1e-4)


def test_without_a_decoder_there_is_no_text(tiny_bundle: Bundle) -> None:
    seeing = TrainingEngine(tiny_bundle, "fp32")
    assert set(seeing.memory_shapes) == {"bank", "scale"}
    assert seeing.encode(picture(1)).text is None


@pytest.fixture(scope="module", params=["random", "committed"])
def learned(request: pytest.FixtureRequest) -> TrainedWeights:
    return read_learned(weights_file(COMMITTED)) if request.param == "committed" else random_learned(3, 32)


@pytest.fixture(scope="module")
def head(learned: TrainedWeights) -> Head:
    return Head(learned)


@pytest.mark.parametrize(("scale", "worth", "boundary"), PRODUCTS)
def test_the_graph_in_both_runtimes_is_torch_and_opencv(
    head: Head, learned: TrainedWeights, scale: list[float], worth: float, boundary: float
) -> None:
    trained = Trained(learned)
    taps = head.taps(seed=2)
    rng = np.random.default_rng(5)
    memory = {
        "bank": unit(rng.normal(size=(200, head.spec.width))),
        "bank_text": rng.uniform(0, 0.5, 200).astype(np.float32),
        "text_worth": as_float32([worth]),
        "scale": as_float32(scale),
        "boundary": as_float32([boundary]),
    }
    in_onnxruntime, in_openvino = head.run(taps, memory)
    with torch.no_grad():
        shares = trained.decoder(torch.from_numpy(np.stack(taps, axis=1)[0][None]))[0].numpy()
    features = unit(np.sum([unit(tap[0]) for tap in taps], axis=0))
    shown, score = matched(Encoded(features, shares), memory, head.spec.grid)
    seen = cv2.resize(shown, (48, 48), interpolation=cv2.INTER_LINEAR)
    rows, evidence = trained.spoken(seen, score, boundary, features)
    expected = {
        "text": shares,
        "features": features,
        "map": cv2.resize(shown, head.spec.size[::-1], interpolation=cv2.INTER_LINEAR),
        "score": np.array([score]),
        "rows": rows,
        "evidence": np.array([evidence]),
    }
    assert set(in_onnxruntime) == set(expected)
    for name, values in expected.items():
        atol = 1e-5 * max(1, scale[1]) if name == "map" else 1e-5  # The map is as high as its gain.
        np.testing.assert_allclose(in_onnxruntime[name], values, atol=atol, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(
            in_openvino[name], in_onnxruntime[name], atol=1e-4, rtol=1e-4, err_msg=name
        )


class Head:
    """The matching head's graph behind taps that are given to it."""

    def __init__(self, learned: TrainedWeights) -> None:
        import openvino as ov

        width = learned.tensors["decoder.layers.0.weight"].shape[1]
        self.count = sum(name.startswith("decoder.layers.") for name in learned.tensors) // 2
        self.spec = HeadSpec(size=(140, 196), patch=14, width=width)
        writer = GraphWriter()
        names = [f"tap.{number}" for number in range(self.count)]
        written = write_head(writer, names, self.spec, learned)
        patches = self.spec.grid[0] * self.spec.grid[1]
        inputs = [(name, FLOAT, [1, patches, width]) for name in names]
        content = writer.model("head", [*inputs, *written.inputs], written.outputs).SerializeToString()
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        core = ov.Core()
        self._compiled = core.compile_model(
            core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def taps(self, seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        shape = (1, self.spec.grid[0] * self.spec.grid[1], self.spec.width)
        return [rng.normal(size=shape).astype(np.float32) for _ in range(self.count)]

    def run(self, taps: list[Array], memory: MemoryArrays) -> tuple[dict[str, Array], dict[str, Array]]:
        feed = {f"tap.{number}": tap for number, tap in enumerate(taps)} | dict(memory)
        names = [port.name for port in self._session.get_outputs()]
        found = self._compiled(feed)
        return (
            dict(zip(names, self._session.run(None, feed), strict=True)),
            {name: np.array(found[name]) for name in names},
        )


def matched(encoded: Encoded, memory: MemoryArrays, grid: tuple[int, int]) -> tuple[Array, float]:
    """The head's definition: the blurred map of the patches, (rows, columns), and the score."""
    assert encoded.text is not None
    similarity = encoded.features @ memory["bank"].T
    usual = memory["bank_text"][similarity.argmax(1)]
    distance = 1 - similarity.max(1) + np.maximum(encoded.text - usual, 0) * memory["text_worth"]
    offset, gain = memory["scale"]
    planar = np.asarray(distance.reshape(grid), np.float32)
    calibrated = (cv2.GaussianBlur(planar, (3, 3), 0.5, borderType=cv2.BORDER_REPLICATE) - offset) * gain
    count = max(1, round(calibrated.size * 0.01))
    shown = cv2.GaussianBlur(calibrated, (5, 5), 1.1, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.float32), float(np.sort(calibrated.ravel())[-count:].mean())


def unit(rows: np.ndarray) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)
