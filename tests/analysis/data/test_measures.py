"""Measures of faces equal those of the libraries that define them, and the quick decoder equals Pillow."""

import io
import zipfile

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image

from analysis.data import photo
from analysis.data.measures import measure_faces
from analysis.data.photo import PhotoError, decode_photo, decode_reduced
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
def test_quick_decoder_gives_pillows_pixels(rng: np.random.Generator, subsampling: str) -> None:
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (61, 47, 3), dtype=np.uint8), (0, 0), 2)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", subsampling=subsampling)
    assert photo._plain_jpeg_size(buffer.getvalue())
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    np.testing.assert_array_equal(decode_photo(buffer.getvalue()), expected)


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}])
def test_quick_decoder_leaves_the_unusual_to_pillow(options: dict) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", **options)
    assert not photo._plain_jpeg_size(buffer.getvalue())
    assert decode_photo(buffer.getvalue()).shape == (32, 32, 3)


def test_reduced_photos_look_like_shrunk_ones(rng: np.random.Generator) -> None:
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (436, 356, 3), dtype=np.uint8), (0, 0), 6)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    for height, width, shape in ((109, 89, (109, 89)), (110, 89, (218, 178)), (300, 89, (436, 356))):
        found, size = decode_reduced(buffer.getvalue(), height, width)
        assert size == (436, 356) and found.shape[:2] == shape
        expected = cv2.resize(decode_photo(buffer.getvalue()), shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(found.astype(float) - expected).mean() < 2


def test_what_cannot_be_reduced_is_decoded_as_it_is() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (356, 436), (255, 0, 0)).save(buffer, "PNG")
    found, size = decode_reduced(buffer.getvalue(), 109, 89)
    assert size == found.shape[:2] == (436, 356)
    assert found[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(PhotoError, match="cut short"):
        decode_reduced(buffer.getvalue()[:200], 109, 89)


def test_damaged_photos_are_judged_as_pillow_judges_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(demo_source()) as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))
    for _ in range(200):
        damaged = bytearray(data)
        for at in rng.integers(2, len(data) - 2, rng.choice([1, 20])):
            damaged[at] = rng.integers(256)
        quick = outcome(bytes(damaged))
        with monkeypatch.context() as patch:
            patch.setattr(photo, "_plain_jpeg_size", lambda _: None)
            assert outcome(bytes(damaged)) == quick


def outcome(data: bytes) -> str | bytes:
    try:
        return decode_photo(data).tobytes()
    except PhotoError as error:
        return str(error)
