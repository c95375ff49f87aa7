"""Aligns faces to CelebA's frame at half size, by landmarks from `analysis.data.detection`.

Ingest and the predictor use the same functions, so that training images and uploaded photos are aligned alike.

The frame is 109 x 89 pixels (CelebA's aligned images are 218 x 178), with the eyes at about (34.5, 55.9) and
(54.3, 55.9): hair, ears, chin and a little background are inside.
"""

import cv2
import numpy as np

FRAME_HEIGHT, FRAME_WIDTH = 109, 89

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
    return warp(image, landmarks, FRAME_LANDMARKS, (FRAME_WIDTH, FRAME_HEIGHT))[0]


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
