"""A run's folder: what a stage made is there whole or not at all, figures and curves add up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from safetensors import safe_open  # noqa: E402

from models.training.run_folder import RunFolder, curve_image  # noqa: E402
from tests.models.pictures import read  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "mine")


def test_tensors_come_back_as_they_were(run: RunFolder) -> None:
    matrix = torch.randn(4, 6)
    tensors = {
        "plain": matrix,
        "turned": matrix.T,  # not contiguous
        "part": matrix[1:3],  # a view of another one
        "half": matrix.half(),
        "count": torch.tensor(7),
        "learned": torch.nn.Parameter(torch.ones(2)),
    }
    assert run.load_tensors("x.safetensors") is None
    run.save_tensors("x.safetensors", tensors, {"data": "free"})
    found = run.load_tensors("x.safetensors")
    assert found is not None and set(found) == set(tensors)
    for name, value in tensors.items():
        assert torch.equal(found[name], value.detach()) and found[name].dtype == value.dtype
    with safe_open(run.file("x.safetensors"), framework="numpy") as file:
        assert file.metadata() == {"data": "free"}
    assert [path.name for path in run.path.iterdir()] == ["x.safetensors"]


def test_a_file_that_could_not_be_written_whole_leaves_the_old_one(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    run.save_tensors("x.safetensors", {"a": torch.ones(1)})
    monkeypatch.setattr("models.training.run_folder.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        run.save_tensors("x.safetensors", {"a": torch.zeros(1)})
    found = run.load_tensors("x.safetensors")
    assert found is not None and found["a"].item() == 1


def test_figures_of_later_stages_join_those_of_earlier_ones(run: RunFolder) -> None:
    assert run.figures() == {}
    run.note(reader={"balanced": 0.9})
    run.note(dialogue={"verdict": 1.0})
    run.note(reader={"balanced": 0.95})
    assert RunFolder(run.path).figures() == {"reader": {"balanced": 0.95}, "dialogue": {"verdict": 1.0}}


def test_each_curve_is_kept_and_drawn(run: RunFolder) -> None:
    run.save_curve("decoder", [2.0, 1.0, 0.5])
    run.save_curve("reader", [1.0])
    curves = json.loads(run.file("curves.json").read_text())
    assert curves == {"decoder": [2.0, 1.0, 0.5], "reader": [1.0]}
    assert read(run.file("decoder.png")).shape == (360, 640, 3)


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], list(np.linspace(5, 1, 500))])
def test_any_curve_can_be_drawn(values: list[float]) -> None:
    image = curve_image("loss", values)
    assert image.dtype == np.uint8
    assert (image == 255).all() == (not values)
