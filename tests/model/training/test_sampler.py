"""The sampler shows rare groups more often, forgets nobody it should show, and repeats itself with its seed."""

import numpy as np
import pandas as pd
import pytest

from model.training.dataset import Faces
from model.training.sampler import draw_epoch, sampling_weights


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
    weights = sampling_weights(faces, 0.0)
    assert sorted(draw_epoch(weights, [0])) == list(range(100))


def test_with_full_balance_groups_are_shown_alike(faces: Faces) -> None:
    weights = sampling_weights(faces, 1.0)
    shown = draw_epoch(weights, [0])
    counts = [np.isin(shown, part).sum() for part in (range(40), range(40, 80), range(80, 96), range(96, 100))]
    assert max(counts) - min(counts) <= 5  # groups of 40, 40, 16 and 4 faces
    assert len(shown) == 100


def test_half_balance_lies_between(faces: Faces) -> None:
    weights = sampling_weights(faces, 0.5)
    assert weights.mean() == pytest.approx(1)
    assert weights[99] / weights[0] == pytest.approx((40 / 4) ** 0.5)


def test_order_is_a_function_of_the_seed(faces: Faces) -> None:
    weights = sampling_weights(faces, 0.5)
    assert draw_epoch(weights, [0, 1]).tolist() == draw_epoch(weights, [0, 1]).tolist()
    assert draw_epoch(weights, [0, 1]).tolist() != draw_epoch(weights, [0, 2]).tolist()


def test_ages_and_races_that_a_source_does_not_know_are_unknown(faces: Faces) -> None:
    assert set(faces.age_class[:80]) == {-1.0}
    assert set(faces.age_class[80:]) == {4.0}
    assert set(faces.race_class) == {-1.0, 0.0}
