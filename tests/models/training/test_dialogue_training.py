"""The rows are learned step by step; a run that was stopped ends as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from models.heads.prompt_learner import PromptLearner  # noqa: E402
from models.heads.reader import Reader  # noqa: E402
from models.training import dialogue_training  # noqa: E402
from models.training.dialogue_training import DialogueTrainingPlan, RealParts, train_dialogue  # noqa: E402
from models.training.run_folder import RunFolder  # noqa: E402
from tests.models.judged import WIDTH as IMAGE_WIDTH  # noqa: E402
from tests.models.judged import bright_maps, silent  # noqa: E402
from tests.models.tiny_llama import WIDTH, tiny_teacher  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 7


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint every second step."""
    monkeypatch.setattr(dialogue_training, "_SAVED_EVERY", 2)


def new_learner() -> PromptLearner:
    torch.manual_seed(0)
    return PromptLearner(WIDTH, IMAGE_WIDTH, 1.0)


def train(
    folder: Path,
    progress: Callable[[str, int, int], None] = silent,
    seed: int = 1,
    steps: int = STEPS,
    reads: RealParts | None = None,
) -> tuple[PromptLearner, list[float]]:
    learner = new_learner()
    losses = train_dialogue(
        tiny_teacher(),
        learner,
        RunFolder(folder),
        DialogueTrainingPlan("dialogue", steps, 0.02, seed),
        progress,
        reads,
    )
    return learner, losses


def stopping_at(step: int) -> Callable[[str, int, int], None]:
    def progress(_: str, done: int, __: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    return progress


def assert_same(one: PromptLearner, other: PromptLearner) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("stop", [1, 3, 6])  # before the first checkpoint, past one, right on one
def test_a_run_that_was_stopped_ends_with_the_very_tensors_of_one_that_was_not(
    tmp_path: Path, stop: int
) -> None:
    whole, losses = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stopping_at(stop))
    resumed, rest = train(tmp_path / "stopped")
    kept = stop - stop % 2
    assert len(losses) == STEPS and rest == losses[kept:]
    assert_same(resumed, whole)


def test_a_run_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    first, _ = train(tmp_path)
    again, losses = train(tmp_path)
    assert losses == []
    assert_same(again, first)


def test_the_seed_decides(tmp_path: Path) -> None:
    _, one = train(tmp_path / "a", steps=2)
    _, same = train(tmp_path / "b", steps=2)
    _, other = train(tmp_path / "c", steps=2, seed=2)
    assert one == same != other


def test_real_parts_are_mixed_with_imagined_ones_and_the_reader_stays_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(3)
    reads = RealParts(Reader(), bright_maps(12))
    before = {name: value.clone() for name, value in reads.reader.state_dict().items()}
    mixed, losses = train(tmp_path / "mixed", steps=3, reads=reads)
    imagined, _ = train(tmp_path / "imagined", steps=3)
    assert len(losses) == 3
    assert not torch.equal(mixed.base, imagined.base)
    for name, value in reads.reader.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_rate_warms_up_and_falls_to_a_twentieth() -> None:
    shares = [dialogue_training._share_of_rate(step, 400) for step in range(400)]
    assert shares[0] == pytest.approx(1 / 20, rel=0.01)
    assert max(shares) == pytest.approx(1, abs=0.01) and shares.index(max(shares)) == 19
    assert shares[-1] == pytest.approx(0.05, abs=0.001)
    assert shares[20:] == sorted(shares[20:], reverse=True)
