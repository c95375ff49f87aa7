"""Abstention with a promise: the band of scores without an answer, and whether the answers outside of it keep it.

The promise is that in each data set at least 99 % of the faces that are decided are right, with 95 % confidence. It is
tested on the validation split by fixed-sequence testing, the way of Angelopoulos, Bates, Candès, Jordan and Lei, "Learn
then Test: Calibrating Predictive Algorithms to Achieve Risk Control", 2021 (Annals of Applied Statistics 19, 2025). The
test split only says whether it was kept.

MAPIE's ``BinaryClassificationController`` does the same test, but counts errors as ceil(images x share), which rounding
makes one too many, often enough to stop the sequence; `docs/experiments.md` has the figures.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import binom

from analysis.core.stats import clopper_pearson
from analysis.results.records import Band, Promise
from model.evaluation.fairness import SMALLEST, features
from model.evaluation.scores import AGES

RIGHT = 0.99  # share of decided faces that must be right in every source
CONFIDENCE = 0.95
LEAST_DECIDED = 0.75  # share of faces that are decided by the widest band that is tried
STEP = 0.01  # by which the decided share grows from one band to the next

GROUPED_BY = ("label", "style", "part", "age", "race")
COLUMNS = ("source", "split", "feature", "group", "images", "decided", "right", "accuracy", "low", "high")


def choose_band(
    p_male: np.ndarray,
    male: np.ndarray,
    source: np.ndarray | None = None,
    *,
    right: float = RIGHT,
    confidence: float = CONFIDENCE,
) -> tuple[Band, dict[str, Promise]]:
    """Narrowest band around one half for which the promise can be made.

    The bands that are tried are fixed by the scores alone: the widest decides three quarters of the faces, every source
    counted alike, and each next one decides one face in a hundred more. Along this sequence every source is tested with
    the exact binomial test until it fails; all bands before that are proven for it with the given confidence (photos
    count as independent). The band is the narrowest that is proven for each source for which any is.

    A source for which none is proven, because it has few faces or doubtful labels, does not widen the band beyond three
    quarters: if it can, the band makes the wanted share of its validation faces right; if not, it is left out. The
    result tells which.

    Parameters
    ----------
    p_male
        float (n,) in [0, 1], of the validation split.
    male
        bool (n,).
    source
        Name of the data set of each image, (n,); default: one data set, named "".
    right
        Share of decided faces that must be right.
    confidence
        Confidence with which each source is proven.

    Returns
    -------
    band : Band
        Both ends are 0.5 if every face can be decided. If nothing can be promised for any source, it is the narrowest
        outside of which the wanted share of all faces is right, and 0 and 1 if there is none.
    promises : dict
        Source -> what the band is worth there.
    """
    names = np.full(len(p_male), "") if source is None else np.asarray(source).astype(str)
    distance = np.abs(p_male.astype(np.float64) - 0.5)
    order = np.argsort(-distance, kind="stable")
    is_wrong = ((p_male >= 0.5) != male)[order]
    # Equal scores belong to the same side: a band can end only where the next score differs.
    ends = np.flatnonzero(np.append(np.diff(distance[order]) != 0, True))
    inside = {str(name): names[order] == name for name in dict.fromkeys(names)}
    decided = {name: np.cumsum(rows)[ends] for name, rows in inside.items()}
    wrong = {name: np.cumsum(rows & is_wrong)[ends] for name, rows in inside.items()}
    bands = _sequence(np.mean([counts / counts[-1] for counts in decided.values()], axis=0))
    fails = {name: binom.cdf(wrong[name], decided[name], 1 - right)[bands] > 1 - confidence for name in inside}
    proven = {name: int(np.argmax(failed)) if failed.any() else len(bands) for name, failed in fails.items()}
    narrowest = min((count for count in proven.values() if count), default=len(bands)) - 1
    enough = {name: wrong[name][bands] <= (1 - right) * decided[name][bands] + 1e-9 for name in inside}
    for name in (name for name, count in proven.items() if not count):
        if enough[name][: narrowest + 1].any():
            narrowest = int(np.flatnonzero(enough[name][: narrowest + 1])[-1])
    made: dict[str, Literal["confident", "sample", "none"]] = {
        name: "confident" if proven[name] else "sample" if enough[name][narrowest] else "none" for name in inside
    }
    chosen: int | None = int(bands[narrowest])
    if set(made.values()) == {"none"}:
        together = np.flatnonzero(sum(wrong.values()) <= (1 - right) * sum(decided.values()) + 1e-9)
        chosen = int(together[-1]) if len(together) else None
    promises = {
        name: _promise(
            made[name],
            images=int(decided[name][-1]),
            decided=0 if chosen is None else int(decided[name][chosen]),
            wrong=0 if chosen is None else int(wrong[name][chosen]),
        )
        for name in inside
    }
    return _band(distance[order], None if chosen is None else int(ends[chosen])), promises


def _sequence(coverage: np.ndarray) -> np.ndarray:
    """Places of the bands that are tried, from wide to narrow, among all places where a band can end."""
    wanted = np.arange(LEAST_DECIDED, 1 + STEP / 2, STEP)
    return np.unique(np.searchsorted(coverage, np.minimum(wanted, 1) - 1e-9))


def _band(distance: np.ndarray, last: int | None) -> Band:
    """Band that leaves out what comes after a place in the distances from one half, which fall."""
    if last is None:
        return Band(low=0.0, high=1.0)
    if last == len(distance) - 1:
        return Band(low=0.5, high=0.5)
    edge = float((distance[last] + distance[last + 1]) / 2)
    return Band(low=0.5 - edge, high=0.5 + edge)


def _promise(made: Literal["confident", "sample", "none"], *, images: int, decided: int, wrong: int) -> Promise:
    low = bounds(decided - wrong, decided)[0] if decided else None
    return Promise(made=made, images=images, decided=decided, right=decided - wrong, at_least=low)


def bounds(right: int, decided: int) -> tuple[float, float]:
    """Lower and upper bound on the share of right answers, each with 95 % confidence, photos taken as independent.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", Biometrika
    26, 1934; both one-sided.

    Parameters
    ----------
    right
        Number of right answers.
    decided
        Number of answers, at least 1.

    Returns
    -------
    tuple of float
        In [0, 1].
    """
    return clopper_pearson(right, decided, 2 * CONFIDENCE - 1)


def promise_table(scored: pd.DataFrame) -> pd.DataFrame:
    """Count right answers among those that are given, for each source and each of its groups.

    Parameters
    ----------
    scored
        ``dataset, split, label, p_male, decision`` and the columns that `model.evaluation.fairness.features` needs.

    Returns
    -------
    pandas.DataFrame
        ``source``; ``split``, "validation" or "test"; ``feature``, one of "all", "ages" (those that the band is chosen
        for), "answer" (what the model says), "label", "style", "part", "age" and "race"; its value ``group``;
        ``images``; ``decided`` of them, ``right`` of these and their share ``accuracy`` in [0, 1], missing where none
        is decided, with ``low`` and ``high``, each of which holds with 95 % confidence (Clopper-Pearson, photos count
        as independent). Groups of fewer than 20 images are left out.
    """
    rows = [
        {"source": name, "split": split, "feature": feature, "group": group} | counted
        for split in ("validation", "test")
        for name, part in scored[scored["split"] == split].groupby("dataset", sort=False)
        for feature, group, counted in _groups(part)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _groups(scored: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, float]]]:
    yield "all", "all", _counted(scored)
    by = features(scored).reindex(columns=list(GROUPED_BY))
    ages = scored["age"].astype("Float64") if "age" in scored else pd.Series(pd.NA, scored.index, "Float64")
    within = ages.between(*AGES).fillna(False).astype(bool)
    by.insert(0, "answer", scored["p_male"].ge(0.5).map({True: "male", False: "female"}))
    by.insert(0, "ages", pd.Series(pd.NA, scored.index, "string").mask(within, f"{AGES[0]}-{AGES[1]}"))
    for feature in by:
        for group, part in scored.groupby(by[feature], sort=True):
            if len(part) >= SMALLEST:
                yield str(feature), str(group), _counted(part)


def _counted(scored: pd.DataFrame) -> dict[str, float]:
    decided = scored[scored["decision"] != "uncertain"]
    right = int((decided["decision"] == decided["label"]).sum())
    low, high = bounds(right, len(decided)) if len(decided) else (np.nan, np.nan)
    return {
        "images": len(scored),
        "decided": len(decided),
        "right": right,
        "accuracy": right / len(decided) if len(decided) else np.nan,
        "low": low,
        "high": high,
    }
