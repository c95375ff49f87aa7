"""Identities and ages of the people on images, and the bootstrap over people."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.core.schema import AGE_BANDS

_BATCH = 50


def _persons(identity: pd.Series, alone: pd.Series | None = None) -> pd.Series:
    """Identities as text; an image without one gets the name in ``alone``, or one from its position."""
    if alone is None:
        alone = pd.Series([f"image {i}" for i in range(len(identity))], index=identity.index)
    return identity.astype("string").fillna(alone)


def person_names(manifest: pd.DataFrame) -> pd.Series:
    """Name of the person on each photo, as text; a photo without an identity counts as a person of its own."""
    identity = manifest["identity"] if "identity" in manifest else pd.Series(pd.NA, manifest.index, dtype="Int64")
    return _persons(identity.astype("Int64"), "image " + manifest["image_id"].astype("string"))


def person_numbers(scored: pd.DataFrame) -> np.ndarray:
    """Number the people in a table.

    Parameters
    ----------
    scored
        One row per image; ``identity`` where it is known.

    Returns
    -------
    numpy.ndarray
        int64 (n,), 0 to the number of people - 1; an image without identity is a person of its own.
    """
    if "identity" not in scored:
        return np.arange(len(scored))
    known = scored["identity"].reset_index(drop=True)
    if "dataset" in scored:  # two sources may number their people alike
        known = scored["dataset"].reset_index(drop=True).astype("string") + " " + known.astype("string")
    return pd.factorize(_persons(known))[0]


def age_band(age: pd.Series) -> pd.Series:
    """Band of `AGE_BANDS` of each age in years, categorical; missing where the age is missing."""
    edges = [low for low, _ in AGE_BANDS.values()] + [np.inf]
    return pd.cut(age.astype("Float64").astype(float), edges, right=False, labels=list(AGE_BANDS))


def resamples(person: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw people with replacement, as many as there are.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8: independent units are resampled.

    Parameters
    ----------
    person
        int (n,), as from `person_numbers`.
    count
        Number of resamples.
    rng
        Random generator of the resamples.

    Yields
    ------
    numpy.ndarray
        float32 (batch, n): how often each image is in each resample; batches add up to ``count``.
    """
    size = int(person.max()) + 1 if len(person) else 0
    for start in range(0, count, _BATCH):
        batch = min(_BATCH, count - start)
        drawn = rng.integers(0, size, (batch, size)) + size * np.arange(batch)[:, None]
        times = np.bincount(drawn.ravel(), minlength=batch * size).reshape(batch, size)
        yield times[:, person].astype(np.float32)


def resampled_means(
    values: np.ndarray, inside: np.ndarray, person: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean of each group in bootstrap resamples of people.

    Parameters
    ----------
    values
        float or bool (n,): value of each image.
    inside
        bool (n, group): whether each image is in each group.
    person, count, rng
        As in `resamples`; all groups share the resamples.

    Returns
    -------
    numpy.ndarray
        float32 (count, group); NaN where a resample has no image of a group.
    """
    members = inside.astype(np.float32)
    totals = members * values.astype(np.float32)[:, None]
    with np.errstate(invalid="ignore"):  # a small group may be missing from a resample
        drawn = [(times @ totals) / (times @ members) for times in resamples(person, count, rng)]
    return np.concatenate(drawn)


def interval(values: np.ndarray) -> np.ndarray:
    """95 % percentile interval along the first axis.

    Parameters
    ----------
    values
        float (resample, ...); NaN is ignored.

    Returns
    -------
    numpy.ndarray
        float (2, ...): lower and upper end.
    """
    return np.nanquantile(values, [0.025, 0.975], axis=0)


def accuracy_interval(
    right: pd.Series, identity: pd.Series | None, *, rng: np.random.Generator, count: int = 2000
) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of an accuracy, over people and not photos.

    Parameters
    ----------
    right
        Bool, one value per image.
    identity
        Identity of each image; an image without one counts as a person of its own. None if no identity is known.
    rng
        Random generator of the resamples.
    count
        Number of resamples.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    if identity is None:
        identity = pd.Series(pd.NA, index=right.index, dtype="Int64")
    table = right.astype(float).groupby(_persons(identity)).agg(["sum", "count"]).to_numpy(np.float64)
    if len(table) < 2 or right.nunique() < 2:
        return float(right.mean()), float(right.mean())  # nothing varies between resamples
    drawn = np.concatenate([times @ table for times in resamples(np.arange(len(table)), count, rng)])
    low, high = interval(drawn[:, 0] / drawn[:, 1])
    return float(low), float(high)
