"""CLIP's text tower and tokenizer equal ``transformers``' own, and read the paper's sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_engines.assembly.export import vision_graph
from build_engines.encoders.clip import own_text, read_text_tower
from build_engines.graph.text_tower import ClipTokenizer, state_directions
from edge.errors import ConfigError, SourceError
from models.heads.states import ABNORMAL_STATES, NORMAL_STATES, sentences
from tests.build_engines.encoders.checkpoints import LAYERS, LONGEST, pixels, save_clip, torch, transformers
from tests.build_engines.encoders.graph import run
from tests.build_engines.tiny import picture

SENTENCES = [
    *sentences(NORMAL_STATES),
    *sentences(ABNORMAL_STATES),
    "",
    " ",
    "A PHOTO of The Part",
    "two  spaces\tand\na line",
    "don't, won't: it's they'll 'd",
    "3 of 47 parts, 100%",
    "naïve café Ærø ﬁ",  # composed, decomposed, and a ligature
    "cafe\u0301",
    "部品の写真 🔩🔧",
    "a-b_c/d\\e [f] {g}",
    "\u200bzero\u00a0width",
    "so long that it must be cut " * 10,
]
NO_SENTENCES = ["<|endoftext|> in the middle <|startoftext|>"]  # A text ends where it says so.


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return save_clip(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClipTokenizer, Any]:
    folder = tmp_path_factory.mktemp("tokenizer")
    _, files = save_clip(folder)
    return ClipTokenizer(files["tokenizer"], LONGEST), transformers.CLIPTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("text", SENTENCES + NO_SENTENCES)
def test_a_sentence_has_the_same_tokens(tokenizers: tuple[ClipTokenizer, Any], text: str) -> None:
    ours, theirs = tokenizers
    assert ours.tokens(text) == theirs(text, truncation=True, max_length=LONGEST)["input_ids"]


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_odd_strings_have_the_same_tokens(tokenizers: tuple[ClipTokenizer, Any], text: str) -> None:
    ours, theirs = tokenizers
    assert ours.tokens(text) == theirs(text, truncation=True, max_length=LONGEST)["input_ids"]


def their_features(model: Any, tokenizer: ClipTokenizer, text: str) -> np.ndarray:
    with torch.no_grad():
        features = model.get_text_features(torch.tensor([tokenizer.tokens(text)])).pooler_output[0].numpy()
    unit: np.ndarray = features / np.linalg.norm(features)
    return unit


def test_a_sentence_has_the_same_direction(clip: tuple[Any, Any]) -> None:
    model, files = clip
    tower, tokenizer = read_text_tower(files), ClipTokenizer(files["tokenizer"], LONGEST)
    for text in SENTENCES:
        ours = tower.encode(tokenizer.tokens(text))
        np.testing.assert_allclose(ours, their_features(model, tokenizer, text), atol=1e-4)


def test_the_states_are_the_mean_directions_of_their_sentences(clip: tuple[Any, Any]) -> None:
    model, files = clip
    tokenizer = ClipTokenizer(files["tokenizer"], LONGEST)
    states = state_directions(read_text_tower(files), tokenizer)
    for state, texts in zip(states, (NORMAL_STATES, ABNORMAL_STATES), strict=True):
        mean = np.mean([their_features(model, tokenizer, text) for text in sentences(texts)], axis=0)
        np.testing.assert_allclose(state, mean / np.linalg.norm(mean), atol=1e-4)


def test_the_text_map_reads_the_values_of_the_last_layer(clip: tuple[Any, Any]) -> None:
    model, files = clip
    from build_engines.encoders.clip import TRAITS, read_weights

    image, taps = picture(3, (64, 64, 3)), (0, LAYERS - 2)
    own = own_text(files, taps)
    (text,) = run(vision_graph(read_weights(files), (64, 64), taps, own_text=own), image, ["text"])
    with torch.no_grad():
        given = pixels(image, TRAITS.pixel_mean, TRAITS.pixel_std)
        states = model.vision_model(given, output_hidden_states=True, interpolate_pos_encoding=True)
        last = model.vision_model.encoder.layers[-1]
        values = last.self_attn.v_proj(last.layer_norm1(states.hidden_states[-2][0, 1:]))
        seen = model.visual_projection(model.vision_model.post_layernorm(last.self_attn.out_proj(values)))
        cosines = torch.nn.functional.normalize(seen, dim=1) @ torch.from_numpy(own.states.T)
        expected = torch.softmax(100 * cosines, dim=1)[:, 1].numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(text, expected, atol=1e-3)  # 1e-5 in a cosine, times 100


def test_without_the_layer_that_it_reads_there_is_no_text_map(clip: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match=f"output of layer {LAYERS - 2}"):
        own_text(clip[1], (0, LAYERS - 1))


def test_without_the_tokenizer_there_is_no_text_map(clip: tuple[Any, Any]) -> None:
    files = {role: path for role, path in clip[1].items() if role != "tokenizer"}
    with pytest.raises(SourceError, match="tokenizer"):
        own_text(files, (LAYERS - 2,))


def test_a_file_that_is_no_tokenizer_is_refused(clip: tuple[Any, Any]) -> None:
    with pytest.raises(SourceError, match=r"not a tokenizer\.json"):
        ClipTokenizer(clip[1]["config"], LONGEST)
