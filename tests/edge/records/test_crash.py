"""A station that is killed at any moment loses nothing that it had recorded."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from edge.records import Records, RecordsSettings

KILLS = 6

#: Records batches for ever, and says each last seq once it is recorded.
STATION = """
import sys
from pathlib import Path
from edge.records import Entry, Records, RecordsSettings
from tests.edge.records.parts import inspected, picture, spot

settings = RecordsSettings(keep_images="all", max_size_gb=0.001, min_free_gb=0)
with Records(Path(sys.argv[1]), settings) as records:
    seq = records.last_seq()
    while True:
        records.append_all([Entry(inspected(seq + n), picture(60, 80), spot()) for n in range(1, 4)])
        seq += 3
        print(seq, flush=True)
"""


def run_and_kill(data_dir: Path, after_s: float) -> int:
    """Let a station record for a while after its first batch, kill it; the last seq that it reported."""
    root = Path(__file__).parents[3]
    station = subprocess.Popen(
        [sys.executable, "-c", STATION, str(data_dir)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert station.stdout is not None
    first = station.stdout.readline()
    time.sleep(after_s)
    station.send_signal(signal.SIGKILL)
    rest = station.stdout.read()
    station.wait()
    station.stdout.close()
    whole_lines = [line for line in [first, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    return int(whole_lines[-1])


@pytest.mark.slow
def test_killed_again_and_again_while_writing(tmp_path: Path) -> None:
    times = random.Random(5)
    for _ in range(KILLS):
        reported = run_and_kill(tmp_path, times.uniform(0, 0.25))
        with Records(tmp_path, RecordsSettings(min_free_gb=0)) as records:
            records.verify()
            recorded = records.query(limit=100_000)
            assert records.last_seq() >= reported
            # Batches are whole, numbers have no gaps, and nothing was counted twice.
            assert sorted(record.inspection.seq for record in recorded) == list(
                range(1, records.last_seq() + 1)
            )
            assert records.last_seq() % 3 == 0
            assert records.counters().total == records.last_seq()
        named = {file for record in recorded for file in (record.image, record.overlay) if file is not None}
        present = {path for path in (tmp_path / "images").rglob("*") if path.is_file()}
        assert present and present <= named  # no stray files
        for file in present:
            assert cv2.imread(str(file)) is not None, file
        # Retention deletes files before it forgets them: only the oldest may be missing.
        missing = sorted(named - present)
        oldest = sorted(named)[: len(missing) + 2]
        assert set(missing) <= set(oldest)
