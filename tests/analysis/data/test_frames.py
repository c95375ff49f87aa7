"""Frames of other sizes: what is stored, what is measured, and what everything else reads."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from test_ingest import demo_members, write_zip

from analysis.average_command import average_subsets
from analysis.core.errors import UserError
from analysis.data.alignment import FRAME, align_face, fit_frame, frame_of
from analysis.data.dataset import Dataset
from analysis.data.detection import detect_faces
from analysis.data.ingest import ingest
from analysis.data.photo import decode_photo
from analysis.data.sources import register

LARGE = (218, 178)


@pytest.mark.parametrize("text", ["218x178", "178x218", " 178 X 218 ", "218×178"])
def test_a_size_is_read_whichever_side_comes_first(text: str) -> None:
    assert frame_of(text) == LARGE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("218", "write it like 218x178"),
        ("x", "write it like 218x178"),
        ("256x256", "write 256x209"),
        ("108x88", "109 to 436 rows, not 108"),
        ("0x0", "109 to 436 rows, not 0"),
        ("1090x890", "choose a size from there to 436x356"),
    ],
)
def test_a_size_that_no_frame_can_have_is_refused_and_one_that_fits_is_named(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        frame_of(text)


@pytest.mark.parametrize("frame", [LARGE, (128, 105), (327, 267)])
def test_a_larger_frame_shows_the_same_part_of_a_face(frame: tuple[int, int]) -> None:
    photo = decode_photo(next(iter(demo_members(1).values())))
    landmarks = detect_faces(photo)[0].landmarks
    for large, usual in (
        (align_face(photo, landmarks, frame), align_face(photo, landmarks)),
        (fit_frame(photo, frame), fit_frame(photo)),
    ):
        assert large.shape == (*frame, 3)
        shrunk = cv2.resize(large, FRAME[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - usual.astype(int)).mean() < 2


def test_faces_are_stored_in_the_frame_and_read_in_the_usual_one(home: Path) -> None:
    register(write_zip(home / "faces.zip", demo_members(32)), "faces")
    usual = ingest("faces", progress=False)
    before = Dataset.open("faces")
    faces, manifest = before.faces.to_numpy(), before.manifest
    assert before.frame == FRAME and before.stored_faces is before.faces
    assert "frame" not in json.loads((home / "data/faces/ingest.json").read_text())["configuration"]

    large = ingest("faces", frame=LARGE, progress=False)
    assert large.fingerprint != usual.fingerprint
    assert ingest("faces", progress=False) == large  # the frame is the data set's until another is asked for
    dataset = Dataset.open("faces")
    assert dataset.frame == LARGE
    assert dataset.stored_faces.shape == (32, *LARGE, 3) and dataset.faces.shape == faces.shape
    assert np.abs(dataset.faces.to_numpy().astype(int) - faces).mean() < 2
    assert np.abs(dataset.faces.isel(image=[3, 9]).to_numpy().astype(int) - faces[[3, 9]]).mean() < 2
    for measure, apart in (("brightness", 0.02), ("contrast", 0.05), ("sharpness", 0.6)):  # shrunk ones are sharper
        np.testing.assert_allclose(dataset.manifest[measure], manifest[measure], rtol=apart)
    assert dataset.manifest[["image_id", "split", "status"]].equals(manifest[["image_id", "split", "status"]])

    average_subsets(dataset, "", output=home / "all.png")
    assert Image.open(home / "all.png").size == (178, 218)
    assert ingest("faces", frame=FRAME, progress=False).fingerprint == usual.fingerprint
    np.testing.assert_array_equal(Dataset.open("faces").faces.to_numpy(), faces)
