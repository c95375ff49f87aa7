"""The band is chosen so that what is promised about answers holds for new faces, and what it is worth is told."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analysis.results.records import Band
from model.evaluation.promise import bounds, choose_band, promise_table


def faces(rng: np.random.Generator, number: int, *, wrong_labels: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores, most of them sure, and labels, some of which are wrong however sure the score is."""
    logit = rng.choice([-1, 1], number) * rng.gamma(4, 1.8, number)
    p_male = 1 / (1 + np.exp(-logit))
    male = rng.uniform(size=number) < p_male
    return p_male, np.where(rng.uniform(size=number) < wrong_labels, ~male, male)


def decided(p_male: np.ndarray, band: Band) -> np.ndarray:
    return (p_male <= band.low) | (p_male >= band.high)


def test_the_promise_holds_for_new_faces_as_often_as_it_says(rng: np.random.Generator) -> None:
    new, labels = faces(rng, 200_000)
    broken, made = 0, 0
    for _ in range(200):
        band, promises = choose_band(*faces(rng, 1500))
        if promises[""].made == "confident":
            given = decided(new, band)
            made += 1
            broken += bool(((new >= 0.5) == labels)[given].mean() < 0.99)
    assert made >= 150
    assert broken <= binom.ppf(0.999, 200, 0.05)


def test_sure_scores_with_too_many_wrong_labels_are_not_promised(rng: np.random.Generator) -> None:
    p_male, male = faces(rng, 4000, wrong_labels=0.02)
    _, promises = choose_band(p_male, male)
    assert promises[""].made == "none"
    assert promises[""].at_least is not None and promises[""].at_least < 0.99


def test_a_source_for_which_nothing_can_be_proven_does_not_take_the_answers_of_others(rng: np.random.Generator) -> None:
    good, doubtful = faces(rng, 3000), faces(rng, 1000, wrong_labels=0.08)
    few = (np.array([0.01, 0.99] * 30), np.array([False, True] * 30))
    p_male, male = (np.concatenate(each) for each in zip(good, doubtful, few, strict=True))
    source = np.repeat(["good", "doubtful", "few"], [3000, 1000, 60])
    alone, _ = choose_band(*good)
    band, promises = choose_band(p_male, male, source)
    assert {name: promise.made for name, promise in promises.items()} == {
        "good": "confident", "doubtful": "none", "few": "sample",
    }  # fmt: skip
    assert band.low >= alone.low - 0.02
    assert decided(p_male, band).mean() > 0.75
    for name, promise in promises.items():
        given = decided(p_male, band) & (source == name)
        assert promise.images == (source == name).sum()
        assert promise.decided == given.sum()
        assert promise.right == ((p_male >= 0.5) == male)[given].sum()


def test_an_easy_source_does_not_pay_for_a_hard_one(rng: np.random.Generator) -> None:
    p_male = np.concatenate([rng.uniform(0.5, 1, 10_000), rng.uniform(0.5, 1, 1_500)])
    source = np.repeat(["easy", "hard"], [10_000, 1_500])
    wrong = (source == "hard") & (p_male < 0.6) & (rng.uniform(size=11_500) < 0.3)
    assert choose_band(p_male, ~wrong)[0] == Band(low=0.5, high=0.5)
    band, promises = choose_band(p_male, ~wrong, source)
    assert 0.56 < band.high < 0.61
    assert {promise.made for promise in promises.values()} == {"confident"}


def test_equal_scores_are_decided_alike_and_bad_ones_not_at_all() -> None:
    p_male = np.array([0.01] * 400 + [0.4] * 20 + [0.6] * 20 + [0.99] * 400)
    male = np.array([False] * 400 + [True, False] * 10 + [True, False] * 10 + [True] * 400)
    band, promises = choose_band(p_male, male)
    assert 0.01 <= band.low < 0.4 and 0.6 < band.high <= 0.99
    assert promises[""].made == "confident" and promises[""].decided == 800
    band, promises = choose_band(np.array([0.9] * 4), np.array([False] * 4))
    assert band == Band(low=0.0, high=1.0)
    assert promises[""].made == "none" and promises[""].decided == 0 and promises[""].at_least is None


def test_few_faces_that_are_all_right_are_decided_without_a_proof() -> None:
    band, promises = choose_band(np.array([0.1, 0.9] * 30), np.array([False, True] * 30))
    assert band == Band(low=0.5, high=0.5)
    assert promises[""].made == "sample"


def test_bounds_on_a_share_of_right_answers() -> None:
    assert bounds(299, 299)[0] == pytest.approx(0.05 ** (1 / 299))  # the rule of three, exactly
    assert bounds(298, 298)[0] < 0.99 < bounds(299, 299)[0]
    assert bounds(0, 10)[0] == 0
    assert bounds(0, 299)[1] == pytest.approx(1 - 0.05 ** (1 / 299))


def test_answers_are_counted_by_source_split_and_group() -> None:
    number = 40
    p_male = np.tile([0.1, 0.4, 0.9, 0.9], number // 4)
    one = pd.DataFrame(
        {
            "dataset": "a",
            "split": "test",
            "label": np.tile(["female", "male", "male", "female"], number // 4),
            "p_male": p_male,
            "decision": np.tile(["female", "uncertain", "male", "male"], number // 4),
            "age": pd.Series([5] * 20 + [30] * 20, dtype="Int64"),
        }
    )
    table = promise_table(
        pd.concat([one, one.assign(split="validation"), one.assign(split="train")], ignore_index=True)
    )
    assert set(table["split"]) == {"validation", "test"}
    rows = table[table["split"] == "test"].set_index(["feature", "group"])
    assert rows.loc[("all", "all"), ["images", "decided", "right"]].tolist() == [40, 30, 20]
    assert rows.loc[("ages", "10-80"), ["images", "decided", "right"]].tolist() == [20, 15, 10]
    assert rows.loc[("answer", "male"), ["images", "decided", "right"]].tolist() == [20, 20, 10]
    assert rows.loc[("label", "male"), ["images", "decided", "right"]].tolist() == [20, 10, 10]
    assert rows.loc[("age", "0-9"), "images"] == 20
    assert (rows["low"] <= rows["accuracy"]).all() and (rows["accuracy"] <= rows["high"]).all()
