"""Ranking: ROC and precision-recall curves with their bands, data sets side by side."""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.metrics import measured


def _chosen(curves: pd.DataFrame, curve: str, split: str, name: str) -> pd.DataFrame:
    found = curves[(curves["curve"] == curve) & (curves["split"] == split) & (curves["source"] == name)]
    if found.empty:
        raise UserError(f"this run holds no curves of the {split} split of {name!r}: run `meanface evaluate` again")
    shares = ["x", "y", "low", "high"]
    return found.assign(**{share: 100 * found[share] for share in shares})


def _layers(
    curves: pd.DataFrame, curve: str, split: str, names: Sequence[str], told: tuple[str, str]
) -> list[hv.Element]:
    layers = []
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        found = _chosen(curves, curve, split, name)
        layers.append(hv.Area(found, "x", ["low", "high"]).opts(color=colour, alpha=0.18, line_color=None))
        layers.append(
            hv.Curve(found, "x", ["y", "low", "high", "source"], label=name).opts(
                color=colour,
                line_width=2.5,
                tools=["hover"],
                hover_tooltips=[
                    ("data set", "@source"),
                    (told[0], "@x{0.00} %"),
                    (told[1], "@y{0.00} %"),
                    ("95 % interval", "@low{0.0} to @high{0.0} %"),
                ],
            )
        )
    return layers


def roc_curve(curves: pd.DataFrame, split: str, names: Sequence[str]) -> hv.Overlay:
    """Share of male found against share of female mistaken, over all thresholds, with 95 % bands.

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
        If the run holds no curves of one of them.
    """
    chance = hv.Curve([(0, 0), (100, 100)]).opts(color=theme.QUIET, line_dash="dashed", line_width=1.5)
    guess = hv.Labels([(63, 56, "guessing")]).opts(**theme.words(text_align="left"))
    told = ("labelled female, taken for male", "labelled male, found")
    return hv.Overlay([chance, *_layers(curves, "roc", split, names, told), guess]).opts(
        **theme.chart(
            "Are the labels told apart?",
            height=420,
            max_width=560,
            xlabel="Labelled female, taken for male (%)",
            ylabel="Labelled male, found (%)",
            xlim=(-2, 102),
            ylim=(-2, 102),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def roc_curve_reading(metrics: dict[str, Any], split: str, names: Sequence[str]) -> str:
    """The areas under the curves, in words."""
    told = []
    for name in names:
        found = measured(metrics, split, name)
        low, high = found["roc_auc_interval"]
        told.append(f"{percent(found['roc_auc'], 2)} on {name} (95 % interval {percent(low, 2)} to {percent(high, 2)})")
    return (
        f"Of one random {split} image labelled male and one labelled female, the model gives the former the higher "
        f"score in {', '.join(told)} of cases: the area under the curve, where guessing gives 50 %. Bands are 95 % "
        "intervals over people."
    )


def precision_recall_curve(curves: pd.DataFrame, split: str, names: Sequence[str], label: str) -> hv.Overlay:
    """Share of those called so that are, against share of the label found, over all thresholds, with 95 % bands.

    Parameters
    ----------
    curves, split, names
        As in `roc_curve`.
    label
        "female" or "male": the label to be found.

    Raises
    ------
    UserError
        If the run holds no curves of one of them.
    """
    told = (f"labelled {label}, found", f"called {label}, labelled so")
    shown = [_chosen(curves, f"pr_{label}", split, name) for name in names]
    lowest = min(float(found.loc[found["x"] > 50, "low"].min()) for found in shown)
    return hv.Overlay(_layers(curves, f"pr_{label}", split, names, told)).opts(
        **theme.chart(
            f"Who is called {label}?",
            height=380,
            max_width=560,
            xlabel=f"Labelled {label}, found (%)",
            ylabel=f"Called {label}, labelled so (%)",
            xlim=(48, 101),
            ylim=(max(-2.0, lowest - 4), 101),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def precision_recall_curve_reading(metrics: dict[str, Any], split: str, names: Sequence[str], label: str) -> str:
    """The average precision of each source, in words."""
    told = []
    for name in names:
        found = measured(metrics, split, name)
        low, high = found["average_precision_interval"][label]
        value = found["average_precision"][label]
        told.append(f"{percent(value, 2)} on {name} (95 % interval {percent(low, 2)} to {percent(high, 2)})")
    return (
        f"Walking down from the surest “{label}” of the {split} split, {', '.join(told)} of those called {label} are "
        "labelled so, averaged over the share found (average precision). The axis starts at half of them found."
    )
