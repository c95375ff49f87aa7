"""Augmentation of training faces: what is drawn for each face; `model.training.distort` applies it.

The draws depend only on their arguments, seed included, so that a resumed training gets the same pictures, on any
backend of Keras.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np

from model.predict import window_corner

# Name of a part of a face's row of draws -> its columns.
_LENGTHS = {
    "place": 6, "inside": 4, "coarse": 1, "blur": 1, "gamma": 1, "contrast": 1, "exposure": 1, "tint": 3, "colour": 1,
    "covered": 4, "cover": 3, "noise": 1, "grain": 2, "jpeg": 1, "mix": 1,
}  # fmt: skip
_ENDS = np.cumsum(list(_LENGTHS.values())).tolist()
PARTS = {name: slice(end - length, end) for (name, length), end in zip(_LENGTHS.items(), _ENDS, strict=True)}
COLUMNS = _ENDS[-1]


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
        Share of faces, in [0, 1], that are blended with another face of the batch, which keeps less than half of the
        picture, so that targets other than the label stay mostly true (after Zhang, Cisse, Dauphin and Lopez-Paz,
        "mixup: Beyond Empirical Risk Minimization", ICLR 2018).
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


def draw(
    seed: list[int], n: int, frame: tuple[int, int], window: tuple[int, int], size: float, how: Augmentation
) -> np.ndarray:
    """Draw how each of ``n`` faces is distorted.

    Parameters
    ----------
    seed
        Random seed.
    n
        Number of faces.
    frame
        Height and width of an aligned face, in pixels.
    window
        Height and width of the part of it that the network gets.
    size
        Scale of the result relative to the window; below 1 trains faster.
    how
        Strengths.

    Returns
    -------
    numpy.ndarray
        float32 (n, `COLUMNS`); its parts are named in `PARTS`:

        - ``place``: affine map from pixels of the result to pixels of the frame, a 2 x 3 matrix row by row;
        - ``inside``: smallest and largest row and column of the frame that are seen, edges repeated beyond;
        - ``coarse``: scale at which the picture is sampled anew; ``blur``: standard deviation in pixels of the result;
        - ``gamma``, ``contrast``, ``exposure``, ``tint`` (of red, green and blue), ``colour`` (0 is grey);
        - ``covered``: first and last row and column of a rectangle, in the colour ``cover``; none where empty;
        - ``noise``: standard deviation of 255 grey levels; ``grain``: where its block begins, in [0, 1);
        - ``jpeg``: quality, 0 for none; ``mix``: share of the next face of the batch.
    """
    rng = np.random.default_rng(seed)
    rows, columns = round(window[0] * size), round(window[1] * size)
    centre = rng.uniform(0, 1, (n, 2)) * [rows, columns]
    half = rng.uniform(0.06, 0.22, (n, 2)) * [rows, columns]
    first, last = np.maximum(centre - half, 0).astype(int), (centre + half).astype(int)
    covered = np.stack([first[:, 0], last[:, 0], first[:, 1], last[:, 1]], axis=1)
    height, width = frame
    tight = rng.uniform(0, [0.35, 0.12, 0.22, 0.22], (n, 4)) * [height, height, width, width]
    seen = np.array([0, height - 1, 0, width - 1]) + np.floor(tight) * [1, -1, 1, -1]

    def some(share: float, values: np.ndarray, otherwise: float | np.ndarray) -> np.ndarray:
        return np.where((rng.random(n) < share)[:, None], values.reshape(n, -1), otherwise)

    def light(spread: float, channels: int = 1) -> np.ndarray:
        return rng.uniform(-spread, spread, (n, channels)) * how.light

    parts = {
        "place": _placements(rng, frame, window, size, how, n).reshape(n, 6),
        "inside": some(how.tight, seen, np.array([0, height - 1, 0, width - 1])),
        "coarse": some(how.coarse, rng.uniform(0.25, 0.75, n), 1.0),
        "blur": some(how.blur, rng.uniform(0.4, 1.6, n) * size, 0.0),
        "gamma": np.exp(light(0.35)),
        "contrast": 1 + light(0.3),
        "exposure": light(0.1),
        "tint": np.exp(light(0.12, 3)),
        "colour": some(how.grey, np.zeros(n), 1 + rng.uniform(-0.45, 0.4, (n, 1)) * how.light),
        "covered": some(how.hide, covered, 0.0),
        "cover": rng.integers(0, 256, (n, 3)),
        "noise": rng.uniform(0, how.noise, (n, 1)),
        "grain": rng.random((n, 2)),
        "jpeg": some(how.jpeg, rng.integers(25, 90, n), 0.0),
        "mix": some(how.mix, rng.uniform(0, 0.5, n), 0.0),
    }
    return np.concatenate([parts[name] for name in PARTS], axis=1).astype(np.float32)


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
