"""Curves agree with scikit-learn's, ties included; bands hold the curve and widen when people repeat."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from analysis.core.people import person_numbers, resamples
from model.evaluation import curves


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "RESAMPLES", 200)


def scores(rng: np.random.Generator, n: int = 400) -> pd.DataFrame:
    male = rng.uniform(size=n) < 0.4
    p_male = np.round(1 / (1 + np.exp(-rng.normal(np.where(male, 1.5, -1.5), 1.2))), 2)  # rounded: many ties
    return pd.DataFrame({"label": np.where(male, "male", "female"), "p_male": p_male})


def test_areas_are_scikit_learns(rng: np.random.Generator) -> None:
    scored = scores(rng)
    ranks, _ = curves.ranking(scored, rng=rng)
    male, p = scored["label"] == "male", scored["p_male"]
    assert ranks.roc_auc == pytest.approx(metrics.roc_auc_score(male, p))
    assert ranks.average_precision["male"] == pytest.approx(metrics.average_precision_score(male, p))
    assert ranks.average_precision["female"] == pytest.approx(metrics.average_precision_score(~male, 1 - p))
    for low, high in (ranks.roc_auc_interval, ranks.average_precision_interval["male"]):
        assert low < high
    assert ranks.roc_auc_interval[0] < ranks.roc_auc < ranks.roc_auc_interval[1]


def test_measured_areas_of_an_even_weighting_are_the_estimates(rng: np.random.Generator) -> None:
    scored = scores(rng)
    male, p = (scored["label"] == "male").to_numpy(), scored["p_male"].to_numpy()
    area, precision, _ = curves._Walk(p, male).measure(np.ones((1, len(p)), np.float32))
    assert area[0] == pytest.approx(metrics.roc_auc_score(male, p))
    assert precision[0] == pytest.approx(metrics.average_precision_score(male, p))


def test_curves_pass_through_thresholds_and_stay_in_their_bands(rng: np.random.Generator) -> None:
    scored = scores(rng)
    _, table = curves.ranking(scored, rng=rng)
    assert set(table["curve"]) == {"roc", "pr_female", "pr_male"}
    assert table[["x", "y", "low", "high"]].stack().between(0, 1 + 1e-9).all()
    roc = table[table["curve"] == "roc"]
    false_rate, true_rate, _ = metrics.roc_curve(scored["label"] == "male", scored["p_male"], drop_intermediate=False)
    for x, y in zip(roc["x"], roc["y"], strict=True):
        assert y == pytest.approx(true_rate[false_rate <= x + 1e-12].max())
    inside = (roc["low"] <= roc["y"] + 1e-9) & (roc["y"] <= roc["high"] + 1e-9)
    assert inside.mean() > 0.95
    last = table[table["curve"] == "pr_male"].iloc[-1]
    male = scored["label"] == "male"
    assert (last["x"], last["y"]) == pytest.approx((1.0, male[scored["p_male"] >= scored["p_male"][male].min()].mean()))


def test_the_same_photos_of_fewer_people_say_less(rng: np.random.Generator) -> None:
    scored = scores(rng)
    repeated = pd.concat([scored.assign(identity=range(len(scored)))] * 4, ignore_index=True)
    alone, _ = curves.ranking(repeated.drop(columns="identity"), rng=np.random.default_rng(1))
    known, _ = curves.ranking(repeated, rng=np.random.default_rng(1))
    width = [np.diff(each.roc_auc_interval)[0] for each in (alone, known)]
    assert width[1] > 1.5 * width[0]


def test_people_are_drawn_whole(rng: np.random.Generator) -> None:
    table = pd.DataFrame({"identity": pd.array([7, 7, 8, pd.NA, pd.NA], dtype="Int64")})
    person = person_numbers(table)
    assert person[0] == person[1] and len(set(person)) == 4
    drawn = np.concatenate(list(resamples(person, 120, rng)))
    assert drawn.shape == (120, 5)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    assert drawn[:, 1:].sum(axis=1).tolist() == [4] * 120  # four people, drawn four times


def test_two_sources_may_number_their_people_alike() -> None:
    table = pd.DataFrame({"dataset": ["a", "b"], "identity": pd.array([1, 1], dtype="Int64")})
    assert len(set(person_numbers(table))) == 2
