"""Pairs of answers are counted as by hand; what chance does is not called a gain."""

import numpy as np
import pandas as pd
import pytest

from model.evaluation.paired import paired


def answers(right: np.ndarray, **columns: object) -> pd.DataFrame:
    """Faces of alternating labels, each answered right or wrong."""
    male = np.arange(len(right)) % 2 == 1
    return pd.DataFrame(
        {
            "dataset": "a",
            "split": "test",
            "image_id": [f"{i}.jpg" for i in range(len(right))],
            "label": np.where(male, "male", "female"),
            "p_male": np.where(male == right, 0.9, 0.1),
            **columns,
        }
    )


def test_images_that_one_of_two_runs_has_right_are_counted() -> None:
    own, other = np.ones(100, bool), np.ones(100, bool)
    other[:12], own[12:15] = False, False
    (everybody,) = paired(answers(own), {"old": answers(other)}).query("feature == 'all'").to_dict("records")
    assert (everybody["run"], everybody["source"], everybody["images"]) == ("old", "a", 100)
    assert (everybody["gained"], everybody["lost"]) == (everybody["people_gained"], everybody["people_lost"]) == (12, 3)
    assert everybody["difference"] == pytest.approx(0.09)
    assert 0 < everybody["low"] < 0.09 < everybody["high"]
    assert everybody["p_value"] == pytest.approx(0.0352, abs=1e-4)  # 3 of 15 or fewer, twice


def test_photos_of_one_person_count_once() -> None:
    own, other = np.ones(100, bool), np.ones(100, bool)
    other[:10] = False  # ten photos of one person
    identity = pd.array(np.r_[np.zeros(10), np.arange(1, 91)], dtype="Int64")
    found = paired(answers(own, identity=identity), {"old": answers(other, identity=identity)})
    everybody = found[found["feature"] == "all"].iloc[0]
    assert (everybody["gained"], everybody["people_gained"], everybody["people"]) == (10, 1, 91)
    assert everybody["p_value"] == 1 and everybody["low"] == 0  # a resample without that person has no difference


def test_groups_and_sources_have_rows_of_their_own() -> None:
    own, other = np.ones(200, bool), np.ones(200, bool)
    other[1:41:2] = False  # of label male, in source a
    race = pd.array(["White"] * 50 + ["Asian"] * 131 + ["Black"] * 19, dtype="string")
    source = np.repeat(["a", "b"], 100)
    tables = (answers(each, race=race).assign(dataset=source) for each in (own, other))
    found = paired(next(tables), {"old": next(tables)}).set_index(["source", "feature", "group"])
    assert found.loc[("a", "all", "all"), "gained"] == found.loc[("a", "label", "male"), "gained"] == 20
    assert found.loc[("a", "label", "female"), "gained"] == found.loc[("b", "all", "all"), "gained"] == 0
    assert found.loc[("b", "all", "all"), "p_value"] == 1
    assert ("b", "race", "Asian") in found.index and ("b", "race", "Black") not in found.index  # 19 are too few


def test_a_run_that_is_compared_with_none_has_no_rows() -> None:
    found = paired(answers(np.ones(40, bool)), {})
    assert found.empty and "p_value" in found


def test_answers_to_other_images_are_no_pairs() -> None:
    one, two = answers(np.ones(40, bool)), answers(np.ones(40, bool))
    with pytest.raises(ValueError, match="same order"):
        paired(one, {"old": two.iloc[::-1]})
