"""The shipped language model learns to read rows, and llama.cpp reads them as torch does."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")
pytest.importorskip("gguf", reason="training reads the GGUF: pip install 'anomalygpt-edge[train]'")

from build_engines.graph.learned import read_learned  # noqa: E402
from build_engines.language.language_half import weights_file  # noqa: E402
from edge.inspection import Verdict  # noqa: E402
from edge.language import LanguageModel, ModelLimits, Runner, prompt_for  # noqa: E402
from edge.language.context import Context  # noqa: E402
from models.dialogue.descriptions import DESCRIPTIONS  # noqa: E402
from models.dialogue.dialogues import DialogueBatch, Teacher  # noqa: E402
from models.dialogue.llm import FrozenLlama  # noqa: E402
from models.dialogue.packing import PackedDialogue, Turn  # noqa: E402
from models.dialogue.slot_sampling import imagined_parts, joined  # noqa: E402
from models.dialogue.word_rows import start_from_words  # noqa: E402
from models.heads.prompt_learner import PromptLearner  # noqa: E402
from models.heads.reader import slots  # noqa: E402
from tests.build_engines.learned_weights import COMMITTED  # noqa: E402

PARTS, AT_ONCE = 500, 50


def test_a_few_steps_lower_the_loss(frozen_llama: FrozenLlama, llama_cpp: Context) -> None:
    """Of the first answers about two imagined parts, from rows that begin as words."""
    torch.manual_seed(0)
    scale = float(frozen_llama.tokens.square().mean().sqrt())
    learner = PromptLearner(frozen_llama.dimensions.width, 384, scale)
    start_from_words(learner, lambda text: frozen_llama.embed(torch.tensor(llama_cpp.tokens(text))).mean(0))
    teacher = Teacher(frozen_llama, llama_cpp.tokens)
    rng = np.random.default_rng(0)
    parts = imagined_parts(2, rng)
    readings = joined([part.readings for part in parts])
    whole = teacher.dialogues([part.facts for part in parts], rng)
    first = [PackedDialogue(dialogue.first, ()) for dialogue in whole]
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.013)
    losses = []
    for _ in range(5):
        lesson = DialogueBatch(DESCRIPTIONS[1], first, slots(readings), torch.zeros(2, 384))
        cost = teacher.learn(learner, lesson, readings.evidence)
        losses.append(cost.words.item())
        optimizer.zero_grad()
        cost.total.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_torch_and_llama_cpp_agree_on_the_verdicts_of_500_parts(
    gguf_model: LanguageModel, frozen_llama: FrozenLlama, llama_cpp: Context
) -> None:
    """The committed weights, in torch's float32 and in llama.cpp's kernels for the file that ships."""
    learned = read_learned(weights_file(COMMITTED))
    assert learned.about["gguf_sha256"] == gguf_model.sha256
    learner = committed_learner(learned.tensors["learner.image.weight"].shape[1])
    teacher = Teacher(frozen_llama, llama_cpp.tokens)
    rng = np.random.default_rng(7)
    opening = PackedDialogue(Turn(llama_cpp.tokens(prompt_for().after, markup=True), [0]), ())
    base = learner.base_rows().detach().numpy()
    model = LanguageModel(gguf_model.gguf, gguf_model.sha256, "llama", learner.width, base_rows=base)
    in_torch: list[float] = []
    in_llama_cpp: list[float] = []
    evidence: list[float] = []
    with Runner(model, ModelLimits(threads=1)) as runner, torch.no_grad():
        for first in range(0, PARTS, AT_ONCE):
            description = DESCRIPTIONS[first // AT_ONCE % len(DESCRIPTIONS)]
            parts = imagined_parts(AT_ONCE, rng)
            evidence += [part.evidence for part in parts]
            read = slots(joined([part.readings for part in parts]))
            noise = torch.from_numpy(rng.standard_normal((AT_ONCE, learner.image.in_features)))
            images = torch.nn.functional.normalize(noise.float(), dim=1)
            lesson = DialogueBatch(description, [opening] * AT_ONCE, read, images)
            _, difference = teacher.score(learner, lesson)
            in_torch += difference.tolist()
            for rows in learner.part_rows(read, images).numpy():
                reading = runner.judge(prompt_for(description), rows)
                assert (reading.verdict is Verdict.NG) == (reading.yes_logit >= reading.no_logit)
                in_llama_cpp.append(reading.yes_logit - reading.no_logit)
    agreed = (np.array(in_torch) >= 0) == (np.array(in_llama_cpp) >= 0)
    # Nearer to the boundary than this, a part is doubtful and either answer is as right.
    clear = np.abs(np.array(evidence)) >= 0.5
    assert clear.sum() > 0.8 * PARTS
    assert agreed[clear].mean() >= 0.99
    assert agreed.mean() >= 0.97
    assert np.corrcoef(in_torch, in_llama_cpp)[0, 1] > 0.99


def committed_learner(image_width: int) -> PromptLearner:
    """The prompt learner with the weights that ship."""
    tensors = read_learned(weights_file(COMMITTED)).tensors
    learner = PromptLearner(tensors["learner.base"].shape[1], image_width, 1.0)
    own = {n.removeprefix("learner."): v for n, v in tensors.items() if n.startswith("learner.")}
    learner.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in own.items()})
    return learner
