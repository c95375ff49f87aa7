"""Bootstrap over people: how often each image counts when people, not their photos, are drawn anew.

Knows identities and chance; knows nothing of what is measured on a resample.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

_BATCH = 50


def person_names(manifest: pd.DataFrame) -> pd.Series:
    """Who is on each photo, as text; a photo without an identity counts as a person of its own."""
    identity = manifest["identity"] if "identity" in manifest else pd.Series(pd.NA, manifest.index, dtype="Int64")
    return identity.astype("Int64").astype("string").fillna("image " + manifest["image_id"].astype("string"))


def people(scored: pd.DataFrame) -> np.ndarray:
    """Number the people in a table.

    Parameters
    ----------
    scored
        A row an image; ``identity`` where it is known.

    Returns
    -------
    numpy.ndarray
        int64 (n,), 0 to the number of people - 1; an image without identity is a person of its own.
    """
    alone = pd.Series([f"image {i}" for i in range(len(scored))])
    if "identity" not in scored:
        return np.arange(len(scored))
    known = scored["identity"].reset_index(drop=True)
    if "dataset" in scored:  # two sources may number their people alike
        known = scored["dataset"].reset_index(drop=True).astype("string") + " " + known.astype("string")
    return pd.factorize(known.astype("string").fillna(alone))[0]


def resamples(person: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw people with replacement, as many as there are.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8: what is drawn is the independent unit.

    Parameters
    ----------
    person
        int (n,), as from `people`.
    count
        How many resamples.
    rng
        Draws them.

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


def interval(values: np.ndarray) -> np.ndarray:
    """95 % percentile interval along the first axis.

    Parameters
    ----------
    values
        float (resample, ...); NaN where a resample says nothing.

    Returns
    -------
    numpy.ndarray
        float (2, ...): low and high end.
    """
    return np.nanquantile(values, [0.025, 0.975], axis=0)


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
