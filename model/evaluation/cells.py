"""Accuracy of each age, race and label together, with intervals that hold for all of these cells at once.

Gaps by age and by race hide what happens in their combinations, and some of many cells look bad by chance: intervals
are wide enough that with probability 0.95 the accuracy of every cell of a source is inside its interval.
"""

import pandas as pd

from analysis.core.people import person_numbers
from analysis.core.schema import MIN_FACES
from analysis.core.stats import clopper_pearson, sidak
from model.evaluation.fairness import features

COLUMNS = ("source", "age", "race", "label", "images", "people", "accuracy", "low", "high")


def cells(scored: pd.DataFrame) -> pd.DataFrame:
    """Measure every cell of 16 faces or more of each source.

    Parameters
    ----------
    scored
        ``dataset, label, p_male`` and, where known, ``age`` in years, ``race`` and ``identity``.

    Returns
    -------
    pandas.DataFrame
        ``source``; ``age`` (band) and ``race``, missing if the source does not have them; ``label``; ``images``,
        ``people``; ``accuracy`` in [0, 1] with ``low`` and ``high``, which hold for all of the source's cells at once
        with probability 0.95 (Clopper-Pearson over people at Šidák's level). A source with neither age nor
        race has no rows.
    """
    sources = [_of_source(part) for _, part in scored.groupby("dataset", sort=False)]
    filled = [table for table in sources if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(COLUMNS))


def _of_source(scored: pd.DataFrame) -> pd.DataFrame:
    grouped = features(scored).reindex(columns=["age", "race", "label"]).astype("string")
    known = grouped[["age", "race"]].notna().any(axis=1)
    right = (scored["p_male"] >= 0.5) == (scored["label"] == "male")
    table = grouped.assign(right=right, person=person_numbers(scored))[known]
    by_cell = table.groupby(["age", "race", "label"], dropna=False)
    cells = by_cell.agg(images=("right", "size"), people=("person", "nunique"), accuracy=("right", "mean"))
    cells = cells[cells["images"] >= MIN_FACES].reset_index()
    level = sidak(0.95, max(len(cells), 1))
    ends = [
        clopper_pearson(round(row.accuracy * row.people), row.people, level)  # photos of one person count as one
        for row in cells.itertuples()
    ]
    cells["low"], cells["high"] = [low for low, _ in ends], [high for _, high in ends]
    return cells.assign(source=scored["dataset"].iloc[0])[list(COLUMNS)]
