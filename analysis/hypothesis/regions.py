"""Parts of the face as fixed masks in the aligned frame, drawn around its landmarks.

Every face is aligned to the same landmarks, so a mask around them covers the same part of every face, as far as heads
are alike. The unit of length is the distance between the eyes. Every pixel belongs to exactly one part.
"""

from functools import cache

import cv2
import numpy as np

from analysis.data.alignment import FRAME_HEIGHT, FRAME_LANDMARKS, FRAME_WIDTH

FACE = ("forehead", "brows", "eyes", "nose", "cheeks", "mouth", "jaw")
AROUND = ("hair", "background")
REGIONS = (*FACE, *AROUND)
WHOLE = {"face": FACE, "whole picture": REGIONS}  # summaries over several parts


def _ellipse(x: np.ndarray, y: np.ndarray, centre: np.ndarray, width: float, height: float) -> np.ndarray:
    return ((x - centre[0]) / width) ** 2 + ((y - centre[1]) / height) ** 2 <= 1


@cache
def region_map() -> np.ndarray:
    """Part that each pixel of the frame belongs to.

    Returns
    -------
    numpy.ndarray
        int8 (109, 89): index into `REGIONS`; read-only.
    """
    y, x = np.mgrid[0:FRAME_HEIGHT, 0:FRAME_WIDTH].astype(np.float64)
    eyes, nose, mouth = FRAME_LANDMARKS[:2].astype(float), FRAME_LANDMARKS[2].astype(float), FRAME_LANDMARKS[3:]
    unit = float(np.ptp(eyes[:, 0]))
    middle = eyes.mean(axis=0)
    down = np.array([0.0, unit])
    lips = mouth.mean(axis=0).astype(float) + 0.1 * down  # the corners are above the middle of the lips
    oval = _ellipse(x, y, middle + 0.29 * down, 1.07 * unit, 1.55 * unit)
    chin = middle[1] + 1.84 * unit
    head = _ellipse(x, y, middle - 0.15 * down, 1.75 * unit, 2.15 * unit) & (y < chin)
    # Narrow at the bridge and wide at the wings, which are a little below the tip.
    along = (y - middle[1]) / (nose[1] + 0.2 * unit - middle[1])
    on_nose = (along >= 0) & (along <= 1) & (np.abs(x - nose[0]) <= (0.13 + 0.27 * along) * unit)
    # A pixel belongs to the first mask that contains it.
    masks = {
        "eyes": np.any([_ellipse(x, y, eye, 0.42 * unit, 0.2 * unit) for eye in eyes], axis=0),
        "brows": np.any([_ellipse(x, y, eye - 0.37 * down, 0.5 * unit, 0.19 * unit) for eye in eyes], axis=0),
        "mouth": _ellipse(x, y, lips, 0.56 * unit, 0.29 * unit),
        "nose": on_nose,
        "forehead": oval & (y < middle[1] + 0.2 * unit),
        "cheeks": oval & (y < lips[1] - 0.1 * unit),
        "jaw": oval,
        "hair": head,
        "background": np.ones_like(oval),
    }
    result = np.full(oval.shape, -1, dtype=np.int8)
    for name, mask in masks.items():
        result[mask & (result < 0)] = REGIONS.index(name)
    result.flags.writeable = False
    return result


def pools(shape: tuple[int, int], channels: int) -> tuple[list[tuple[str, int | None]], np.ndarray]:
    """Weights that average a map over each part, and over the face and the whole picture.

    Parameters
    ----------
    shape
        (y, x) of the maps; for another shape than the frame's the masks are scaled, and pixels at their edges count in
        part.
    channels
        Number of maps of that shape that follow each other in a row of numbers.

    Returns
    -------
    names : list of tuple
        Part and channel of each column; channel None averages over all channels.
    weights : numpy.ndarray
        float32 (channels * y * x, column); each column sums to 1, or to 0 for a part that has no pixel in that shape.
    """
    parts_of_pixels = region_map()
    shares = []
    for name in REGIONS:
        mask = (parts_of_pixels == REGIONS.index(name)).astype(np.float32)
        if shape != mask.shape:
            mask = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        shares.append(mask.reshape(-1))
    flat = dict(zip(REGIONS, shares, strict=True))
    flat |= {name: np.sum([flat[part] for part in parts], axis=0) for name, parts in WHOLE.items()}
    names: list[tuple[str, int | None]] = []
    columns = []
    for name, share in flat.items():
        for channel in (*range(channels), None):
            column = np.zeros((channels, len(share)), dtype=np.float32)
            column[slice(None) if channel is None else channel] = share
            names.append((name, channel))
            columns.append(column.reshape(-1) / max(float(column.sum()), 1e-6))
    return names, np.stack(columns, axis=1)


def face_pixels(shape: tuple[int, int], channels: int) -> np.ndarray:
    """Pixels of which at least half is in the face.

    Parameters
    ----------
    shape, channels
        As in `pools`.

    Returns
    -------
    numpy.ndarray
        bool (channels * y * x,).
    """
    names, weights = pools(shape, channels)
    column = weights[:, names.index(("face", None))]
    return column > 0.5 * column.max()
