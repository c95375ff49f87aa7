"""The last layer fitted again, groups counting alike: cheap, and most of what balanced training is worth.

Kirichenko, Izmailov and Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR
2023: features of a network that leans on a spurious cue mostly hold the true one as well; what is wrong is their
weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

STRENGTHS = (1.0, 0.1, 0.01, 0.001)  # of the pull towards the layer as it was; the first one leaves it nearly there


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
    """Minimise the weighted log loss, pulled towards the layer as it is.

    Parameters
    ----------
    layer
        Where to begin.
    features
        float (n, features).
    male
        bool (n,).
    weights
        float (n,), mean 1: how much each face counts.
    strength
        Strength of the penalty: half of it times the squared distance, in units of the features' standard deviations,
        is added to the mean loss.

    Returns
    -------
    LastLayer
    """
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64) + 1e-6
    scaled = np.column_stack([(features - mean) / spread, np.ones(len(features))])
    start = np.append(layer.weights * spread, layer.bias + layer.weights @ mean)
    sign = np.where(male, 1.0, -1.0)
    share = weights / weights.sum()

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (scaled @ point)
        distance = point - start
        slope = -sign * share / (1 + np.exp(np.clip(margin, -500, 500)))
        return (
            float(share @ np.logaddexp(0, -margin) + strength / 2 * distance @ distance),
            scaled.T @ slope + strength * distance,
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
    """The layer, as it is or fitted again, with the lowest log loss on validation faces, groups counting alike.

    Parameters
    ----------
    layer
        As trained.
    train
        Features (n, features), labels (bool, (n,)) and weights (n,) that layers are fitted with.
    validation
        Features (m, features) and labels (bool, (m,)) that one is chosen by.
    watched
        Rows of each group in ``validation``.

    Returns
    -------
    LastLayer
        ``layer`` itself where no other does better.
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
