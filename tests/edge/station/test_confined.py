"""A station under its systemd unit's filter of system calls works, with language model, camera and broker."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.inspection import Verdict
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.conftest import MakeStation
from tests.edge.station.filtered import LIBRARY
from tests.edge.station.test_process import recorded_verdicts

UNIT = Path(__file__).parents[3] / "configs" / "systemd" / "anomalygpt-edge@.service"


def permitted_calls() -> set[str]:
    """What the unit's ``SystemCallFilter=`` lets through, by this machine's systemd; skips without it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True
    ).stdout
    sets: dict[str, set[str]] = {}
    name = ""
    for line in said.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = set()
        elif line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].add(line.strip())

    def calls(of: str) -> set[str]:
        return set().union(*map(calls, sets[of])) if of in sets else {of}

    allowed: set[str] = set()
    for line in UNIT.read_text().splitlines():
        if line.startswith("SystemCallFilter="):
            words = line.partition("=")[2]
            named = set().union(*map(calls, words.lstrip("~").split()))
            allowed = allowed - named if words.startswith("~") else allowed | named
    return allowed


def under_filter(tmp_path: Path, *program: str | Path) -> list[str]:
    """The words that run a program of Python under the filter; skips where no filter can be loaded."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip("needs libseccomp")
    names = tmp_path / "calls.txt"
    names.write_text("\n".join(sorted(permitted_calls())))
    return [
        sys.executable,
        "-m",
        "tests.edge.station.filtered",
        str(names),
        sys.executable,
        *map(str, program),
    ]


@pytest.mark.parametrize("call", ["os.chown('file', os.getuid(), os.getgid())", "os.chroot('.')"])
def test_the_filter_refuses_what_a_station_does_not_need(tmp_path: Path, call: str) -> None:
    """To its owner `chown` of an own file is else permitted, so that it is the filter that says no."""
    (tmp_path / "file").touch()
    done = subprocess.run(
        under_filter(tmp_path, "-c", f"import os; os.chdir({str(tmp_path)!r}); {call}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PermissionError: [Errno 1]" in done.stderr


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_station_with_a_language_model_works_under_it(
    make_speaking_station: MakeStation, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts", good=2, stained=1)
    with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker.port) as plc:
        station = make_speaking_station(
            tmp_path / "parts", messaging={"brokers": [{"host": "127.0.0.1", "port": broker.port}]}
        )
        done = subprocess.run(
            under_filter(tmp_path, "-m", "edge", "run", station, "--plain"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert wait_until(lambda: plc.seqs_without_repeats() == [1, 2, 3])
        assert wait_until(lambda: plc.of("state")[-1]["state"] == "offline")
    verdicts = recorded_verdicts(station)
    assert len(verdicts) == 3 and Verdict.ERROR not in verdicts
    assert "degraded" not in done.stderr
