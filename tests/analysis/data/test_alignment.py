"""Detection and alignment: faces end up in CelebA's frame whatever the photo's size, turn or border."""

import io
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from analysis.data.alignment import FRAME_LANDMARKS, align_face, detect_faces, fit_frame, similarity_transform
from analysis.data.photo import PhotoError, decode_photo
from analysis.data.sources import demo_source


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    with zipfile.ZipFile(demo_source()) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".jpg"))
        return decode_photo(archive.read(name))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


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


def test_every_face_is_found_largest_first(portrait: np.ndarray) -> None:
    canvas = np.full((300, 500, 3), 90, np.uint8)
    canvas[20:238, 20:198] = portrait
    canvas[60:169, 300:389] = cv2.resize(portrait, (89, 109))
    faces = detect_faces(canvas)
    assert len(faces) == 2
    assert faces[0].box[0] < 200 < faces[1].box[0]
    assert faces[0].box[2] > faces[1].box[2]


def test_tight_crop_is_found_with_a_border(portrait: np.ndarray) -> None:
    face = detect_faces(portrait)[0]
    x, y, width, height = face.box
    assert detect_faces(np.ascontiguousarray(portrait[y : y + height, x : x + width]))


def test_no_face_gives_an_empty_list(rng: np.random.Generator) -> None:
    assert detect_faces(rng.integers(0, 255, (200, 300, 3)).astype(np.uint8)) == []
    assert detect_faces(np.full((16, 16, 3), 200, np.uint8)) == []


def test_fit_frame_takes_the_centre(portrait: np.ndarray) -> None:
    wide = cv2.copyMakeBorder(portrait, 0, 0, 60, 60, cv2.BORDER_CONSTANT)
    difference = np.abs(fit_frame(wide).astype(int) - fit_frame(portrait).astype(int))
    assert fit_frame(portrait).shape == (109, 89, 3)
    assert difference[:, 2:-2].mean() < 3


def test_truncated_jpeg_is_refused_and_says_why(portrait: np.ndarray) -> None:
    data = encoded(Image.fromarray(portrait), "JPEG")
    with pytest.raises(PhotoError, match="cut short"):
        decode_photo(data[: len(data) // 2])


def test_photo_is_turned_upright_by_its_orientation() -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to show it upright
    assert decode_photo(encoded(image, "JPEG", exif=exif)).shape == (40, 20, 3)


def test_transparent_grey_and_deep_photos_become_rgb() -> None:
    transparent = decode_photo(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0))))
    assert (transparent == 255).all()
    assert decode_photo(encoded(Image.new("L", (20, 20), 77))).tolist()[0][0] == [77, 77, 77]
    deep = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    assert abs(int(decode_photo(encoded(deep))[0, 0, 0]) - 127) <= 1
    assert decode_photo(encoded(Image.new("P", (20, 20)), "GIF")).shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello", "can be read"),
        (encoded(Image.new("RGB", (8, 8))), "8 x 8"),
        (encoded(Image.new("1", (10_000, 6_000))), "megapixels"),
    ],
)
def test_what_is_no_usable_photo_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(PhotoError, match=why):
        decode_photo(data)
