"""Ranking: ROC and precision-recall curves with bands over people."""

import numpy as np
import pandas as pd
from sklearn import metrics

from analysis.core.people import interval, person_numbers, resamples
from analysis.results.records import Interval, Ranking

RESAMPLES = 1000
# Good models differ at the left end of the ROC curve and at the right end of precision-recall: points are dense there.
_RATES = np.concatenate([[0.0], np.geomspace(5e-4, 1, 80)])


def ranking(scored: pd.DataFrame, *, rng: np.random.Generator) -> tuple[Ranking, pd.DataFrame]:
    """Measure how well scores separate the labels at every threshold.

    Bands are pointwise 95 % percentile intervals of the curve's height at fixed places ("vertical averaging",
    Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006), people resampled.

    Parameters
    ----------
    scored
        ``label`` (both occur), ``p_male`` and, where known, ``identity``; one row per image.
    rng
        Random generator of the resamples.

    Returns
    -------
    ranks : Ranking
    curves : pandas.DataFrame
        ``curve, x, y, low, high`` in [0, 1]. "roc": share of female classified as male, share of male
        classified as male. "pr_female", "pr_male": recall and precision of the label.
    """
    p_male = scored["p_male"].to_numpy(np.float64)
    male = (scored["label"] == "male").to_numpy()
    once = np.ones((1, len(scored)), np.float32)
    drawn = list(resamples(person_numbers(scored), RESAMPLES, rng))
    average_precision: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    tables = []
    sides: tuple[tuple[str, np.ndarray, np.ndarray], ...] = (("female", 1 - p_male, ~male), ("male", p_male, male))
    for label, score, positive in sides:
        walk = _Walk(score, positive)
        area, precision, heights = (np.concatenate(parts) for parts in zip(*map(walk.measure, drawn), strict=True))
        average_precision[label] = float(metrics.average_precision_score(positive, score))
        intervals[label] = tuple(interval(precision).tolist())
        curves = {f"pr_{label}": (1 - _RATES[::-1], 1)}
        if label == "male":
            curves["roc"] = (_RATES, 0)
        for name, (x, kind) in curves.items():
            low, high = interval(heights[:, kind])
            y = walk.measure(once)[2][0, kind]
            tables.append(pd.DataFrame({"curve": name, "x": x, "y": y, "low": low, "high": high}))
    ranks = Ranking(
        average_precision=average_precision,
        average_precision_interval=intervals,
        roc_auc=float(metrics.roc_auc_score(male, p_male)),
        roc_auc_interval=tuple(interval(area).tolist()),  # of the last side: in ROC, male is positive
    )
    return ranks, pd.concat(tables, ignore_index=True)


class _Walk:
    """Counts at all thresholds, from the highest score down, for many weightings of the images at once."""

    def __init__(self, score: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._positive = positive[self._order]
        # Equal scores share a threshold: there is one only where the next score differs.
        self._ends = np.flatnonzero(np.append(np.diff(score[self._order]) != 0, True))

    def measure(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Area under ROC (b,), average precision (b,), heights (b, 2, point) of ROC and precision-recall."""
        weights = weights[:, self._order].astype(np.float64)
        positives = np.cumsum(weights * self._positive, axis=1)[:, self._ends]
        mistaken = np.cumsum(weights * ~self._positive, axis=1)[:, self._ends]
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample may lack a label: NaN, omitted later
            true_rate, false_rate = positives / positives[:, -1:], mistaken / mistaken[:, -1:]
            precision = positives / np.maximum(positives + mistaken, 1e-12)
        start = np.zeros((len(weights), 1))
        area = np.trapezoid(np.hstack([start, true_rate]), np.hstack([start, false_rate]), axis=1)
        average = np.sum(np.diff(np.hstack([start, true_rate]), axis=1) * precision, axis=1)
        heights = np.empty((len(weights), 2, len(_RATES)))
        for row, (found_share, mistaken_share, exact) in enumerate(zip(true_rate, false_rate, precision, strict=True)):
            passed = np.searchsorted(mistaken_share, _RATES, "right")
            heights[row, 0] = np.append(0.0, found_share)[passed]
            # Rounding may leave the last share slightly below 1.
            needed = np.searchsorted(found_share, 1 - _RATES[::-1] - 1e-12, "left")
            heights[row, 1] = exact[np.minimum(needed, len(exact) - 1)]
        return area, average, heights
