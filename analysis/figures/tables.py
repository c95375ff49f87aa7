"""Tables of the model's results as text to be shown, each with its reading: data sets, runs, doubtful labels."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.core.words import percent
from analysis.figures.metrics import measured, sources


def interval_text(value: float, low: float, high: float, digits: int = 1) -> str:
    """A share and its interval in per cent, on one line: "96.2 (94.8-97.4)"; a dash where it is unknown."""
    if pd.isna(value):
        return "–"
    shown = f"{100 * value:.{digits}f}"
    if not pd.isna(low):
        dash = " to " if low < 0 else "–\u2060"
        shown += f" ({100 * low:.{digits}f}{dash}{100 * high:.{digits}f})"
    return shown.replace("-", "−").replace(" ", "\u00a0")


def source_table(metrics: dict[str, Any], split: str) -> pd.DataFrame:
    """What the model is worth on each data set and subset, as text to be shown.

    Parameters
    ----------
    metrics, split
        As in `measured`.

    Returns
    -------
    pandas.DataFrame
        Index: names; columns: images, accuracy with its 95 % interval, coverage and accuracy of the decided,
        calibration error and area under ROC.
    """
    rows = {}
    for name in sources(metrics):
        found = measured(metrics, split, name)
        decided = found["decided"]
        rows[name] = [
            f"{found['images']:,}",
            interval_text(found["accuracy"], *found["accuracy_interval"]),
            f"{100 * decided['coverage']:.1f}",
            interval_text(np.nan if decided["accuracy"] is None else decided["accuracy"], np.nan, np.nan),
            f"{found['calibration']['ece']:.3f}",
            f"{found['roc_auc']:.4f}",
        ]
    columns = [
        "Images",
        "Accuracy, %",
        "Decided, %",
        "Of those right, %",
        "Calibration error",
        "Area under ROC",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def source_table_reading(metrics: dict[str, Any], split: str) -> str:
    """On which source the model does best and worst."""
    found = {name: measured(metrics, split, name) for name in sources(metrics)}
    best = max(found, key=lambda name: found[name]["accuracy"])
    worst = min(found, key=lambda name: found[name]["accuracy"])
    if best == worst:
        return f"On the {split} split of {best}, {percent(found[best]['accuracy'])} are predicted as annotated."
    return (
        f"On the {split} splits, {percent(found[best]['accuracy'])} of {best} and "
        f"{percent(found[worst]['accuracy'])} of {worst} are predicted as annotated; of these, "
        f"{percent(found[best]['decided']['coverage'])} and {percent(found[worst]['decided']['coverage'])} "
        "are decided, the others are “uncertain”."
    )


def cross_source_table(cross_source: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in per cent with its 95 % interval: rows are runs by what they were trained on, columns test splits.

    Parameters
    ----------
    cross_source
        ``run, trained_on, source, accuracy, low, high``, this run first.

    Returns
    -------
    pandas.DataFrame
        Text to be shown.
    """
    shown = cross_source.assign(
        row=[
            f"{trained_on} (run {run})"
            for run, trained_on in zip(cross_source["run"], cross_source["trained_on"], strict=True)
        ],
        text=[interval_text(*each) for each in cross_source[["accuracy", "low", "high"]].to_numpy()],
    )
    table = shown.pivot(index="row", columns="source", values="text")
    table = table.reindex(index=shown["row"].unique(), columns=cross_source["source"].unique())
    return table.rename_axis(index=None, columns=None)


def cross_source_reading(cross_source: pd.DataFrame) -> str:
    """What this run is worth beside the others, on each test split."""
    first = cross_source["run"].iloc[0]
    own = cross_source[cross_source["run"] == first].set_index("source")
    others = cross_source[cross_source["run"] != first]
    if others.empty:
        return "No other run was measured on the same test images."
    told = []
    for source, row in own.iterrows():
        rival = others[others["source"] == source].sort_values("accuracy").iloc[-1]
        apart = 100 * (row["accuracy"] - rival["accuracy"])
        clear = row["low"] > rival["high"] or rival["low"] > row["high"]
        place = f"{abs(apart):.1f} percentage points {'above' if apart > 0 else 'below'}"
        told.append(
            f"{place if abs(apart) >= 0.05 else 'level with'} the best other run on {source}"
            + ("" if clear else " (intervals overlap)")
        )
    return f"Trained on {own['trained_on'].iloc[0]}, this run is {', '.join(told)}."


def label_noise_table(metrics: dict[str, Any]) -> pd.DataFrame:
    """Labels that confident learning doubts in each data set, as text to be shown."""
    rows = {
        name: [
            f"{found['images']:,}",
            f"{100 * found['noise_rate']:.1f}",
            f"{found['suggested']['female to male']:,}",
            f"{found['suggested']['male to female']:,}",
        ]
        for name, found in metrics["label_noise"].items()
    }
    columns = ["Images", "Estimated noise, %", "Female, perhaps male", "Male, perhaps female"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def label_noise_reading(metrics: dict[str, Any]) -> str:
    """How many labels are doubted, and what that does not say."""
    told = ", ".join(
        f"{found['issues']:,} of {found['images']:,} in {name} (noise estimated at {percent(found['noise_rate'])})"
        for name, found in metrics["label_noise"].items()
    )
    return (
        f"Confident learning doubts {told}: validation and test labels against the model’s scores, which never saw "
        "them. A doubted label may as well be the model’s own mistake. Training images would need scores from networks "
        "trained without them."
    )
