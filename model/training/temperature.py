"""A temperature for each face: how far its score can be trusted, read from the features that the score is made of.

Scores of children and of blurred or covered faces are less often right than those of portraits with the same score. One
temperature for all cannot know that; a temperature that depends on the features can (Joy, Pinto, Lim, Torr and Dokania,
"Sample-Dependent Adaptive Temperature Scaling for Improved Calibration", AAAI 2023). It is above zero, so no answer
changes its label. It is fitted to a split that was not trained on: on faces that were, the network is too sure.
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.model_selection import KFold

from model.training.head import LastLayer, log_losses

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1)
LARGEST = 3.0  # bound of the logarithm of a factor, here and in the network
_FOLDS = 5


def fit_sharpness(features: np.ndarray, logits: np.ndarray, male: np.ndarray, source: np.ndarray) -> LastLayer:
    """Fit the layer that gives the logarithm of the factor of each face's logit, the inverse of its temperature.

    The penalty on its weights is chosen by cross-validation. Every source has the same weight, as in
    `model.evaluation.calibration.fit_temperature`.

    Parameters
    ----------
    features
        float (n, features), input of the network's last layer.
    logits
        float (n,), its output.
    male
        bool (n,), labels.
    source
        Name of the data set of each face, (n,).

    Returns
    -------
    LastLayer
        All zeros, which is a factor of 1, where no penalty lowers the log loss of faces that it was not fitted to, or
        there are too few faces to tell.
    """
    sources, codes = np.unique(source, return_inverse=True)
    weights = 1 / (len(sources) * np.bincount(codes)[codes])
    none = LastLayer(np.zeros(features.shape[1]), 0.0)
    unseen = {penalty: np.empty(len(logits)) for penalty in PENALTIES}
    if len(logits) < _FOLDS:
        return none
    for fitted, held_out in KFold(_FOLDS, shuffle=True, random_state=0).split(features):
        for penalty in PENALTIES:
            layer = _fit(features[fitted], logits[fitted], male[fitted], weights[fitted], penalty)
            unseen[penalty][held_out] = logits[held_out] * factors(layer, features[held_out])
    losses = {penalty: float(weights @ log_losses(scaled, male)) for penalty, scaled in unseen.items()}
    best = min(losses, key=losses.__getitem__)
    if losses[best] >= float(weights @ log_losses(logits, male)):
        return none
    return _fit(features, logits, male, weights, best)


def factors(layer: LastLayer, features: np.ndarray) -> np.ndarray:
    """Factor of the logit of each face, float64 (n,), above 0."""
    return np.exp(np.clip(layer.logits(features), -LARGEST, LARGEST))


def _fit(features: np.ndarray, logits: np.ndarray, male: np.ndarray, weights: np.ndarray, penalty: float) -> LastLayer:
    """Minimise the weighted log loss plus half the penalty times the squared weights, features standardised."""
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64) + 1e-6
    scaled = ((features - mean) / spread).astype(np.float32)
    share = weights / weights.sum()
    signed = np.where(male, 1.0, -1.0) * logits

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = scaled @ point[:-1].astype(np.float32) + point[-1]
        margin = signed * np.exp(np.clip(exponent, -LARGEST, LARGEST))
        slope = -share * margin / (1 + np.exp(np.clip(margin, -500, 500))) * (np.abs(exponent) < LARGEST)
        loss = float(share @ np.logaddexp(0, -margin)) + penalty / 2 * float(point[:-1] @ point[:-1])
        return loss, np.append(slope.astype(np.float32) @ scaled + penalty * point[:-1], slope.sum())

    point = minimize(objective, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B").x
    fitted = point[:-1] / spread
    return LastLayer(fitted, float(point[-1] - fitted @ mean))
