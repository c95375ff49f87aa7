"""Accuracy where any two groupings of the faces cross, such as age and data set."""

import numpy as np
import pandas as pd

from analysis.core.people import age_band
from analysis.core.schema import AGE_BANDS, CELEBA_ATTRIBUTES, LABELS, RACES
from analysis.core.stats import wilson
from analysis.core.words import percent

FEWEST = 16  # faces of a cell whose accuracy is given
STYLE = ("Heavy_Makeup", "Wearing_Lipstick")
_NAMES = {"label": "Label", "age": "Age", "race": "Race, as annotated", "dataset": "Data set", "style": "Style"}
_ORDER = {"label": list(LABELS), "age": list(AGE_BANDS), "race": list(RACES), "style": ["styled", "not styled"]}


def groupings(rows: pd.DataFrame) -> dict[str, str]:
    """What faces can be grouped by.

    Parameters
    ----------
    rows
        One row per face, with the columns of ``faces.parquet``.

    Returns
    -------
    dict of str to str
        Name -> key for `grouped`: those of which two groups or more occur.
    """
    keys = [key for key in _NAMES if key in rows or (key == "style" and set(STYLE) <= set(rows))]
    keys += [name for name in CELEBA_ATTRIBUTES if name in rows]
    names = {_NAMES.get(key, key.replace("_", " ")): key for key in keys}
    return {name: key for name, key in names.items() if grouped(rows, key).nunique() > 1}


def grouped(rows: pd.DataFrame, key: str) -> pd.Series:
    """Group of each face, as text; missing where it is not known."""
    if key == "age":
        return age_band(rows["age"]).astype("string")
    if key == "style":
        known = rows[list(STYLE)].astype("boolean")
        styled = known.any(axis=1, skipna=True).astype("boolean").mask(known.isna().any(axis=1))
        return styled.map({True: "styled", False: "not styled"}).astype("string")
    if key in CELEBA_ATTRIBUTES:
        return rows[key].astype("boolean").map({True: "yes", False: "no"}).astype("string")
    return rows[key].astype("string")


def crossed_accuracy(rows: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Accuracy of every pair of groups.

    Parameters
    ----------
    rows
        One row per face, with ``label``, ``p_male`` and ``decision``.
    first, second
        Keys of `groupings`; they may be the same.

    Returns
    -------
    pandas.DataFrame
        ``first, second, images, accuracy, low, high, undecided``: one row per pair that occurs, in the order of the
        groups; the share of right answers with its 95 % Wilson interval is missing where a pair has fewer than 16
        faces; ``undecided`` is the share that is answered by "uncertain".
    """
    scored = rows[rows["p_male"].notna()]
    table = pd.DataFrame(
        {
            "first": grouped(scored, first),
            "second": grouped(scored, second),
            "right": (scored["p_male"] >= 0.5) == (scored["label"] == "male"),
            "undecided": (scored["decision"] == "uncertain").astype(float),
        }
    ).dropna()
    records = []
    for (one, other), part in table.groupby(["first", "second"]):
        images, right = len(part), int(part["right"].sum())
        low, high = wilson(right, images) if images >= FEWEST else (np.nan, np.nan)
        records.append(
            {
                "first": one,
                "second": other,
                "images": images,
                "accuracy": right / images if images >= FEWEST else np.nan,
                "low": low,
                "high": high,
                "undecided": float(part["undecided"].mean()),
            }
        )
    columns = ["first", "second", "images", "accuracy", "low", "high", "undecided"]
    found = pd.DataFrame(records, columns=columns)
    ranks = [found[side].map(_rank(key)) for side, key in (("first", first), ("second", second))]
    return found.iloc[np.lexsort((found["second"], found["first"], *ranks[::-1]))].reset_index(drop=True)


def _rank(key: str) -> dict[str, int]:
    return {name: place for place, name in enumerate(_ORDER.get(key, ["yes", "no"]))}


def crossed_reading(cells: pd.DataFrame) -> str:
    """Where the accuracy is lowest and highest, and how many cells are clearly below the rest."""
    known = cells.dropna(subset="accuracy")
    if known.empty:
        return f"No pair of groups has {FEWEST} faces or more."
    right = (known["accuracy"] * known["images"]).round()
    overall = float(right.sum() / known["images"].sum())
    worst, best = known.loc[known["accuracy"].idxmin()], known.loc[known["accuracy"].idxmax()]
    below = int((known["high"] < overall).sum())
    return (
        f"Of the {int(known['images'].sum()):,} faces of which both groups are known {percent(overall)} are answered "
        "rightly, if each is answered by the likelier label, also where the answer is uncertain. Lowest: "
        f"{_named(worst)}, {percent(worst['accuracy'])} (95 % interval {percent(worst['low'])} to "
        f"{percent(worst['high'])}, {int(worst['images']):,} faces); highest: {_named(best)}, "
        f"{percent(best['accuracy'])}. The interval of {below} of {len(known)} cells lies wholly below the overall "
        "share. Intervals count each image by itself and hold for one cell at a time."
    )


def _named(cell: pd.Series) -> str:
    same = cell["first"] == cell["second"]
    return f"{cell['first']}" if same else f"{cell['first']} × {cell['second']}"
