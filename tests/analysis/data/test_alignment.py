"""Alignment: faces end up in CelebA's frame whatever the photo's size or turn."""

import zipfile

import cv2
import numpy as np
import pytest

from analysis.data.alignment import FRAME_LANDMARKS, align_face, fit_frame, similarity_transform
from analysis.data.detection import detect_faces
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    with zipfile.ZipFile(demo_source()) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".jpg"))
        return decode_photo(archive.read(name))


def test_similarity_transform_undoes_a_turn_a_scale_and_a_shift(rng: np.random.Generator) -> None:
    turn = np.deg2rad(33)
    linear = 2.5 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = FRAME_LANDMARKS @ linear.T + [17, -4]
    matrix = similarity_transform(moved)
    np.testing.assert_allclose(moved @ matrix[:, :2].T + matrix[:, 2], FRAME_LANDMARKS, atol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_alignment_does_not_depend_on_the_size_of_the_photo(portrait: np.ndarray, scale: float) -> None:
    reference = align_face(portrait, detect_faces(portrait)[0].landmarks)
    photo = cv2.resize(
        portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    aligned = align_face(photo, detect_faces(photo)[0].landmarks)
    difference = np.abs(aligned.astype(int) - reference.astype(int))[20:100, 10:80].mean()
    assert difference < 6


def test_landmarks_of_an_aligned_face_lie_where_the_frame_wants_them(portrait: np.ndarray) -> None:
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((89, 109), 12, 0.9), (178, 218))
    again = detect_faces(align_face(turned, detect_faces(turned)[0].landmarks))[0]
    assert np.abs(again.landmarks - FRAME_LANDMARKS).mean() < 1.5


def test_face_in_a_large_photo_is_cut_out_like_in_a_small_one(portrait: np.ndarray) -> None:
    landmarks = detect_faces(portrait)[0].landmarks
    larger = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    canvas = np.full((3000, 3000, 3), 90, np.uint8)
    canvas[1500 : 1500 + larger.shape[0], 2000 : 2000 + larger.shape[1]] = larger
    inside = align_face(canvas, (landmarks + 0.5) * 3 - 0.5 + (2000, 1500))
    alone = align_face(larger, (landmarks + 0.5) * 3 - 0.5)
    assert np.abs(inside.astype(int) - alone.astype(int))[10:100, 10:80].mean() < 2


def test_fit_frame_takes_the_centre(portrait: np.ndarray) -> None:
    wide = cv2.copyMakeBorder(portrait, 0, 0, 60, 60, cv2.BORDER_CONSTANT)
    difference = np.abs(fit_frame(wide).astype(int) - fit_frame(portrait).astype(int))
    assert fit_frame(portrait).shape == (109, 89, 3)
    assert difference[:, 2:-2].mean() < 3
