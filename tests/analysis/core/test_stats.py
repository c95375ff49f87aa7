"""Intervals of shares, and the test of a split."""

import pytest

from analysis.core.stats import clopper_pearson, sidak, sign_test, wilson


def test_wilson_interval_is_the_textbook_one() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)


def test_exact_interval_is_the_textbook_one() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263 and 0 of 20.
    assert clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=1e-4)
    assert clopper_pearson(0, 20) == pytest.approx((0, 0.1684), abs=1e-4)
    narrow, wide = clopper_pearson(8, 10), clopper_pearson(8, 10, 0.999)
    assert wide[0] < narrow[0] and narrow[1] < wide[1]


def test_independent_intervals_hold_together() -> None:
    assert sidak(0.95, 1) == 0.95
    assert sidak(0.95, 40) ** 40 == pytest.approx(0.95)


def test_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1
    assert sign_test(6, 0) == pytest.approx(2 / 2**6)
    assert sign_test(3, 9) == sign_test(9, 3) == pytest.approx(0.1460, abs=1e-4)
