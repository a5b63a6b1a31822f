"""What is written is there whole or not at all, whatever comes in between."""

from __future__ import annotations

import ast
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.whole_file import publish_folder, replace_folder, write_whole, written_whole

ROOT = Path(__file__).parents[2]

# Renames that are no half of a write, and why.
OTHER_RENAMES = {
    "build_engines/language/llama_wheel.py": "pip makes the wheel in a scratch folder and names it",
    "build_engines/sources/hub.py": "a download grows over several runs under a name of its own",
    "edge/fetch.py": "pip downloads into a scratch folder and names the file",
    "edge/messaging/certificates.py": "openssl makes keys in a folder that nobody else can read",
    "edge/messaging/outbox_file.py": "a damaged file is set aside",
    "edge/records/database.py": "a damaged history is set aside",
    "edge/station/line_enrollment.py": "images that need a person are moved to another folder",
    "models/data/debian.py": "images are picked out of an unpacked package, inside of a scratch folder",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with written_whole(path, durable=True) as part:
        part.write_text("ne")
        assert path.read_text() == "old"
        part.write_text("new")
    assert path.read_text() == "new" and names(tmp_path) == {"file"}


@pytest.mark.parametrize("wrong", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_goes_wrong_in_between_leaves_the_old_file_alone(
    tmp_path: Path, wrong: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(wrong), written_whole(path) as part:
        part.write_text("half")
        raise wrong
    assert path.read_text() == "old" and names(tmp_path) == {"file"}


def test_a_process_that_is_killed_leaves_the_old_file_and_a_hidden_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom edge.whole_file import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = names(tmp_path) - {"file"}
    assert left.startswith(".file.") and left.endswith(".tmp")


def test_a_disk_that_takes_no_more_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_text() == "old" and names(tmp_path) == {"file"}


@given(name=st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60))
def test_any_name_that_a_file_may_have_will_do(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    if name in (".", "..") or len(os.fsencode(name)) > 255:
        return
    folder = tmp_path_factory.mktemp("names")
    write_whole(folder / name, name)
    assert (folder / name).read_bytes() == name.encode() and names(folder) == {name}


def test_a_folder_that_another_process_made_first_stays(tmp_path: Path) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "by").write_text(name)
    publish_folder(tmp_path / "theirs", tmp_path / "target")
    publish_folder(tmp_path / "mine", tmp_path / "target")
    assert (tmp_path / "target" / "by").read_text() == "theirs"
    replace_folder(tmp_path / "mine", tmp_path / "target", aside=tmp_path / "aside")
    assert (tmp_path / "target" / "by").read_text() == "mine"
    assert (tmp_path / "aside" / "by").read_text() == "theirs"


def renames(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that rename a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = ast.unparse(node.func.value)
            given = len(node.args) + len(node.keywords)
            if (
                (node.func.attr == "replace" and len(node.args) == 1 and given == 1 and of != "dataclasses")
                or node.func.attr == "rename"
                or (of, node.func.attr) in {("os", "replace"), ("shutil", "move")}
            ):
                yield node


def test_nobody_writes_and_renames_by_hand() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("edge", "build_engines", "models")
        for path in (ROOT / package).rglob("*.py")
        if any(renames(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {*OTHER_RENAMES, "edge/whole_file.py"}
