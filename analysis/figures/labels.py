"""How many images of each label the splits hold."""

import holoviews as hv
import pandas as pd
from bokeh.models import NumeralTickFormatter

from analysis.core.schema import LABELS, SPLITS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.theme import LABEL_COLOURS


def label_counts(labels: pd.DataFrame) -> hv.Overlay:
    """Bars of the images of each label in each split.

    Parameters
    ----------
    labels
        ``label, split, images, identities``; identities may be NA.
    """
    splits = [split for split in SPLITS if split in set(labels["split"])]
    room = 0.05 * labels["images"].max()  # between a bar and its number
    bars, numbers = [], []
    for label, shift in (("female", -0.2), ("male", 0.2)):
        rows = []
        for found in labels[labels["label"] == label].to_dict("records"):
            at, images = splits.index(found["split"]) + shift, found["images"]
            people = "not known" if pd.isna(found["identities"]) else f"{found['identities']:,}"
            rows.append((at - 0.18, 0, at + 0.18, images, label, found["split"], f"{images:,}", people))
            numbers.append((at, images + room, f"{images:,}"))
        bars.append(
            hv.Rectangles(rows, vdims=["label", "split", "count", "people"], label=label).opts(
                color=LABEL_COLOURS[label],
                line_color=None,
                tools=["hover"],
                hover_tooltips=[("label", "@label"), ("split", "@split"), ("images", "@count"), ("people", "@people")],
            )
        )
    above = hv.Labels(numbers).opts(**theme.words(size=12, text_align="center"))
    return hv.Overlay([*bars, above]).opts(
        **theme.chart(
            "How many of each label?",
            height=300,
            xlabel="Split",
            ylabel="Images",
            xticks=list(enumerate(splits)),
            xlim=(-0.5, len(splits) - 0.5),
            ylim=(0, labels["images"].max() * 1.14),
            yformatter=NumeralTickFormatter(format="0,0"),
            show_grid=False,
            **theme.legend(),
        )
    )


def label_counts_reading(labels: pd.DataFrame) -> str:
    """How the labels are balanced."""
    totals = labels.groupby("label")["images"].sum().reindex(LABELS, fill_value=0)
    return (
        f"{totals['female']:,} images ({percent(totals['female'] / totals.sum())}) are labelled female and "
        f"{totals['male']:,} ({percent(totals['male'] / totals.sum())}) male, {totals.sum():,} in all."
    )
