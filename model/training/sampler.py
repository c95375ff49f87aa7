"""Sampling of training faces: faces of rare groups are shown more often."""

import numpy as np
import pandas as pd

from model.training.examples import UNKNOWN, Faces

AGE_BANDS = (10, 20, 60)  # years at which a new band of ages begins
MOST = 8.0  # largest weight of a face, as a multiple of the mean
FEWEST = 50  # faces in a group that is used to judge a training; in smaller ones chance decides


def groups(faces: Faces) -> pd.DataFrame:
    """Group of each face: source, label, style and band of age.

    Parameters
    ----------
    faces
        n faces; a column ``style`` of their table (see `model.training.style.with_style`) takes precedence over the
        annotation of the source.

    Returns
    -------
    pandas.DataFrame
        ``source`` (str), ``male`` (bool), ``style`` (int: 1 styled, 0 not, -1 men and unknown) and ``age`` (int: number
        of the band between `AGE_BANDS`, -1 if unknown); one row per face.
    """
    known = np.where(faces.male > 0, UNKNOWN, faces.styled)
    style = faces.table["style"].to_numpy() if "style" in faces.table else known
    age = faces.table["age"] if "age" in faces.table else pd.Series(pd.NA, faces.table.index, dtype="Int64")
    years = age.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return pd.DataFrame(
        {
            "source": faces.source,
            "male": faces.male > 0,
            "style": style.astype(int),
            "age": np.where(np.isnan(years), -1, np.digitize(years, AGE_BANDS)),
        }
    )


def sampling_weights(group: pd.DataFrame, power: float) -> np.ndarray:
    """Relative frequency with which each face is shown.

    Parameters
    ----------
    group
        As from `groups`.
    power
        0 shows all faces equally often; 1 shows all groups equally often, however small.

    Returns
    -------
    numpy.ndarray
        float64 (n,), mean 1: proportional to the size of the face's group to the power of minus ``power``, at most
        `MOST` times the mean, and then scaled so that both labels are shown equally often if ``power`` is above 0.
    """
    size = group.groupby(list(group.columns))["male"].transform("size").to_numpy(np.float64)
    weights = size**-power
    weights = np.minimum(weights, MOST * weights.mean())
    if power:
        for label in (True, False):
            rows = (group["male"] == label).to_numpy()
            weights[rows] /= max(weights[rows].sum(), np.finfo(float).tiny)
    return weights / weights.mean()


def watched_groups(faces: Faces) -> list[np.ndarray]:
    """Rows of each group by which a training is judged; one group of all faces if none is large enough.

    Faces below the first of `AGE_BANDS` are in no group: the looks of small children hardly reveal a label.

    Returns
    -------
    list of numpy.ndarray
        Each int64 (at least `FEWEST`,).
    """
    group = groups(faces)
    parts = group[group["age"] != 0].groupby(list(group.columns)).indices
    rows = group.index[group["age"] != 0].to_numpy()
    large = [rows[inside] for inside in parts.values() if len(inside) >= FEWEST]
    return large or [np.arange(len(faces))]


def draw_epoch(weights: np.ndarray, seed: list[int]) -> np.ndarray:
    """Draw the rows of one epoch, in order; as many as there are faces.

    Systematic sampling: a face of weight w is shown w times, rounded up or down at random.

    Parameters
    ----------
    weights
        float (n,), mean 1.
    seed
        Random seed of the order and the rounding.

    Returns
    -------
    numpy.ndarray
        int64 (n,).
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    positions = np.searchsorted(ends, (np.arange(len(weights)) + rng.random()) * ends[-1] / len(weights), side="right")
    return rng.permutation(order[np.minimum(positions, len(weights) - 1)])
