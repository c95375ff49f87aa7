"""Technical quality of the photos of each label."""

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.theme import LABEL_COLOURS

_TITLES = {
    "brightness": "Are photos equally bright?",
    "contrast": "Is the contrast the same?",
    "sharpness": "Are photos equally sharp?",
    "width": "Are photos equally large?",
}


def _of(quality: pd.DataFrame, measure: str) -> pd.DataFrame:
    chosen = quality[quality["measure"] == measure]
    if chosen.empty:
        raise UserError(f"the run has no {measure!r}: choose one of {', '.join(quality['measure'].unique())}")
    total = chosen.groupby("label")["images"].transform("sum")
    return chosen.assign(share=100 * chosen["images"] / total, middle=(chosen["bin_left"] + chosen["bin_right"]) / 2)


@guided(
    "Each step is a range of the measure, its height the share of the label’s images within it. Where the "
    "outlines lie on each other, the labels do not differ.",
    view="data",
)
def quality_histogram(quality: pd.DataFrame, measure: str) -> hv.Overlay:
    """Histogram of a measure of quality for each label, as shares of the label.

    Parameters
    ----------
    quality
        ``label, measure, unit, bin_left, bin_right, images``.
    measure
        "brightness", "contrast", "sharpness" or "width".

    Raises
    ------
    UserError
        If the run does not have the measure.
    """
    histogram = _of(quality, measure)
    tips = [
        ("label", "@label"),
        (measure, "@left{0.[000]} to @right{0.[000]}"),
        ("share of the label", "@share{0.00} %"),
        ("images", "@images{0,0}"),
    ]
    layers = []
    for label in LABELS:
        part = histogram[histogram["label"] == label].sort_values("bin_left")
        edges = [*part["bin_left"], part["bin_right"].iloc[-1]]
        bins = (edges, part["share"], part["images"], part["label"])
        layers.append(
            hv.Histogram(bins, vdims=["share", "images", "label"], label=label).opts(
                color=LABEL_COLOURS[label], alpha=0.55, tools=["hover"], hover_tooltips=tips
            )
        )
        # The outline keeps the two readable where they overlap.
        outline = (np.repeat(edges, 2), [0, *np.repeat(part["share"], 2), 0])
        layers.append(hv.Curve(outline).opts(color=LABEL_COLOURS[label], line_width=2))
    unit = histogram["unit"].iloc[0]
    gap = "\n" if len(unit) > 24 else " "  # about 36 characters fit on a phone
    left, right = histogram["bin_left"].min(), histogram["bin_right"].max()
    room = 4 * (right - left) if histogram["bin_left"].nunique() == 1 else 0.02 * (right - left)
    return hv.Overlay(layers).opts(
        **theme.chart(
            _TITLES.get(measure, f"Is {measure} the same?"),
            height=300,
            xlabel=f"{measure.capitalize()}{gap}({unit})",
            ylabel="Share of the label (%)",
            xlim=(left - room, right + room),
            ylim=(0, histogram["share"].max() * 1.08),
            **theme.legend(),
        )
    )


def quality_histogram_reading(quality: pd.DataFrame, measure: str) -> str:
    """Means of the two labels and how far the histograms overlap.

    Raises
    ------
    UserError
        If the run does not have the measure.
    """
    histogram = _of(quality, measure)
    means = {
        label: float(np.average(part["middle"], weights=part["images"])) for label, part in histogram.groupby("label")
    }
    overlap = float(histogram.pivot(index="bin_left", columns="label", values="share").min(axis=1).sum() / 100)
    if histogram["bin_left"].nunique() == 1:
        return f"All images have the same {measure}: {histogram['middle'].iloc[0]:g} {histogram['unit'].iloc[0]}."
    return (
        f"Mean {measure} is {means['female']:.3g} for images labelled female and {means['male']:.3g} for male "
        f"({histogram['unit'].iloc[0]}); the two histograms overlap by {percent(overlap, 0)}."
    )
