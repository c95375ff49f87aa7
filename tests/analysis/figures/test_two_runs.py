"""Two runs on the same images: measures, intervals of their differences, and curves over each other."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from analysis.core.errors import UserError


def scores(seed, noise, count=600):
    rng = np.random.default_rng(0)
    male = rng.random(count) < 0.45
    logit = np.where(male, 2.0, -2.0) + np.random.default_rng(seed).normal(0, noise, count)
    return pd.DataFrame(
        {
            "dataset": "faces",
            "image_id": [f"{number}.jpg" for number in range(count)],
            "split": "test",
            "label": np.where(male, "male", "female"),
            "p_male": np.round(1 / (1 + np.exp(-logit)), 2),  # with ties
        }
    )


@pytest.fixture
def two_runs():
    from analysis.figures import two_runs

    return two_runs


@pytest.fixture
def images(two_runs):
    return two_runs.same_images(scores(1, 1.5), scores(2, 3.0), "faces", "test")


def test_measures_are_those_of_scikit_learn_and_a_better_run_is_ahead_beyond_chance(images, two_runs):
    measures = two_runs.compared(images)
    for run in ("first", "second"):
        score, male = images[run], images["male"]
        clipped = score.clip(1e-6, 1 - 1e-6)
        expected = {
            "Accuracy": ((score >= 0.5) == male).mean(),
            "Balanced accuracy": balanced_accuracy_score(male, score >= 0.5),
            "Area under ROC": roc_auc_score(male, score),
            "Brier score": brier_score_loss(male, score),
            "Log loss": log_loss(male, clipped),
        }
        assert measures[run].to_dict() == pytest.approx(expected, abs=1e-4)
    table = two_runs.difference_table(measures, "new", "old")
    assert set(table["Better beyond chance"]) == {"new"}
    same = two_runs.compared(images.assign(second=images["first"]))
    assert set(two_runs.difference_table(same, "new", "old")["Better beyond chance"]) == {"–"}


def test_images_are_those_that_both_runs_have_in_the_split(images, two_runs):
    first, second = scores(1, 1.5), scores(2, 3.0)
    second.loc[:99, "split"] = "train"
    both = two_runs.same_images(first, second.sample(frac=1, random_state=0), "faces", "test")
    assert len(both) == 500
    assert both["first"].tolist() == first["p_male"].iloc[100:].tolist()
    with pytest.raises(UserError, match="too few"):
        two_runs.same_images(first, second, "others", "test")


def test_curves_of_both_runs_lie_over_each_other_and_the_reading_counts_images(images, two_runs):
    roc = two_runs.roc_of_both(images, "new", "old")
    reliability = two_runs.reliability_of_both(images, "new", "old")
    assert {"new", "old"} <= {each.label for each in roc} and {"new", "old"} <= {each.label for each in reliability}
    measures = two_runs.compared(images)
    for run, name in (("first", "new"), ("second", "old")):  # with equal scores, too
        curve = next(each.data for each in roc if each.label == name)
        assert curve.iloc[0, :2].tolist() == [0, 0]
        area = np.trapezoid(curve["y"], curve["x"]) / 1e4
        assert area == pytest.approx(measures.loc["Area under ROC", run], abs=1e-3)
    right = [(images[run] >= 0.5) == images["male"] for run in ("first", "second")]
    reading = two_runs.difference_reading(images, "new", "old")
    assert f"{int((right[0] & ~right[1]).sum()):,} are right in new alone" in reading
