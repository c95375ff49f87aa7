"""Groups are measured as they are counted by hand; gaps are behind the best group and carry intervals."""

import numpy as np
import pandas as pd
import pytest

from model.evaluation import fairness
from model.evaluation.fairness import features, group_metrics


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "RESAMPLES", 200)


def scores(rng: np.random.Generator) -> pd.DataFrame:
    """Ages 0 to 89, 2,000 images; half of the answers at ages below 10 are wrong, elsewhere one in fifty."""
    n = 2000
    age = rng.integers(0, 90, n)
    male = rng.uniform(size=n) < 0.5
    wrong = rng.uniform(size=n) < np.where(age < 10, 0.5, 0.02)
    p_male = np.where(male ^ wrong, 0.95, 0.05)
    decision = np.where(age < 10, "uncertain", np.where(p_male > 0.5, "male", "female"))
    return pd.DataFrame(
        {
            "dataset": "made up",
            "label": np.where(male, "male", "female"),
            "p_male": p_male,
            "decision": decision,
            "age": pd.array(age, dtype="Int64"),
            "race": pd.array(rng.choice(["White", "Black"], n), dtype="string"),
            "Smiling": pd.array([None] * n, dtype="boolean"),
        }
    )


def test_age_bands_hold_their_lower_end_and_what_is_unknown_is_no_group() -> None:
    ages = pd.array([0, 9, 10, 19, 20, 59, 60, 116, pd.NA], dtype="Int64")
    table = pd.DataFrame({"label": ["female"] * 9, "age": ages, "race": pd.array([pd.NA] * 9, dtype="string")})
    found = features(table)
    assert found["age"].tolist()[:8] == ["0-9", "0-9", "10-19", "10-19", "20-39", "40-59", "60+", "60+"]
    assert pd.isna(found["age"].iloc[8])
    assert list(found) == ["label", "age"]


def test_groups_are_counted_as_by_hand(rng: np.random.Generator) -> None:
    scored = scores(rng)
    found = group_metrics(scored, rng=rng).set_index(["feature", "group"])
    assert set(found.index.get_level_values("feature")) == {"label", "age", "race"}
    young = scored[scored["age"] < 10]
    row = found.loc[("age", "0-9")]
    assert row["images"] == len(young)
    assert row["accuracy"] == pytest.approx(((young["p_male"] > 0.5) == (young["label"] == "male")).mean())
    assert row["coverage"] == 0 and np.isnan(row["decided_accuracy"])
    black = scored[scored["race"] == "Black"]
    female = black[black["label"] == "female"]
    assert found.loc[("race", "Black"), "false_male_rate"] == pytest.approx((female["p_male"] > 0.5).mean())
    assert found.loc[("race", "Black"), "selection_rate"] == pytest.approx((black["p_male"] > 0.5).mean())


def test_a_rate_among_images_that_are_not_there_is_unknown(rng: np.random.Generator) -> None:
    found = group_metrics(scores(rng), rng=rng).set_index(["feature", "group"])
    assert np.isnan(found.loc[("label", "male"), "false_male_rate"])
    assert np.isnan(found.loc[("label", "female"), "false_female_rate"])
    assert found.loc[("label", "female"), "false_male_rate"] > 0


def test_a_gap_that_is_there_is_told_from_one_that_is_not(rng: np.random.Generator) -> None:
    found = group_metrics(scores(rng), rng=rng)
    ages = found[found["feature"] == "age"].set_index("group")
    assert ages["gap"].min() == 0
    assert ages.loc["0-9", "gap"] == pytest.approx(ages["accuracy"].max() - ages.loc["0-9", "accuracy"])
    assert ages.loc["0-9", "gap_low"] > 0.35
    assert ages.loc["0-9", "gap_low"] < ages.loc["0-9", "gap"] < ages.loc["0-9", "gap_high"]
    assert found[found["feature"] == "race"]["gap_low"].max() < 0.01


def test_small_groups_and_single_groups_are_left_out(rng: np.random.Generator) -> None:
    scored = scores(rng)
    scored["race"] = pd.array(["White"] * 1990 + ["Other"] * 10, dtype="string")
    assert set(group_metrics(scored, rng=rng)["feature"]) == {"label", "age"}
    assert group_metrics(scored[scored["age"] < 0].assign(age=pd.NA), rng=rng).empty


def test_women_with_and_without_make_up_are_told_apart_where_that_is_known() -> None:
    yes, no, unknown = True, False, pd.NA
    table = pd.DataFrame(
        {
            "label": ["female", "female", "female", "male", "female", "male"],
            "Heavy_Makeup": pd.array([yes, no, no, no, unknown, unknown], dtype="boolean"),
            "Wearing_Lipstick": pd.array([no, yes, no, no, unknown, unknown], dtype="boolean"),
        }
    )
    style = features(table)["style"]
    assert style.tolist()[:4] == ["women with make-up", "women with make-up", "women without make-up", "men"]
    assert style.isna().tolist() == [False] * 4 + [True] * 2


def test_parts_of_a_data_set_are_groups(rng: np.random.Generator) -> None:
    scored = scores(rng).assign(source=np.repeat(["press", "web"], 1000))
    assert {"press", "web"} <= set(group_metrics(scored, rng=rng).query("feature == 'part'")["group"])


def test_others_are_not_compared_with_a_handful_in_which_nothing_is_wrong(rng: np.random.Generator) -> None:
    scored = scores(rng)
    scored["race"] = pd.array(["Asian"] * 30 + ["White", "Black"] * 985, dtype="string")
    scored.loc[:29, "p_male"] = np.where(scored.loc[:29, "label"] == "male", 0.95, 0.05)
    found = group_metrics(scored, rng=rng).query("feature == 'race'").set_index("group")
    assert found.loc["Asian", "accuracy"] == 1 and found.loc["Asian", "gap"] < 0
    assert found.loc[["White", "Black"], "gap"].min() == 0
