"""The client's three answers: sentences made from the stored numbers."""

from pathlib import Path

import pytest
from synthetic import write_results

from analysis import answers
from analysis.results import Results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return write_results(tmp_path / "run")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("supported", "differ beyond"), ("not supported", "do not differ beyond"), ("inconclusive", "not settled")],
)
def test_answer_to_the_hypothesis_follows_the_verdict(results: Results, verdict: str, said: str) -> None:
    results.__dict__["hypothesis"] = results.hypothesis | {"verdict": verdict}
    answer = answers.hypothesis_answer(results)
    assert said in answer
    assert f"|g| = {results.hypothesis['max_abs_g']:.2f}" in answer
    assert answers.percent(results.hypothesis["nearest_average"]["accuracy"]) in answer


def test_answer_to_the_prediction_tells_accuracy_and_what_is_held_back(results: Results) -> None:
    test = results.metrics["splits"]["test"]
    answer = answers.prediction_answer(results)
    assert f"{test['images']:,} photos" in answer
    assert answers.percent(test["accuracy"]) in answer
    assert answers.percent(1 - test["decided"]["coverage"]) in answer


def test_key_numbers_are_all_on_the_page(results: Results) -> None:
    shown = answers.key_numbers_html(results)
    for name, value in answers.key_numbers(results).items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in shown
