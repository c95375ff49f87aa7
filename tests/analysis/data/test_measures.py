"""Measures of faces equal those of the libraries that define them; which photos are refused."""

import io
import zipfile

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image

from analysis.data.measures import measure_faces
from analysis.data.photo import PhotoError, decode_photo
from analysis.data.sources import demo_source


def test_measures_are_those_of_numpy_opencv_and_imagehash_to_the_last_bit(rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (20, 109, 89, 3), dtype=np.uint8)
    blurred = np.stack([cv2.GaussianBlur(each, (0, 0), 9) for each in noise])
    flat, halves = np.full((2, 109, 89, 3), 200, np.uint8), np.zeros((2, 109, 89, 3), np.uint8)
    halves[0, :54], halves[1, :, :44] = 255, 255
    faces = np.concatenate([noise, blurred, flat, halves])
    for face, found in zip(faces, measure_faces(faces), strict=True):
        luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        assert found == {
            "brightness": luma.mean() / 255,
            "contrast": luma.std() / 255,
            "sharpness": float(cv2.Laplacian(luma, cv2.CV_32F).var()),
            "phash": str(imagehash.phash(Image.fromarray(luma))),
        }
    assert measure_faces(faces[:0]) == []


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}])
def test_decoded_photos_have_pillows_pixels(rng: np.random.Generator, subsampling: str, options: dict) -> None:
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (61, 47, 3), dtype=np.uint8), (0, 0), 2)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", subsampling=subsampling, **options)
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    np.testing.assert_array_equal(decode_photo(buffer.getvalue()), expected)


def test_damaged_photos_are_decoded_or_refused_in_one_line(rng: np.random.Generator) -> None:
    with zipfile.ZipFile(demo_source()) as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))
    for _ in range(200):
        damaged = bytearray(data)
        for at in rng.integers(2, len(data) - 2, rng.choice([1, 20])):
            damaged[at] = rng.integers(256)
        try:
            assert decode_photo(bytes(damaged)).dtype == np.uint8
        except PhotoError as error:
            assert "\n" not in str(error)
