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
        ("supported", "differ significantly"),
        ("not supported", "do not differ significantly"),
        ("inconclusive", "not settled"),
    ],
)
def test_answer_to_the_hypothesis_follows_the_verdict(results: Results, verdict: str, said: str) -> None:
    results.__dict__["hypothesis"] = results.hypothesis.changed(verdict=verdict)
    answer = figures.answers.hypothesis_answer(results)
    assert said in answer
    assert f"|g| = {abs(results.hypothesis.largest_in_face.g):.2f}" in answer
    assert "Styling is part of it" in answer and "60 % of the difference in the face remains" in answer
    assert figures.answers.percent(results.hypothesis.nearest_average.accuracy) in answer


def test_answer_to_the_prediction_tells_accuracy_and_what_is_held_back(results: Results) -> None:
    test = results.metrics.splits["test"]
    answer = figures.answers.prediction_answer(results)
    assert f"{test.images:,} photos" in answer
    assert figures.answers.percent(test.accuracy) in answer
    assert figures.answers.percent(1 - test.decided.coverage) in answer


def test_answer_does_not_blame_styling_that_explains_nothing(results: Results) -> None:
    left = results.hypothesis.survives.changed(share=0.98, interval=[0.9, 1.06])
    results.__dict__["hypothesis"] = results.hypothesis.changed(survives=left)
    assert "Styling does not explain it" in figures.answers.hypothesis_answer(results)
    results.__dict__["hypothesis"] = results.hypothesis.changed(survives=None)
    assert "tyling" not in figures.answers.hypothesis_answer(results)


def test_reasons_answer_every_question_of_the_rule(results: Results) -> None:
    reasons = figures.answers.verdict_reasons(results)
    assert [answer for _, answer, _ in reasons] == ["yes"] * 5
    assert "4.5 % of 200" in reasons[0][2]
    assert "other: r = 0.70 (0.60 to 0.80)" in reasons[4][2]
    criteria = results.hypothesis.criteria | {"more_than_styling": None, "elsewhere": False}
    results.__dict__["hypothesis"] = results.hypothesis.changed(criteria=criteria, survives=None)
    assert [answer for _, answer, _ in figures.answers.verdict_reasons(results)] == [
        "yes",
        "yes",
        "not tested",
        "yes",
        "no",
    ]
