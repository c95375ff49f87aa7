"""Intervals of shares."""

import pytest

from analysis.core.stats import wilson


def test_wilson_interval_is_the_textbook_one() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
