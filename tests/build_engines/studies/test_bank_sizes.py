"""A thinned bank is held against the bank that keeps every good patch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from build_engines.__main__ import main
from build_engines.studies.bank_sizes import BankSizeRow, bank_sizes_table, judge_bank_sizes
from edge.bundle import Bundle
from edge.cameras import read_image
from edge.evaluation.dataset import find_categories
from edge.evaluation.metrics import auroc
from edge.vision.enrollment import enroll
from edge.vision.openvino import OpenVinoEngine
from tests.edge.evaluation.conftest import write_plates


def test_each_bank_judges_as_the_one_that_enrollment_would_keep(
    tmp_path: Path, learned_bundle: Bundle
) -> None:
    categories = find_categories([write_plates(tmp_path / name) for name in ("plates", "discs")])
    engine = OpenVinoEngine(learned_bundle, "fp32")
    rows = judge_bank_sizes(engine, learned_bundle, categories, 2, 0, (5, 20), lambda *_: None)
    assert [row.name for row in rows] == ["plates", "discs", "mean"]
    category, row = categories[0], rows[0]
    references = [read_image(path) for path in category.references(2, 0)]
    for size in (5, 20, None):
        memory = enroll(engine, references, bundle_id=learned_bundle.id, bank_rows=size)
        rows_kept = len(memory.arrays["bank"])
        assert rows_kept == (size or row.all_rows) == len(memory.arrays["bank_text"])
        scores = [engine.match(engine.encode(read_image(p.path)), memory.arrays).score for p in category.test]
        expected = auroc(scores, [part.defective for part in category.test])
        assert (row.full if size is None else row.thinned[size]) == expected
    engine.close()
    assert rows[-1].full == pytest.approx(np.mean([row.full for row in rows[:2]]))
    assert bank_sizes_table(rows).row_count == 3


def test_a_difference_is_told_in_points() -> None:
    rows = [BankSizeRow("a", 4096, 0.95, {1024: 0.946}), BankSizeRow("mean", 4096, 0.95, {1024: 0.946})]
    console = Console(width=100)
    with console.capture() as captured:
        console.print(bank_sizes_table(rows))
    assert "94.6 (-0.40)" in captured.get()


def test_the_command_judges_a_folder_of_products(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plates(tmp_path / "plates")
    arguments = ["banks", str(tiny_bundle.path), str(tmp_path), "--shots", "2", "--limit", "4", "--rows", "9"]
    monkeypatch.setattr("sys.argv", ["build_engines", *arguments])
    main()
    assert "plates" in capsys.readouterr().out
