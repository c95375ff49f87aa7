"""What the answer to one face depends on: how it changes when parts of the face are blurred.

Randomised input sampling (RISE: Petsiuk, Das and Saenko, BMVC 2018) in its covariance form: random soft masks blur
parts of a face, and a pixel's heat is the slope of the logit on that pixel's visibility. The serving file itself is
asked, without gradients.
"""

import cv2
import numpy as np

from model.predict import Predictor

MASKS = 500  # the error of a map falls with the square root of their number
BLUR = 8.0  # standard deviation in pixels: features are gone, skin and light stay
_GRID = 8  # cells across a mask
_AT_ONCE = 64  # masks that are scored together


def heat_map(predictor: Predictor, face: np.ndarray) -> np.ndarray:
    """Compute the heat of each pixel of a face by `MASKS` random masks, the same for every face.

    Parameters
    ----------
    predictor
        The serving file.
    face
        uint8 (109, 89, 3), RGB, a face in the frame.

    Returns
    -------
    numpy.ndarray
        float32 (109, 89): slope of the logit from blurred to seen, positive where the pixel speaks for "male".
    """
    seen = face.astype(np.float32)
    visible = patches(MASKS, face.shape, np.random.default_rng(0))
    return slopes(predictor, seen, cv2.GaussianBlur(seen, (0, 0), BLUR), visible).astype(np.float32)


def patches(count: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Smooth random masks, float32 (count, y, x) in [0, 1]: a coarse grid of coin flips, enlarged and shifted."""
    height, width = shape[:2]
    cell = (-(-height // _GRID), -(-width // _GRID))
    size = ((_GRID + 1) * cell[1], (_GRID + 1) * cell[0])
    made = np.empty((count, height, width), np.float32)
    for mask in made:
        flips = rng.integers(0, 2, (_GRID + 1, _GRID + 1)).astype(np.float32)
        top, left = rng.integers(0, cell[0]), rng.integers(0, cell[1])
        mask[:] = cv2.resize(flips, size, interpolation=cv2.INTER_LINEAR)[top : top + height, left : left + width]
    return made


def mixed(face: np.ndarray, blurred: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The face where ``visible`` (n, y, x) is 1, the blurred face where it is 0: uint8 (n, y, x, 3)."""
    return np.rint(blurred + visible[..., None] * (face - blurred)).clip(0, 255).astype(np.uint8)


def slopes(predictor: Predictor, face: np.ndarray, blurred: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Slope of the logit of "male" on the visibility of each pixel, (y, x), over masks (n, y, x)."""
    parts = np.array_split(visible, max(1, len(visible) // _AT_ONCE))
    logits = np.concatenate([predictor.logits(mixed(face, blurred, part)) for part in parts])
    centred = visible - visible.mean(axis=0)
    return np.tensordot(logits - logits.mean(), centred, axes=1) / np.maximum((centred**2).sum(axis=0), 1e-6)
