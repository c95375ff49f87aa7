"""Faces between 20 and 80 % are counted, and their labels compared with what was predicted."""

import numpy as np
import pandas as pd
import pytest

from analysis.core.stats import wilson
from model.evaluation.middle import middle_scores


def scores(p_male: list[float], male: list[bool], **columns: object) -> pd.DataFrame:
    """The same scores in each split."""
    one = pd.DataFrame({"dataset": "a", "p_male": p_male, "label": np.where(male, "male", "female"), **columns})
    return pd.concat([one.assign(split=split) for split in ("train", "validation", "test")], ignore_index=True)


def test_faces_are_counted_in_the_band_that_holds_them() -> None:
    table = scores([0.1, 0.2, 0.39, 0.4, 0.6, 0.8, 0.9, 0.95], [False, True, False, False, True, True, True, True])
    found = middle_scores(table, ["a"]).query("split == 'test'").set_index(["left", "right"])
    assert found["images"].tolist() == [5, 2, 1, 2]
    whole = found.loc[(0.2, 0.8)]
    assert whole["share"] == 5 / 8 and whole["male"] == 3 / 5
    assert whole["probability"] == pytest.approx((0.2 + 0.39 + 0.4 + 0.6 + 0.8) / 5)
    assert (whole["low"], whole["high"]) == pytest.approx(wilson(3, 5))


def test_photos_of_one_person_count_as_one() -> None:
    table = scores([0.5] * 8, [True, False] * 4, identity=pd.array([1, 2] * 4, dtype="Int64"))
    found = middle_scores(table, ["a"]).query("split == 'test' and left == 0.2 and right == 0.8").iloc[0]
    assert (found["images"], found["people"]) == (8, 2)
    assert (found["low"], found["high"]) == pytest.approx(wilson(1, 2))


def test_a_band_without_a_face_says_nothing() -> None:
    found = middle_scores(scores([0.01, 0.99], [False, True]), ["a"])
    assert (found["images"] == 0).all() and found[["probability", "male", "low", "high"]].isna().all(axis=None)
