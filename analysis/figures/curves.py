"""ROC and precision-recall curves with 95 % bands, data sets side by side."""

from collections.abc import Sequence

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import extremes, percent, source_name
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.metrics import measured
from analysis.figures.rows import in_percent, with_errors
from analysis.results.records import Interval, MetricsRecord


def _chosen(curves: pd.DataFrame, curve: str, split: str, name: str) -> pd.DataFrame:
    chosen = curves[(curves["curve"] == curve) & (curves["split"] == split) & (curves["source"] == name)]
    if chosen.empty:
        raise UserError(f"this run has no curves of the {split} split of {name!r}: run `meanface evaluate` again")
    return in_percent(chosen, "x", "y", "low", "high")


def _layers(
    curves: pd.DataFrame, curve: str, split: str, names: Sequence[str], axes: tuple[str, str]
) -> list[hv.Element]:
    layers = []
    tips = [
        ("data set", "@source"),
        (axes[0], "@x{0.00} %"),
        (axes[1], "@y{0.00} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
    ]
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        table = with_errors(_chosen(curves, curve, split, name), "y").assign(source=source_name(name))
        layers.append(hv.Spread(table, "x", ["y", "below", "above"]).opts(color=colour))
        layers.append(
            hv.Curve(table, "x", ["y", "low", "high", "source"], label=source_name(name)).opts(
                color=colour, tools=["hover"], hover_tooltips=tips
            )
        )
    return layers


@guided(
    "Each point of a curve is a threshold. The nearer a curve comes to the upper left corner, the better scores "
    "rank the labels; guessing follows the diagonal.",
    view="metrics?view=scores",
)
def roc_curve(curves: pd.DataFrame, split: str, names: Sequence[str]) -> hv.Overlay:
    """True male rate against false male rate over all thresholds, with 95 % bands.

    Parameters
    ----------
    curves
        ``source, split, curve, x, y, low, high``; shares in [0, 1].
    split
        "train", "validation" or "test".
    names
        Sources to show, at most four.

    Raises
    ------
    UserError
        If the run has no curves of one of them.
    """
    guess = hv.Labels([(63, 56, "guessing")]).opts(text_align="left", text_font_size="13px")
    axes = ("labelled female, predicted male", "labelled male, predicted male")
    return hv.Overlay([theme.diagonal(), *_layers(curves, "roc", split, names, axes), guess]).opts(
        **theme.chart(
            "Are the labels separated?",
            height=420,
            max_width=560,
            xlabel="Female predicted male (%)",
            ylabel="Male predicted male (%)",
            xlim=(-2, 102),
            ylim=(-2, 102),
            show_grid=True,
            **theme.names_of([source_name(name) for name in names]),
        )
    )


def roc_curve_reading(metrics: MetricsRecord, split: str, names: Sequence[str]) -> str:
    """Largest and smallest area under the curves, and what it means."""
    areas = {}
    for name in names:
        measures = measured(metrics, split, name)
        areas[source_name(name)] = (
            measures.roc_auc,
            percent(measures.roc_auc, 2),
            _interval(measures.roc_auc_interval),
        )
    ends = extremes(areas, words=("largest", "smallest"))
    return (
        f"The area under the curve on the {split} split is {ends}. It is how often a random image labelled male scores "
        "higher than a random one labelled female; guessing gives 50 %. Bands are 95 % intervals over people."
    )


def _interval(interval: Interval) -> str:
    return f"95 % interval {percent(interval[0], 2)} to {percent(interval[1], 2)}"


@guided(
    "Each point of a curve is a threshold: from left to right more images are found, and fewer of those that are "
    "given the label have it. The nearer to the upper right corner, the better.",
    view="metrics?view=scores",
)
def precision_recall_curve(curves: pd.DataFrame, split: str, names: Sequence[str], label: str) -> hv.Overlay:
    """Precision against recall of a label over all thresholds, with 95 % bands.

    Parameters
    ----------
    curves, split, names
        As in `roc_curve`.
    label
        "female" or "male".

    Raises
    ------
    UserError
        If the run has no curves of one of them.
    """
    axes = (f"labelled {label}, predicted {label}", f"predicted {label}, labelled {label}")
    tables = [_chosen(curves, f"pr_{label}", split, name) for name in names]
    lowest = min(float(table.loc[table["x"] > 50, "low"].min()) for table in tables)
    return hv.Overlay(_layers(curves, f"pr_{label}", split, names, axes)).opts(
        **theme.chart(
            f"How well is {label} found?",
            height=380,
            max_width=560,
            xlabel=f"Recall of {label} (%)",
            ylabel=f"Precision of {label} (%)",
            xlim=(48, 101),
            ylim=(max(-2.0, lowest - 4), 101),
            show_grid=True,
            **theme.names_of([source_name(name) for name in names]),
        )
    )


def precision_recall_curve_reading(metrics: MetricsRecord, split: str, names: Sequence[str], label: str) -> str:
    """Highest and lowest average precision."""
    precisions = {}
    for name in names:
        measures = measured(metrics, split, name)
        value, interval = measures.average_precision[label], measures.average_precision_interval[label]
        precisions[source_name(name)] = (value, percent(value, 2), _interval(interval))
    return (
        f"Average precision for the label {label} on the {split} split is {extremes(precisions)}. The axis "
        "starts at a recall of 50 %."
    )
