"""Learning the rows: cross entropy of the frozen language model's words, step by step, resumable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from edge.facts import PartFacts
from edge.progress import Progress
from models.dialogue.descriptions import DESCRIPTIONS
from models.dialogue.dialogues import DialogueBatch, Teacher
from models.dialogue.slot_sampling import facts_read, imagined_parts, joined
from models.heads.prompt_learner import PromptLearner
from models.heads.reader import Reader, Readings, slots
from models.training.maps import Maps
from models.training.run_folder import RunFolder

_BATCH = 6
_REAL = 3  # Of a batch's parts, once there is a reader and maps to read.
_WARM_UP = 20
_SAVED_EVERY = 20


@dataclass(frozen=True, slots=True)
class DialogueTrainingPlan:
    """What is learned, and for how long.

    Attributes:
        name: of the checkpoint's file.
        steps: in all; those of a checkpoint count.
        rate: the highest learning rate, in units of the token embeddings.
        seed: of the parts, the questions and their wordings.
        only_turns: learn the rows that end a question, and leave all else: no verdict changes.
    """

    name: str
    steps: int
    rate: float
    seed: int
    only_turns: bool = False

    @property
    def file(self) -> str:
        """The checkpoint."""
        return f"{self.name}.safetensors"

    def learned(self, learner: PromptLearner) -> list[torch.nn.Parameter]:
        """The parameters that change."""
        return list(learner.turn.parameters()) if self.only_turns else list(learner.parameters())


@dataclass(frozen=True, eq=False, slots=True)
class RealParts:
    """Real parts for the dialogue: maps of training products and the trained reader."""

    reader: Reader
    maps: Maps


@dataclass(frozen=True, eq=False, slots=True)
class _Step:
    facts: list[PartFacts]
    slots: torch.Tensor
    images: torch.Tensor
    evidence: torch.Tensor


def train_dialogue(
    teacher: Teacher,
    learner: PromptLearner,
    run: RunFolder,
    course: DialogueTrainingPlan,
    progress: Progress,
    reads: RealParts | None = None,
) -> list[float]:
    """Trains the prompt learner in place, from the run's checkpoint if there is one.

    Args:
        teacher: with the frozen language model.
        learner: the rows to learn.
        run: keeps the checkpoint.
        course: what is learned, and for how long.
        progress: called before each step.
        reads: real parts to mix with imagined ones.

    Returns:
        The words' loss of each step that was made now.
    """
    learned = course.learned(learner)
    learner.requires_grad_(False)
    for parameter in learned:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(learned, lr=course.rate, betas=(0.9, 0.99))
    done = _resumed(run, course, learner, optimizer)
    losses = []
    for step in range(done, course.steps):
        progress(f"training: {course.name}", step, course.steps)
        for group in optimizer.param_groups:
            group["lr"] = course.rate * _share_of_rate(step, course.steps)
        rng = np.random.default_rng([course.seed, step])
        parts = _parts(rng, learner.image.in_features, reads)
        description = DESCRIPTIONS[rng.integers(len(DESCRIPTIONS))]
        lesson = DialogueBatch(description, teacher.dialogues(parts.facts, rng), parts.slots, parts.images)
        cost = teacher.learn(learner, lesson, parts.evidence)
        optimizer.zero_grad()
        cost.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        losses.append(cost.words.item())
        if (step + 1) % _SAVED_EVERY == 0 or step + 1 == course.steps:
            _save(run, course, learner, optimizer, step + 1)
    return losses


def _parts(rng: np.random.Generator, image_width: int, reads: RealParts | None) -> _Step:
    imagined = imagined_parts(_BATCH - (_REAL if reads else 0), rng)
    readings = joined([part.readings for part in imagined])
    noise = torch.from_numpy(rng.standard_normal((len(imagined), image_width)).astype(np.float32))
    images = functional.normalize(noise, dim=1)
    if reads is not None:
        real, real_images = _real_readings(rng, reads)
        readings = joined([readings, real])
        images = torch.cat([images, real_images])
    return _Step(facts_read(readings), slots(readings), images, readings.evidence)


@torch.no_grad()
def _real_readings(rng: np.random.Generator, reads: RealParts) -> tuple[Readings, torch.Tensor]:
    chosen = np.zeros(len(reads.maps.scores), bool)
    chosen[rng.choice(len(chosen), _REAL, replace=False)] = True
    maps = reads.maps.of(chosen)
    readings = reads.reader(torch.from_numpy(maps.maps), torch.from_numpy(maps.scores))
    return readings, torch.from_numpy(maps.images)


def _share_of_rate(step: int, steps: int) -> float:
    """Warm-up, then a cosine down to a twentieth."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (0.05 + 0.475 * (1 + math.cos(math.pi * step / steps)))


def _save(
    run: RunFolder,
    course: DialogueTrainingPlan,
    learner: PromptLearner,
    optimizer: torch.optim.Adam,
    done: int,
) -> None:
    tensors = {f"learner.{name}": value for name, value in learner.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"adam.{number}.{key}"] = value
    run.save_tensors(course.file, tensors | {"done": torch.tensor(done)})


def _resumed(
    run: RunFolder, course: DialogueTrainingPlan, learner: PromptLearner, optimizer: torch.optim.Adam
) -> int:
    """Loads the checkpoint, if there is one; the steps that it has behind it."""
    tensors = run.load_tensors(course.file)
    if tensors is None:
        return 0
    learner.load_state_dict(
        {name.removeprefix("learner."): v for name, v in tensors.items() if name.startswith("learner.")}
    )
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(tensors["done"])
