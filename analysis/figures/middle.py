"""Scores between 20 and 80 %: how many faces have one, and whether their probabilities are honest."""

from collections.abc import Sequence

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent, signed, source_name
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, intervals, points, row_chart
from analysis.figures.tables import interval_text

RANGE = (0.2, 0.8)  # of scores that are neither near 0 nor near 1


def _whole(middle: pd.DataFrame, split: str) -> pd.DataFrame:
    """The whole range of each source that has faces in it."""
    chosen = middle[(middle["split"] == split) & (middle["left"] == RANGE[0]) & (middle["right"] == RANGE[1])]
    if not (chosen["images"] > 0).any():
        raise UserError(f"no image of the {split} split scores between 20 and 80 %")
    return chosen[chosen["images"] > 0]


@guided(
    "For each data set, compare the share that annotators labelled male with the mean probability that the model "
    "gave. Where the interval misses the mean probability, the model is not calibrated there.",
    view="metrics?view=scores",
)
def middle_chart(middle: pd.DataFrame, split: str) -> hv.Overlay:
    """Share labelled male among the faces that score between 20 and 80 %, and the mean probability given to them.

    Parameters
    ----------
    middle
        ``source, split, left, right, images, share`` and, in [0, 1], ``probability``, ``male`` with ``low``, ``high``.
    split
        "train", "validation" or "test".

    Raises
    ------
    UserError
        If no image of the split scores there.
    """
    table = in_percent(_whole(middle, split), "probability", "male", "low", "high", "share")
    table = table.assign(row=[f"{source_name(row.source)} ({row.images:,})" for row in table.itertuples()])
    tips = [
        ("data set", "@source"),
        ("labelled male", "@male{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("mean predicted", "@probability{0.0} %"),
        ("images", "@images{0,0}, @share{0.0} % of all"),
    ]
    hollow = {"fill_color": "#00000000", "line_color": theme.CATEGORIES[1], "line_width": 2, "size": 11}
    layers = [
        intervals(table, "male", "row", tips, color=theme.CATEGORIES[0], label="labelled male", size=9),
        points(table, "probability", "row", tips, label="mean predicted", **hollow),
    ]
    return row_chart(
        layers,
        table["row"],
        "Honest between 20 and 80 %?",
        "Labelled male (%)",
        height=140 + 30 * len(table),
        max_width=680,
        xlim=(-3, 103),
        **theme.legend(),
    )


def middle_reading(middle: pd.DataFrame, split: str) -> str:
    """How many faces score there, and where probabilities lean to a label.

    Parameters
    ----------
    middle, split
        As in `middle_chart`.

    Raises
    ------
    UserError
        If no image of the split scores there.
    """
    table = _whole(middle, split)
    sets = table[~table["source"].str.contains(", ")]
    counted = ", ".join(f"{row.images:,} of {row.source} ({percent(row.share)})" for row in sets.itertuples())
    lean = table["probability"] - table["male"]
    outside = table.assign(lean=lean)[(table["probability"] < table["low"]) | (table["probability"] > table["high"])]
    parts = [
        f"on {source_name(row.source)} they lean to “{'male' if row.lean > 0 else 'female'}” by "
        f"{100 * abs(row.lean):.0f} points ({percent(row.probability, 0)} predicted, {percent(row.male, 0)} labelled, "
        f"95 % interval {percent(row.low, 0)} to {percent(row.high, 0)})"
        for row in outside.itertuples()
    ]
    leaning = "; ".join(parts) or "in no data set or part of one is the mean prediction outside of the interval"
    return (
        f"Between 20 and 80 % score {counted} of the {split} images (numbers in brackets). Honest probabilities have "
        f"both marks in one place; {leaning}."
    )


def middle_table(middle: pd.DataFrame, split: str, names: Sequence[str]) -> pd.DataFrame:
    """The range between 20 and 80 % and its thirds, formatted for display.

    Parameters
    ----------
    middle, split
        As in `middle_chart`.
    names
        Sources to show.

    Returns
    -------
    pandas.DataFrame
        Index: source and range; columns: images, their share of all, mean prediction, share labelled male with its
        95 % interval, and the difference of the two in percentage points.
    """
    chosen = middle[(middle["split"] == split) & middle["source"].isin(names)]
    rows = {
        f"{source_name(row.source)}, {100 * row.left:.0f}–\u2060{100 * row.right:.0f}\u00a0%": [
            f"{row.images:,}",
            f"{100 * row.share:.1f}",
            interval_text(row.probability, float("nan"), float("nan")),
            interval_text(row.male, row.low, row.high),
            "–" if pd.isna(row.male) else signed(100 * (row.probability - row.male), 1),
        ]
        for row in chosen.itertuples()
    }
    columns = ["Images", "Of all, %", "Mean predicted, %", "Labelled male, %", "Predicted − labelled"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
