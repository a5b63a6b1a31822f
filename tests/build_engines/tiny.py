"""A tiny DINOv2 of random weights, written as ``transformers``' model is exported, and its bundle.

The graph here is the model's definition step by step (separate query, key and value, layer scale,
Resize of the positions), under the exporter's names: what the project's own writer must equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

import models
from build_engines.assembly.draft import draft, with_language, write_manifest
from build_engines.assembly.export import (
    FP32_FILE,
    GRAPHS,
    export_bundle,
    read_weights,
    save_onnx,
    vision_graph,
)
from build_engines.graph.learned import TrainedWeights, read_learned
from build_engines.presets import Preset, load_preset
from edge.bundle import Bundle, Encoder, Manifest, Parity
from edge.choices import Precision
from edge.fetch import sha256_of
from edge.image_types import Array
from edge.language.library import load

WIDTH, HEADS, LAYERS, PATCH, GRID = 128, 2, 4, 14, 5
SIZE = 84
MEASURED = Parity(
    against="fp32",
    images=1,
    patch_cosine_mean=1,
    patch_cosine_min=1,
    image_auroc=1,
    image_auroc_reference=1,
    passed=True,
)


def write_tiny_dinov2(path: Path, seed: int = 0) -> Path:
    """The ONNX file of a random DINOv2: 4 layers of width 128, patch 14, positions 5x5."""
    graph = _Exported(np.random.default_rng(seed))
    onnx.save(graph.model(), str(path))
    return path


def tiny_preset(folder: Path, **changes: object) -> Preset:
    """A preset file for the tiny encoder in ``folder``, loaded."""
    source = write_tiny_dinov2(folder / "tiny.onnx")
    content: dict[str, object] = {
        "name": "tiny",
        "family": "dinov2",
        "source": {
            "kind": "file",
            "what": "random weights",
            "path": str(source),
            "sha256": sha256_of(source),
            "licence": "Apache-2.0",
        },
        "input_size": SIZE,
        "taps": [1, 2],
        "allowed_taps": [1, 2, 3],
        "precisions": ["fp32"],
    }
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump({**content, **changes}))
    return load_preset(str(file))


def tiny_bundle(folder: Path, precisions: tuple[Precision, ...] = ("fp32",)) -> Bundle:
    """The tiny encoder's bundle in ``folder``, its parity taken as measured."""
    folder.mkdir(parents=True, exist_ok=True)
    return _taken_as_measured(export_bundle(tiny_preset(folder), folder / "bundle", precisions, print))


def tiny_learned_bundle(folder: Path, learned: TrainedWeights) -> Bundle:
    """The tiny encoder's bundle with what was learned for its taps in the graph; no language model."""
    folder.mkdir(parents=True, exist_ok=True)
    preset = tiny_preset(folder)
    vit = read_weights(preset, preset.source.fetch_all())
    save_onnx(vision_graph(vit, preset.input_size, preset.taps, learned), folder / "bundle" / FP32_FILE)
    encoder = Encoder(
        family=preset.family,
        input_size=preset.input_size,
        patch=PATCH,
        taps=preset.taps,
        width=WIDTH,
        feature_width=WIDTH,
    )
    return _taken_as_measured(draft(folder / "bundle", preset, encoder, {"fp32": GRAPHS["fp32"]}))


def speaking_bundle(folder: Path, decoder: Mapping[str, Array] | None = None) -> Bundle:
    """The tiny encoder's bundle with the shipped language half: reader, prompt learner and GGUF.

    What the prompt learner would make of the image's own embedding is left out: the tiny encoder's is
    another. All else stands on the map alone.

    Args:
        folder: for the bundle.
        decoder: the tensors of a text decoder for the tiny encoder; none without it.

    Raises:
        LanguageError, SourceError: llama.cpp or the GGUF is missing.
    """
    from safetensors.numpy import save_file

    load()  # Where the GGUF is in the cache already, nothing else would miss it before the first verdict.
    folder.mkdir(parents=True, exist_ok=True)
    shipped = read_learned(Path(models.__file__).parent / "weights" / "dinov2-s.safetensors")
    tensors = {name: each for name, each in shipped.tensors.items() if not name.startswith("decoder.")}
    tensors |= decoder or {}
    tensors["learner.image.weight"] = np.zeros((len(tensors["learner.image.bias"]), WIDTH), np.float32)
    weights = folder / "speaking.safetensors"
    save_file(tensors, weights, dict(shipped.about))
    preset = tiny_preset(folder, name="speaking", language={"weights": str(weights), "quantization": "Q4_0"})
    assert preset.language is not None
    made = export_bundle(preset, folder / "bundle", ("fp32",), print)
    return _taken_as_measured(with_language(made, preset.language))


def _taken_as_measured(made: Bundle) -> Bundle:
    graphs = {p: graph.model_copy(update={"parity": MEASURED}) for p, graph in made.manifest.graphs.items()}
    manifest = Manifest.model_validate({**made.manifest.model_dump(), "graphs": graphs})
    write_manifest(made.path, manifest)
    return Bundle.load(made.path)


def picture(seed: int = 0, shape: tuple[int, ...] = (SIZE, SIZE, 3)) -> np.ndarray:
    """A random smooth image, uint8."""
    import cv2

    noise = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.asarray(np.clip(128 + 60 * smooth / smooth.std(), 0, 255), np.uint8)


class _Exported:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, onnx.TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        tokens = self._embeddings()
        for number in range(LAYERS):
            tokens = self._layer(tokens, number)
        image = helper.make_tensor_value_info("input_image", TensorProto.FLOAT, [1, 3, "height", "width"])
        output = helper.make_tensor_value_info(tokens, TensorProto.FLOAT, None)
        graph = helper.make_graph(self._nodes, "exported", [image], [output], list(self._tensors.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _constant(self, name: str, value: object) -> str:
        self._tensors[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _weight(self, name: str, *shape: int, scale: float = 0.5) -> str:
        return self._constant(name, (scale * self._rng.normal(0, 1, shape)).astype(np.float32))

    def _node(self, op: str, *inputs: str, name: str, **attributes: object) -> str:
        output = f"{name}_output_0"
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def _embeddings(self) -> str:
        name, at = "backbone.embeddings", "/backbone/embeddings"
        patches = self._node(
            "Conv",
            "input_image",
            self._weight(f"{name}.patch_embeddings.projection.weight", WIDTH, 3, PATCH, PATCH, scale=0.05),
            self._weight(f"{name}.patch_embeddings.projection.bias", WIDTH),
            name=f"{at}/patch_embeddings/projection/Conv",
            strides=[PATCH, PATCH],
        )
        flat = self._node("Reshape", patches, self._constant("flat", [1, WIDTH, -1]), name="/flatten")
        tokens = self._node("Transpose", flat, name="/transpose", perm=[0, 2, 1])
        first = self._weight(f"{name}.cls_token", 1, 1, WIDTH)
        tokens = self._node("Concat", first, tokens, name=f"{at}/Concat_tokens", axis=1)

        grid = self._weight("onnx::Reshape_1", 1, GRID * GRID, WIDTH)
        square = self._constant("square", [1, GRID, GRID, WIDTH])
        table = self._node("Reshape", grid, square, name=f"{at}/Reshape")
        planar = self._node("Transpose", table, name=f"{at}/Transpose", perm=[0, 3, 1, 2])
        shape = self._node("Shape", patches, name=f"{at}/Shape")
        resized = self._node(
            "Resize",
            planar,
            "",
            "",
            shape,
            name=f"{at}/Resize",
            mode="cubic",
            cubic_coeff_a=-0.75,
            coordinate_transformation_mode="pytorch_half_pixel",
        )
        rows = self._node("Transpose", resized, name=f"{at}/Transpose_1", perm=[0, 2, 3, 1])
        positions = self._node("Reshape", rows, self._constant("rows", [1, -1, WIDTH]), name="/rows")
        class_position = self._weight("onnx::Concat_1", 1, 1, WIDTH)
        positions = self._node("Concat", class_position, positions, name=f"{at}/Concat", axis=1)
        return self._node("Add", tokens, positions, name=f"{at}/Add")

    def _layer(self, tokens: str, number: int) -> str:
        name, at = f"backbone.encoder.layer.{number}", f"/backbone/encoder/layer.{number}"
        normed = self._norm(tokens, f"{name}.norm1", f"{at}/norm1")
        query, key, value = (
            self._heads(
                self._linear(normed, f"{name}.attention.attention.{p}", f"{at}/attention/attention/{p}")
            )
            for p in ("query", "key", "value")
        )
        turned = self._node("Transpose", key, name=f"{at}/attention/turned", perm=[0, 1, 3, 2])
        scores = self._node("MatMul", query, turned, name=f"{at}/attention/scores")
        root = self._constant("root", np.float32((WIDTH / HEADS) ** 0.5))
        scores = self._node("Div", scores, root, name=f"{at}/attention/scaled")
        weights = self._node("Softmax", scores, name=f"{at}/attention/Softmax", axis=-1)
        mixed = self._node("MatMul", weights, value, name=f"{at}/attention/mixed")
        mixed = self._node("Transpose", mixed, name=f"{at}/attention/joined", perm=[0, 2, 1, 3])
        mixed = self._node("Reshape", mixed, "rows", name=f"{at}/attention/flat")
        dense = self._linear(mixed, f"{name}.attention.output.dense", f"{at}/attention/output/dense")
        scaled = self._node(
            "Mul", dense, self._weight(f"{name}.layer_scale1.lambda1", WIDTH), name=f"{at}/layer_scale1/Mul"
        )
        tokens = self._node("Add", scaled, tokens, name=f"{at}/Add")
        normed = self._norm(tokens, f"{name}.norm2", f"{at}/norm2")
        hidden = self._linear(normed, f"{name}.mlp.fc1", f"{at}/mlp/fc1", wider=4)
        hidden = self._gelu(hidden, f"{at}/mlp/activation")
        out = self._linear(hidden, f"{name}.mlp.fc2", f"{at}/mlp/fc2", narrower=4)
        scaled = self._node(
            "Mul", out, self._weight(f"{name}.layer_scale2.lambda1", WIDTH), name=f"{at}/layer_scale2/Mul"
        )
        return self._node("Add", scaled, tokens, name=f"{at}/Add_1")

    def _linear(self, tokens: str, name: str, at: str, wider: int = 1, narrower: int = 1) -> str:
        rows, columns = WIDTH * narrower, WIDTH * wider
        matrix = self._weight(f"onnx::MatMul_{len(self._tensors)}", rows, columns, scale=rows**-0.5)
        product = self._node("MatMul", tokens, matrix, name=f"{at}/MatMul")
        return self._node("Add", self._weight(f"{name}.bias", columns, scale=0.1), product, name=f"{at}/Add")

    def _heads(self, tokens: str) -> str:
        shape = self._constant("heads", [1, -1, HEADS, WIDTH // HEADS])
        split = self._node("Reshape", tokens, shape, name=f"{tokens}/split")
        return self._node("Transpose", split, name=f"{tokens}/heads", perm=[0, 2, 1, 3])

    def _norm(self, tokens: str, name: str, at: str) -> str:
        weight, bias = self._weight(f"{name}.weight", WIDTH), self._weight(f"{name}.bias", WIDTH)
        return self._node(
            "LayerNormalization", tokens, weight, bias, name=f"{at}/LayerNormalization", epsilon=1e-6
        )

    def _gelu(self, tokens: str, at: str) -> str:
        root = self._constant("sqrt2", np.float32(2**0.5))
        error = self._node("Erf", self._node("Div", tokens, root, name=f"{at}/Div"), name=f"{at}/Erf")
        one, half = self._constant("one", np.float32(1)), self._constant("half", np.float32(0.5))
        gate = self._node("Add", error, one, name=f"{at}/Add")
        product = self._node("Mul", tokens, gate, name=f"{at}/Mul")
        return self._node("Mul", product, half, name=f"{at}/Mul_1")
