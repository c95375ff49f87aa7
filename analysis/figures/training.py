"""How accuracy and loss went while the model was trained."""

from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.words import percent
from analysis.figures import theme

_SPLITS = {"train": ("", theme.QUIET, "dashed"), "validation": ("val_", theme.LABEL_COLOURS["male"], "solid")}


def _panel(
    history: pd.DataFrame, measure: str, scale: float, *, title: str, xlabel: str = "", **options: Any
) -> hv.Overlay:
    kept = float(history.loc[history["kept"], "epoch"].iloc[0])
    layers: list[hv.Element] = [hv.VLine(kept).opts(color=theme.CATEGORIES[1], line_dash="dotted", line_width=2)]
    for split, (prefix, colour, dash) in _SPLITS.items():
        values = scale * history[prefix + measure]
        exact = [f"{v:.2f} %" if scale == 100 else f"{v:.4f}" for v in values]
        found = pd.DataFrame({"epoch": history["epoch"], "value": values, "exact": exact, "split": split})
        layers.append(hv.Curve(found, "epoch", "value", label=split).opts(color=colour, line_width=2.5, line_dash=dash))
        layers.append(
            hv.Points(found, ["epoch", "value"], ["exact", "split"]).opts(
                color=colour,
                size=6,
                tools=["hover"],
                hover_tooltips=[("epoch", "@epoch"), (measure, "@exact"), ("split", "@split")],
            )
        )
    ticks = sorted({1, *range(5, int(history["epoch"].max()) + 1, 5), int(history["epoch"].max())})
    return hv.Overlay(layers).opts(
        **theme.chart(
            title,
            xlabel=xlabel,
            xticks=[t for t in ticks if t == ticks[-1] or ticks[-1] - t > ticks[-1] / 10],
            xlim=(0.5, history["epoch"].max() + 0.5),
            show_grid=True,
            **options,
        )
    )


def training_history(history: pd.DataFrame) -> hv.Layout:
    """Accuracy above, loss below, of the train and validation splits after each epoch; a line where weights are kept.

    Parameters
    ----------
    history
        ``epoch, loss, accuracy, val_loss, val_accuracy, kept``; epochs count from 1, accuracies are in [0, 1],
        ``kept`` is true for one epoch.
    """
    accuracy = _panel(
        history,
        "accuracy",
        100,
        title="Did training settle?",
        ylabel="Accuracy (%)",
        height=260,
        **theme.legend(),
    )
    loss = _panel(
        history,
        "loss",
        1,
        xlabel="Epoch (passes over the train split)",
        title="",
        ylabel="Loss (nats an image)",
        height=240,
        show_legend=False,
    )
    return (
        hv.Layout([accuracy, loss])
        .cols(1)
        .opts(sizing_mode="stretch_width", toolbar=None, shared_axes=False, merge_tools=False)
    )


def training_history_reading(history: pd.DataFrame) -> str:
    """Epoch that is kept, and how far train and validation are apart after it."""
    kept = history[history["kept"]].iloc[0]
    gap = 100 * (kept["accuracy"] - kept["val_accuracy"])
    missing = int(history["accuracy"].isna().sum())
    gaps = f" Train accuracy was not kept in {missing} of the epochs." if missing else ""
    return (
        f"What is kept are the weights after epoch {int(kept['epoch'])} of {len(history)} (dotted line), whose loss on "
        f"the validation split is the lowest of all epochs at full size: {kept['val_loss']:.3f}, with "
        f"{percent(kept['val_accuracy'])} right. Train accuracy, on distorted faces, is then {abs(gap):.1f} percentage "
        f"points {'above' if gap >= 0 else 'below'} validation accuracy.{gaps}"
    )


def training_origin(record: dict[str, Any]) -> str:
    """What a training began with, and who taught it, in two sentences.

    Parameters
    ----------
    record
        The step "train" of ``run.json``; ``start`` and ``teachers`` may be missing.
    """
    start, teachers = ([f"“{name}”" for name in record.get(key) or ()] for key in ("start", "teachers"))
    begun = "random weights"
    if start:
        mean = "the mean of the weights of earlier runs," if len(start) > 1 else "the weights of an earlier run,"
        begun = f"{mean} {' and '.join(start)}"
    taught = f", and learned from the probabilities of {' and '.join(teachers)} beside the labels" if teachers else ""
    return f"The published training began with {begun}{taught}. It ran for {record['epochs']} epochs."
