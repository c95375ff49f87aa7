"""Facial contrast: how much darker eyes, lips and brows are than the skin around them.

Russell, "Sex, beauty, and the relative luminance of facial features", Perception 32, 2003, and "A sex difference in
facial contrast and its exaggeration by cosmetics", Perception 38, 2009, found that eyes and lips contrast more with the
skin in women's faces. Every face is warped to one shape, so that the same pixels are eyes, lips and skin in all.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.core.people import interval
from analysis.data.alignment import FRAME_LANDMARKS
from analysis.data.cube import blocks
from analysis.data.dataset import Dataset
from analysis.hypothesis import confounders, effect
from analysis.hypothesis.elsewhere import FEWEST, in_groups
from analysis.hypothesis.people import sample_photos, usable_photos
from analysis.shape.geometry import BROWS, EYES, FACE_OVAL, INSIDE_LIPS, LIPS, NOSE
from analysis.shape.landmarks import Landmarks
from analysis.shape.warp import Warp

FEATURES = ("eyes", "lips", "brows", "eyes and lips")
_SCALE = 2
_AT_ONCE = 64  # faces whose luminance is measured at a time: 30 MB
_EYES_APART = float(np.linalg.norm(FRAME_LANDMARKS[1] - FRAME_LANDMARKS[0]))
# Distances between the eyes: lids and lashes belong to the eye; skin begins beyond a seam and ends with the ring.
_LIDS, _SEAM, _RING = 0.08, 0.06, 0.3


def feature_masks(warp: Warp) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pixels of each feature and of the skin around it.

    Parameters
    ----------
    warp
        Warp to the shape whose features are wanted.

    Returns
    -------
    dict
        "eyes", "lips" and "brows" -> bool (y, x) of the feature, and of the skin.
    """
    unit = _EYES_APART

    def either(outlines: tuple[tuple[int, ...], ...], grow: float) -> np.ndarray:
        return np.asarray(np.any([warp.mask(outline, grow * unit) for outline in outlines], axis=0))

    lips = (LIPS,)
    features = {
        "eyes": either(EYES, _LIDS),
        "lips": either(lips, 0) & ~warp.mask(INSIDE_LIPS),
        "brows": either(BROWS, 0),
    }
    not_skin = either(EYES, _LIDS + _SEAM) | either(lips, _SEAM) | either(BROWS, _SEAM) | warp.mask(NOSE)
    rings = {"eyes": either(EYES, _RING), "lips": either(lips, _RING), "brows": either(BROWS, _RING)}
    inside = warp.mask(FACE_OVAL)
    return {name: (features[name], rings[name] & inside & ~not_skin) for name in features}


def contrasts(faces: np.ndarray, masks: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Contrast of the features of warped faces.

    Parameters
    ----------
    faces
        uint8 (face, y, x, 3), RGB, warped to the shape of the masks.
    masks
        From `feature_masks`.

    Returns
    -------
    numpy.ndarray
        float32 (face, 4), in the order of `FEATURES`: (skin - feature) / (skin + feature) in luminance, in [-1, 1],
        positive where the feature is darker than the skin; the last is the mean of eyes and lips.
    """
    linear = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
    luminance = linear[faces] @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    measured = []
    for name in FEATURES[:3]:
        feature, skin = (luminance[:, mask].mean(axis=1) for mask in masks[name])
        measured.append((skin - feature) / np.maximum(skin + feature, 1e-6))
    return np.stack([*measured, (measured[0] + measured[1]) / 2], axis=1)


_LEVELS = np.arange(256) / 255


def measure_contrasts(
    dataset: Dataset, landmarks: Landmarks, *, rng: np.random.Generator, progress: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """Measure the contrast of every face that has landmarks; of very many a sample.

    Parameters
    ----------
    dataset, landmarks
        The data set and its landmarks.
    rng
        Random generator of the sample.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    table : pandas.DataFrame
        Rows of the manifest with ``person`` and ``kept``.
    contrast : numpy.ndarray
        float32 (photo, 4), in the order of `FEATURES`.
    """
    used = usable_photos(dataset.manifest)
    used = sample_photos(used[landmarks.found[used["row"]]], rng)
    rows = used["row"].to_numpy()
    points = landmarks.read(rows)[..., :2]
    warp = Warp(points.mean(axis=0), _SCALE)
    masks = feature_masks(warp)
    measured = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
    at = 0
    for start, block in blocks(dataset.faces, f"Contrast of {dataset.name}" if progress else None):
        chosen = rows[(rows >= start) & (rows < start + len(block))] - start
        for few in np.array_split(chosen, range(_AT_ONCE, len(chosen), _AT_ONCE)):
            some = slice(at, at + len(few))
            if len(few):
                warped = np.stack([warp(face, mesh) for face, mesh in zip(block[few], points[some], strict=True)])
                measured[some] = contrasts(warped, masks)
            at += len(few)
    return used.reset_index(drop=True), measured


def _groups(table: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Everybody, bare faces where make-up is known, ages and races."""
    yield from in_groups(table)
    kinds = confounders.covariates(table)
    if "make-up" in kinds:
        yield "bare", "neither make-up nor beard", confounders.Setting(kinds, np.zeros(len(table), bool)).bare


def contrast_table(
    name: str,
    table: pd.DataFrame,
    measured: np.ndarray,
    *,
    permutations: int,
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Compare the contrast of the labels, person by person: everybody, bare faces, ages and races.

    Parameters
    ----------
    name
        Name of the data set.
    table, measured
        From `measure_contrasts`.
    permutations
        Number of permutations of each group.
    resamples
        Number of bootstrap resamples of people.
    rng
        Random generator.

    Returns
    -------
    pandas.DataFrame
        ``dataset, kind, group, females, males, feature, female, male, g, low, high, p_value``; Hedges' g is male minus
        female, p family-wise over the features.
    """
    rows = []
    for kind, group, inside in _groups(table):
        chosen = table["kept"].to_numpy() & (True if inside is None else inside)
        codes, people = pd.factorize(table.loc[chosen, "person"])
        means = np.zeros((len(people), measured.shape[1]), dtype=np.float32)
        np.add.at(means, codes, measured[chosen])
        means /= np.bincount(codes, minlength=len(people)).astype(np.float32)[:, None]
        male = np.zeros(len(people), dtype=bool)
        male[codes] = (table["label"] == "male").to_numpy()[chosen]
        if min(male.sum(), (~male).sum()) < (2 if kind == "all" else FEWEST):
            continue
        test = effect.permutation_test(means, male, permutations=permutations, rng=rng)
        drawn = effect.contrast(male, effect.draw_people(male, resamples, rng))
        low, high = interval(effect.weighted_effects(means, drawn, effect.pooled_deviation(means, male)))
        as_large = effect.as_large(test.null_maximum, np.abs(test.g))
        rows.append(
            pd.DataFrame(
                {
                    "dataset": name,
                    "kind": kind,
                    "group": group,
                    "females": int((~male).sum()),
                    "males": int(male.sum()),
                    "feature": list(FEATURES),
                    "female": means[~male].mean(axis=0).astype(float),
                    "male": means[male].mean(axis=0).astype(float),
                    "g": test.g.astype(float),
                    "low": low.astype(float),
                    "high": high.astype(float),
                    "p_value": (1 + as_large) / (1 + permutations),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)
