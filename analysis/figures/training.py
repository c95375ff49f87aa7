"""Accuracy and loss during training."""

from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.rows import points
from analysis.results.records import TrainStep

_SPLITS = {"train": ("", theme.QUIET, "dashed"), "validation": ("val_", theme.LABEL_COLOURS["male"], "solid")}


def _panel(
    history: pd.DataFrame, measure: str, scale: float, *, title: str, xlabel: str = "", **options: Any
) -> hv.Overlay:
    kept = float(history.loc[history["kept"], "epoch"].iloc[0])
    value = "@value{0.00} %" if scale == 100 else "@value{0.0000}"
    tips = [("epoch", "@epoch"), (measure, value), ("split", "@split")]
    layers: list[hv.Element] = [hv.VLine(kept).opts(color=theme.CATEGORIES[1], line_dash="dotted")]
    for split, (prefix, colour, dash) in _SPLITS.items():
        table = pd.DataFrame({"epoch": history["epoch"], "value": scale * history[prefix + measure], "split": split})
        layers += [
            hv.Curve(table, "epoch", "value", label=split).opts(color=colour, line_dash=dash),
            points(table, "epoch", "value", tips, color=colour, size=6),
        ]
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
        title="Did training converge?",
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
        ylabel="Loss (nats per image)",
        height=240,
        show_legend=False,
    )
    return (
        hv.Layout([accuracy, loss])
        .cols(1)
        .opts(sizing_mode="stretch_width", toolbar=None, shared_axes=False, merge_tools=False)
    )


def training_history_reading(history: pd.DataFrame) -> str:
    """Epoch whose weights are kept, and the gap between train and validation accuracy there."""
    kept = history[history["kept"]].iloc[0]
    gap = 100 * (kept["accuracy"] - kept["val_accuracy"])
    missing = int(history["accuracy"].isna().sum())
    gaps = f" Train accuracy was not recorded in {missing} of the epochs." if missing else ""
    return (
        f"The weights after epoch {int(kept['epoch'])} of {len(history)} are kept (dotted line): their validation loss "
        f"is the lowest at full size, {kept['val_loss']:.3f}, with an accuracy of {percent(kept['val_accuracy'])}. "
        f"Train accuracy, on augmented faces, is {abs(gap):.1f} percentage "
        f"points {'above' if gap >= 0 else 'below'} validation accuracy.{gaps}"
    )


def training_origin(record: TrainStep) -> str:
    """Initial weights and teachers of a training, in two sentences.

    Parameters
    ----------
    record
        The step "train" of ``run.json``; ``start`` and ``teachers`` may be missing.
    """
    start, teachers = ([f"“{name}”" for name in names] for names in (record.start, record.teachers))
    initial = "random weights"
    if start:
        mean = "the mean weights of earlier runs," if len(start) > 1 else "the weights of an earlier run,"
        initial = f"{mean} {' and '.join(start)}"
    distilled = f", and learned from the labels and the probabilities of {' and '.join(teachers)}" if teachers else ""
    return f"The published training started from {initial}{distilled}. It ran for {record.epochs} epochs."
