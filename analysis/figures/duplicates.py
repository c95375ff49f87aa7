"""Pictures that a data set holds more than once."""

import holoviews as hv
import pandas as pd
from bokeh.models import BasicTicker

from analysis.figures import theme
from analysis.figures.rows import row_chart, row_heights
from analysis.figures.theme import CATEGORIES


def _counts(duplicates: pd.DataFrame) -> dict[str, int]:
    images = duplicates["images"].astype("int64")

    def where(inside: pd.Series) -> int:
        return int(images[inside.fillna(False).astype(bool)].sum())

    return {
        "the same file": where(duplicates["kind"] == "exact"),
        "the same picture": where(duplicates["kind"] == "near"),
        "… in another split": where(~duplicates["same_split"].astype("boolean")),
        "… as another person": where(~duplicates["same_person"].astype("boolean")),
        "… under the other label": where(~duplicates["same_label"].astype("boolean")),
    }


def repeated_pictures(duplicates: pd.DataFrame) -> hv.Overlay:
    """Bars of the pictures that repeat an earlier one, and of those whose copies disagree.

    Parameters
    ----------
    duplicates
        ``kind, same_split, same_label, same_person, images``; see `analysis.study.tables.duplicate_table`.
    """
    counts = _counts(duplicates)
    rows = row_heights(counts)
    most = max(1, *counts.values())
    bars = [(0, rows[name] - 0.3, count, rows[name] + 0.3, name, f"{count:,}") for name, count in counts.items()]
    numbers = [(count + 0.03 * most, rows[name], f"{count:,}") for name, count in counts.items()]
    layers = [
        hv.Rectangles(bars, vdims=["name", "count"]).opts(
            color=CATEGORIES[2],
            line_color=None,
            tools=["hover"],
            hover_tooltips=[("repeats", "@name"), ("images", "@count")],
        ),
        hv.Labels(numbers).opts(**theme.words(size=12, text_align="left")),
    ]
    return row_chart(
        layers,
        rows,
        "Which pictures come twice?",
        "Images (count)",
        xlim=(0, 1.15 * most),
        xticks=BasicTicker(min_interval=1),
        head=0.6,
        height=270,
    )


def repeated_pictures_reading(duplicates: pd.DataFrame, images: int) -> str:
    """How many of the images repeat an earlier one, and what their copies disagree about."""
    found = list(_counts(duplicates).values())
    repeats = found[0] + found[1]
    if not repeats:
        return f"None of the {images:,} images repeats another."
    person = "" if duplicates["same_person"].isna().all() else f", {found[3]:,} under another person’s number"
    return (
        f"{repeats:,} of {images:,} images {'repeats' if repeats == 1 else 'repeat'} an earlier one, {found[0]:,} of "
        f"them as the same file: {found[2]:,} in another split{person}, {found[4]:,} under the other label."
    )
