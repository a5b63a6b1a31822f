"""Answers are scored against the masks, and against the inspection that they are about."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.bundle import Bundle
from edge.cli import cli
from edge.evaluation.dataset import find_categories
from edge.evaluation.dialogue import _place_to_ask_about, _with_known_truth, interview_parts
from edge.evaluation.dialogue_report import dialogue_json
from edge.evaluation.interviews import (
    AnswerAgreement,
    CategoryInterviews,
    DialogueResult,
    Interview,
    InterviewAnswer,
)
from edge.evaluation.reading import opened_runner
from edge.facts import PLACES, facts_of_mask
from edge.inspection import Verdict
from edge.language.sentences import KINDS, QUESTIONS
from edge.vision.openvino import OpenVinoEngine
from tests.edge.evaluation.conftest import write_plates


def interview(
    verdict: Verdict = Verdict.NG,
    defective: bool = True,
    at: str = "top left",
    number: str = "one",
    **said: str,
) -> Interview:
    """An interview in which these kinds were answered so, rightly, and all others by silence."""
    answers = tuple(InterviewAnswer(kind, "?", "", said.get(kind, ""), kind in said) for kind in KINDS)
    return Interview("hole/1.png", defective, verdict, at, number, "", answers)


Told = tuple[DialogueResult, DialogueResult, list[tuple[str, int, int]]]


def result(*interviews: Interview) -> DialogueResult:
    return DialogueResult("tiny", 4, (0,), [CategoryInterviews("nut", 0, interviews)])


class TestAgreement:
    @pytest.mark.parametrize(
        ("verdict", "said", "agrees"),
        [
            (Verdict.NG, {"anomaly": "Yes, at the top.", "acceptable": "No, it is not."}, 1.0),
            (Verdict.NG, {"anomaly": "Yes, at the top.", "acceptable": "Yes, it is."}, 0.5),
            (Verdict.OK, {"anomaly": "Yes, at the top.", "acceptable": "No, it is not."}, 0.0),
            (Verdict.OK, {"anomaly": "No, there is none.", "acceptable": "Yes, it is."}, 1.0),
            (Verdict.OK, {"anomaly": "Yes and no.", "acceptable": "Perhaps."}, 0.0),
        ],
    )
    def test_of_the_verdict(self, verdict: Verdict, said: dict[str, Any], agrees: float) -> None:
        assert result(interview(verdict, **said)).agreement().verdict == agrees

    def test_of_place_and_count_is_asked_of_alarms_only(self) -> None:
        right = interview(place="It is at the top left.")
        wrong = interview(place="It is at the top.")
        silent = interview(Verdict.OK, at="", number="")
        assert result(right, wrong, silent).agreement().place == 0.5
        assert result(silent).agreement() == AnswerAgreement(verdict=0.0, place=None, count=None)

    def test_holds_whatever_the_truth_is(self) -> None:
        wrong_verdict = interview(defective=False, anomaly="Yes.", acceptable="No.", place="At the top left.")
        assert result(wrong_verdict).agreement() == AnswerAgreement(verdict=1.0, place=1.0, count=0.0)


def test_shares_are_of_all_answers_of_a_kind_and_of_a_product() -> None:
    every_kind: dict[str, Any] = dict.fromkeys(KINDS, "yes")
    half_of_them: dict[str, Any] = dict.fromkeys(KINDS[:5], "no")
    all_right = interview(**every_kind)
    half = interview(Verdict.OK, **half_of_them)
    told = DialogueResult(
        "tiny",
        4,
        (0,),
        [CategoryInterviews("nut", 0, (all_right,)), CategoryInterviews("bolt", 0, (half, half))],
    )
    assert told.right == pytest.approx(20 / 30)
    assert told.right_by_kind()[KINDS[0]] == 1.0
    assert told.right_by_kind()[KINDS[9]] == pytest.approx(1 / 3)
    assert told.right_by_category() == {"nut": 1.0, "bolt": 0.5}
    assert told.right_where_verdict_is == 1.0  # of the part whose defect was found
    assert DialogueResult("tiny", 4, (0,)).right is None


class TestPlaceToAskAbout:
    def test_holds_an_anomaly_half_of_the_time_and_is_never_only_grazed(self) -> None:
        mask = np.zeros((90, 90), np.uint8)
        mask[5:25, 5:32] = 1  # Two of its columns lie in the cell beside it.
        facts = facts_of_mask(mask)
        asked = Counter(_place_to_ask_about(facts, mask, random.Random(n)) for n in range(400))
        assert asked["top"] == 0
        assert 150 < asked["top left"] < 250
        assert set(asked) == set(PLACES) - {"top"}

    def test_is_any_place_of_a_good_part(self) -> None:
        mask = np.zeros((90, 90), np.uint8)
        asked = {_place_to_ask_about(facts_of_mask(mask), mask, random.Random(n)) for n in range(200)}
        assert asked == set(PLACES)

    def test_is_one_of_an_anomaly_where_no_place_is_clean(self) -> None:
        mask = np.ones((90, 90), np.uint8)
        assert _place_to_ask_about(facts_of_mask(mask), mask, random.Random(0)) in PLACES


@pytest.fixture(scope="module")
def told(speaking_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Real interviews about plates, once more about the last of them, and the progress that was shown."""
    folder = write_plates(tmp_path_factory.mktemp("data") / "plates")
    (category,) = find_categories([folder])
    engine = OpenVinoEngine(speaking_bundle, "fp32")
    with opened_runner(speaking_bundle) as runner:
        seen: list[tuple[str, int, int]] = []
        told = interview_parts(
            [category],
            engine,
            speaking_bundle,
            runner,
            shots=3,
            parts=4,
            progress=lambda *what: seen.append(what),
        )
        last = category.limited(4).test[-1]
        alone = dataclasses.replace(category, test=(last,))
        again = interview_parts([alone], engine, speaking_bundle, runner, shots=3)
        assert runner.open_dialogues == 0
    engine.close()
    return told, again, seen


class TestInterviews:
    def test_are_about_as_many_good_parts_as_defective_ones(self, told: Told) -> None:
        interviews = told[0].interviews
        assert [i.defective for i in interviews].count(True) == 2
        assert len(interviews) == 4
        assert len(told[0].answers) == 40

    def test_ask_every_kind_in_the_wording_kept_for_scoring(self, told: Told) -> None:
        for each in told[0].interviews:
            assert [answer.kind for answer in each.answers] == list(KINDS)
            for answer in each.answers:
                kept = QUESTIONS[answer.kind][-1]
                assert answer.question in {kept.format(place=place) for place in PLACES}

    def test_hold_the_answers_against_the_masks(self, told: Told) -> None:
        for each in told[0].interviews:
            place = next(answer.taught for answer in each.answers if answer.kind == "place")
            # The stains lie on the disc's lower right, which is in the middle of the image.
            assert place == (
                "It is at the center of the image." if each.defective else "There is no anomaly in the image."
            )

    def test_begin_with_the_verdict(self, told: Told) -> None:
        for each in told[0].interviews:
            assert each.sentence.startswith("Yes" if each.verdict is Verdict.NG else "No")
            assert bool(each.location) == bool(each.count) == (each.verdict is Verdict.NG)

    def test_are_the_same_whatever_was_talked_about_before(self, told: Told) -> None:
        assert told[1].interviews == told[0].interviews[-1:]

    def test_say_how_far_they_are(self, told: Told) -> None:
        steps = [(done, total) for what, done, total in told[2] if "talking about parts" in what]
        assert steps == [(number, 4) for number in range(4)]

    def test_are_written_down_word_by_word(self, told: Told) -> None:
        written = json.loads(json.dumps(dialogue_json(told[0])))
        assert (written["parts"], written["pairs"]) == (4, 40)
        assert list(written["by_kind"]) == list(KINDS)
        assert set(written["agreement"]) == {field.name for field in dataclasses.fields(AnswerAgreement)}
        first = written["interviews"][0]
        assert (first["category"], first["seed"]) == ("plates", 0)
        assert len(first["answers"]) == 10
        marks = [answer["right"] for each in written["interviews"] for answer in each["answers"]]
        assert len(marks) == 40
        assert written["right"] == pytest.approx(sum(marks) / 40)


def test_parts_without_a_mask_are_left_out(plates: Path) -> None:
    (plates / "ground_truth/stain/0_mask.png").unlink()
    (category,) = find_categories([plates])
    left_out = set(category.test) - set(_with_known_truth(category).test)
    assert [(part.kind, part.path.name) for part in left_out] == [("stain", "0.png")]


def test_the_command_prints_a_table_and_writes_every_answer(
    speaking_bundle: Bundle, plates: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    words = ["evaluate-dialogue", plates.parent, "--shots", 2, "--parts", 2, "--seeds", 0, "--json", out]
    words += ["--bundle", speaking_bundle.path, "--precision", "fp32"]
    done = CliRunner().invoke(cli, [str(w) for w in words], catch_exceptions=False, standalone_mode=False)
    for word in ("sureness", "where the verdict is right", "Agreement", "2 references"):
        assert word in done.output
    assert json.loads(out.read_text())["pairs"] == 20
