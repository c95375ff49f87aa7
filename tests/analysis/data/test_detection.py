"""Detection: every face is found once, small ones in large photos and those that lie on their side included."""

import zipfile

import cv2
import numpy as np
import pytest

from analysis.data import detection
from analysis.data.alignment import align_face
from analysis.data.detection import SMALLEST, Face, detect_faces
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source


@pytest.fixture(scope="module")
def portraits() -> list[np.ndarray]:
    with zipfile.ZipFile(demo_source()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][::40]
        return [decode_photo(archive.read(name)) for name in names]


@pytest.fixture(scope="module")
def portrait(portraits: list[np.ndarray]) -> np.ndarray:
    return portraits[0]


def face_of_width(portrait: np.ndarray, width: int) -> np.ndarray:
    scale = width / detect_faces(portrait)[0].box[2]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=method)


def paste(canvas: np.ndarray, face: np.ndarray, x: int, y: int) -> tuple[float, float]:
    """Put the middle of a face at x, y."""
    top, left = y - face.shape[0] // 2, x - face.shape[1] // 2
    canvas[top : top + face.shape[0], left : left + face.shape[1]] = face
    return x, y


def found_at(faces: list[Face], middle: tuple[float, float], within: float) -> int:
    """Number of faces whose box has its middle near a point."""
    return sum(
        abs(face.box[0] + face.box[2] / 2 - middle[0]) < within
        and abs(face.box[1] + face.box[3] / 2 - middle[1]) < within
        for face in faces
    )


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
    assert detect_faces(np.full((16, 3000, 3), 200, np.uint8)) == []


@pytest.mark.parametrize(("rows", "columns"), [(30, 2000), (20, 1000), (60, 4000), (4000, 60), (1, 5000)])
def test_a_strip_has_no_face(rows: int, columns: int) -> None:
    for shade in (0, 9, 120, 255):
        assert detect_faces(np.full((rows, columns, 3), shade, np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 255, (rows, columns, 3)).astype(np.uint8)
    assert detect_faces(noise) == []


def test_a_face_at_the_edge_of_a_photo_is_found_and_one_beyond_it_is_not(portrait: np.ndarray) -> None:
    (x, _, width, _), height = detect_faces(portrait)[0].box, len(portrait)
    half = np.ascontiguousarray(portrait[:, x + width // 3 :])  # an eye and a corner of the mouth are left out
    assert len(detect_faces(half)) == 1
    beyond = Face((0, 0, 20, height), np.array([[-9, 5], [-1, 5], [-5, 9], [-9, 15], [3, 15]], np.float32), 0.9)
    assert not detection._in_view(beyond, portrait)


@pytest.mark.slow
def test_faces_of_many_sizes_are_each_found_once_in_a_photo_of_12_megapixels(portraits: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(60, 200, (38, 50, 3)).astype(np.uint8)
    canvas = cv2.resize(small, (4000, 3000), interpolation=cv2.INTER_CUBIC)
    placed = []
    for number, size in enumerate([SMALLEST, 50, 75, 200] * 6):
        portrait = portraits[number % len(portraits)]
        x, y = 330 + number % 6 * 660 + int(rng.integers(-80, 80)), 380 + number // 6 * 740 + int(rng.integers(-60, 60))
        placed.append((size, paste(canvas, face_of_width(portrait, size), x, y)))
    faces = detect_faces(canvas)
    assert [found_at(faces, middle, size / 2) for size, middle in placed] == [1] * len(placed)
    assert len(faces) == len(placed)
    assert {face.turned for face in faces} == {0}


@pytest.mark.parametrize("size", [SMALLEST, 75, 150])
def test_faces_on_the_border_of_tiles_are_found_once(portraits: list[np.ndarray], size: int) -> None:
    canvas = np.full((1300, 1700, 3), 120, np.uint8)
    down, (across, wide) = (detection._tiles(round(length * detection._FINEST)) for length in canvas.shape[:2])
    tops, lefts = down[0], across
    assert len(tops) == 2 and len(lefts) == 2
    border_y, border_x = round(tops[1] / detection._FINEST), round((lefts[0] + wide) / detection._FINEST)
    places = [(border_x, border_y), (border_x, 250), (300, border_y), (round(lefts[1] / detection._FINEST), 1000)]
    face = face_of_width(portraits[1], size)
    middles = [paste(canvas, face, x, y) for x, y in places]
    faces = detect_faces(canvas)
    assert [found_at(faces, middle, size / 2) for middle in middles] == [1] * len(middles)
    assert len(faces) == len(middles)
    assert all(abs(each.box[2] - size) < 0.25 * size for each in faces)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_photo_on_its_side_or_upside_down_gives_the_face_of_the_upright_one(
    portraits: list[np.ndarray], turns: int
) -> None:
    for portrait in portraits:
        upright = detect_faces(portrait)[0]
        lying = np.ascontiguousarray(np.rot90(portrait, turns))  # counterclockwise
        face = detect_faces(lying)[0]
        assert face.turned == 90 * turns
        difference = align_face(lying, face.landmarks).astype(int) - align_face(portrait, upright.landmarks)
        assert np.abs(difference)[20:100, 10:80].mean() < 4
        sides = face.box[2:4] if turns == 2 else face.box[3:1:-1]
        assert sides == pytest.approx(upright.box[2:4], rel=0.2)


def test_all_faces_of_a_photo_on_its_side_are_found(portraits: list[np.ndarray]) -> None:
    row = np.concatenate([cv2.resize(portrait, (133, 163)) for portrait in portraits[:6]], axis=1)
    faces = detect_faces(np.ascontiguousarray(np.rot90(row)))
    assert len(faces) == 6
    assert {face.turned for face in faces} == {90}


def test_somebody_lying_in_an_upright_photo_is_turned_alone(portraits: list[np.ndarray]) -> None:
    canvas = np.full((300, 700, 3), 90, np.uint8)
    canvas[20:238, 20:198] = portraits[0]
    canvas[20:238, 220:398] = portraits[1]
    canvas[60:238, 440:658] = np.rot90(portraits[2])
    turned = {face.turned for face in detect_faces(canvas) if face.box[0] > 420}
    assert turned == {90}
    assert [face.turned for face in detect_faces(canvas) if face.box[0] < 420] == [0, 0]
