"""How values are put into words."""

import pytest

from analysis.core.words import extremes, share

SHARES = {"a": (0.9, "90 %", "20 images"), "b": (0.97, "97 %", "30 images"), "c": (0.95, "95 %", "10 images")}


def test_the_highest_and_the_lowest_of_several_values_are_named() -> None:
    assert extremes(SHARES) == "highest on b (97 %; 30 images) and lowest on a (90 %; 20 images)"
    first = extremes(SHARES, "in", words=("largest", "smallest"), lowest_first=True)
    assert first == "smallest in a (90 %; 20 images) and largest in b (97 %; 30 images)"


def test_a_single_value_and_equal_ones_are_not_ranked() -> None:
    assert extremes({"a": SHARES["a"]}) == "90 % on a (20 images)"
    assert extremes({name: (0.9, "90 %", "") for name in "abc"}) == "90 % on all 3"
    assert extremes({name: (0.9, "90 %", "") for name in "ab"}, "in") == "90 % in both"
    assert extremes({"a": (0.957, "r = 0.96", "9"), "b": (0.964, "r = 0.96", "8")}) == "r = 0.96 on both"


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0, 1, "0.0 %"),
        (15 / 47_409, 1, "less than 0.1 %"),
        (0.0005, 1, "0.1 %"),
        (0.004, 0, "less than 1 %"),
        (0.123, 1, "12.3 %"),
        (47_408 / 47_409, 1, "more than 99.9 %"),
        (1, 1, "100.0 %"),
    ],
)
def test_a_small_share_is_not_written_as_none_nor_a_large_one_as_all(value: float, digits: int, written: str) -> None:
    assert share(value, digits) == written
