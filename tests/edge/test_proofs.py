"""What a processor promises is tried in a real child, and remembered until something changes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proofs import Outcome, ProofOutcome, Remembered, machine_id, python_program, run_proof

# Long on purpose: a busy machine takes seconds to start an interpreter.
PATIENCE_S = 60.0


def program(*lines: str) -> list[str]:
    """A proof in Python, after ``from edge.proofs import …``."""
    text = "from edge.proofs import confine, right, wrong\n" + textwrap.dedent("\n".join(lines))
    return [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{text}"]


def test_a_proof_that_is_right_passes_and_says_what_it_found() -> None:
    outcome = run_proof(program("right('cosine 0.9999')"), PATIENCE_S)
    assert outcome == Outcome("ok", detail="cosine 0.9999")
    assert outcome.passed


def test_a_proof_that_computes_wrong_says_how_far_off() -> None:
    outcome = run_proof(program("wrong('cosine 0.41')"), PATIENCE_S)
    assert outcome == Outcome("wrong", detail="cosine 0.41")
    assert str(outcome) == "it computes wrong (cosine 0.41)" and not outcome.passed


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the bytes below are x86-64's")
def test_an_instruction_that_the_processor_lacks_is_named_by_its_signal() -> None:
    """``ud2``, which no processor has, in a page that may be run: as native code for another one ends."""
    outcome = run_proof(
        program(
            "import ctypes, mmap",
            "confine(60)",
            "page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
            r"page.write(b'\x0f\x0b')",
            "ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()",
            "right()",
        ),
        PATIENCE_S,
    )
    assert outcome == Outcome("crashed", "SIGILL")
    assert str(outcome) == "it crashed with SIGILL"


def test_a_null_pointer_is_named_by_its_signal_and_leaves_no_core_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    crash = program("import os", f"os.chdir({str(tmp_path)!r})", "confine(60)", "import ctypes")
    crash[-1] += "\nctypes.string_at(0)"
    assert run_proof(crash, PATIENCE_S) == Outcome("crashed", "SIGSEGV")
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_a_proof_that_hangs_is_killed() -> None:
    assert run_proof([sys.executable, "-c", "while True: pass"], 0.5).kind == "hung"


def test_a_proof_that_nobody_waits_for_ends_by_itself() -> None:
    """As when the station was killed while its proof hung."""
    hanging = program("confine(1)", "while True: pass")
    assert subprocess.run(hanging, timeout=PATIENCE_S, check=False).returncode < 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/no/such/interpreter"], "No such file"),  # nothing could be started
        (program("raise MemoryError('no room')"), "no room"),  # it could not do its work
        (program("import os", "os.kill(os.getpid(), 9)"), "SIGKILL"),  # as the kernel does, short of memory
    ],
)
def test_a_proof_that_could_not_be_held_proves_nothing(command: list[str], said: str, tmp_path: Path) -> None:
    outcome = run_proof(command, PATIENCE_S)
    assert outcome.kind == "undecided" and said in str(outcome)
    memory = Remembered(tmp_path / "proofs.json")
    memory.keep("int8", outcome)
    assert memory.get("int8") is None, "it must be tried again"


def test_a_module_is_proved_with_what_this_process_imports() -> None:
    outcome = run_proof(python_program("tests.edge.test_proofs", "a", "ü"), PATIENCE_S)
    assert outcome == Outcome("ok", detail="a ü")


def main(first: str, second: str) -> None:
    """The proof of the test above."""
    from edge.proofs import right

    right(f"{first} {second}")


def test_outcomes_are_remembered_by_every_process(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "proofs.json"
    assert Remembered(file).get("int8") is None
    Remembered(file).keep("int8", Outcome("crashed", "SIGILL"))
    Remembered(file).keep("bf16", Outcome("ok", detail="cosine 1"))
    assert Remembered(file).get("int8") == Outcome("crashed", "SIGILL")
    assert Remembered(file).get("bf16") == Outcome("ok", detail="cosine 1")
    assert [path.name for path in file.parent.iterdir()] == ["proofs.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "\x00",
        '{"int8": {"kind": "ok", "sig',  # cut short
        '{"int8": {"kind": "splendid"}}',
        '{"int8": {"kind": "ok", "signal": 4}}',
        '{"int8": {"kind": "ok", "more": ""}}',
        '{"int8": "ok"}',
    ],
)
def test_a_damaged_file_remembers_nothing_and_is_written_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "proofs.json"
    file.write_text(content)
    assert Remembered(file).get("int8") is None
    Remembered(file).keep("bf16", Outcome("ok"))
    assert Remembered(file).get("bf16") == Outcome("ok")


def test_a_folder_that_cannot_be_written_is_said_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("this is no folder")
    Remembered(tmp_path / "cache" / "proofs.json").keep("int8", Outcome("ok"))
    assert "will be proved again" in caplog.text


@given(
    st.text(),
    st.builds(
        Outcome,
        st.sampled_from(["ok", "crashed", "hung", "wrong"]),
        st.text(alphabet=st.characters(exclude_categories=["Cs"])),
        st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    ),
)
def test_whatever_is_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, outcome: Outcome
) -> None:
    memory = Remembered(tmp_path_factory.mktemp("proofs") / "proofs.json")
    memory.keep(name, outcome)
    assert memory.get(name) == outcome


def test_a_machine_keeps_its_name() -> None:
    other = subprocess.run(
        [sys.executable, "-c", "from edge.proofs import machine_id; print(machine_id())"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == machine_id()
    assert len(machine_id()) == 16


@pytest.mark.parametrize("kind", ["ok", "crashed", "hung", "wrong", "undecided"])
def test_every_outcome_can_be_read(kind: ProofOutcome) -> None:
    assert str(Outcome(kind, "SIGILL")).startswith("it ")
