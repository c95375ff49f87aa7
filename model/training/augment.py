"""Augmentation of training faces: position, light, sharpness, occlusion.

The result depends only on its arguments, seed included, so that a resumed training gets the same pictures. OpenCV
processes one face at a time in parallel with the training step; on a CPU that takes a fraction of the time of the same
operations in TensorFlow.
"""

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from model.predict import window_corner


@dataclass(frozen=True)
class Augmentation:
    """Strength of augmentation.

    Attributes
    ----------
    rotation, scale, stretch, shift
        Largest rotation in degrees (mostly small: the cube of a uniform number), logarithms of scale and of the
        ratio of the sides, shift in pixels of the frame.
    tight, coarse, blur, jpeg, hide, grey
        Share of faces, in [0, 1], that repeat their edges as a tight crop does, lose resolution, are blurred, carry
        JPEG artefacts, have a rectangle covered (Zhong et al., "Random Erasing", AAAI 2020), lose their colour.
    light
        Strength of changes to exposure, contrast, gamma and colour balance; 0 leaves them, 1 is the default.
    noise
        Largest standard deviation of grain, of 255 grey levels.
    mix
        Share of faces, in [0, 1], that are blended with another face of the batch; see `mix`.
    """

    rotation: float = 30.0
    scale: float = 0.18
    stretch: float = 0.07
    shift: float = 4.0
    tight: float = 0.25
    coarse: float = 0.25
    blur: float = 0.15
    jpeg: float = 0.25
    hide: float = 0.3
    grey: float = 0.25
    light: float = 1.0
    noise: float = 8.0
    mix: float = 0.0

    def scaled(self, factor: float) -> "Augmentation":
        """All strengths and shares multiplied by a factor in [0, 1]."""
        return Augmentation(**{name: value * factor for name, value in asdict(self).items()})


def augment(faces: np.ndarray, seed: list[int], height: int, width: int, size: float, how: Augmentation) -> np.ndarray:
    """Augment a batch of faces and crop it to the network's input.

    Parameters
    ----------
    faces
        uint8 (n, 109, 89, 3), RGB, aligned faces.
    seed
        Random seed.
    height, width
        Size of the window of the aligned face that the network gets, in pixels.
    size
        Scale of the result relative to the aligned face; below 1 trains faster.
    how
        Strengths.

    Returns
    -------
    numpy.ndarray
        uint8 (n, round(height * size), round(width * size), 3).
    """
    rng = np.random.default_rng(seed)
    n = len(faces)
    rows, columns = round(height * size), round(width * size)
    matrices = _placements(rng, faces.shape[1:3], (height, width), size, how, n)
    tables = _light_tables(rng, how, n)
    colours = _saturations(rng, how, n)
    strengths = rng.uniform(0, how.noise, n)
    # One block of noise per batch, at a random offset for each face: as good as new noise, and thirty times cheaper.
    grain = rng.standard_normal((rows * 2, columns * 2, 1), np.float32)
    result = np.empty((n, rows, columns, 3), np.uint8)
    for index, face in enumerate(faces):
        x = _tight_crop(face, rng) if rng.random() < how.tight else face
        x = cv2.warpAffine(
            x,
            matrices[index],
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if rng.random() < how.coarse:
            x = _coarse(x, rng.uniform(0.25, 0.75))
        if rng.random() < how.blur:
            x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6) * size)
        x = cv2.transform(cv2.LUT(x, tables[index, None]), colours[index])
        if rng.random() < how.hide:
            _hide(x, rng)
        top, left = rng.integers(0, rows), rng.integers(0, columns)
        noisy = x + strengths[index] * grain[top : top + rows, left : left + columns]
        x = np.clip(noisy, 0, 255).astype(np.uint8)
        if rng.random() < how.jpeg:
            _, data = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
            x = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        result[index] = x
    return result


def mix(faces: np.ndarray, male: np.ndarray, seed: list[int], part: float) -> tuple[np.ndarray, np.ndarray]:
    """Blend some faces with another face of the batch, and their targets likewise.

    From Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018, except that the
    first face always has the larger weight, so that its other targets stay mostly true.

    Parameters
    ----------
    faces
        uint8 (n, h, w, 3).
    male
        Targets, float32 (n, 1) in [0, 1].
    seed
        Random seed.
    part
        Share of faces to blend, in [0, 1].

    Returns
    -------
    tuple of numpy.ndarray
        Faces and targets of the same shapes and types.
    """
    rng = np.random.default_rng(seed)
    others = rng.permutation(len(faces))
    weights = np.where(rng.random(len(faces)) < part, rng.uniform(0, 0.5, len(faces)), 0).astype(np.float32)
    mixed = faces.copy()
    for index in np.flatnonzero(weights):
        weight = float(weights[index])
        mixed[index] = cv2.addWeighted(faces[index], 1 - weight, faces[others[index]], weight, 0)
    return mixed, male + weights[:, None] * (male[others] - male)


def _placements(
    rng: np.random.Generator,
    frame: tuple[int, int],
    window: tuple[int, int],
    size: float,
    how: Augmentation,
    n: int,
) -> np.ndarray:
    """Affine matrices (n, 2, 3) from pixels of the result to pixels of the aligned face; one in two mirrors."""
    height, width = window
    top, _ = window_corner(*frame, height, width)
    angle = rng.uniform(-1, 1, n) ** 3 * math.radians(how.rotation)  # cubed: mostly small, sometimes large
    scale = np.exp(rng.uniform(-how.scale, how.scale, n)) / size
    stretch = np.exp(rng.uniform(-how.stretch, how.stretch, n))
    mirror = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array(
        [
            [scale * stretch * cos * mirror, -scale / stretch * sin],
            [scale * stretch * sin * mirror, scale / stretch * cos],
        ]
    ).transpose(2, 0, 1)
    shift = rng.uniform(-how.shift, how.shift, (n, 2))
    centre = np.array([(frame[1] - 1) / 2, top + (height - 1) / 2]) + shift
    middle = np.array([(round(width * size) - 1) / 2, (round(height * size) - 1) / 2])
    return np.concatenate([linear, (centre - linear @ middle)[:, :, None]], axis=2)


def _light_tables(rng: np.random.Generator, how: Augmentation, n: int) -> np.ndarray:
    """Grey level -> grey level of each face and channel: gamma, contrast, exposure, colour; uint8 (n, 256, 3)."""
    level = np.linspace(1e-4, 1, 256)[None, :, None]

    def draw(spread: float, channels: int = 1) -> np.ndarray:
        return rng.uniform(-spread, spread, (n, 1, channels)) * how.light

    table = level ** np.exp(draw(0.35))
    table = (table - 0.45) * (1 + draw(0.3)) + 0.45 + draw(0.1)
    table = table * np.exp(draw(0.12, 3))
    return (np.clip(table, 0, 1) * 255).round().astype(np.uint8)


def _saturations(rng: np.random.Generator, how: Augmentation, n: int) -> np.ndarray:
    """Colour matrices (n, 3, 3) that move colours towards or away from grey."""
    keep = np.where(rng.random(n) < how.grey, 0.0, 1 + rng.uniform(-0.45, 0.4, n) * how.light)[:, None, None]
    grey = np.tile(np.array([0.299, 0.587, 0.114]), (3, 1))
    return keep * np.eye(3) + (1 - keep) * grey


def _tight_crop(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Repeat the edge pixels outside a random box, as alignment does for a tightly cropped photo."""
    height, width = face.shape[:2]
    near_y, far_y, near_x, far_x = (rng.uniform(0, [0.35, 0.12, 0.22, 0.22]) * [height, height, width, width]).astype(
        int
    )
    inside = face[near_y : height - far_y, near_x : width - far_x]
    return cv2.copyMakeBorder(inside, near_y, far_y, near_x, far_x, cv2.BORDER_REPLICATE)


def _coarse(x: np.ndarray, part: float) -> np.ndarray:
    """Reduce the resolution and scale back up."""
    height, width = x.shape[:2]
    small = cv2.resize(x, (max(8, round(width * part)), max(8, round(height * part))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _hide(x: np.ndarray, rng: np.random.Generator) -> None:
    """Cover a random rectangle with a random colour, in place."""
    height, width = x.shape[:2]
    centre = rng.uniform(0, 1, 2) * [height, width]
    half = rng.uniform(0.06, 0.22, 2) * [height, width]
    (top, left), (bottom, right) = np.maximum(centre - half, 0).astype(int), (centre + half).astype(int)
    x[top:bottom, left:right] = rng.integers(0, 256, 3)
