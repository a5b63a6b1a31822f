"""From an encoder's weights to the vision graph: image and memory in, features, map and score out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from build_engines.assembly.draft import draft
from build_engines.encoders import family_of
from build_engines.graph.head import HeadSpec, Port, write_head
from build_engines.graph.learned import TrainedWeights, read_learned
from build_engines.graph.onnx_writer import UINT8, GraphWriter
from build_engines.graph.own_text import OwnText
from build_engines.graph.vit import VitWeights, write_encoder
from build_engines.language.language_half import weights_file
from build_engines.presets import Architecture, Preset
from edge.bundle import Bundle, Encoder, GraphFile
from edge.choices import Precision
from edge.errors import ConfigError, SourceError
from edge.whole_file import write_whole

if TYPE_CHECKING:
    from build_engines.precision.files import PrecisionGraph

FP32_FILE = "vision.fp32.onnx"
# What int8 leaves in float is computed in bf16 where the CPU has it: it is as near to fp32.
GRAPHS: dict[Precision, GraphFile] = {
    "fp32": GraphFile(file=FP32_FILE, float_type="f32"),
    "bf16": GraphFile(file=FP32_FILE, float_type="bf16"),
    "fp16": GraphFile(file="vision.fp16.onnx", float_type="f32"),
    "int8": GraphFile(file="vision.int8.onnx", float_type="bf16"),
    "int8-symmetric": GraphFile(file="vision.int8-symmetric.onnx", float_type="f32"),
}


def read_weights(preset: Preset, files: Mapping[str, Path]) -> VitWeights:
    """The encoder's weights, read by its family's module.

    Args:
        preset: whose source the files are.
        files: by their role; see ``fetch_all`` of the source.

    Raises:
        SourceError: a file is not what the family's module reads, or the encoder has another shape than the
            preset tells.
        ConfigError: there is no such family.
    """
    weights = family_of(preset.family).read_weights(files)
    found = Architecture.of(weights)
    if preset.architecture not in (None, found):
        raise SourceError(
            f"Preset {preset.name} says {preset.architecture}; {files['weights'].name} holds {found}.",
            "Correct the preset's architecture, or its source.",
        )
    return weights


def preset_graph(preset: Preset, files: Mapping[str, Path]) -> tuple[onnx.ModelProto, VitWeights]:
    """The vision graph of a preset in float32, and the weights that are in it.

    Raises:
        SourceError: a file is not what it should be.
        ConfigError: the size or the taps do not fit the encoder.
    """
    vit, learned = read_weights(preset, files), learned_of(preset)
    own = family_of(preset.family).own_text(files, preset.taps) if preset.own_text else None
    return vision_graph(vit, preset.input_size, preset.taps, learned, own), vit


def vision_graph(
    vit: VitWeights,
    size: tuple[int, int],
    taps: tuple[int, ...],
    learned: TrainedWeights | None = None,
    own_text: OwnText | None = None,
) -> onnx.ModelProto:
    """The whole vision graph in float32.

    Args:
        vit: the encoder's weights.
        size: (H, W) in pixels.
        taps: layers, 0 for the first.
        learned: the text decoder and the prompt learner for these taps, where they were trained.
        own_text: how the encoder's own text tower reads its patches; what was learned goes first.

    Returns:
        A model with the inputs ``image``, uint8 (batch, H, W, 1 or 3), and the head's. The batch is free up
        to ``features`` and ``text``; the whole graph is for one image.

    Raises:
        ConfigError: the size does not fit the patch, or the encoder has no such layer.
    """
    if min(size) < vit.patch or any(side % vit.patch for side in size):
        nearest = [max(vit.patch, round(side / vit.patch) * vit.patch) for side in size]
        raise ConfigError(
            f"The input size {size[0]}x{size[1]} is not a multiple of the encoder's patch ({vit.patch}).",
            f"Take {nearest[0]}x{nearest[1]}.",
        )
    if not taps or min(taps) < 0 or max(taps) >= len(vit.layers):
        raise ConfigError(f"The encoder has layers 0 to {len(vit.layers) - 1}; the taps are {list(taps)}.")
    writer = GraphWriter()
    outputs = write_encoder(writer, "image", vit, size, taps)
    head = write_head(writer, outputs, HeadSpec(size, vit.patch, vit.width), learned, own_text)
    image: Port = ("image", UINT8, ["batch", *size, "channels"])
    return writer.model("vision", [image, *head.inputs], head.outputs)


def export_bundle(
    preset: Preset,
    folder: Path,
    precisions: Sequence[Precision],
    step: Callable[[str], None],
    calibrate_on: Path | None = None,
) -> Bundle:
    """Writes the graphs of a preset and their manifest: without parity, and without a language half.

    Args:
        preset: what to build.
        folder: where; an earlier export there is replaced.
        precisions: to write, fp32 among them.
        step: told what is being done.
        calibrate_on: a folder of good parts that int8's ranges are observed on; None: rendered ones.

    Raises:
        SourceError: the weights cannot be fetched.
        ConfigError: the size or the taps do not fit the encoder.
        EngineError: int8 cannot be made.
        FrameError: an image of ``calibrate_on`` cannot be used, or there is none.
    """
    files = preset.source.fetch_all()
    step("fp32")
    model, vit = preset_graph(preset, files)
    feature_width = _feature_width(model)
    save_onnx(model, folder / FP32_FILE)
    graphs = {precision: GRAPHS[precision] for precision in precisions}
    for made in _precisions(model, graphs, calibrate_on, step):
        about = {"kept_in_float32": made.kept_in_float32, "calibrated_on": made.calibrated_on}
        graphs[made.precision] = graphs[made.precision].model_copy(update=about)
        save_onnx(made.model, folder / graphs[made.precision].file)
    encoder = Encoder(
        family=preset.family,
        input_size=preset.input_size,
        patch=vit.patch,
        taps=preset.taps,
        width=vit.width,
        feature_width=feature_width,
    )
    return draft(folder, preset, encoder, graphs)


def _precisions(
    model: onnx.ModelProto,
    precisions: Collection[Precision],
    calibrate_on: Path | None,
    step: Callable[[str], None],
) -> Iterator[PrecisionGraph]:
    from build_engines.precision.files import OF_THEIR_OWN, made_precisions

    wanted = OF_THEIR_OWN & set(precisions)
    if wanted:
        from build_engines.precision.calibration_set import folder_calibration, rendered_calibration

        images = rendered_calibration() if calibrate_on is None else folder_calibration(calibrate_on)
        yield from made_precisions(model, wanted, images, step)


def learned_of(preset: Preset) -> TrainedWeights | None:
    """What was trained for a preset; None for one that only sees.

    Raises:
        SourceError: its file cannot be read.
    """
    return None if preset.language is None else read_learned(weights_file(preset.language))


def content_of(model: onnx.ModelProto) -> bytes:
    """The model as the bytes of its file; the same model gives the same bytes."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def save_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model under a temporary name first, so that the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content_of(model))


def _feature_width(model: onnx.ModelProto) -> int:
    port = next(output for output in model.graph.output if output.name == "features")
    return int(port.type.tensor_type.shape.dim[1].dim_value)
