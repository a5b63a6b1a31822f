"""A set-up's steps run side by side as far as they can; where one fails, nothing goes on behind its back."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from build_engines.set_up.display import Display, minutes
from build_engines.set_up.plan import SetUpPlan
from build_engines.set_up.step import Phase, SetUpStep
from edge.errors import SourceError
from tests.edge.messaging.brokers import wait_until

WAIT_FOR = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
while not other.exists():
    time.sleep(0.01)
"""
WITH_A_CHILD = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
part = pathlib.Path(sys.argv[1] + ".part")
part.write_text(str(child.pid))
part.rename(sys.argv[1])
child.wait()
"""
WHEN_IT_IS_THERE = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
print("Collecting things")
print("ERROR: no such thing")
print("and that was all")
sys.exit(3)
"""


def python(code: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *(str(argument) for argument in arguments))


def step(
    name: str, *commands: tuple[str, ...], after: tuple[str, ...] = (), usual_s: float = 1.0
) -> SetUpStep:
    return SetUpStep(name, f"the {name}", commands, after, usual_s, "Do it otherwise.")


def plan(folder: Path, *steps: SetUpStep) -> SetUpPlan:
    return SetUpPlan(steps, folder, folder / "logs")


def alive(pid: int) -> bool:
    """Whether that process still computes; a dead one whose parent has not looked does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_steps_that_do_not_wait_for_each_other_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other's file: one after the other they would never end."""
    one, other = tmp_path / "one", tmp_path / "other"
    both = plan(
        tmp_path, step("one", python(WAIT_FOR, one, other)), step("other", python(WAIT_FOR, other, one))
    )
    both.run(lambda: None)
    assert {both.progress(each).phase for each in both.steps} == {Phase.DONE}


def test_a_step_begins_when_those_that_it_waits_for_are_done(tmp_path: Path) -> None:
    def writes(name: str) -> tuple[str, ...]:
        return python(f"import time; time.sleep(0.1); print({name!r}, file=open('order', 'a'))")

    plan(
        tmp_path,
        step("packages", writes("packages"), writes("ourselves")),
        step("weights", writes("weights"), after=("packages",)),
        step("bundle", writes("bundle"), after=("weights", "packages")),
    ).run(lambda: None)
    assert (tmp_path / "order").read_text().split() == ["packages", "ourselves", "weights", "bundle"]


def test_it_is_told_what_a_step_used_with_all_that_it_started(tmp_path: Path) -> None:
    """Half a second of processor time in a child, and a second of waiting that costs none."""
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); time.sleep(1)"
    working = plan(tmp_path, step("compiler", python(code)))
    working.run(lambda: None)
    progress = working.progress(working.steps[0])
    assert 0.5 <= progress.processor_s < progress.took_s
    assert progress.took_s >= 1.5


def test_a_step_that_waits_for_none_that_stands_before_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bundle waits for one that does not stand before it"):
        plan(tmp_path, step("bundle", after=("graphs",)))


def test_where_one_fails_the_others_are_ended_with_all_that_they_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    failing = plan(
        tmp_path,
        step("long", python(WITH_A_CHILD, child)),
        step("short", python(WHEN_IT_IS_THERE, child), python("open('second', 'w')")),
        step("last", python("open('last', 'w')"), after=("short",)),
    )
    began_s = time.monotonic()
    with pytest.raises(SourceError) as caught:
        failing.run(lambda: None)
    assert time.monotonic() - began_s < 60
    assert caught.value.message == "Set-up stopped at: the short. ERROR: no such thing."
    log = tmp_path / "logs" / "short.log"
    assert caught.value.remedy == f"Do it otherwise. The whole output is in {log}."
    assert log.read_text().splitlines() == ["Collecting things", "ERROR: no such thing", "and that was all"]
    assert wait_until(lambda: not alive(int(child.read_text())))  # its last moment is the system's
    assert not (tmp_path / "second").exists() and not (tmp_path / "last").exists()


def test_a_program_that_is_not_there_fails_its_step(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the tool.*No such file or directory: '/nonexistent/tool'"):
        plan(tmp_path, step("tool", ("/nonexistent/tool",))).run(lambda: None)


def test_an_interrupted_set_up_ends_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"

    def interrupt() -> None:
        if child.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan(tmp_path, step("long", python(WITH_A_CHILD, child))).run(interrupt)
    assert wait_until(lambda: not alive(int(child.read_text())))  # its last moment is the system's


def test_what_remains_is_the_longest_way_through_what_is_left(tmp_path: Path) -> None:
    begun = plan(
        tmp_path,
        step("compiler", python("pass"), usual_s=100),
        step("packages", python("pass"), usual_s=20),
        step("graphs", python("pass"), after=("packages",), usual_s=90),
        step("bundle", python("pass"), after=("graphs", "compiler"), usual_s=5),
    )
    assert begun.remaining_s() == 20 + 90 + 5
    begun.run(lambda: None)
    assert begun.remaining_s() == 0


def test_a_step_that_says_how_far_it_is_tells_what_remains(tmp_path: Path) -> None:
    """After a quarter of the work three times as long is left, whatever is usual and what came before."""
    says = (
        "import pathlib, time\nprint('before'); time.sleep(1)\n"
        "print('progress 0/12', flush=True); time.sleep(0.5); print('progress 3/12', flush=True)\n"
        "while not pathlib.Path('seen').exists(): time.sleep(0.01)"
    )
    quarter = plan(tmp_path, step("compiler", python(says), usual_s=1000))
    (compiler,) = quarter.steps
    seen: list[tuple[float, float]] = []

    def look() -> None:
        progress = quarter.progress(compiler)
        if progress.fraction == 0.25 and progress.first is not None and not seen:
            seen.append((quarter.elapsed_s(compiler) - progress.first[0], quarter.remaining_s()))
            (tmp_path / "seen").touch()

    quarter.run(look)
    ((working_s, remaining_s),) = seen
    assert remaining_s == pytest.approx(3 * working_s, rel=0.2)
    assert (tmp_path / "logs" / "compiler.log").read_text() == "before\n"


def shown(folder: Path, *, terminal: bool) -> str:
    """All that a person saw of two steps, of which the second waits."""
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=terminal, width=80, color_system=None)
    going = plan(
        folder,
        step("packages", python("print('progress 1/2', flush=True); import time; time.sleep(0.6)")),
        step("bundle", python("pass"), after=("packages",), usual_s=65),
    )
    display = Display(console, going, before_s=10)
    with display.shown():
        going.run(display.tick)
    console.print(display.summary(10))
    return seen.getvalue()


def test_without_a_terminal_it_is_a_line_for_each_beginning_and_end(tmp_path: Path) -> None:
    lines = shown(tmp_path, terminal=False).splitlines()
    assert lines[0].startswith("0:10  the packages: begun; about 1:0")
    assert [line.split("  ", 1)[1].split(" in ")[0].split(";")[0] for line in lines[1:4]] == [
        "the packages: done",
        "the bundle: begun",
        "the bundle: done",
    ]
    assert lines[4].split() == ["took", "processor"]
    assert lines[5].split() == ["Python", "environment", "0:10"]
    assert [line.split()[:2] for line in lines[6:]] == [["the", "packages"], ["the", "bundle"]]


def test_in_a_terminal_it_is_one_table_with_what_is_done_and_what_remains(tmp_path: Path) -> None:
    seen = shown(tmp_path, terminal=True)
    assert "· the bundle" in seen and "✓ the packages" in seen
    assert "so far, about 1:0" in seen
    assert max(len(line) for line in seen.replace("\x1b", "\n\x1b").splitlines()) <= 80


@pytest.mark.parametrize(
    ("duration_s", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3600, "60:00")]
)
def test_a_duration_is_minutes_and_seconds(duration_s: float, text: str) -> None:
    assert minutes(duration_s) == text


def test_processes_run_in_the_folder_and_the_environment_that_are_given(tmp_path: Path) -> None:
    wanted = {**os.environ, "SAID": "here"}
    code = "import os; open('said', 'w').write(os.environ['SAID'])"
    SetUpPlan([step("one", python(code))], tmp_path, tmp_path / "logs", wanted).run(lambda: None)
    assert (tmp_path / "said").read_text() == "here"
