"""A bank knows where each of its rows comes from, whatever is left out or thinned."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.engine import Encoded
from edge.vision.enrollment.banks import bank_of
from edge.vision.enrollment.encodings import EncodedLook
from tests.edge.vision.enrollment.encoded import PATCHES, encoded_view

OWNERS = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@given(owners=OWNERS, left_out=st.integers(0, 5))
def test_without_a_reference_nothing_that_it_showed_is_left(owners: list[int], left_out: int) -> None:
    bank = bank_of([encoded_view(owner) for owner in owners]).without(left_out)
    assert len(bank.features) == len(bank.text) == PATCHES * sum(owner != left_out for owner in owners)
    assert not bank.features[:, left_out].any()
    np.testing.assert_array_equal(bank.features.argmax(axis=1), bank.references)


@given(owners=OWNERS, rows=st.integers(1, 12), seed=st.integers(0, 100))
def test_a_thinned_bank_has_at_most_so_many_rows_each_with_its_owner(
    owners: list[int], rows: int, seed: int
) -> None:
    bank = bank_of([encoded_view(owner) for owner in owners])
    thinned = bank.thinned(rows, seed)
    assert len(thinned.features) == min(rows, len(bank.features))
    np.testing.assert_array_equal(thinned.features.argmax(axis=1), thinned.references)
    assert len(bank.thinned(None, seed).features) == len(bank.features)


def test_what_the_text_decoder_sees_stays_with_its_patch() -> None:
    first = encoded_view(0)
    share = np.linspace(0, 1, PATCHES, dtype=np.float32)
    second = EncodedLook(encoded_view(1).view, Encoded(encoded_view(1).encoded.features, share))
    np.testing.assert_array_equal(bank_of([first, second]).without(0).text, share)
    assert not bank_of([first]).text.any(), "where there is no text decoder none is abnormal"
