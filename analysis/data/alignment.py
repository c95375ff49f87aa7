"""Aligns faces to CelebA's frame at half size, by landmarks from `analysis.data.detection`.

Ingest and the predictor use the same functions, so that training images and uploaded photos are aligned alike.

The frame is 109 x 89 pixels (CelebA's aligned images are 218 x 178), with the eyes at about (34.5, 55.9) and
(54.3, 55.9): hair, ears, chin and a little background are inside. A data set may be stored in a larger one, which shows
the same part of a face in more pixels; positions and sizes are in pixels of the usual one everywhere.
"""

import re

import cv2
import numpy as np

from analysis.core.errors import UserError

FRAME_HEIGHT, FRAME_WIDTH = 109, 89
FRAME = (FRAME_HEIGHT, FRAME_WIDTH)
_LARGEST = 4 * FRAME_HEIGHT  # rows: 256 faces of a larger frame, which are worked on together, would take over 120 MB

# Mean position (x, y) of YuNet's five landmarks over CelebA's aligned images, in pixels of the frame: the eye on the
# left of the picture, the other one, nose tip, mouth corner on the left, the other one.
FRAME_LANDMARKS = np.array(
    [[34.50, 55.83], [54.26, 55.97], [43.91, 67.30], [35.94, 75.98], [52.57, 76.37]], dtype=np.float32
)


def similarity_transform(landmarks: np.ndarray, target: np.ndarray = FRAME_LANDMARKS) -> np.ndarray:
    """Least-squares rotation, uniform scale and shift that moves landmarks to their positions in the frame.

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


def frame_of(text: str) -> tuple[int, int]:
    """Read the size of a frame, such as "218x178", whichever side comes first: height and width in pixels.

    Raises
    ------
    UserError
        If it is no size, has other proportions than 109 x 89, or is smaller than that or over four times as high.
    """
    sides = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text)
    if sides is None:
        raise UserError(f"{text!r} is not the size of a frame: write it like 218x178")
    width, height = sorted(map(int, sides.groups()))
    if not FRAME_HEIGHT <= height <= _LARGEST:
        raise UserError(
            f"a frame has {FRAME_HEIGHT} to {_LARGEST} rows, not {height}: the model and the test use "
            f"{FRAME_HEIGHT}x{FRAME_WIDTH}, choose a size from there to {_LARGEST}x{4 * FRAME_WIDTH}"
        )
    fitting = round(height * FRAME_WIDTH / FRAME_HEIGHT)
    if abs(width - fitting) > 1:
        raise UserError(
            f"a frame of {height}x{width} has other proportions than {FRAME_HEIGHT}x{FRAME_WIDTH}: write "
            f"{height}x{fitting}"
        )
    return height, width


def to_usual_frame(faces: np.ndarray) -> np.ndarray:
    """Faces at the size that the model and the test use.

    Parameters
    ----------
    faces
        uint8 (face, y, x, 3), in a frame of any size.

    Returns
    -------
    numpy.ndarray
        uint8 (face, 109, 89, 3); those given, if that is their size.
    """
    if faces.shape[1:3] == FRAME:
        return faces
    small = np.empty((len(faces), *FRAME, faces.shape[3]), dtype=faces.dtype)
    for face, out in zip(faces, small, strict=True):
        cv2.resize(face, (FRAME_WIDTH, FRAME_HEIGHT), dst=out, interpolation=cv2.INTER_AREA)
    return small


def align_face(image: np.ndarray, landmarks: np.ndarray, frame: tuple[int, int] = FRAME) -> np.ndarray:
    """Crop a face out of a photo into the frame.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    landmarks
        float32 (5, 2), pixels of the photo, in the order of `FRAME_LANDMARKS`.
    frame
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3) of the frame, RGB; what lies outside the photo repeats its edge.
    """
    target = FRAME_LANDMARKS
    if frame != FRAME:
        target = (target + 0.5) * (np.array(frame[::-1]) / FRAME[::-1]).astype(np.float32) - np.float32(0.5)
    return warp(image, landmarks, target, (frame[1], frame[0]))[0]


def warp(
    image: np.ndarray, landmarks: np.ndarray, target: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a picture out of a photo, turned, scaled and shifted so that landmarks come to lie at their target.

    Parameters
    ----------
    image
        uint8 (height, width, 3).
    landmarks, target
        float (n, 2), x and y in pixels of the photo and of the picture.
    size
        Width and height of the picture.

    Returns
    -------
    picture
        uint8 (height, width, 3); what lies outside the photo repeats its edge.
    matrix
        float64 (2, 3), the affine matrix from photo to picture.
    """
    matrix = similarity_transform(landmarks, target)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    used = matrix
    if scale < 0.5:  # warping reads four neighbours per pixel: average a large photo down first, or it aliases
        image, corner = _surroundings(image, matrix, size)
        height, width = image.shape[:2]
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        ratio = np.array([smaller[0] / width, smaller[1] / height], dtype=np.float32)
        used = similarity_transform((landmarks - corner + 0.5) * ratio - 0.5, target)
    picture = cv2.warpAffine(image, used, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture, matrix


def _surroundings(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The part of a photo, a view, that a picture is cut from, and its corner: a large photo may have many faces."""
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], size], dtype=np.float64)
    needed = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    spare = 4 / np.hypot(matrix[0, 0], matrix[1, 0])  # what interpolation reads beside the picture's edge
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(needed.min(axis=0) - spare), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(needed.max(axis=0) + spare), (left + 1, top + 1), (width, height)).astype(int)
    if 4 * (right - left) * (bottom - top) > width * height:
        return image, np.zeros(2, np.float32)
    return image[top:bottom, left:right], np.array([left, top], np.float32)


def fit_frame(image: np.ndarray, frame: tuple[int, int] = FRAME) -> np.ndarray:
    """Resize an image that is aligned already, such as CelebA's own, into the frame.

    The largest centred part with the frame's proportions is taken.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    frame
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3) of the frame, RGB.
    """
    height, width = image.shape[:2]
    scale = min(height / frame[0], width / frame[1])
    part_height, part_width = round(frame[0] * scale), round(frame[1] * scale)
    top, left = (height - part_height) // 2, (width - part_width) // 2
    part = image[top : top + part_height, left : left + part_width]
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (frame[1], frame[0]), interpolation=method)
