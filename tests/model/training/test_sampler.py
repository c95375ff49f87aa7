"""The sampler shows rare groups more often, forgets nobody it should show, and repeats itself with its seed."""

import numpy as np
import pandas as pd
import pytest

from model.training.examples import Faces
from model.training.sampler import MOST, draw_epoch, groups, sampling_weights, watched_groups


@pytest.fixture
def faces() -> Faces:
    table = pd.DataFrame(
        {
            "dataset": ["celeba"] * 80 + ["utkface"] * 20,
            "label": ["female"] * 40 + ["male"] * 40 + ["female"] * 16 + ["male"] * 4,
            "age": [pd.NA] * 80 + [30] * 20,
            "race": [None] * 80 + ["White"] * 20,
        }
    )
    return Faces(table, np.zeros((100, 1, 1, 3), np.uint8))


def test_without_balance_every_face_is_shown_once(faces: Faces) -> None:
    weights = sampling_weights(groups(faces), 0.0)
    assert sorted(draw_epoch(weights, [0])) == list(range(100))


def test_with_full_balance_groups_and_labels_are_shown_alike(faces: Faces) -> None:
    weights = sampling_weights(groups(faces), 1.0)
    shown = draw_epoch(weights, [0])
    counts = [np.isin(shown, part).sum() for part in (range(40), range(40, 80), range(80, 96), range(96, 100))]
    assert max(counts) - min(counts) <= 5  # groups of 40, 40, 16 and 4 faces
    assert np.isin(shown, [*range(40), *range(80, 96)]).sum() == pytest.approx(50, abs=1)
    assert len(shown) == 100


def test_half_balance_lies_between(faces: Faces) -> None:
    weights = sampling_weights(groups(faces), 0.5)
    assert weights.mean() == pytest.approx(1)
    assert weights[99] / weights[40] == pytest.approx((40 / 4) ** 0.5)


def test_no_face_is_shown_without_end(faces: Faces) -> None:
    table = faces.table.assign(age=[pd.NA] * 80 + [30] * 19 + [5])
    table = pd.concat([table.iloc[:80]] * 50 + [table.iloc[80:]], ignore_index=True)
    many = Faces(table, np.zeros((len(table), 1, 1, 3), np.uint8))
    weights = sampling_weights(groups(many), 1.0)
    alike = 5 / len(table)  # mean weight of five groups that are shown alike
    assert weights[-1] / weights[40] == pytest.approx(MOST * alike * 2000)  # not 2,000 times


def test_women_with_and_without_make_up_are_groups_of_their_own(faces: Faces) -> None:
    styles = {"Heavy_Makeup": [True] * 30 + [False] * 50 + [None] * 20, "Wearing_Lipstick": [False] * 80 + [None] * 20}
    group = groups(Faces(faces.table.assign(**styles), faces.pixels))
    assert group.groupby(["source", "male", "style"]).size().to_dict() == {
        ("celeba", False, 0): 10,
        ("celeba", False, 1): 30,
        ("celeba", True, -1): 40,
        ("utkface", False, -1): 16,
        ("utkface", True, -1): 4,
    }


def test_parts_of_a_data_set_are_sources_of_their_own(faces: Faces) -> None:
    group = groups(Faces(faces.table.assign(source=[None] * 80 + ["press"] * 20), faces.pixels))
    assert set(group["source"]) == {"celeba", "utkface, press"}


def test_groups_that_are_watched_are_large_and_not_of_small_children(faces: Faces) -> None:
    assert [len(rows) for rows in watched_groups(faces)] == [100]  # none is large enough: all together
    table = pd.concat([faces.table] * 4, ignore_index=True)
    table.loc[(table["label"] == "male") & (table["dataset"] == "utkface"), "age"] = 5
    rows = watched_groups(Faces(table, np.zeros((400, 1, 1, 3), np.uint8)))
    assert sorted(map(len, rows)) == [64, 160, 160]
    assert all(table.loc[part, ["dataset", "label"]].drop_duplicates().shape[0] == 1 for part in rows)


def test_order_is_a_function_of_the_seed(faces: Faces) -> None:
    weights = sampling_weights(groups(faces), 0.5)
    assert draw_epoch(weights, [0, 1]).tolist() == draw_epoch(weights, [0, 1]).tolist()
    assert draw_epoch(weights, [0, 1]).tolist() != draw_epoch(weights, [0, 2]).tolist()


def test_ages_and_races_that_a_source_does_not_know_are_unknown(faces: Faces) -> None:
    assert set(faces.age_class[:80]) == {-1.0}
    assert set(faces.age_class[80:]) == {4.0}
    assert set(faces.race_class) == {-1.0, 0.0}
