"""The gate: what is right passes, what is not right is measured and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from build_engines.assembly.draft import write_manifest
from build_engines.assembly.export import export_bundle, save_onnx
from build_engines.parity.gate import failures, parity_table, verify
from build_engines.parity.labelled import LabelledProduct, folder_set, rendered_set
from build_engines.parity.limits import AUROC_LIMIT
from edge.bundle import Bundle, BundleFile, GraphFile, Manifest
from edge.choices import Precision
from edge.errors import BundleError, DatasetError, EngineError
from edge.fetch import sha256_of
from edge.vision.openvino import cpu_precisions
from tests.build_engines.tiny import MEASURED, picture, tiny_preset


def exported(folder: Path, precisions: tuple[Precision, ...] = ("fp32",)) -> Bundle:
    return export_bundle(tiny_preset(folder), folder / "bundle", precisions, print)


def few() -> Iterator[LabelledProduct]:
    return rendered_set(products=2, parts=2)


def spoiled(bundle: Bundle, file: str, as_precision: Precision) -> Bundle:
    """The bundle with one weight of its fp32 graph changed, as the graph of that precision."""
    model = onnx.load(str(bundle.path / "vision.fp32.onnx"))
    tensor = next(t for t in model.graph.initializer if t.name == "layer.1.mlp.out.weight")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 3, tensor.name))
    save_onnx(model, bundle.path / file)
    path = bundle.path / file
    files = {**bundle.manifest.files, file: BundleFile(sha256=sha256_of(path), bytes=path.stat().st_size)}
    graphs = {**bundle.manifest.graphs, as_precision: GraphFile(file=file, float_type="f32")}
    changed = bundle.manifest.model_copy(update={"files": files, "graphs": graphs})
    write_manifest(bundle.path, changed)
    return Bundle.load(bundle.path)


def test_a_right_graph_passes_with_its_figures(tmp_path: Path) -> None:
    steps: list[str] = []
    manifest = verify(exported(tmp_path), {"weights": tmp_path / "tiny.onnx"}, few(), steps.append)
    parity = manifest.graphs["fp32"].parity
    assert parity is not None
    assert parity.passed
    assert parity.patch_cosine_mean >= 0.9999
    assert parity.image_auroc == parity.image_auroc_reference
    assert failures(manifest) == []
    assert len(steps) >= 2


def test_a_wrong_weight_in_fp32_is_found(tmp_path: Path) -> None:
    wrong = spoiled(exported(tmp_path), "vision.fp32.onnx", "fp32")
    manifest = verify(wrong, {"weights": tmp_path / "tiny.onnx"}, few(), print)
    (failed,) = failures(manifest)
    assert failed.startswith("fp32 against source in ONNX Runtime")


def test_another_precision_is_held_against_fp32(tmp_path: Path) -> None:
    wrong = spoiled(exported(tmp_path), "vision.int8.onnx", "int8")
    manifest = verify(wrong, {"weights": tmp_path / "tiny.onnx"}, few(), print)
    assert manifest.graphs["fp32"].parity is not None
    assert manifest.graphs["fp32"].parity.passed
    assert (manifest.graphs["int8"].parity is not None) == ("int8" in cpu_precisions())
    failed = [failure.partition(" 0.9")[0] for failure in failures(manifest)]
    assert failed == (["int8 against fp32: patch cosine"] if "int8" in cpu_precisions() else [])


def test_what_was_not_measured_did_not_pass(tmp_path: Path) -> None:
    assert failures(exported(tmp_path).manifest) == ["fp32 was not measured."]


def test_without_fp32_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    made = exported(tmp_path)
    manifest = made.manifest.model_copy(update={"graphs": {"bf16": made.manifest.graphs["fp32"]}})
    with pytest.raises(BundleError, match="no fp32 graph"):
        verify(Bundle(made.path, manifest), {"weights": tmp_path / "tiny.onnx"}, few(), print)


def test_images_of_good_parts_alone_cannot_be_ranked(tmp_path: Path) -> None:
    only_good = LabelledProduct("plain", picture(1), [(picture(2), False)])
    with pytest.raises(EngineError, match="good and defective"):
        verify(exported(tmp_path), {"weights": tmp_path / "tiny.onnx"}, [only_good], print)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        next(folder_set(tmp_path))


def test_the_table_says_what_is_outside_a_limit(tmp_path: Path) -> None:
    from rich.console import Console

    made = exported(tmp_path)
    parity = MEASURED.model_copy(update={"image_auroc": 1 - 2 * AUROC_LIMIT, "passed": False})
    graphs = {
        "fp32": made.manifest.graphs["fp32"].model_copy(update={"parity": parity}),
        "bf16": made.manifest.graphs["fp32"],
    }
    console = Console(width=160)
    with console.capture() as captured:
        console.print(parity_table(Manifest.model_validate({**made.manifest.model_dump(), "graphs": graphs})))
    assert "outside a limit" in captured.get()
    assert "not measured" in captured.get()
