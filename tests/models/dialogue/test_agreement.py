"""The same rows, read by torch as in training and by llama.cpp as on a station, give the same verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.bundle import Bundle
from models.commands.agreement import command
from models.dialogue.agreement import VerdictAgreement
from tests.edge.evaluation.conftest import write_plates

pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")
pytest.importorskip("gguf", reason="training reads the GGUF: pip install 'anomalygpt-edge[train]'")


def test_on_parts_of_a_product_they_agree(speaking_bundle: Bundle, tmp_path: Path) -> None:
    plates = write_plates(tmp_path / "plates")
    done = CliRunner().invoke(command, [str(speaking_bundle.path), str(plates), "--shots", "3"])
    assert done.exit_code == 0
    assert "8 parts: 100.0% with the same verdict" in done.output


def test_a_bundle_that_only_sees_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    plates = write_plates(tmp_path / "plates")
    done = CliRunner().invoke(command, [str(tiny_bundle.path), str(plates), "--shots", "3"])
    assert done.exit_code == 1 and "has no language half" in done.output


def test_a_part_at_which_they_differ_counts_against_it() -> None:
    found = VerdictAgreement(in_torch=[1.0, -2.0, 0.5, -1.0], in_llama_cpp=[1.5, -2.5, -0.5, -1.0])
    assert found.share == 0.75
    assert str(found).startswith("4 parts: 75.0% with the same verdict") and "1.00 at most" in str(found)
