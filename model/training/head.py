"""The last layer fitted again with equal weight for each group: cheap, and most of the gain of balanced training.

Kirichenko, Izmailov and Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR
2023: the features of a network that relies on a spurious cue usually contain the true one as well; only their weights
are wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

STRENGTHS = (1.0, 0.1, 0.01, 0.001)  # of the penalty; with the first the layer hardly changes


@dataclass(frozen=True)
class LastLayer:
    """A linear layer with one output.

    Attributes
    ----------
    weights
        float64 (features,).
    bias
        Scalar.
    """

    weights: np.ndarray
    bias: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float64 (n,) of features (n, features)."""
        return features @ self.weights + self.bias


def refit(layer: LastLayer, features: np.ndarray, male: np.ndarray, weights: np.ndarray, strength: float) -> LastLayer:
    """Minimise the weighted log loss, with a penalty on the distance from the given layer.

    Parameters
    ----------
    layer
        Layer to start from.
    features
        float (n, features).
    male
        bool (n,).
    weights
        float (n,), mean 1: weight of each face.
    strength
        Strength of the penalty: half of it times the squared distance, in units of the features' standard deviations,
        is added to the mean loss.

    Returns
    -------
    LastLayer
    """
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64) + 1e-6
    # In single precision, which halves the time and is far finer than the answer needs to be.
    scaled = np.column_stack([(features - mean) / spread, np.ones(len(features))]).astype(np.float32)
    start = np.append(layer.weights * spread, layer.bias + layer.weights @ mean)
    sign = np.where(male, 1.0, -1.0)
    share = weights / weights.sum()

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (scaled @ point.astype(np.float32))
        distance = point - start
        slope = -sign * share / (1 + np.exp(np.clip(margin, -500, 500)))
        return (
            float(share @ np.logaddexp(0, -margin) + strength / 2 * distance @ distance),
            slope.astype(np.float32) @ scaled + strength * distance,
        )

    point = minimize(objective, start, jac=True, method="L-BFGS-B").x
    found = point[:-1] / spread
    return LastLayer(found, float(point[-1] - found @ mean))


def balanced(
    layer: LastLayer,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    watched: Sequence[np.ndarray],
) -> LastLayer:
    """The given layer or a refitted one, whichever has the lowest mean log loss over groups of validation faces.

    Parameters
    ----------
    layer
        Layer after training.
    train
        Features (n, features), labels (bool, (n,)) and weights (n,) that layers are fitted with.
    validation
        Features (m, features) and labels (bool, (m,)) to choose one with.
    watched
        Rows of each group in ``validation``.

    Returns
    -------
    LastLayer
        ``layer`` itself if no other is better.
    """
    features, male = validation
    candidates = [layer, *(refit(layer, *train, strength) for strength in STRENGTHS)]
    return min(candidates, key=lambda layer: float(group_losses(layer.logits(features), male, watched).mean()))


def group_losses(logits: np.ndarray, male: np.ndarray, watched: Sequence[np.ndarray]) -> np.ndarray:
    """Log loss of each group, float64 (groups,), from logits (n,), labels (bool, (n,)) and the rows of each group."""
    loss = log_losses(logits, male)
    return np.array([loss[rows].mean() for rows in watched])


def log_losses(logits: np.ndarray, male: np.ndarray) -> np.ndarray:
    """Log loss of each face, float64 (n,), from logits (n,) and labels (bool, (n,))."""
    return np.logaddexp(0, np.where(male, -logits, logits).astype(np.float64))
