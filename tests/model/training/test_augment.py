"""Augmentation changes faces, repeats itself with its seed, and with nothing asked for only cuts the window."""

import numpy as np
import pytest

from model.predict import window
from model.training.augment import Augmentation, augment, mix

NOTHING = Augmentation(
    rotation=0, scale=0, stretch=0, shift=0, tight=0, coarse=0, blur=0, jpeg=0, hide=0, grey=0, light=0, noise=0
)


@pytest.fixture
def faces() -> np.ndarray:
    smooth = np.linspace(0, 255, 109 * 89).reshape(109, 89, 1).repeat(3, axis=2)
    return np.stack([smooth, smooth[::-1], 255 - smooth]).astype(np.uint8)


def test_nothing_asked_for_leaves_the_window_or_its_mirror_image(faces: np.ndarray) -> None:
    found = augment(faces, [0], 80, 80, 1.0, NOTHING).astype(int)
    plain = window(faces, 80, 80).astype(int)
    for face, expected in zip(found, plain, strict=True):
        assert min(np.abs(face - expected).max(), np.abs(face - expected[:, ::-1]).max()) <= 1


def test_some_faces_are_mirrored_and_some_are_not(faces: np.ndarray) -> None:
    many = np.repeat(faces[:1], 40, axis=0)
    found = augment(many, [1], 80, 80, 1.0, NOTHING).astype(int)
    same = np.abs(found - window(many, 80, 80).astype(int)).max(axis=(1, 2, 3)) <= 1
    assert 0.2 < same.mean() < 0.8


def test_size_is_that_of_the_window_times_the_scale(faces: np.ndarray) -> None:
    found = augment(faces, [0], 80, 72, 0.6, Augmentation())
    assert found.shape == (3, 48, 43, 3)
    assert found.dtype == np.uint8


def test_the_same_seed_gives_the_same_faces_and_another_does_not(faces: np.ndarray) -> None:
    first, again, other = (augment(faces, seed, 80, 80, 1.0, Augmentation()) for seed in ([3, 1], [3, 1], [3, 2]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", [name for name in Augmentation.__dataclass_fields__ if name not in {"light", "mix"}])
def test_every_strength_has_an_effect(faces: np.ndarray, name: str) -> None:
    from dataclasses import replace

    rng = np.random.default_rng(0)
    many = rng.integers(0, 256, (24, 109, 89, 3), np.uint8)
    strength = 1.0 if name in {"tight", "coarse", "blur", "jpeg", "hide", "grey"} else 0.5
    changed = replace(NOTHING, **{name: strength * 10 if name in {"rotation", "noise", "shift"} else strength})
    plain = augment(many, [0], 80, 80, 1.0, NOTHING)
    assert (augment(many, [0], 80, 80, 1.0, changed) != plain).any()


def test_light_changes_grey_levels(faces: np.ndarray) -> None:
    from dataclasses import replace

    changed = augment(faces, [0], 80, 80, 1.0, replace(NOTHING, light=1.0)).astype(int)
    assert np.abs(changed - augment(faces, [0], 80, 80, 1.0, NOTHING)).mean() > 2


def test_mixed_targets_move_as_far_as_their_faces() -> None:
    faces = np.repeat(np.array([0, 200], np.uint8), 50)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    male = np.repeat(np.float32([0, 1]), 50)[:, None]
    mixed, targets = mix(faces, male, [3], 0.5)
    assert mixed.dtype == np.uint8 and targets.dtype == np.float32
    np.testing.assert_allclose(mixed[:, 0, 0, 0] / 200, targets[:, 0], atol=0.01)
    assert ((targets > 0.5) == (male > 0.5)).all()  # the face of the target stays the stronger one
    moved = (targets != male).mean()
    assert 0.1 < moved < 0.5  # half are mixed, about half of those with a face of the same label
    again, _ = mix(faces, male, [3], 0.5)
    np.testing.assert_array_equal(mixed, again)
    assert (mix(faces, male, [4], 0.5)[0] != mixed).any()
    np.testing.assert_array_equal(mix(faces, male, [3], 0.0)[0], faces)
