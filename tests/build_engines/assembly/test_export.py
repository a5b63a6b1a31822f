"""The graph that is written equals the model that it was read from, at any size that fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import onnxruntime
import pytest

from build_engines.assembly.export import save_onnx, vision_graph
from build_engines.encoders.dinov2 import original_taps, read_onnx
from build_engines.parity.gate import tap_runner
from edge.bundle import Bundle
from edge.errors import ConfigError, SourceError
from tests.build_engines.learned_weights import random_learned
from tests.build_engines.tiny import LAYERS, WIDTH, picture, tiny_bundle, tiny_preset, write_tiny_dinov2


@pytest.mark.parametrize("size", [70, 84, 42, (56, 112)])  # as trained, larger, smaller, not square
def test_every_tap_equals_the_models_own_definition(tmp_path: Path, size: int | tuple[int, int]) -> None:
    both = [size, size] if isinstance(size, int) else list(size)
    bundle = sized_bundle(tmp_path, both)
    image = picture(3, (*both, 3))
    expected = original_taps(tmp_path / "tiny.onnx", image, (1, 2, 3))
    for ours, theirs in zip(tap_runner(bundle)(image), expected, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def sized_bundle(folder: Path, size: list[int]) -> Bundle:
    from build_engines.assembly.export import export_bundle

    preset = tiny_preset(folder, input_size=size, taps=[1, 2, 3])
    return export_bundle(preset, folder / "bundle", ("fp32",), print)


@pytest.mark.parametrize(("size", "advice"), [(85, "84x84"), (5, "14x14"), (0, "14x14"), (440, "434x434")])
def test_a_size_that_is_no_multiple_of_the_patch_is_refused_with_the_nearest(
    tmp_path: Path, size: int, advice: str
) -> None:
    vit = read_onnx(write_tiny_dinov2(tmp_path / "tiny.onnx"))
    with pytest.raises(ConfigError, match="multiple of the encoder's patch") as caught:
        vision_graph(vit, (size, size), (1,))
    assert advice in caught.value.remedy


@pytest.mark.parametrize("taps", [(), (LAYERS,), (-1,)])
def test_a_layer_that_the_encoder_lacks_is_refused(tmp_path: Path, taps: tuple[int, ...]) -> None:
    vit = read_onnx(write_tiny_dinov2(tmp_path / "tiny.onnx"))
    with pytest.raises(ConfigError, match="layers 0 to 3"):
        vision_graph(vit, (84, 84), taps)


def test_layers_above_the_highest_tap_are_left_out(tmp_path: Path) -> None:
    vit = read_onnx(write_tiny_dinov2(tmp_path / "tiny.onnx"))
    low, high = vision_graph(vit, (84, 84), (0,)), vision_graph(vit, (84, 84), (3,))
    assert not any(w.name.startswith("layer.1") for w in low.graph.initializer)
    assert any(w.name.startswith("layer.3") for w in high.graph.initializer)


def test_several_images_at_once_give_what_each_gives_alone(tmp_path: Path) -> None:
    vit = read_onnx(write_tiny_dinov2(tmp_path / "tiny.onnx"))
    whole = vision_graph(vit, (84, 56), (1, 3), random_learned(taps=2, width=WIDTH))
    cut = onnx.utils.Extractor(whole).extract_model(["image"], ["features", "text"])
    encoder = onnxruntime.InferenceSession(cut.SerializeToString(), providers=["CPUExecutionProvider"])
    for channels in (1, 3):
        images = np.stack([picture(seed, (84, 56, channels)).reshape(84, 56, channels) for seed in range(3)])
        alone = [encoder.run(None, {"image": image[None]}) for image in images]
        for output, together in enumerate(encoder.run(None, {"image": images})):
            expected = np.concatenate([outputs[output] for outputs in alone])
            np.testing.assert_allclose(together, expected, atol=1e-5)


def test_the_same_weights_give_the_same_file(tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path / "a")
    second = tiny_bundle(tmp_path / "b")
    assert first.id == second.id


def test_an_onnx_file_of_another_model_is_refused(tmp_path: Path) -> None:
    path = write_tiny_dinov2(tmp_path / "tiny.onnx")
    model = onnx.load(str(path))
    gone = next(t for t in model.graph.initializer if t.name == "backbone.encoder.layer.2.norm1.weight")
    model.graph.initializer.remove(gone)
    onnx.save(model, str(path))
    with pytest.raises(SourceError, match=r"no weight 'backbone\.encoder\.layer\.2\.norm1\.weight'"):
        read_onnx(path)


def test_a_graph_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> int:
        raise OSError(28, "No space left on device")

    vit = read_onnx(write_tiny_dinov2(tmp_path / "tiny.onnx"))
    model = vision_graph(vit, (84, 84), (1,))
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_onnx(model, tmp_path / "out" / "vision.onnx")
    assert list((tmp_path / "out").iterdir()) == []
