"""The client's three answers: sentences made from the stored numbers."""

from pathlib import Path

import pytest
from synthetic import write_results

from analysis import figures
from analysis.results import Results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return write_results(tmp_path / "run")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("supported", "women and men differ ("),
        ("not worth speaking of", "differ by less than is worth speaking of"),
        ("no difference", "do not differ"),
        ("inconclusive", "not settled"),
    ],
)
def test_answer_to_the_hypothesis_follows_the_verdict(results: Results, verdict: str, said: str) -> None:
    results.__dict__["hypothesis"] = results.hypothesis.changed(verdict=verdict)
    answer = figures.answers.hypothesis_answer(results)
    assert said in answer
    assert (
        "Shape, supported: averages of people differ most in chin width (g = 1.20, p < 0.0010, none of 1,000)" in answer
    )
    assert "|g| = 0.50 as photographed and 0.50 with styling held equal" in answer
    assert "distributions share 92 % on average" in answer
    assert "Styling is part of it" in answer and "60 % of the difference in the face remains" in answer
    assert figures.answers.percent(results.hypothesis.nearest_average.accuracy) in answer


def test_answer_to_the_prediction_tells_accuracy_and_what_is_held_back(results: Results) -> None:
    test = results.metrics.splits["test"]
    answer = figures.answers.prediction_answer(results)
    assert f"On {test.images:,} of" in answer
    assert figures.answers.percent(test.accuracy) in answer
    assert figures.answers.percent(1 - test.decided.coverage) in answer


def test_accuracy_says_on_which_photos_it_was_measured(results: Results) -> None:
    answer = figures.answers.prediction_answer(results)
    assert "of synthetic’s test photos" in answer
    tests = [results.metrics.sources[name]["test"] for name in results.metrics.datasets]
    images = sum(test.images for test in tests)
    whole = figures.answers.percent(sum(test.accuracy * test.images for test in tests) / images)
    assert f"Over all {images:,} test photos of synthetic and other it is right in {whole}" in answer
    alone = results.metrics.changed(datasets=["synthetic"])
    assert figures.answers.on_every_source(alone) == ""
    assert [figures.datasheets.called(name) for name in ("celeba", "mine")] == ["CelebA", "mine"]


def test_answer_does_not_blame_styling_that_explains_nothing(results: Results) -> None:
    left = results.hypothesis.survives.changed(share=0.98, interval=[0.9, 1.06])
    results.__dict__["hypothesis"] = results.hypothesis.changed(survives=left)
    assert "Styling does not explain it" in figures.answers.hypothesis_answer(results)
    results.__dict__["hypothesis"] = results.hypothesis.changed(survives=None)
    assert "tyling" not in figures.answers.hypothesis_answer(results)


def test_reasons_answer_every_question_of_the_rule(results: Results) -> None:
    reasons = figures.answers.verdict_reasons(results)
    assert [answer for _, answer, _ in reasons] == ["yes"] * 6
    assert "4.5 % of 200" in reasons[0][2]
    assert "66.0 % (63.0 % to 69.0 %), where the more frequent label is for 60.0 %" in reasons[4][2]
    assert "other: r = 0.70 (0.60 to 0.80)" in reasons[5][2]
    of_shape = figures.answers.shape_reasons(results)
    assert [answer for _, answer, _ in of_shape] == ["yes"] * 6
    assert "at least 1.05 with its simultaneous interval, where 0.2 counts" in of_shape[2][2]
    assert "chin width: g = 1.20 in other" in of_shape[5][2]
    criteria = results.hypothesis.criteria | {"more_than_styling": None, "elsewhere": False}
    results.__dict__["hypothesis"] = results.hypothesis.changed(criteria=criteria, survives=None)
    assert [answer for _, answer, _ in figures.answers.verdict_reasons(results)] == [
        "yes",
        "yes",
        "yes",
        "not tested",
        "yes",
        "no",
    ]


def test_without_landmarks_the_answer_is_about_shade_alone(results: Results) -> None:
    alone = results.hypothesis.changed(shape=None, shape_criteria=None)
    results.__dict__["hypothesis"] = alone
    assert "Shape" not in figures.answers.hypothesis_answer(results)
    assert figures.answers.shape_reasons(results) == []
    assert figures.answers.shown_verdict(results) == "supported (shape: not measured; shade: supported)"


def test_three_measures_of_the_largest_difference_are_told_apart(results: Results) -> None:
    said = figures.answers.where_most(results)
    assert "a single place in the jaw (|g| = 0.45)" in said and "as a whole part the " in said
    assert "of all distances chin width (|g| = 1.20" in said
    results.__dict__["hypothesis"] = results.hypothesis.changed(shape=None)
    assert "distances" not in figures.answers.where_most(results)
