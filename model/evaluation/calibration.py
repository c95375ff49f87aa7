"""Honest probabilities: the temperature, which is chosen on the validation split, and how reliable they are."""

import numpy as np
from scipy.optimize import minimize_scalar

from analysis.results.records import Calibration, CalibrationBin

_BINS = 15


def fit_temperature(logits: np.ndarray, male: np.ndarray, source: np.ndarray | None = None) -> float:
    """Temperature that minimises the log loss, with the same weight for every source.

    Photos that users ask about come from none of the sources, so the largest source deserves no larger weight.

    Parameters
    ----------
    logits
        float (n,), of a split that was not trained on.
    male
        bool (n,).
    source
        Name of the data set of each image, (n,); default: one data set.

    Returns
    -------
    float
        In [0.05, 20].
    """
    weight = np.ones(len(logits)) if source is None else 1 / _sizes(source)

    def loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(np.average(np.logaddexp(0, np.where(male, -scaled, scaled)), weights=weight))

    minimum = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(minimum.x))


def _sizes(source: np.ndarray) -> np.ndarray:
    _, codes, counts = np.unique(source, return_inverse=True, return_counts=True)
    return counts[codes]


def calibration(p_male: np.ndarray, male: np.ndarray, bins: int = _BINS) -> Calibration:
    """Reliability of the probabilities in bins of equal width.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.

    Parameters
    ----------
    p_male
        float (n,) in [0, 1].
    male
        bool (n,).
    bins
        Number of bins.

    Returns
    -------
    Calibration
    """
    edges = np.linspace(0, 1, bins + 1)
    where = np.clip(np.digitize(p_male, edges) - 1, 0, bins - 1)
    rows, error = [], 0.0
    for index in range(bins):
        inside = where == index
        count = int(inside.sum())
        confidence = float(p_male[inside].mean()) if count else None
        share = float(male[inside].mean()) if count else None
        if confidence is not None and share is not None:
            error += count / len(p_male) * abs(confidence - share)
        rows.append(
            CalibrationBin(
                left=float(edges[index]),
                right=float(edges[index + 1]),
                images=count,
                confidence=confidence,
                share_male=share,
            )
        )
    return Calibration(ece=error, bins=rows)
