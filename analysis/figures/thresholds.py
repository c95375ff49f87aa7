"""What becomes of test images at any two thresholds, between which the answer is "uncertain"; moved in the browser."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures.guide import Guide
from analysis.figures.html import PageHtml, interactive_html, table_html
from analysis.results.records import Band

_STEPS = 200  # places between 0 and 1 where a threshold can stand, besides those of the band
_GUIDE = Guide(
    read="Move the two thresholds: scores up to the lower one are answered “female”, from the upper one on “male”, and "
    "between them (shaded) “uncertain”. Rows are the annotators’ labels, and male counts as positive: FP is labelled "
    "female and answered male. The histogram’s upright axis is logarithmic.",
    view="metrics?view=decisions",
    code="thresholds.thresholds_html",
    shows="Outcomes of test images at two thresholds.",
)
_FINDING = (
    "On {source}, with “female” up to {low} and “male” from {high}, {decided} of {all} images are decided "
    "({coverage}), {accuracy} of them as annotators labelled them."
)
_OTHERS = {"Always decided": (0.5, 0.5), "Narrow": (0.25, 0.75), "Wide": (0.01, 0.99)}


def thresholds_html(predictions: pd.DataFrame, split: str, sources: list[str], band: Band) -> PageHtml:
    """TN, FP, FN, TP and uncertain answers, coverage and accuracy of the decided; a reader moves the thresholds.

    Parameters
    ----------
    predictions
        ``dataset, split, label, p_male``; one row per image.
    split
        "train", "validation" or "test".
    sources
        Data sets, the first of which is shown at first.
    band
        ``low`` and ``high`` in [0, 1], as the model is served.
    """
    scored = predictions[predictions["split"] == split]
    grid = sorted({*(round(step / _STEPS, 4) for step in range(_STEPS + 1)), band.low, band.high})
    known: dict[str, Any] = {
        "at": grid,
        "served": [band.low, band.high],
        "finding": _FINDING,
        "sources": {source: {label: _counts(scored, source, label, grid) for label in LABELS} for source in sources},
    }
    bands = {"As served": (band.low, band.high), **_OTHERS}
    rows = {name: outcomes(scored, sources[0], *ends) for name, ends in bands.items()}
    served = rows["As served"]
    finding = _FINDING.format(
        source=sources[0],
        low=f"{band.low:.3f}",
        high=f"{band.high:.3f}",
        decided=f"{served['decided']:,}",
        all=f"{served['all']:,}",
        coverage=_share(served["decided"], served["all"]),
        accuracy=_share(served["TN"] + served["TP"], served["decided"]),
    )
    table = pd.DataFrame.from_dict(
        {
            f"{name}, {low:.3f} to {high:.3f}" if low < high else f"{name}, from {high:.3f} on male": {
                **{kind: f"{rows[name][kind]:,}" for kind in ("TN", "FP", "FN", "TP", "uncertain")},
                "coverage": _share(rows[name]["decided"], rows[name]["all"]),
                "accuracy of decided": _share(rows[name]["TN"] + rows[name]["TP"], rows[name]["decided"]),
            }
            for name, (low, high) in bands.items()
        },
        orient="index",
    )
    return interactive_html("thresholds", known, table_html(table.rename_axis("Band")).data, finding, _GUIDE)


def outcomes(predictions: pd.DataFrame, source: str, low: float, high: float) -> dict[str, int]:
    """Number of each outcome at two thresholds; male is the positive answer.

    Parameters
    ----------
    predictions
        ``dataset, label, p_male``.
    source
        Data set.
    low, high
        Scores strictly between are uncertain; where both are the same, none is, and "male" begins there.

    Returns
    -------
    dict
        TN, FP, FN, TP, uncertain, decided, all.
    """
    rows = predictions[predictions["dataset"] == source]
    score = rows["p_male"].to_numpy(dtype=np.float64)
    male = (rows["label"] == "male").to_numpy(dtype=bool)
    up = score >= high
    down = score <= low if low < high else ~up
    found = {
        "TN": int((down & ~male).sum()),
        "FP": int((up & ~male).sum()),
        "FN": int((down & male).sum()),
        "TP": int((up & male).sum()),
    }
    decided = sum(found.values())
    return found | {"uncertain": len(rows) - decided, "decided": decided, "all": len(rows)}


def _counts(predictions: pd.DataFrame, source: str, label: str, grid: list[float]) -> dict[str, Any]:
    """Images of a label whose score is below each threshold, and not above it."""
    rows = predictions[(predictions["dataset"] == source) & (predictions["label"] == label)]
    score = np.sort(rows["p_male"].to_numpy(dtype=np.float64))
    return {
        "below": np.searchsorted(score, grid, side="left").tolist(),
        "upto": np.searchsorted(score, grid, side="right").tolist(),
        "all": len(score),
    }


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "–"
