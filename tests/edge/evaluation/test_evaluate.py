"""What evaluation measures is the station's own work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import DatasetError, FrameError, ProductError
from edge.evaluation.dataset import find_categories
from edge.evaluation.evaluate import EvaluationPlan, EvaluationResult, evaluate
from edge.evaluation.reading import opened_runner
from edge.language import Runner
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import WHOLE_FRAME
from tests.edge.evaluation.conftest import write_plates


@pytest.fixture(scope="module")
def engine(small_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    with_engine = OpenVinoEngine(small_bundle, "fp32")
    yield with_engine
    with_engine.close()


def figures(results: list[EvaluationResult]) -> list[tuple[object, ...]]:
    return [
        (result.shots, name, category.images, category.by_seed)
        for result in results
        for name, category in result.categories.items()
    ]


def test_encoding_each_image_once_changes_no_figure(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    categories = find_categories([plates])
    once = evaluate(categories, engine, small_bundle, EvaluationPlan((1, 2), (0, 1)))
    whole = evaluate(categories, engine, small_bundle, EvaluationPlan((1, 2), (0, 1), whole_graph=True))
    assert figures(once) == figures(whole)


def test_every_number_of_references_and_every_seed_is_judged(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    one, three = evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan((1, 3), (5, 6, 7)))
    assert (one.shots, three.shots) == (1, 3)
    for result in (one, three):
        judged = result.categories["plates"]
        assert judged.images == 8
        assert [trial.seed for trial in judged.by_seed] == [5, 6, 7]
        assert {len(trial.references) for trial in judged.by_seed} == {result.shots}
        assert len(result.vision_ms) == 3 * 8
        assert min(result.vision_ms) > 0
    (category,) = find_categories([plates])
    drawn = three.categories["plates"].by_seed[2].references
    assert list(drawn) == [path.name for path in category.references(3, seed=7)]


def test_stains_that_anybody_sees_are_found(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    (result,) = evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan((4,), (0,)))
    mean = result.mean
    assert mean.image_auroc == 1.0
    assert mean.pixel_auroc is not None and mean.pixel_auroc > 0.8
    assert mean.pro is not None and 0.2 < mean.pro < 1  # a blank map gets 0.15
    assert (mean.accuracy, mean.balanced_accuracy) == (None, None)


def test_without_masks_the_pixel_figures_are_missing_and_the_others_stay(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    with_masks = evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan())[0].mean
    shutil.rmtree(plates / "ground_truth")
    without = evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan())[0].mean
    assert (without.pixel_auroc, without.pro, without.location_accuracy) == (None, None, None)
    assert without.image_auroc == with_masks.image_auroc
    assert without.accuracy_calibration == with_masks.accuracy_calibration


def test_means_are_over_categories(engine: OpenVinoEngine, plates: Path, small_bundle: Bundle) -> None:
    write_plates(plates.parent / "more")
    (result,) = evaluate(find_categories([plates.parent]), engine, small_bundle, EvaluationPlan((1,), (0, 1)))
    assert list(result.categories) == ["more", "plates"]
    each = [category.figures.image_auroc for category in result.categories.values()]
    assert None not in each
    assert result.mean.image_auroc == pytest.approx(np.mean(np.array(each, float)))


def test_too_many_shots_are_refused_before_any_work(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    seen = []
    write_plates(plates.parent / "more")
    shutil.rmtree(plates / "train/good")
    shutil.copytree(plates / "test/good", plates / "train/good")  # 4 in the second category, 5 in the first
    with pytest.raises(DatasetError, match="plates: 5 references"):
        evaluate(
            find_categories([plates.parent]),
            engine,
            small_bundle,
            EvaluationPlan((1, 5)),
            lambda *what: seen.append(what),
        )
    assert seen == []


def test_an_image_that_cannot_be_inspected_is_named(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    path = plates / "test/stain/2.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FrameError, match=r"stain/2\.png"):
        evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan())


def test_a_reference_that_cannot_be_learned_is_named_with_its_category(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    for path in (plates / "train/good").iterdir():
        cv2.imwrite(str(path), np.full((20, 20), 90, np.uint8))
    with pytest.raises(FrameError, match=r"plates/train/good/\d\.png: 20x20 px is too small"):
        evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan())


def test_progress_names_the_category_and_reaches_its_images(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    seen = []
    evaluate(
        find_categories([plates]), engine, small_bundle, EvaluationPlan(), lambda *what: seen.append(what)
    )
    inspecting = [(done, total) for what, done, total in seen if what == "plates (1 of 1): inspecting"]
    assert inspecting == [(number, 8) for number in range(8)]


@pytest.fixture(scope="module")
def speaking(speaking_bundle: Bundle) -> Iterator[tuple[OpenVinoEngine, Runner]]:
    """An engine with a language half, and its language model."""
    engine = OpenVinoEngine(speaking_bundle, "fp32")
    with opened_runner(speaking_bundle) as runner:
        yield engine, runner
    engine.close()


def test_the_language_model_decides_where_it_is_asked(
    speaking: tuple[OpenVinoEngine, Runner], speaking_bundle: Bundle, plates: Path
) -> None:
    engine, runner = speaking
    (plates / "description.txt").write_text("a bright disc\n on a dark plate\n")
    (category,) = find_categories([plates])
    assert category.description == "a bright disc on a dark plate"
    (asked,) = evaluate([category], engine, speaking_bundle, EvaluationPlan((4,)), runner=runner)
    (silent,) = evaluate([category], engine, speaking_bundle, EvaluationPlan((4,)))
    assert (asked.decided_by, silent.decided_by) == ("language", "calibration")
    assert (len(asked.language_ms), silent.language_ms) == (8, [])
    assert min(asked.language_ms) > 0
    assert silent.total_ms == silent.vision_ms
    assert asked.total_ms[3] == asked.vision_ms[3] + asked.language_ms[3]
    told = asked.mean
    assert (told.language_auroc, told.accuracy, told.balanced_accuracy) == (1.0, 1.0, 1.0)
    assert told.accuracy_calibration == silent.mean.accuracy_calibration
    assert told.image_auroc == silent.mean.image_auroc
    assert (silent.mean.language_auroc, silent.mean.accuracy) == (None, None)
    assert runner.open_dialogues == 0


def test_a_language_model_changes_no_figure_of_the_whole_graph(
    speaking: tuple[OpenVinoEngine, Runner], speaking_bundle: Bundle, plates: Path
) -> None:
    engine, runner = speaking
    (category,) = find_categories([plates])
    few = [category.limited(4)]
    once = evaluate(few, engine, speaking_bundle, EvaluationPlan(), runner=runner)
    whole = evaluate(few, engine, speaking_bundle, EvaluationPlan(whole_graph=True), runner=runner)
    assert figures(once) == figures(whole)


def test_without_references_a_bundle_must_have_a_text_map(
    engine: OpenVinoEngine, plates: Path, small_bundle: Bundle
) -> None:
    with pytest.raises(ProductError, match="no text map"):
        evaluate(find_categories([plates]), engine, small_bundle, EvaluationPlan((0,)))


@pytest.mark.slow
def test_without_references_one_seed_stands_for_all(default_bundle: Bundle, plates: Path) -> None:
    engine = OpenVinoEngine(default_bundle)
    few = [find_categories([plates])[0].limited(4)]
    (result,) = evaluate(few, engine, default_bundle, EvaluationPlan((0,), (3, 4)))
    engine.close()
    assert result.seeds == (3,)
    (trial,) = result.categories["plates"].by_seed
    assert trial.references == ()
    assert trial.figures.image_auroc is not None
    assert len(result.vision_ms) == 4


def write_pins(folder: Path) -> Path:
    """Pins that lie askew on a grey sheet, a stain near the head; one image shows no pin."""
    for name in ("train/good", "test/good", "test/stain", "ground_truth/stain"):
        (folder / name).mkdir(parents=True)
    for number, angle_deg in enumerate((10, 80, 200)):
        cv2.imwrite(str(folder / f"train/good/{number}.png"), pin(angle_deg)[0])
        cv2.imwrite(str(folder / f"test/good/{number}.png"), pin(angle_deg + 33)[0])
        image, mask = pin(angle_deg + 150, stain=True)
        cv2.imwrite(str(folder / f"test/stain/{number}.png"), image)
        cv2.imwrite(str(folder / f"ground_truth/stain/{number}_mask.png"), mask)
    cv2.imwrite(str(folder / "test/good/3.png"), np.full((300, 300, 3), 90, np.uint8))
    return folder


def pin(angle_deg: float, *, stain: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A pin, its tip pointing along the angle, and the mask of its stain, next to the head."""
    image, mask = np.full((300, 300, 3), 90, np.uint8), np.zeros((300, 300), np.uint8)
    cv2.rectangle(image, (80, 140), (229, 159), (210, 215, 220), -1)
    cv2.rectangle(image, (60, 130), (89, 169), (150, 160, 170), -1)
    if stain:
        for drawn, colour in ((image, (20, 20, 160)), (mask, 255)):
            cv2.circle(drawn, (105, 150), 9, colour, -1)
    turn = cv2.getRotationMatrix2D((150, 150), -angle_deg, 1.0)
    turned = cv2.warpAffine(image, turn, (300, 300), borderValue=(90, 90, 90))
    marked = cv2.warpAffine(mask, turn, (300, 300)) > 127
    return np.asarray(turned, np.uint8), np.where(marked, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("whole_graph", [False, True])
def test_a_long_part_is_judged_at_its_own_places_and_one_that_is_not_there_is_an_alarm(
    engine: OpenVinoEngine, small_bundle: Bundle, tmp_path: Path, whole_graph: bool
) -> None:
    categories = find_categories([write_pins(tmp_path / "pins")])
    plan = EvaluationPlan((2,), (0,), whole_graph, WHOLE_FRAME, chooses_view=True)
    (result,) = evaluate(categories, engine, small_bundle, plan)
    figures = result.categories["pins"].figures
    assert len(result.vision_ms) == 6, "of the empty image there is no verdict"
    assert figures.accuracy_calibration is not None and figures.accuracy_calibration <= 6 / 7
    assert figures.location_accuracy == 1, (
        "the stain is at the left of the part, wherever that is in the image"
    )
