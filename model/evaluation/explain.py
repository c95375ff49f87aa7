"""Explanation: how the answer changes when parts of a face are blurred, checked by removing pixels.

The serving file itself is explained, without gradients. Heat maps of single faces are not kept: results are averages
over 16 faces or more.
"""

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from analysis.core.people import interval, resamples
from analysis.core.schema import MIN_FACES
from model.heat import BLUR, mixed, patches, slopes
from model.predict import Predictor, calibrated
from model.training.examples import Faces

STEPS = 20  # of the deletion and insertion curves: 5 % of the pixels each
_RESAMPLES = 1000

ORDERS = ("explanation", "centre first", "random patches")


def explain(
    predictor: Predictor, test: Faces, *, faces: int, masks: int, seed: int, progress: bool = False
) -> xr.Dataset:
    """Compute average heat maps of what the answer depends on, and how far they can be trusted.

    Randomised input sampling (RISE: Petsiuk, Das and Saenko, BMVC 2018) in its covariance form: random soft masks blur
    parts of a face, and a pixel's heat is the slope of the logit of the answer on that pixel's visibility. Deletion
    blurs the hottest pixels first, insertion shows them first on a blurred face; an explanation is useful if it
    changes the answer sooner than the same order from the centre outwards or over random patches of equal smoothness.

    Parameters
    ----------
    predictor
        The serving file.
    test
        Test images of all sources.
    faces
        Largest number of faces to explain, sampled evenly from each source and each predicted label.
    masks
        Number of masks per face.
    seed
        Random seed of faces, masks and patches.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        ``heat`` float32 (label, y, x): mean slope, logits toward the predicted label from blurred to seen; ``face``
        float32 (label, y, x, channel): the average face in [0, 1]; ``count`` (label). Predicted labels with fewer than
        16 faces are left out. ``probability`` float32 (walk, order, share) in [0, 1]: mean probability of the answer
        after that share of pixels; ``area`` (walk, order) under it; ``advantage`` (walk, order) of the explanation over
        each order in area, positive where it is better, with ``advantage_low`` and ``_high`` (95 %, faces resampled).
    """
    rng = np.random.default_rng(seed)
    chosen, male = _choose(predictor, test, faces, rng)
    shape = test.pixels.shape[1:]
    visible = patches(masks, shape, rng)
    distance = _centre_distance(shape)
    total = {side: np.zeros(shape[:2]) for side in (False, True)}
    average = {side: np.zeros(shape) for side in (False, True)}
    curves = np.empty((len(chosen), 2, len(ORDERS), STEPS + 1))
    for i, row in enumerate(tqdm(chosen, desc="Explaining", unit="face", disable=not progress)):
        face = test.pixels[row].astype(np.float32)
        blurred = cv2.GaussianBlur(face, (0, 0), BLUR)
        heat = slopes(predictor, face, blurred, visible) * (1 if male[i] else -1)
        total[male[i]] += heat
        average[male[i]] += face / 255
        for j, rank in enumerate((heat, -distance, patches(1, shape, rng)[0])):
            curves[i, :, j] = _walks(predictor, face, blurred, rank, male[i])
    labels = {"female": False, "male": True}
    kept = {label: side for label, side in labels.items() if (male == side).sum() >= MIN_FACES}
    counts = [int((male == side).sum()) for side in kept.values()]
    heat = np.array([total[s] / n for s, n in zip(kept.values(), counts, strict=True)]).reshape(-1, *shape[:2])
    face = np.array([average[s] / n for s, n in zip(kept.values(), counts, strict=True)]).reshape(-1, *shape)
    return xr.Dataset(
        {
            "heat": (("label", "y", "x"), heat.astype(np.float32)),
            "face": (("label", "y", "x", "channel"), face.astype(np.float32)),
            "count": ("label", np.array(counts, dtype=np.int64)),
            **_checked(curves, rng),
        },
        coords={
            "label": list(kept),
            "channel": ["R", "G", "B"],
            "walk": ["deletion", "insertion"],
            "order": list(ORDERS),
            "share": np.linspace(0, 1, STEPS + 1),
        },
        attrs={"faces": len(chosen), "masks": masks, "blur": BLUR},
    )


def _choose(predictor: Predictor, test: Faces, faces: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows to explain, and whether each is predicted male."""
    predicted = predictor.logits(test.pixels) >= 0
    groups = pd.Series(np.arange(len(test))).groupby([test.table["dataset"].to_numpy(), predicted])
    share = max(1, faces // max(groups.ngroups, 1))
    rows = np.sort(np.concatenate([rng.permutation(group)[:share] for _, group in groups]))
    return rows, predicted[rows]


def _centre_distance(shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    return np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)


def _walks(predictor: Predictor, face: np.ndarray, blurred: np.ndarray, rank: np.ndarray, male: bool) -> np.ndarray:
    """Probability of the answer as the pixels of highest rank are deleted, and inserted: (2, steps + 1)."""
    place = np.argsort(np.argsort(-rank, axis=None, kind="stable"), kind="stable").reshape(rank.shape)
    limits = np.linspace(0, rank.size, STEPS + 1)[:, None, None]
    first = (place[None] < limits).astype(np.float32)
    stages = np.concatenate([1 - first, first])
    p_male = calibrated(predictor.logits(mixed(face, blurred, stages)), predictor.card.temperature)
    return (p_male if male else 1 - p_male).reshape(2, STEPS + 1)


def _checked(curves: np.ndarray, rng: np.random.Generator) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    areas = np.trapezoid(curves, dx=1 / STEPS, axis=-1)
    better = (areas - areas[:, :, :1]) * np.array([1, -1])[None, :, None]  # deletion should fall, insertion rise
    drawn = [np.tensordot(times, better, axes=1) for times in resamples(np.arange(len(areas)), _RESAMPLES, rng)]
    low, high = interval(np.concatenate(drawn) / len(areas))
    pair = ("walk", "order")
    return {
        "probability": ((*pair, "share"), curves.mean(axis=0).astype(np.float32)),
        "area": (pair, areas.mean(axis=0)),
        "advantage": (pair, better.mean(axis=0)),
        "advantage_low": (pair, low),
        "advantage_high": (pair, high),
    }
