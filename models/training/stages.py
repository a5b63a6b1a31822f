"""The stages of a training run, over one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from edge.bundle import Bundle
from edge.errors import ConfigError
from edge.fetch import sha256_of
from edge.image_types import Array
from edge.language import LanguageModel, ModelLimits
from edge.language.context import Context
from edge.progress import Progress
from models.data.folder_products import folder_products
from models.data.products import training_products
from models.data.training_parts import ProductSource
from models.dialogue.dialogues import DialogueBatch, Teacher
from models.dialogue.general_answers import own_answers
from models.dialogue.llm import FrozenLlama
from models.dialogue.slot_sampling import imagined_parts, joined
from models.dialogue.word_rows import start_from_words
from models.heads.decoder import TextDecoder
from models.heads.prompt_learner import PromptLearner
from models.heads.reader import Reader, slots
from models.heads.text_features import FILE as TEXT_FILE
from models.training.decoder_training import encoded_parts, train_decoder
from models.training.dialogue_training import DialogueTrainingPlan, RealParts, train_dialogue
from models.training.imagined_maps import imagined_maps
from models.training.maps import Maps, judged_maps
from models.training.plan import TrainingPlan, plan_words
from models.training.reader_training import reader_figures, train_reader
from models.training.run_folder import RunFolder
from models.training.training_engine import TrainingEngine

_SCORED_PARTS = 32


class Training:
    """One run: each stage loads what the stages before it left.

    Args:
        preset: name of a built bundle.
        data: folders of good parts, one product each.
        folder: of the run.
        plan: how much of everything.
        progress: what is being done, how much of it is done, and how much there is.
        gguf: the language model to train through; by default the bundle's.
    """

    def __init__(
        self,
        preset: str,
        data: Sequence[Path],
        folder: Path,
        plan: TrainingPlan,
        progress: Progress,
        gguf: Path | None = None,
    ) -> None:
        if plan.threads is not None:
            torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        self._bundle = Bundle.resolve(preset)
        self._run = RunFolder(folder)
        self._plan = plan
        self._progress = progress
        self._own = folder_products(data)
        self._gguf = gguf

    def decoder(self) -> None:
        """Learns the text decoder, and how it does on products of other pictures."""
        if self._run.load_tensors("decoder.safetensors") is not None:
            return
        plan = self._plan
        engine = self._engine(None)
        products = self._products(plan.decoder_products, plan.seed)
        patches = encoded_parts(products, engine, plan.seed, self._progress)
        decoder = self._new_decoder()
        losses = train_decoder(decoder, patches, plan.decoder_steps, plan.seed, self._progress)
        self._run.save_curve("decoder", losses)
        self._run.save_tensors("decoder.safetensors", decoder.state_dict())

    def maps(self) -> None:
        """Enrolls products and judges parts of them."""
        plan = self._plan
        engine = self._engine(self._decoder())
        held_out = training_products(plan.validation_products, seed=plan.seed + 1, held_out=True)
        judged_maps(held_out, engine, plan.seed + 100, self._progress, self._run.file("validation.npz"))
        products = self._products(plan.products, plan.seed + 2)
        judged_maps(products, engine, plan.seed, self._progress, self._run.file("maps.npz"))

    def reader(self) -> None:
        """Learns to read maps; takes minutes, so it is learned anew each time."""
        reader = Reader()
        maps, validation = self._maps("maps.npz"), self._maps("validation.npz")
        imagined = imagined_maps(self._plan.imagined_maps, maps, np.random.default_rng(self._plan.seed + 3))
        lessons = [lesson for lesson in (maps, imagined) if len(lesson.scores)]
        losses = train_reader(reader, lessons, self._plan.reader_steps, self._plan.seed, self._progress)
        figures = reader_figures(reader, validation)
        self._run.save_curve("reader", losses)
        self._run.save_tensors("reader.safetensors", reader.state_dict())
        self._run.note(reader={name: value and round(value, 4) for name, value in asdict(figures).items()})

    def dialogue(self) -> None:
        """Learns the rows through the frozen language model."""
        plan = self._plan
        self._learn(DialogueTrainingPlan("dialogue", plan.dialogue_steps, plan.rate, plan.seed))

    def turns(self) -> None:
        """Learns the rows that end a question some more; verdicts and first sentences stay as they are.

        Raises:
            ConfigError: there is no dialogue yet.
        """
        if self._run.load_tensors("learner.safetensors") is None:
            raise ConfigError("The run has no dialogue yet.", "Run its stage first: --stage dialogue")
        plan = self._plan
        self._learn(
            DialogueTrainingPlan("turns", plan.turn_steps, plan.rate, plan.seed + 10, only_turns=True)
        )

    def _learn(self, course: DialogueTrainingPlan) -> None:
        teacher, learner = self._teacher()
        if course.only_turns:
            learner.load_state_dict(self._run.load_tensors("learner.safetensors") or {})
        reads = self._reads()
        losses = train_dialogue(
            teacher,
            learner,
            self._run,
            course,
            self._progress,
            reads,
        )
        if losses:
            self._run.save_curve(course.name, losses)
        self._run.save_tensors("learner.safetensors", learner.state_dict())
        self._run.note(dialogue=_dialogue_figures(teacher, learner, self._progress, reads))

    def export(self, out: Path, command: str) -> None:
        """Writes all that was learned as one file, in 16 bits where that is enough.

        Raises:
            ConfigError: a stage is missing.
        """
        tensors: dict[str, torch.Tensor] = {}
        for name, stage in (("decoder", "decoder"), ("reader", "reader"), ("learner", "dialogue")):
            part = self._run.load_tensors(f"{name}.safetensors")
            if part is None:
                raise ConfigError(f"The run has no {name} yet.", f"Run its stage first: --stage {stage}")
            tensors |= {f"{name}.{key}": _small(value) for key, value in part.items()}
        zero_shot = self._zero_shot()
        about = {
            "command": command,
            "plan": plan_words(self._plan),
            "data": "Debian packages of models/data/free_images.yaml and rendered parts"
            + ("".join(f", {product.name}" for product in self._own)),
            "gguf_sha256": sha256_of(self._language_file()),
            "figures": str(self._run.figures()),
            **{f"zero_shot_{name}": f"{value:.5f}" for name, value in zero_shot.items()},
        }
        RunFolder(out.parent).save_tensors(out.name, tensors, about)

    def summary(self) -> str:
        """The figures of the run, a line each."""
        return "\n".join(f"{name}: {value}" for name, value in self._run.figures().items())

    def _zero_shot(self) -> dict[str, float]:
        """What good parts of unseen products show of *abnormal* where there is no reference at all."""
        engine = self._engine(self._decoder())
        good: list[float] = []
        bad: list[float] = []
        products = training_products(self._plan.validation_products, seed=self._plan.seed + 1, held_out=True)
        patches = encoded_parts(products, engine, self._plan.seed + 5, self._progress)
        decoder = self._decoder()
        with torch.no_grad():
            shares: Array = decoder(torch.from_numpy(patches.taps.astype(np.float32))).numpy()
        for share, mask in zip(shares, patches.masks, strict=True):
            top = float(np.sort(share)[-10:].mean())
            (bad if mask.any() else good).append(top)
        usual, typical = float(np.median(good)), float(np.median(bad))
        gain = 1 / max(typical - usual, 1e-3)
        middle = _best_middle(np.array(good), np.array(bad))
        return {"usual": usual, "gain": gain, "boundary": max((middle - usual) * gain, 0.05)}

    def _products(self, count: int, seed: int) -> list[ProductSource]:
        return [*self._own, *training_products(count, seed=seed)]

    def _engine(self, decoder: TextDecoder | None) -> TrainingEngine:
        from edge.vision.openvino import auto_precision

        precision = auto_precision(self._bundle).precision
        return TrainingEngine(self._bundle, precision, decoder, self._plan.threads)

    def _new_decoder(self) -> TextDecoder:
        encoder = self._bundle.manifest.encoder
        return TextDecoder(len(encoder.taps), encoder.width, load_file(TEXT_FILE)["text"])

    def _decoder(self) -> TextDecoder:
        tensors = self._run.load_tensors("decoder.safetensors")
        if tensors is None:
            raise ConfigError("The run has no decoder yet.", "Run its stage first: --stage decoder")
        decoder = self._new_decoder()
        decoder.load_state_dict(tensors)
        return decoder

    def _maps(self, name: str) -> Maps:
        file = self._run.file(name)
        if not file.is_file():
            raise ConfigError(f"The run has no {name} yet.", "Run its stage first: --stage maps")
        return Maps.load(file)

    def _reads(self) -> RealParts | None:
        tensors, file = self._run.load_tensors("reader.safetensors"), self._run.file("maps.npz")
        if tensors is None or not file.is_file():
            return None
        reader = Reader()
        reader.load_state_dict(tensors)
        return RealParts(reader, Maps.load(file))

    def _language_file(self) -> Path:
        """The GGUF that ships with the bundle, or the one that was named."""
        if self._gguf is not None:
            return self._gguf
        language = self._bundle.manifest.language
        if language is None:
            raise ConfigError(
                f"Bundle {self._bundle.name} has no language model yet.",
                "Give the GGUF to train on: --gguf FILE (python -m build_engines fetch prints its path)",
            )
        return self._bundle.file(language.gguf)

    def _teacher(self) -> tuple[Teacher, PromptLearner]:
        path = self._language_file()
        llm = FrozenLlama.from_gguf(path, torch.bfloat16)
        model = LanguageModel(path, sha256_of(path), "llama", llm.dimensions.width)
        context = Context(model, ModelLimits(threads=self._plan.threads))
        teacher = Teacher(llm, context.tokens, own_answers(context))
        scale = float(llm.tokens.square().mean().sqrt())
        learner = PromptLearner(llm.dimensions.width, self._bundle.manifest.encoder.feature_width, scale)
        start_from_words(learner, lambda text: llm.embed(torch.tensor(context.tokens(text))).mean(0))
        return teacher, learner


def _dialogue_figures(
    teacher: Teacher, learner: PromptLearner, progress: Progress, reads: RealParts | None
) -> dict[str, float]:
    """Of imagined parts: how many verdicts follow the evidence, and answers are right to the word."""
    from edge.language.sentences import KINDS
    from models.dialogue.descriptions import DESCRIPTIONS

    rng = np.random.default_rng(999)
    parts = imagined_parts(_SCORED_PARTS, rng)
    readings = joined([part.readings for part in parts])
    all_slots = slots(readings)
    right, differences = [], []
    for first in range(0, _SCORED_PARTS, 4):
        progress("scoring the dialogue", first, _SCORED_PARTS)
        some = slice(first, first + 4)
        dialogues = [teacher.scored_dialogue(part.facts, rng) for part in parts[some]]
        images = _images(len(dialogues), learner.image.in_features, reads)
        lesson = DialogueBatch(DESCRIPTIONS[3], dialogues, all_slots[some], images)
        said, difference = teacher.score(learner, lesson)
        right.append(said)
        differences.append(difference)
    shares = torch.cat(right).float().mean(0).tolist()
    agree = ((torch.cat(differences) > 0) == (readings.evidence > 0)).float().mean()
    names = ("first sentence", *KINDS)
    return {"verdict": round(float(agree), 4)} | {
        name: round(share, 4) for name, share in zip(names, shares, strict=True)
    }


def _images(count: int, width: int, reads: RealParts | None) -> torch.Tensor:
    """Embeddings of real images where there are some: (count, width)."""
    if reads is None:
        return torch.zeros(count, width)
    return torch.from_numpy(reads.maps.images[:count])


def _best_middle(good: Array, bad: Array) -> float:
    """The level between good and bad parts with the fewest mistakes of both kinds, as shares."""
    levels = np.sort(np.concatenate([good, bad]))
    mistakes = [(good >= level).mean() + (bad < level).mean() for level in levels]
    return float(levels[int(np.argmin(mistakes))])


def _small(value: torch.Tensor) -> torch.Tensor:
    """16 bits for matrices; scalars and directions keep 32."""
    return value.half() if value.dim() > 1 and value.shape[0] > 2 else value.float()
