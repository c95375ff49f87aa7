"""Whether the photos of the two labels differ in ways that have nothing to do with faces."""

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.theme import LABEL_COLOURS

_TITLES = {
    "brightness": "Are photos equally bright?",
    "contrast": "Is the contrast the same?",
    "sharpness": "Are photos equally sharp?",
    "width": "Are photos equally large?",
}


def _of(quality: pd.DataFrame, measure: str) -> pd.DataFrame:
    found = quality[quality["measure"] == measure]
    if found.empty:
        raise UserError(f"the run knows no {measure!r}: choose one of {', '.join(quality['measure'].unique())}")
    total = found.groupby("label")["images"].transform("sum")
    return found.assign(share=100 * found["images"] / total, middle=(found["bin_left"] + found["bin_right"]) / 2)


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
        If the run does not know the measure.
    """
    found = _of(quality, measure)
    layers = []
    for label in LABELS:
        part = found[found["label"] == label]
        rows = [
            (
                r.bin_left,
                0,
                r.bin_right,
                r.share,
                label,
                f"{r.bin_left:.3g} to {r.bin_right:.3g}",
                f"{r.share:.2f} %",
                r.images,
            )
            for r in part.itertuples()
        ]
        layers.append(
            hv.Rectangles(rows, vdims=["label", "range", "exact", "images"], label=label).opts(
                color=LABEL_COLOURS[label],
                alpha=0.55,
                line_color=None,
                tools=["hover"],
                hover_tooltips=[
                    ("label", "@label"),
                    (measure, "@range"),
                    ("share of the label", "@exact"),
                    ("images", "@images"),
                ],
            )
        )
        # The outline keeps the two readable where they overlap.
        x = np.repeat([*part["bin_left"], *part["bin_right"].iloc[-1:]], 2)
        y = [0, *np.repeat(part["share"], 2), 0]
        layers.append(hv.Curve((x, y)).opts(color=LABEL_COLOURS[label], line_width=2))
    unit = found["unit"].iloc[0]
    gap = "\n" if len(unit) > 24 else " "  # a phone has room for about 36 characters
    left, right = found["bin_left"].min(), found["bin_right"].max()
    room = 4 * (right - left) if found["bin_left"].nunique() == 1 else 0.02 * (right - left)
    return hv.Overlay(layers).opts(
        **theme.chart(
            _TITLES.get(measure, f"Is {measure} the same?"),
            height=300,
            xlabel=f"{measure.capitalize()}{gap}({unit})",
            ylabel="Share of the label (%)",
            xlim=(left - room, right + room),
            ylim=(0, found["share"].max() * 1.08),
            show_grid=False,
            **theme.legend(),
        )
    )


def quality_histogram_reading(quality: pd.DataFrame, measure: str) -> str:
    """Means of the two labels and how far the histograms overlap.

    Raises
    ------
    UserError
        If the run does not know the measure.
    """
    found = _of(quality, measure)
    means = {label: float(np.average(part["middle"], weights=part["images"])) for label, part in found.groupby("label")}
    overlap = float(found.pivot(index="bin_left", columns="label", values="share").min(axis=1).sum() / 100)
    if found["bin_left"].nunique() == 1:
        return f"All images share one {measure}: {found['middle'].iloc[0]:g} {found['unit'].iloc[0]}."
    return (
        f"Mean {measure} is {means['female']:.3g} for images labelled female and {means['male']:.3g} for male "
        f"({found['unit'].iloc[0]}); the two histograms overlap by {percent(overlap, 0)}."
    )
