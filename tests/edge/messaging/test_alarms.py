from __future__ import annotations

from typing import Any

import pytest

from edge.inspection import Verdict
from edge.messaging import AlarmCode
from edge.messaging.alarms import AlarmBook
from edge.messaging.settings import AlarmSettings
from tests.edge.messaging.brokers import inspection

BIT = {code: 1 << (code - 1) for code in AlarmCode}


def observe(book: AlarmBook, verdicts: str) -> list[tuple[AlarmCode, int]]:
    """The alarms raised by a series such as ``ok ng error``, each with the position of its part."""
    raised = []
    for n, verdict in enumerate(verdicts.split(), 1):
        raised += [(change.code, n) for change in book.observe(inspection(n, Verdict(verdict)))]
    return raised


@pytest.mark.parametrize(
    ("settings", "verdicts", "expected"),
    [
        ({}, "ng ok ng ok ng", [(AlarmCode.NG_SERIES, 5)]),  # 3 of 10, not in a row
        ({}, "ng ng", []),
        ({"ng_count": 2, "ng_window": 2}, "ng ok ng ok ng", []),  # never two in a row
        (
            {"ng_count": 1, "ng_window": 1},
            "ok ng ng ng",
            [(AlarmCode.NG_SERIES, 2)],
        ),  # stands: not raised again
        ({"ng_count": 0}, "ng ng ng ng", []),  # switched off
        ({}, "ok error error", [(AlarmCode.INSPECTION_ERROR, 2)]),
        ({"on_error": False}, "error", []),
    ],
)
def test_verdicts_raise_alarms(
    settings: dict[str, Any], verdicts: str, expected: list[tuple[AlarmCode, int]]
) -> None:
    assert observe(AlarmBook(AlarmSettings(**settings)), verdicts) == expected


def test_an_alarm_from_verdicts_stands_until_acknowledged_and_needs_a_new_series() -> None:
    book = AlarmBook(AlarmSettings(ng_count=2, ng_window=5))
    assert observe(book, "ng ng ok ok ok ok ok ok") == [(AlarmCode.NG_SERIES, 2)]
    (change,) = book.acknowledge()
    assert (change.code, change.active, change.acked, change.mask) == (AlarmCode.NG_SERIES, False, True, 0)
    assert observe(book, "ok ng") == []
    assert observe(book, "ng") == [(AlarmCode.NG_SERIES, 1)]


def test_a_lasting_cause_is_active_until_it_is_gone_and_acknowledged_in_either_order() -> None:
    book = AlarmBook(AlarmSettings())
    (came,) = book.set(AlarmCode.CAMERA, True, "no picture")
    assert (came.active, came.acked, came.text) == (True, False, "no picture")
    assert book.set(AlarmCode.CAMERA, True) == []  # said once
    (seen,) = book.acknowledge([AlarmCode.CAMERA])
    assert (seen.active, seen.acked) == (True, True)
    (gone,) = book.set(AlarmCode.CAMERA, False)
    assert (gone.active, gone.acked) == (False, True)

    book.set(AlarmCode.CAMERA, True)
    (gone,) = book.set(AlarmCode.CAMERA, False)
    assert (gone.active, gone.acked) == (True, False), "nobody has seen it"
    (seen,) = book.acknowledge()
    assert (seen.active, seen.acked) == (False, True)


def test_the_mask_shows_all_alarms_at_once() -> None:
    book = AlarmBook(AlarmSettings())
    book.set(AlarmCode.CAMERA, True)
    (change,) = book.set(AlarmCode.STORAGE, True)
    assert change.mask == change.unacked == BIT[AlarmCode.CAMERA] | BIT[AlarmCode.STORAGE]
    (change,) = book.acknowledge([AlarmCode.CAMERA])
    assert change.unacked == BIT[AlarmCode.STORAGE] and change.mask & BIT[AlarmCode.CAMERA]


def test_after_a_restart_what_nobody_acknowledged_stands_and_old_causes_are_gone() -> None:
    both = BIT[AlarmCode.CAMERA] | BIT[AlarmCode.NG_SERIES]
    book = AlarmBook(AlarmSettings(), mask=both, unacked=BIT[AlarmCode.NG_SERIES])
    (change,) = book.forget_causes("the station started")
    assert (change.code, change.active, change.mask) == (AlarmCode.CAMERA, False, BIT[AlarmCode.NG_SERIES])
    (change,) = book.acknowledge()
    assert change.mask == 0
