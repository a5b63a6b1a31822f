"""What did not match leaves the order in doubt until the line has rested."""

from __future__ import annotations

from edge.cameras import ArrivalOrder


def test_the_order_is_known_until_something_does_not_match() -> None:
    order = ArrivalOrder(window_s=1)
    assert order.announced(0)
    order.seen(0.2)
    assert order.announced(0.3)
    order.doubt()
    assert not order.announced(0.5)


def test_it_is_known_again_after_a_rest_longer_than_the_window() -> None:
    order = ArrivalOrder(window_s=1)
    order.announced(0)
    order.doubt()
    assert not order.announced(1), "an image of the first may still come"
    order.seen(1.5)
    assert not order.announced(2.5)
    assert order.announced(3.6)
    assert order.announced(3.7)
