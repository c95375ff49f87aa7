"""Number of images by label and split."""

import holoviews as hv
import pandas as pd
from bokeh.models import NumeralTickFormatter

from analysis.core.schema import LABELS, SPLITS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.theme import LABEL_COLOURS


@guided(
    "Two bars for each split, one for each label. Bars of unequal height mean that always saying the more "
    "frequent label is right more often than not.",
    view="data",
)
def label_counts(labels: pd.DataFrame) -> hv.Overlay:
    """Number of images of each label in each split.

    Parameters
    ----------
    labels
        ``label, split, images, identities``; identities may be NA.
    """
    splits = [split for split in SPLITS if split in set(labels["split"])]
    table = labels.assign(
        at=labels["split"].map(splits.index) + labels["label"].map({"female": -0.2, "male": 0.2}),
        people=["unknown" if pd.isna(people) else f"{people:,}" for people in labels["identities"]],
        count=labels["images"].map("{:,}".format),
    ).sort_values("at")
    tips = [("label", "@label"), ("split", "@split"), ("images", "@images{0,0}"), ("people", "@people")]
    bars = [
        hv.Bars(table[table["label"] == label], "at", ["images", "label", "split", "people"], label=label).opts(
            color=LABEL_COLOURS[label], bar_width=0.36, tools=["hover"], hover_tooltips=tips
        )
        for label in LABELS
    ]
    numbers = hv.Labels(table, ["at", "images"], "count").opts(yoffset=0.05 * table["images"].max())
    return hv.Overlay([*bars, numbers]).opts(
        **theme.chart(
            "How many images per label?",
            height=300,
            xlabel="Split",
            ylabel="Images",
            xticks=list(enumerate(splits)),
            xlim=(-0.5, len(splits) - 0.5),
            ylim=(0, labels["images"].max() * 1.18),
            yformatter=NumeralTickFormatter(format="0,0"),
            **theme.legend(),
        )
    )


def label_counts_reading(labels: pd.DataFrame) -> str:
    """Number and share of images of each label."""
    totals = labels.groupby("label")["images"].sum().reindex(LABELS, fill_value=0)
    return (
        f"{totals['female']:,} images ({percent(totals['female'] / totals.sum())}) are labelled female and "
        f"{totals['male']:,} ({percent(totals['male'] / totals.sum())}) male, {totals.sum():,} in all."
    )
