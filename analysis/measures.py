"""What is measured on aligned faces: brightness, contrast, sharpness and a perceptual hash.

Knows pixels; knows nothing of files.
"""

from typing import Any

import cv2
import imagehash
import numpy as np
from PIL import Image


def measure_faces(faces: np.ndarray) -> list[dict[str, Any]]:
    """Measure faces.

    Parameters
    ----------
    faces
        uint8 (image, y, x, channel), RGB.

    Returns
    -------
    list of dict
        A face each: ``brightness`` and ``contrast`` (mean and standard deviation of luma, [0, 1]), ``sharpness``
        (variance of the Laplacian of luma in 0 to 255) and ``phash`` (64-bit perceptual hash, hexadecimal).
    """
    return [_measure(face) for face in faces]


def _measure(face: np.ndarray) -> dict[str, Any]:
    luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return {
        "brightness": float(luma.mean() / 255),
        "contrast": float(luma.std() / 255),
        "sharpness": float(cv2.Laplacian(luma, cv2.CV_32F).var()),
        "phash": str(imagehash.phash(Image.fromarray(luma))),
    }
