"""Accuracy and loss during training, what it started from, and its settings."""

from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.words import listed, percent
from analysis.data.backbones import download_command
from analysis.figures import theme
from analysis.figures.datasheets import needed_reading
from analysis.figures.guide import guided
from analysis.figures.lineage import initial_weights
from analysis.figures.rows import points
from analysis.results.records import TrainStep

# Settings of a training in words; see `model.training.train.Training`, `Architecture` and `Augmentation`.
SETTINGS = {
    "datasets": "Data sets",
    "start": "Runs whose weights it started from",
    "backbone": "Network of others that its weights go back to",
    "teachers": "Runs whose probabilities it learned from",
    "teaching": "Weight of the teachers’ probabilities in the target",
    "epochs": "Epochs",
    "batch_size": "Faces per step",
    "sizes": "Picture sizes one after the other, relative to the full size",
    "learning_rate": "Learning rate at its peak",
    "warmup": "Epochs until the learning rate is at its peak",
    "weight_decay": "Weight decay",
    "average": "Decay per step of the running mean of the weights",
    "label_smoothing": "Label smoothing",
    "auxiliary": "Weight of each auxiliary loss (attributes, age, race)",
    "balance": "Balance of groups (0: every face alike, 1: every group alike)",
    "precision": "Number format in training",
    "seed": "Random seed",
    "architecture.height": "Height of the network’s input, pixels",
    "architecture.width": "Width of the network’s input, pixels",
    "architecture.body": "Body of the network",
    "architecture.enlarged": "Factor by which the network enlarges its pictures",
    "architecture.mirrored": "Averages a face and its mirror image",
    "architecture.filters": "Channels of each stage",
    "architecture.blocks": "Residual blocks of each stage",
    "architecture.attributes": "Auxiliary outputs: attributes",
    "architecture.ages": "Auxiliary outputs: age classes",
    "architecture.races": "Auxiliary outputs: races",
    "calm": "Augmentation: strength at the last picture size, relative to before",
    "augmentation.rotation": "Augmentation: largest rotation, degrees",
    "augmentation.scale": "Augmentation: largest change of scale, logarithm",
    "augmentation.stretch": "Augmentation: largest change of the sides’ ratio, logarithm",
    "augmentation.shift": "Augmentation: largest shift, pixels",
    "augmentation.tight": "Augmentation: share of faces cropped tightly",
    "augmentation.coarse": "Augmentation: share of faces of reduced resolution",
    "augmentation.blur": "Augmentation: share of blurred faces",
    "augmentation.jpeg": "Augmentation: share of faces with JPEG artefacts",
    "augmentation.hide": "Augmentation: share of faces with a covered part",
    "augmentation.grey": "Augmentation: share of faces without colour",
    "augmentation.light": "Augmentation: strength of changes of light and colour",
    "augmentation.noise": "Augmentation: largest standard deviation of noise, grey levels (0 to 255)",
    "augmentation.mix": "Augmentation: share of faces blended with another one",
}

# Values that are words of Keras or of the code, in the reader's.
_WORDS = {
    "precision": {
        "float32": "32-bit floating point",
        "mixed_bfloat16": "16-bit floating point (bfloat16) in the layers, 32-bit for the weights",
        "mixed_float16": "16-bit floating point in the layers, 32-bit for the weights",
    },
    "architecture.body": {
        "residual": "residual network",
        "dlib": "dlib’s residual network",
        "mobilefacenet": "MobileFaceNet",
    },
}

_SPLITS = {"train": ("", theme.QUIET, "dashed"), "validation": ("val_", theme.CATEGORIES[0], "solid")}


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


@guided(
    "Above, higher is better; below, lower is better. The upright dotted line is the epoch whose weights were kept. "
    "Train faces are distorted at random and so harder than those of validation: train (dashed) may lie below "
    "validation (solid). Where train still gets better while validation gets worse, the network learns its photos by "
    "heart.",
    view="metrics?view=training",
)
def training_history(history: pd.DataFrame) -> hv.Layout:
    """Accuracy above, loss below, of the train and validation splits after each epoch; a line where weights are kept.

    Parameters
    ----------
    history
        ``epoch, loss, accuracy, val_loss, val_accuracy, kept``; epochs count from 1, accuracies are in [0, 1],
        ``kept`` is true for one epoch. Runs that were chosen by groups have ``val_worst_loss`` and
        ``val_worst_accuracy``, too, and ``val_group_loss`` where all groups had their say.
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
    reason = f"their validation loss is the lowest at full size, {kept['val_loss']:.3f}, with"
    if "val_group_loss" in history:
        reason = (
            "with equal weight for each group of validation faces, their log loss at full size is the lowest, "
            f"{kept['val_group_loss']:.3f}; in the worst group it is {kept['val_worst_loss']:.3f} "
            f"({percent(kept['val_worst_accuracy'])} right), over all faces {kept['val_loss']:.3f}, with"
        )
    elif "val_worst_loss" in history:
        reason = (
            f"their log loss at full size in the worst group of validation faces is the lowest, "
            f"{kept['val_worst_loss']:.3f} ({percent(kept['val_worst_accuracy'])} right); over all faces it is "
            f"{kept['val_loss']:.3f}, with"
        )
    return (
        f"The weights after epoch {int(kept['epoch'])} of {len(history)} are kept (dotted line): {reason} an accuracy "
        f"of {percent(kept['val_accuracy'])}. "
        f"Train accuracy, on augmented faces, is {abs(gap):.1f} percentage "
        f"points {'above' if gap >= 0 else 'below'} validation accuracy.{gaps}"
    )


def repeatable(record: TrainStep, run: str) -> str:
    """Whether a run can be made again from raw data, and how.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.
    run
        Name of the run.
    """
    if record.recipe is None:
        return (
            "It cannot be made again from raw data: it began with a run that was trained before recipes were kept. "
            "Recipes that come with meanface are other trainings, also where one has a similar name."
        )
    stages = len(record.recipe.stages)
    trainings = "its training" if stages == 1 else f"the {stages} trainings that led to it"
    commands = [download_command(other.package) for other in record.backbones]
    fetched = "".join(
        f" First fetch the network that it begins with: `{command}`, then `meanface fetch backbone FILE`."
        for command in commands
        if command
    )
    names = list(dict.fromkeys(name for stage in record.recipe.stages for name in stage.datasets))
    return (
        f"It can be made again from raw data, by those who have the data. {needed_reading(names)} "
        f"`meanface recipe {run}` prints {trainings} as a recipe, `meanface train --recipe FILE` repeats that.{fetched}"
    )


def training_origin(record: TrainStep) -> str:
    """Initial weights, with the networks of others that they go back to, teachers and epochs of a training.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.
    """
    teachers = listed([f"“{name}”" for name in record.teachers])
    distilled = f" It learned from the labels and from the probabilities of {teachers}." if teachers else ""
    epochs = "one epoch" if record.epochs == 1 else f"{record.epochs} epochs"
    return f"The published training started from {initial_weights(record)}.{distilled} It ran for {epochs}."


def settings_table(record: TrainStep) -> pd.DataFrame:
    """Settings of a training, named in words and formatted for display.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.

    Returns
    -------
    pandas.DataFrame
        Index: the setting, in the order of `SETTINGS`; column: its value. A setting that has no entry there follows
        under its own name.
    """
    values: dict[str, Any] = {}
    for key, value in record.as_json().items():
        unused = key == "teaching" and not record.teachers
        if key not in _ELSEWHERE and not unused:
            values |= _flat(key, value)
    values["backbone"] = _begun_with(record)
    order = [*(key for key in SETTINGS if key in values), *(key for key in values if key not in SETTINGS)]
    names = [SETTINGS.get(key, key.replace("_", " ").replace(".", ": ").capitalize()) for key in order]
    shown = [_setting(_WORDS.get(key, {}).get(str(values[key]), values[key])) for key in order]
    return pd.DataFrame({"Value": shown}, index=pd.Index(names, name="Setting"))


# What is no setting, or stands in another row.
_ELSEWHERE = ("data", "code", "recipe", "face_temperatures", "backbones")


def _begun_with(record: TrainStep) -> str:
    """Packages of the networks of others, and whether it was an earlier run that began with them."""
    if not record.backbones:
        return "none"
    named = listed([f"{other.package} {other.version}".strip() for other in record.backbones])
    return f"{named}, with which an earlier run began" if record.start else named


def _flat(key: str, value: Any) -> dict[str, Any]:
    """Options within options, each under the names that lead to it."""
    if not isinstance(value, dict):
        return {key: value}
    return {name: found for part, item in value.items() for name, found in _flat(f"{key}.{part}", item).items()}


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_setting, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')}: {_setting(item)}" for name, item in value.items())
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
