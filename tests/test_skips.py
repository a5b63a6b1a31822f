"""The check that no test is skipped unseen does what it says: pytest is run on small files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOTS_OWN = "root may .*"

FILES = [
    # what the file holds, what is permitted, whether the run is green
    ("import pytest\ndef test(): pytest.skip('root may write')", ROOTS_OWN, True),
    ("import pytest\ndef test(): pytest.skip('the root may write')", ROOTS_OWN, False),  # whole or not at all
    ("import pytest\ndef test(): pytest.skip('no broker')", ROOTS_OWN, False),
    ("import pytest\n@pytest.mark.skipif(True, reason='no broker')\ndef test(): ...", ROOTS_OWN, False),
    ("import pytest\npytest.importorskip('not_there', reason='no torch')\ndef test(): ...", ROOTS_OWN, False),
    ("import pytest\npytest.importorskip('not_there', reason='no torch')\ndef test(): ...", "no torch", True),
    ("import pytest\n@pytest.mark.xfail\ndef test(): assert 0", ROOTS_OWN, True),
    ("def test(): ...", "", True),
]


def run(folder: Path, text: str, permitted: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_beside.py").write_text(
        "def test(): ...\n"
    )  # a file that is skipped whole leaves this one
    (folder / "test_small.py").write_text(text + "\n")
    (folder / "permitted.txt").write_text(f"# may be skipped\n\n{permitted}\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.skips",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ]
    return subprocess.run(
        [
            *command,
            "--rootdir",
            str(folder),
            "--permitted-skips",
            str(folder / "permitted.txt"),
            *more,
            str(folder),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("text", "permitted", "green"), FILES)
def test_a_skip_that_is_not_permitted_fails_the_run(
    tmp_path: Path, text: str, permitted: str, green: bool
) -> None:
    done = run(tmp_path, text, permitted)
    assert (done.returncode == 0) is green, done.stdout
    assert ("skipped without permission" in done.stdout) is not green


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "def test(): ...", "*")
    assert done.returncode != 0
    assert "permitted.txt:3: nothing to repeat" in done.stdout + done.stderr


def test_the_committed_lists_can_be_read() -> None:
    from tests.skips import read_patterns

    for name in ("permitted_skips.txt", "permitted_skips_without_torch.txt"):
        assert read_patterns([ROOT / "tests" / name])
