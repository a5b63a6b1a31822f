"""What runs on a station imports nothing of what builds or trains."""

from __future__ import annotations

import ast
from pathlib import Path

EDGE = Path(__file__).parents[2] / "edge"
ABOVE = ("build_engines", "models", "torch", "transformers")


def test_the_station_reaches_up_in_one_command_only() -> None:
    """``bench --engines`` writes graphs of other sizes: it says what to install where it cannot."""
    reached = set()
    for path in EDGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        at_the_top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            above = [name for name in names if name.split(".")[0] in ABOVE]
            assert not (above and id(node) in at_the_top), f"{path} imports {above} before it is asked to"
            reached |= {(str(path.relative_to(EDGE)), name) for name in above}
    assert reached == {("commands/bench.py", "build_engines.engine_bench")}
