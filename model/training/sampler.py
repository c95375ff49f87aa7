"""Which faces an epoch shows: groups that are rare are shown more often. Knows tables; knows nothing of pixels."""

import numpy as np
import pandas as pd

from model.training.dataset import Faces


def sampling_weights(faces: Faces, power: float) -> np.ndarray:
    """How often to show each face, relative to the others.

    Faces are grouped by source, label, class of age and race.

    Parameters
    ----------
    faces
        What is trained on.
    power
        0 shows all faces alike; 1 shows all groups alike, however small.

    Returns
    -------
    numpy.ndarray
        float64 (n,), mean 1: proportional to the size of the face's group to the power of minus ``power``.
    """
    groups = pd.DataFrame(
        {
            "dataset": faces.table["dataset"].to_numpy(),
            "male": faces.male,
            "age": faces.age_class,
            "race": faces.race_class,
        }
    )
    size = groups.groupby(["dataset", "male", "age", "race"])["male"].transform("size").to_numpy(np.float64)
    weights = size**-power
    return weights / weights.mean()


def draw_epoch(weights: np.ndarray, seed: list[int]) -> np.ndarray:
    """Rows of one epoch, in order; as many as there are faces.

    Systematic sampling: a face of weight w is shown w times, rounded up or down at random.

    Parameters
    ----------
    weights
        float (n,), mean 1.
    seed
        Of order and rounding.

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
