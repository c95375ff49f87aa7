"""Cells of age, race and label hold what they should, and their intervals hold together."""

import numpy as np
import pandas as pd
import pytest

from analysis.core.stats import clopper_pearson, sidak
from model.evaluation.cells import cells


def faces(count: int, rng: np.random.Generator, **columns: object) -> pd.DataFrame:
    male = rng.uniform(size=count) < 0.5
    right = rng.uniform(size=count) < 0.9
    return pd.DataFrame(
        {
            "dataset": "a",
            "label": np.where(male, "male", "female"),
            "p_male": np.where(male == right, 0.9, 0.1),
            "age": pd.array(rng.choice([5, 30], count), dtype="Int64"),
            "race": pd.array(rng.choice(["White", "Black"], count), dtype="string"),
            **columns,
        }
    )


def test_a_cell_is_counted_as_by_hand_and_small_ones_are_left_out(rng: np.random.Generator) -> None:
    table = faces(400, rng)
    table.loc[table.index[:15], "race"] = "Asian"
    found = cells(table).set_index(["age", "race", "label"])
    assert len(found) == 8 and "Asian" not in found.index.get_level_values("race")
    part = table.query("age == 5 and race == 'Black' and label == 'female'")
    row = found.loc[("0-9", "Black", "female")]
    right = int((part["p_male"] < 0.5).sum())
    assert row["images"] == row["people"] == len(part)
    assert row["accuracy"] == pytest.approx(right / len(part))
    assert (row["low"], row["high"]) == pytest.approx(clopper_pearson(right, len(part), sidak(0.95, 8)))


def test_photos_of_one_person_count_as_one(rng: np.random.Generator) -> None:
    table = faces(400, rng)
    twice = pd.concat([table, table], ignore_index=True)
    alone = cells(table.assign(identity=pd.array(range(400), dtype="Int64")))
    pairs = cells(twice.assign(identity=pd.array([*range(400), *range(400)], dtype="Int64")))
    assert (pairs["images"] == 2 * alone["images"]).all()
    pd.testing.assert_frame_equal(pairs.drop(columns="images"), alone.drop(columns="images"))


def test_a_source_that_knows_races_alone_has_cells_of_race_and_label(rng: np.random.Generator) -> None:
    table = faces(200, rng, age=pd.array([pd.NA] * 200, dtype="Int64"))
    found = cells(pd.concat([faces(400, rng).assign(dataset="b"), table], ignore_index=True))
    own = found[found["source"] == "a"]
    assert own["age"].isna().all() and set(own["race"]) == {"White", "Black"} and len(own) == 4
    nothing = cells(table.drop(columns=["age", "race"]))
    assert nothing.empty and list(nothing) == list(found)


def test_intervals_of_all_cells_hold_at_once() -> None:
    missed = 0
    for seed in range(100):
        found = cells(faces(600, np.random.default_rng(seed)))
        missed += ((found["low"] > 0.9) | (found["high"] < 0.9)).any()
    assert missed <= 10  # at most 5 of 100 are expected; intervals of 95 % each would miss in a third
