"""Who forbids the network, and what counts as a yes."""

from __future__ import annotations

import pytest

from edge.offline import offline_by


@pytest.mark.parametrize(
    ("ours", "theirs", "forbids"),
    [
        (None, None, None),
        ("1", None, "ANOMALYGPT_EDGE_OFFLINE"),
        ("TRUE", "1", "ANOMALYGPT_EDGE_OFFLINE"),
        (" on ", None, "ANOMALYGPT_EDGE_OFFLINE"),
        ("0", "yes", "HF_HUB_OFFLINE"),
        ("", "", None),
        ("no", "off", None),
    ],
)
def test_the_variable_that_forbids_the_network_is_named(
    monkeypatch: pytest.MonkeyPatch, ours: str | None, theirs: str | None, forbids: str | None
) -> None:
    for name, value in (("ANOMALYGPT_EDGE_OFFLINE", ours), ("HF_HUB_OFFLINE", theirs)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert offline_by("HF_HUB_OFFLINE") == forbids


def test_a_librarys_variable_counts_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANOMALYGPT_EDGE_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert offline_by() is None
