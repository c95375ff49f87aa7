"""How values are put into words."""

from analysis.core.words import extremes

SHARES = {"a": (0.9, "90 %", "20 images"), "b": (0.97, "97 %", "30 images"), "c": (0.95, "95 %", "10 images")}


def test_the_highest_and_the_lowest_of_several_values_are_named() -> None:
    assert extremes(SHARES) == "highest on b (97 %; 30 images) and lowest on a (90 %; 20 images)"
    first = extremes(SHARES, "in", words=("largest", "smallest"), lowest_first=True)
    assert first == "smallest in a (90 %; 20 images) and largest in b (97 %; 30 images)"


def test_a_single_value_and_equal_ones_are_not_ranked() -> None:
    assert extremes({"a": SHARES["a"]}) == "90 % on a (20 images)"
    assert extremes({name: (0.9, "90 %", "") for name in "abc"}) == "90 % on all 3"
    assert extremes({name: (0.9, "90 %", "") for name in "ab"}, "in") == "90 % in both"
