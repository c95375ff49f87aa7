"""Scores in the middle: the number of ambiguous faces, and whether their probabilities are honest.

Most scores are close to 0 or 1, so that a calibration error over all of them says little about hard faces.
"""

import numpy as np
import pandas as pd

from analysis.core.people import person_numbers
from analysis.core.schema import SPLITS
from analysis.core.stats import wilson
from model.evaluation.scores import parts

BANDS = ((0.2, 0.8), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8))  # the middle as a whole, then its thirds


def middle_scores(scored: pd.DataFrame, datasets: list[str]) -> pd.DataFrame:
    """Count the faces whose probability of "male" is between 20 and 80 %, and compare it with their labels.

    Parameters
    ----------
    scored
        ``dataset, split, label, p_male`` and, where known, ``identity``, ``age`` and ``source``.
    datasets
        Names in the order in which they are reported.

    Returns
    -------
    pandas.DataFrame
        ``source`` (or subset), ``split``, and ``left`` and ``right`` end of a band, whose right end belongs to it only
        at 0.8; ``images``, ``people`` and ``share`` of the split's images with such scores; their mean ``probability``
        and the share ``male`` labelled male, with its 95 % Wilson interval ``low``, ``high``, in which photos of one
        person count as one. Probability and shares are in [0, 1], and missing without an image.
    """
    sources, subsets = parts(scored, datasets)
    rows = [
        {"source": name, "split": split, "left": left, "right": right}
        | _measured(scored[inside & of_split], left, right)
        for name, inside in (sources | subsets).items()
        for split, of_split in ((split, (scored["split"] == split).to_numpy()) for split in SPLITS)
        for left, right in BANDS
    ]
    return pd.DataFrame(rows)


def _measured(scored: pd.DataFrame, left: float, right: float) -> dict[str, float]:
    last = right == BANDS[0][1]
    inside = scored[scored["p_male"].between(left, right, inclusive="both" if last else "left")]
    people = len(np.unique(person_numbers(inside)))
    male = float((inside["label"] == "male").mean()) if people else np.nan
    low, high = wilson(round(male * people), people) if people else (np.nan, np.nan)
    return {
        "images": len(inside),
        "people": people,
        "share": len(inside) / max(len(scored), 1),
        "probability": float(inside["p_male"].mean()),
        "male": male,
        "low": low,
        "high": high,
    }
