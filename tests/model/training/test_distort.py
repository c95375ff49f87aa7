"""Distortions do what was drawn: compared with OpenCV and Pillow, and with the plain window where nothing was."""

import importlib.util
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from model.predict import window
from model.training.augment import PARTS, Augmentation, draw

# Looked for, not imported: TensorFlow's logging would take hold of the stream that pytest captures while it collects.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")
NOTHING = Augmentation(
    rotation=0, scale=0, stretch=0, shift=0, tight=0, coarse=0, blur=0, jpeg=0, hide=0, grey=0, light=0, noise=0
)
ROWS, COLUMNS = 80, 73  # odd as the frame, so that pixels fall on pixels


@pytest.fixture
def faces() -> np.ndarray:
    """Smooth colours that differ between faces and between left and right."""
    i, j = np.mgrid[:109, :89].astype(float)
    planes = [128 + 100 * np.sin(i / 17 + shift) * np.cos(j / 23 + 2 * shift) for shift in range(12)]
    return np.stack(planes).reshape(4, 3, 109, 89).transpose(0, 2, 3, 1).astype(np.uint8)


def distorted(faces: np.ndarray, how: Augmentation = NOTHING, size: float = 1.0, **parts: object) -> np.ndarray:
    """Faces as drawn, never mirrored, with some parts of the draws replaced."""
    from model.training.distort import Distort

    draws = draw([0], len(faces), (109, 89), (ROWS, COLUMNS), size, how)
    if how == NOTHING:
        flat = draws[:, PARTS["place"]]
        flipped = flat[:, 0] < 0
        flat[flipped, 2] -= COLUMNS - 1
        flat[:, 0] = np.abs(flat[:, 0])
        draws[:, PARTS["place"]] = flat
    for name, value in parts.items():
        draws[:, PARTS[name]] = value
    return np.asarray(Distort(round(ROWS * size), round(COLUMNS * size))(faces, draws))


def test_nothing_drawn_is_the_plain_window(faces: np.ndarray) -> None:
    np.testing.assert_allclose(distorted(faces), window(faces, ROWS, COLUMNS), atol=0.6)


def test_the_mirror_image_is_that_of_the_window(faces: np.ndarray) -> None:
    place = np.array([-1, 0, 80, 0, 1, 23], np.float32)  # columns 80, 79, ... of rows 23, 24, ...: the window's edges
    np.testing.assert_allclose(distorted(faces, place=place), window(faces, ROWS, COLUMNS)[:, :, ::-1], atol=0.6)


def test_an_affine_map_agrees_with_opencv(faces: np.ndarray) -> None:
    matrix = np.array([[0.9, 0.2, 3.0], [-0.1, 1.1, 10.0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    wanted = [
        cv2.warpAffine(face, matrix, (COLUMNS, ROWS), flags=flags, borderMode=cv2.BORDER_REPLICATE) for face in faces
    ]
    np.testing.assert_allclose(distorted(faces, place=matrix.ravel()), wanted, atol=4)


def test_what_is_outside_the_box_repeats_its_edge(faces: np.ndarray) -> None:
    found = distorted(faces, inside=[40, 100, 20, 70])
    top, left = 23, 8  # of the window in the frame
    np.testing.assert_allclose(found[:, : 40 - top], found[:, 40 - top : 41 - top].repeat(40 - top, axis=1), atol=0.1)
    np.testing.assert_allclose(
        found[:, :, 70 - left :], found[:, :, 70 - left : 71 - left].repeat(11, axis=2), atol=0.1
    )


def test_coarse_and_blurred_pictures_agree_with_opencv(faces: np.ndarray) -> None:
    plain = window(faces, ROWS, COLUMNS).astype(np.float32)
    small = [cv2.resize(face, (36, 40), interpolation=cv2.INTER_AREA) for face in plain]
    wanted = [cv2.resize(face, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR) for face in small]
    np.testing.assert_allclose(distorted(faces, coarse=0.5), wanted, atol=1)
    inner = (slice(None), slice(8, -8), slice(8, -8))  # OpenCV reflects beyond the edges
    blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 1.5) for face in plain])
    np.testing.assert_allclose(distorted(faces, blur=1.5)[inner], blurred[inner], atol=1)


def test_jpeg_loses_about_as_much_as_pillows(faces: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    rough = np.clip(faces + rng.normal(0, 20, faces.shape), 0, 255).astype(np.uint8)
    plain = window(rough, ROWS, COLUMNS).astype(float)
    for quality in (30, 80):
        wanted = []
        for face in plain.astype(np.uint8):
            file = io.BytesIO()
            Image.fromarray(face).save(file, "JPEG", quality=quality)
            wanted.append(np.asarray(Image.open(file), float))
        lost = np.abs(np.stack(wanted) - plain).mean()
        assert np.abs(distorted(rough, jpeg=quality) - plain).mean() == pytest.approx(lost, rel=0.35)


def test_light_and_colour(faces: np.ndarray) -> None:
    plain = window(faces, ROWS, COLUMNS).astype(float)
    brighter = distorted(faces, exposure=0.1)
    inside = (plain > 10) & (plain < 220)
    np.testing.assert_allclose((brighter - plain)[inside], 25.5, atol=1)
    grey = distorted(faces, colour=0.0)
    np.testing.assert_allclose(grey, (plain @ [0.299, 0.587, 0.114])[..., None].repeat(3, axis=-1), atol=1)


def test_a_rectangle_is_covered_and_noise_has_its_strength(faces: np.ndarray) -> None:
    found = distorted(faces, covered=[10, 30, 20, 50], cover=[255, 0, 7])
    assert (found[:, 10:30, 20:50] == [255, 0, 7]).all()
    assert not (found[:, 30:] == [255, 0, 7]).all(axis=-1).any()
    flat = np.full_like(faces, 128)
    noisy = distorted(flat, noise=8.0)
    assert noisy.std() == pytest.approx(8, rel=0.05)
    assert (noisy[0] != noisy[1]).any()  # at another place of the block


def test_pictures_and_targets_are_mixed_alike(faces: np.ndarray) -> None:
    from model.training.distort import mixed

    plain = distorted(faces)
    found = distorted(faces, mix=np.float32([[0.4], [0], [0], [0.1]]))
    np.testing.assert_allclose(found[0], 0.6 * plain[0] + 0.4 * plain[1], atol=0.1)
    np.testing.assert_allclose(found[1:3], plain[1:3], atol=0.1)
    np.testing.assert_allclose(found[3], 0.9 * plain[3] + 0.1 * plain[0], atol=0.1)
    draws = np.zeros((4, PARTS["mix"].stop), np.float32)
    draws[:, PARTS["mix"]] = [[0.4], [0], [0], [0.1]]
    targets = np.asarray(mixed(np.float32([[1], [0], [1], [0]]), draws))
    np.testing.assert_allclose(targets[:, 0], [0.6, 0, 1, 0.1], atol=1e-6)


def test_the_size_is_that_asked_for_and_every_picture_in_range(faces: np.ndarray) -> None:
    found = distorted(faces, replace(Augmentation(), mix=1.0), size=0.6)
    assert found.shape == (4, 48, 44, 3)
    assert found.min() >= 0 and found.max() <= 255
