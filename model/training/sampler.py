"""Which faces an epoch shows: groups that are rare are shown more often."""

import numpy as np
import pandas as pd

from model.training.examples import UNKNOWN, Faces

AGE_BANDS = (10, 20, 60)  # years at which a new band of ages begins
MOST = 8.0  # times the mean that a face is shown at most


FEWEST = 50  # faces of a group that is watched: of fewer, chance decides


def groups(faces: Faces) -> pd.DataFrame:
    """Group of each face: source, label, style and band of age.

    Parameters
    ----------
    faces
        n faces; a column ``style`` of their table (see `model.training.style.with_style`) goes before what the source
        knows.

    Returns
    -------
    pandas.DataFrame
        ``source`` (str), ``male`` (bool), ``style`` (int: 1 styled, 0 not, -1 men and unknown) and ``age`` (int: number
        of the band between `AGE_BANDS`, -1 where the source does not know); one row per face.
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
    """How often to show each face, relative to the others.

    Parameters
    ----------
    group
        As from `groups`.
    power
        0 shows all faces alike; 1 shows all groups alike, however small.

    Returns
    -------
    numpy.ndarray
        float64 (n,), mean 1: proportional to the size of the face's group to the power of minus ``power``, at most
        `MOST` times the mean, and then scaled so that both labels are shown as often where ``power`` is above 0.
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
    """Rows of each group that a training is judged by; all faces as one where no group is large enough.

    Faces below the first of `AGE_BANDS` are in none: the looks of small children hardly tell a label.

    Returns
    -------
    list of numpy.ndarray
        int64 (at least `FEWEST`,) each.
    """
    group = groups(faces)
    parts = group[group["age"] != 0].groupby(list(group.columns)).indices
    rows = group.index[group["age"] != 0].to_numpy()
    large = [rows[inside] for inside in parts.values() if len(inside) >= FEWEST]
    return large or [np.arange(len(faces))]


def draw_epoch(weights: np.ndarray, seed: list[int]) -> np.ndarray:
    """Rows of one epoch, in order; as many as there are faces.

    Systematic sampling: a face of weight w is shown w times, rounded up or down at random.

    Parameters
    ----------
    weights
        float (n,), mean 1.
    seed
        Random seed of order and rounding.

    Returns
    -------
    numpy.ndarray
        int64 (n,).
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    shown = np.searchsorted(ends, (np.arange(len(weights)) + rng.random()) * ends[-1] / len(weights), side="right")
    return rng.permutation(order[np.minimum(shown, len(weights) - 1)])
