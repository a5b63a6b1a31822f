"""The command line answers in one line and with the right code, and costs nothing until it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import command_names, main

HEAVY = ("numpy", "cv2", "openvino", "paho", "rich", "pydantic", "sqlite3", "onnx", "torch", "transformers")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, edge.cli\n"
        "try: edge.cli.main(['--help'])\n"
        f"finally: print('IMPORTED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "IMPORTED []" in done.stdout
    listed = done.stdout.split("Commands:")[1]
    assert [name for name in command_names() if f"  {name} " not in listed] == []


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert f"Usage: anomalygpt-edge {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["no-such-command"], 2),
        (["inspect"], 2),  # the product is missing
        (["inspect", "--product", "p"], 2),  # the images are missing
        (["enroll", "--product", "p", "--add"], 2),
        (["records", "--since", "yesterday-ish"], 2),
        (["inspect", "--product", "p", "image.png"], 1),  # no such product
    ],
)
def test_exit_codes(arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYGPT_EDGE_DATA", str(tmp_path))
    assert run(*arguments) == code


def test_an_error_is_one_line_with_its_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("inspect", "--product", "plate", "--data-dir", str(tmp_path), "image.png") == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("error: There is no product 'plate'")
    assert "anomalygpt-edge enroll --product plate" in written.err
    assert written.err.count("\n") == 1


def test_a_missing_bundle_says_how_to_build_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.edge.parts import write_parts

    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    image = str(write_parts(tmp_path, good=1)[0])
    assert run("enroll", "--product", "plate", "--data-dir", str(tmp_path / "data"), image) == 1
    assert "python -m build_engines build dinov2-s" in capsys.readouterr().err


def test_an_interrupt_is_one_line(tmp_path: Path) -> None:
    pipe = tmp_path / "station.yaml"
    os.mkfifo(pipe)
    # A shell's background job ignores the signal, and so would all that it starts.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "check", str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, ours)
    # Opening the pipe returns when the command has it open too: it then waits for what nobody writes.
    with pipe.open("w"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "interrupted")


def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "edge", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
