"""Draws depend on their seed alone, and every strength has its own part in them."""

from dataclasses import replace

import numpy as np
import pytest

from model.training.augment import COLUMNS, PARTS, Augmentation, draw

NOTHING = Augmentation(
    rotation=0, scale=0, stretch=0, shift=0, tight=0, coarse=0, blur=0, jpeg=0, hide=0, grey=0, light=0, noise=0
)


def drawn(seed: int, how: Augmentation, n: int = 200) -> np.ndarray:
    return draw([seed], n, (109, 89), (80, 72), 1.0, how)


def test_parts_fill_the_columns_of_a_row() -> None:
    covered = np.concatenate([np.arange(COLUMNS)[columns] for columns in PARTS.values()])
    assert covered.tolist() == list(range(COLUMNS))
    assert drawn(0, Augmentation()).shape == (200, COLUMNS)
    assert drawn(0, Augmentation()).dtype == np.float32


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    np.testing.assert_array_equal(drawn(3, Augmentation()), drawn(3, Augmentation()))
    assert (drawn(3, Augmentation()) != drawn(4, Augmentation())).any()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("rotation", {"place"}), ("scale", {"place"}), ("stretch", {"place"}), ("shift", {"place"}),
        ("tight", {"inside"}), ("coarse", {"coarse"}), ("blur", {"blur"}), ("jpeg", {"jpeg"}), ("hide", {"covered"}),
        ("grey", {"colour"}), ("noise", {"noise"}), ("mix", {"mix"}),
        ("light", {"gamma", "contrast", "exposure", "tint", "colour"}),
    ],
)  # fmt: skip
def test_a_strength_moves_its_own_parts_only(name: str, parts: set[str]) -> None:
    plain, changed = drawn(0, NOTHING), drawn(0, replace(NOTHING, **{name: 0.5}))
    moved = {part for part, columns in PARTS.items() if (plain[:, columns] != changed[:, columns]).any()}
    assert moved == parts


def test_shares_are_those_asked_for() -> None:
    many = drawn(1, replace(NOTHING, jpeg=0.25, mix=0.4, grey=1.0), n=4000)
    assert (many[:, PARTS["jpeg"]] > 0).mean() == pytest.approx(0.25, abs=0.03)
    assert (many[:, PARTS["mix"]] > 0).mean() == pytest.approx(0.4, abs=0.03)
    assert many[:, PARTS["mix"]].max() < 0.5  # the face of the target stays the stronger one
    assert (many[:, PARTS["colour"]] == 0).all()


def test_one_face_in_two_is_mirrored() -> None:
    across = drawn(0, NOTHING, n=2000)[:, PARTS["place"]][:, 0]
    assert (across < 0).mean() == pytest.approx(0.5, abs=0.05)
