"""Honest probabilities: temperature, reliability, and the band of scores in which the model abstains.

All choices are made on the validation split.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from analysis.results.records import Band, Calibration, CalibrationBin

RIGHT = 0.99  # share of decided cases that must be right on the validation split of every source
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


def choose_band(
    p_male: np.ndarray, male: np.ndarray, source: np.ndarray | None = None, *, right: float = RIGHT
) -> Band:
    """Narrowest band around one half outside of which the wanted share of cases is right in every source.

    Over all sources together, an easy source could make up for a hard one.

    Parameters
    ----------
    p_male
        float (n,) in [0, 1], of the validation split.
    male
        bool (n,).
    source
        Name of the data set of each image, (n,); default: one data set.
    right
        Share of cases that must be right.

    Returns
    -------
    Band
        Both ends are 0.5 if no case needs to be uncertain, and 0 and 1 if no band is wide enough.
    """
    distance = np.abs(p_male.astype(np.float64) - 0.5)
    order = np.argsort(-distance, kind="stable")
    correct = ((p_male >= 0.5) == male)[order]
    sources = np.zeros(len(order)) if source is None else np.asarray(source)[order]
    # Equal scores belong to the same side: a band can end only where the next score differs.
    allowed = np.append(np.diff(distance[order]) != 0, True)
    for name in np.unique(sources):
        inside = sources == name
        wrong = np.cumsum(inside & ~correct)
        allowed &= wrong <= (1 - right) * np.cumsum(inside) + 1e-9
    ends = np.flatnonzero(allowed)
    if not len(ends):
        return Band(low=0.0, high=1.0)
    if ends[-1] == len(order) - 1:
        return Band(low=0.5, high=0.5)
    edge = float((distance[order][ends[-1]] + distance[order][ends[-1] + 1]) / 2)
    return Band(low=0.5 - edge, high=0.5 + edge)


def at_least(right: int, decided: int) -> float:
    """Lower bound on the share of right answers, with 95 % confidence.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", Biometrika
    26, 1934; one-sided.

    Parameters
    ----------
    right
        Number of right answers.
    decided
        Number of answers, at least 1.

    Returns
    -------
    float
        In [0, 1].
    """
    return float(binomtest(right, decided, alternative="greater").proportion_ci(0.95, method="exact").low)


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
