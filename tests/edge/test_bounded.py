"""What comes from outside is read up to a bound, and a device or a pipe is no file."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest

from edge.bounded import read_regular, read_up_to
from edge.bundle import Bundle
from edge.errors import BundleError, EdgeError
from edge.messaging.security import password
from edge.messaging.settings import BrokerSettings
from edge.station.product import read_file

EDGE = Path(__file__).parents[2] / "edge"


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    assert read_regular(file, 100) == b"x" * 100
    with pytest.raises(OSError, match="larger than 99 bytes"):
        read_regular(file, 99)
    (tmp_path / "link").symlink_to(file)
    assert read_regular(tmp_path / "link", 100) == b"x" * 100


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "/dev/zero", "/dev/full"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = Path(kind) if kind.startswith("/") else tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    with pytest.raises(OSError, match=r"not a file|directory"):
        read_regular(path, 100)


def test_a_pipe_is_read_up_to_its_bound_where_one_is_taken(tmp_path: Path) -> None:
    with Path("/dev/zero").open("rb") as endless, pytest.raises(OSError, match="larger than 2 MB"):
        read_up_to(endless, 2_000_000, tmp_path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("member", ["vision.fp32.onnx", "manifest.json", "manifest.sha256"])
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "endless"])
def test_a_bundles_member_that_never_ends_is_refused(
    tmp_path: Path, tiny_bundle: Bundle, member: str, kind: str
) -> None:
    for file in tiny_bundle.path.iterdir():
        (tmp_path / file.name).symlink_to(file)
    wrong = tmp_path / member
    wrong.unlink()
    if kind == "fifo":
        os.mkfifo(wrong)
    elif kind == "endless":
        with wrong.open("wb") as sparse:
            sparse.truncate(1 << 42)
    else:
        wrong.symlink_to(kind)
    with pytest.raises(BundleError, match=member):
        Bundle.load(tmp_path)


def test_a_product_and_a_password_of_a_gigabyte_are_not_read(tmp_path: Path) -> None:
    for name in ("product.json", "password"):
        with (tmp_path / name).open("wb") as sparse:
            sparse.truncate(1 << 30)
    with pytest.raises(EdgeError, match="larger than 1 MB"):
        read_file(tmp_path)
    with pytest.raises(EdgeError, match="larger than 1 MB"):
        password(BrokerSettings(host="h", username="u", password_file=tmp_path / "password"))


#: What is read without a bound: this machine's kernel, this package itself, and notes that the station keeps
#: in folders of its own, which nobody else writes.
OWN = {
    ("bounded.py", "read"),
    ("cameras/gige_host.py", "read_text"),
    ("clock.py", "read_bytes"),
    ("clock.py", "read_text"),
    ("demo/gige.py", "read"),  # its parent's end of a pipe
    ("language/kernel_memory.py", "read_bytes"),
    ("language/kernel_trial.py", "load"),  # its parent's end of a pipe
    ("messaging/ledger.py", "read_bytes"),
    ("messaging/payloads.py", "read_text"),
    ("processor.py", "read_text"),
    ("proofs.py", "read_bytes"),
    ("proofs.py", "read_text"),
    ("station/jetson.py", "read_text"),
    ("station/part_memory.py", "read_bytes"),
    ("vision/proving.py", "read_bytes"),  # of a bundle that its parent has checked
}
UNBOUNDED = {"read_bytes", "read_text", "load", "readlines", "fromfile", "memmap"}


def test_nothing_from_outside_is_read_without_a_bound() -> None:
    found = set()
    for path in EDGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            name, of = node.func.attr, node.func.value
            whose = of.id if isinstance(of, ast.Name) else ""
            if name == "load" and whose not in {"np", "numpy", "json", "yaml", "pickle"}:
                continue
            if name in UNBOUNDED or (name == "read" and not node.args and whose in {"file", "source"}):
                found.add((str(path.relative_to(EDGE)), name))
    assert found - OWN == set(), "read it by edge.bounded, or name here why it needs no bound"
