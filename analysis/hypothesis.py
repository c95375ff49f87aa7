"""Tests the hypothesis: do the faces of women and men differ, beyond what chance would give?

The unit is the person, not the photo: a person's photos are averaged first, and labels are exchanged between people.
Knows lightness images and labels of people; knows nothing of files or figures.

Everything is a matrix product: for a 0/1 matrix A of permuted labels and images X of people, A X and A X^2 hold the
sums from which the effect size of every permutation and pixel follows.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import bootstrap
from tqdm import tqdm

from analysis.average_face import blocks
from analysis.errors import UserError

STATEMENT = "Men and women have gender-specific facial features that differentiate them."
ALPHA = 0.05
_BATCH = 250  # permutations a matrix product: 250 x 9,701 pixels of float32 take 10 MB


def lightness(faces: np.ndarray) -> np.ndarray:
    """CIELAB lightness of faces.

    Parameters
    ----------
    faces
        uint8 (n, y, x, 3), RGB.

    Returns
    -------
    numpy.ndarray
        float32 (n, y, x), L* in [0, 100].
    """
    n, height, width = faces.shape[:3]
    strip = faces.reshape(n * height, width, 3).astype(np.float32) / 255
    return cv2.cvtColor(strip, cv2.COLOR_RGB2LAB)[..., 0].reshape(n, height, width)


@dataclass(frozen=True)
class People:
    """One image a person.

    Attributes
    ----------
    images
        float32 (person, pixel): mean lightness of the person's photos, L* in [0, 100].
    male
        bool (person,): the person's label.
    shape
        (y, x) of an image.
    mixed
        Number of people left out because their photos carry both labels.
    """

    images: np.ndarray
    male: np.ndarray
    shape: tuple[int, int]
    mixed: int


def average_by_person(faces: xr.DataArray, manifest: pd.DataFrame, *, progress: bool = False) -> People:
    """Average the photos of each person.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    manifest
        Rows as in ``faces``, with ``label``, ``status`` and, where known, ``identity``; an image without an identity
        counts as a person of its own.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    People

    Raises
    ------
    UserError
        If a label has fewer than two people.
    """
    used = manifest[manifest["status"] == "ok"].reset_index().rename(columns={"index": "row"})
    identity = used["identity"] if "identity" in used else pd.Series(pd.NA, index=used.index, dtype="Int64")
    person = identity.astype("Int64").astype("string").fillna("image " + used["image_id"].astype("string"))
    mixed = used.groupby(person)["label"].nunique() > 1
    keep = ~person.map(mixed)
    codes, names = pd.factorize(person[keep])
    label = used.loc[keep, "label"].groupby(codes).first()
    if label.value_counts().reindex(["female", "male"], fill_value=0).min() < 2:
        raise UserError("the test needs at least two people of each label: choose a larger subset")
    of_row = np.full(len(manifest), -1)
    of_row[used.loc[keep, "row"]] = codes
    height, width = faces.shape[1:3]
    total = np.zeros((len(names), height * width), dtype=np.float32)
    for start, block in blocks(faces, "Averaging people" if progress else None):
        people = of_row[start : start + len(block)]
        chosen = people >= 0
        if chosen.any():
            np.add.at(total, people[chosen], lightness(block[chosen]).reshape(chosen.sum(), -1))
    counts = np.bincount(codes, minlength=len(names)).astype(np.float32)
    images = total / counts[:, None]
    return People(images, (label == "male").to_numpy(), (height, width), int(mixed.sum()))


def hedges_g(images: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Standardised mean difference of two groups, for many groupings at once.

    Hedges, "Distribution theory for Glass's estimator of effect size", Journal of Educational Statistics 6(2), 1981:
    g = J (m1 - m0) / s, with the pooled standard deviation s and J = 1 - 3 / (4 (n1 + n0 - 2) - 1).

    Parameters
    ----------
    images
        float32 (person, pixel).
    groups
        bool (grouping, person): True marks group 1.

    Returns
    -------
    numpy.ndarray
        float32 (grouping, pixel): group 1 minus group 0; 0 where nothing varies.
    """
    return _hedges_g(*_centred(images), groups)


def _centred(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Centred first: sums of squares of numbers near 50 would lose digits in float32.
    centred = images - images.mean(axis=0, dtype=np.float64).astype(np.float32)
    return centred, centred**2


def _hedges_g(images: np.ndarray, squares: np.ndarray, groups: np.ndarray) -> np.ndarray:
    ones = groups.astype(np.float32)
    n1 = ones.sum(axis=1, keepdims=True)
    sum1, square1 = ones @ images, ones @ squares
    sum0, square0 = images.sum(axis=0) - sum1, squares.sum(axis=0) - square1
    return _g_of_sums((n1, sum1, square1), (len(images) - n1, sum0, square0))


def _g_of_sums(one: tuple[np.ndarray, ...], zero: tuple[np.ndarray, ...]) -> np.ndarray:
    """Hedges' g from count, sum and sum of squares of each group."""
    (n1, sum1, square1), (n0, sum0, square0) = one, zero
    within = (square1 - sum1**2 / n1) + (square0 - sum0**2 / n0)
    pooled = np.sqrt(np.maximum(within, 0) / (n1 + n0 - 2))
    correction = 1 - 3 / (4 * (n1 + n0 - 2) - 1)
    difference = correction * (sum1 / n1 - sum0 / n0)
    return np.divide(difference, pooled, out=np.zeros_like(difference), where=pooled > 1e-6)


@dataclass(frozen=True)
class PermutationTest:
    """Result of `permutation_test`.

    Attributes
    ----------
    g
        float32 (pixel,): observed Hedges' g.
    null_maximum
        float32 (permutation,): maximum over the pixels of abs(g) under exchanged labels.
    null_mean
        float32 (permutation,): mean over the pixels of abs(g) under exchanged labels.
    p_value
        Family-wise: share of labellings, the observed one included, whose maximum is at least the observed one.
    """

    g: np.ndarray
    null_maximum: np.ndarray
    null_mean: np.ndarray
    p_value: float

    @property
    def critical(self) -> float:
        """Value of abs(g) that chance exceeds anywhere in the image in 5 % of labellings."""
        return float(np.quantile(self.null_maximum, 1 - ALPHA))


def permutation_test(
    images: np.ndarray,
    male: np.ndarray,
    *,
    permutations: int,
    rng: np.random.Generator,
    progress: bool = False,
) -> PermutationTest:
    """Exchange labels between people and compare the largest effect anywhere in the image.

    The maximum statistic controls the family-wise error over all pixels: Nichols and Holmes, "Nonparametric
    permutation tests for functional neuroimaging", Human Brain Mapping 15, 2002.

    Parameters
    ----------
    images
        float32 (person, pixel).
    male
        bool (person,).
    permutations
        How many exchanges are drawn.
    rng
        Draws them.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    PermutationTest
    """
    centred, squares = _centred(images)
    observed = _hedges_g(centred, squares, male[None])[0]
    maximum, mean = [], []
    starts = range(0, permutations, _BATCH)
    for start in tqdm(starts, desc=f"Exchanging labels, {_BATCH} times each", disable=not progress):
        count = min(_BATCH, permutations - start)
        exchanged = rng.permuted(np.broadcast_to(male, (count, len(male))), axis=1)
        size = np.abs(_hedges_g(centred, squares, exchanged))
        maximum.append(size.max(axis=1))
        mean.append(size.mean(axis=1))
    null_maximum = np.concatenate(maximum)
    exceed = int((null_maximum >= np.abs(observed).max()).sum())
    return PermutationTest(observed, null_maximum, np.concatenate(mean), (1 + exceed) / (1 + permutations))


def mean_effect_interval(
    images: np.ndarray, male: np.ndarray, *, resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of the mean of abs(g) over the pixels, people resampled within each label.

    The basic bootstrap interval (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 5.2), because
    abs(g) of a resample is larger than that of the sample: the percentile interval would lie above the estimate.

    Parameters
    ----------
    images
        float32 (person, pixel).
    male
        bool (person,).
    resamples
        How many times people are drawn.
    rng
        Draws them.

    Returns
    -------
    tuple of float
        Low and high end.
    """
    centred, squares = _centred(images)
    observed = float(np.abs(_hedges_g(centred, squares, male[None])).mean())
    means: list[float] = []
    for start in range(0, resamples, _BATCH):
        count = min(_BATCH, resamples - start)
        sums = []
        for group in (male, ~male):
            size = int(group.sum())
            drawn = rng.multinomial(size, np.full(size, 1 / size), size=count).astype(np.float32)
            sums.append((np.full((1, 1), size, np.float32), drawn @ centred[group], drawn @ squares[group]))
        means.extend(np.abs(_g_of_sums(sums[0], sums[1])).mean(axis=1).tolist())
    low, high = np.quantile(means, [0.025, 0.975])
    return max(0.0, 2 * observed - float(high)), 2 * observed - float(low)


def nearest_average(faces: xr.DataArray, manifest: pd.DataFrame, *, rng: np.random.Generator) -> dict[str, Any]:
    """Classify faces of people never seen by the nearer of the two average faces.

    The averages come from the train split. Every face is standardised first (its own mean and standard deviation
    taken out of its lightness): how a photo was lit is no feature of the face. Distance is Euclidean.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    manifest
        Rows as in ``faces``.
    rng
        Of the bootstrap over people.

    Returns
    -------
    dict
        ``accuracy`` in [0, 1] on the test split, its 95 % ``interval`` (people resampled), ``images``, ``split``.

    Raises
    ------
    UserError
        If a label is missing in the train split or the test split is empty.
    """
    usable = (manifest["status"] == "ok").to_numpy()
    train = usable & (manifest["split"] == "train").to_numpy()
    test = usable & (manifest["split"] == "test").to_numpy()
    male = (manifest["label"] == "male").to_numpy()
    if not (test.any() and (train & male).any() and (train & ~male).any()):
        raise UserError("the nearest-average test needs both labels in train and a test split: ingest more images")
    total = np.zeros((2, faces.sizes["y"] * faces.sizes["x"]))
    for start, block in blocks(faces):
        part = slice(start, start + len(block))
        standard = _standardised(block)
        for label in (0, 1):
            total[label] += standard[train[part] & (male[part] == label)].sum(axis=0)
    averages = total / np.array([[(train & ~male).sum()], [(train & male).sum()]])
    # |x - a|^2 < |x - b|^2 is linear in x, so one product a face decides.
    weights = averages[1] - averages[0]
    offset = (np.sum(averages[1] ** 2) - np.sum(averages[0] ** 2)) / 2
    right = np.zeros(len(manifest), dtype=bool)
    for start, block in blocks(faces):
        part = slice(start, start + len(block))
        right[part] = (_standardised(block) @ weights > offset) == male[part]
    hits = pd.Series(right[test])
    people = manifest.loc[test, "identity"].reset_index(drop=True) if "identity" in manifest else None
    low, high = accuracy_interval(hits, people, rng=rng)
    return {
        "accuracy": float(hits.mean()),
        "interval": [low, high],
        "images": int(test.sum()),
        "split": "test",
    }


def _standardised(block: np.ndarray) -> np.ndarray:
    flat = lightness(block).reshape(len(block), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6)


def accuracy_interval(
    right: pd.Series, people: pd.Series | None, *, rng: np.random.Generator, resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of an accuracy, people resampled and not their photos.

    Parameters
    ----------
    right
        bool, one value an image.
    people
        Identity of each image; an image without one counts as a person of its own. None if none is known.
    rng
        Draws the resamples.
    resamples
        How many.

    Returns
    -------
    tuple of float
        Low and high end, in [0, 1].
    """
    if people is None:
        people = pd.Series(pd.NA, index=right.index, dtype="Int64")
    alone = pd.Series([f"image {i}" for i in range(len(right))], index=right.index)
    person = people.astype("string").fillna(alone)
    table = right.astype(float).groupby(person).agg(["sum", "count"])
    if len(table) < 2 or right.nunique() < 2:
        return float(right.mean()), float(right.mean())  # nothing varies: the bootstrap has nothing to draw
    result = bootstrap(
        (table["sum"].to_numpy(), table["count"].to_numpy()),
        lambda hits, images, axis=-1: hits.sum(axis=axis) / images.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=100,
        method="percentile",
        rng=rng,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def examine(
    faces: xr.DataArray,
    manifest: pd.DataFrame,
    *,
    permutations: int = 5000,
    control_permutations: int = 1000,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> tuple[dict[str, Any], np.ndarray]:
    """Run the whole test: effect, permutations, controls that can fail, and the verdict.

    "supported" needs an effect that chance does not give (p < 0.05 family-wise), three controls without one
    (p >= 0.05 / 3 each, Bonferroni) and a nearest-average accuracy whose interval lies above one half. With a failed
    control nothing can be said ("inconclusive"); without an effect the hypothesis is "not supported".

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    manifest
        Rows as in ``faces``.
    permutations, control_permutations
        Labellings drawn for the test and for each control.
    resamples
        Bootstrap resamples of the mean effect.
    seed
        Of everything that is drawn.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    record : dict
        What ``hypothesis.json`` holds.
    effect : numpy.ndarray
        float32 (y, x): Hedges' g of lightness, male minus female.
    """
    rng = np.random.default_rng(seed)
    people = average_by_person(faces, manifest, progress=progress)
    test = permutation_test(people.images, people.male, permutations=permutations, rng=rng, progress=progress)
    size = np.abs(test.g)

    def control(images: np.ndarray, groups: np.ndarray) -> dict[str, float]:
        result = permutation_test(images, rng.permutation(groups), permutations=control_permutations, rng=rng)
        return {"p_value": result.p_value, "max_abs_g": float(np.abs(result.g).max())}

    def within(male: bool) -> dict[str, float]:
        images = people.images[people.male == male]
        return control(images, np.arange(len(images)) % 2 == 0)

    controls = {
        "shuffled_labels": control(people.images, people.male),
        "within_female": within(False),
        "within_male": within(True),
    }
    nearest = nearest_average(faces, manifest, rng=rng)
    counts, edges = np.histogram(test.null_maximum, bins=40)
    low, high = mean_effect_interval(people.images, people.male, resamples=resamples, rng=rng)
    record = {
        "statement": STATEMENT,
        "verdict": _verdict(test.p_value, [c["p_value"] for c in controls.values()], nearest["interval"][0]),
        "p_value": test.p_value,
        "alpha": ALPHA,
        "permutations": permutations,
        "control_permutations": control_permutations,
        "unit": "identity",
        "identities": {"female": int((~people.male).sum()), "male": int(people.male.sum())},
        "mixed_label_identities": people.mixed,
        "max_abs_g": float(size.max()),
        "critical_abs_g": test.critical,
        "area_significant": float((size > test.critical).mean()),
        "mean_abs_g": float(size.mean()),
        "mean_abs_g_interval": [low, high],
        "mean_abs_g_by_chance": float(test.null_mean.mean()),
        "null_max_abs_g": {
            "bin_left": edges[:-1].tolist(),
            "bin_right": edges[1:].tolist(),
            "count": counts.tolist(),
        },
        "controls": controls,
        "nearest_average": nearest,
    }
    return record, test.g.reshape(people.shape)


def _verdict(p_value: float, control_p_values: list[float], nearest_low: float) -> str:
    if min(control_p_values) < ALPHA / len(control_p_values):
        return "inconclusive"
    if p_value >= ALPHA:
        return "not supported"
    return "supported" if nearest_low > 0.5 else "inconclusive"
