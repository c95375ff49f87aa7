"""Tables of the model's results, formatted for display, each with its reading: data sets, runs, label errors."""

import numpy as np
import pandas as pd

from analysis.core.words import percent
from analysis.figures.metrics import measured, sources
from analysis.results.records import MetricsRecord


def interval_text(value: float, low: float, high: float, digits: int = 1) -> str:
    """A share and its interval in per cent, on one line: "96.2 (94.8-97.4)"; a dash where it is unknown."""
    if pd.isna(value):
        return "–"
    text = f"{100 * value:.{digits}f}"
    if not pd.isna(low):
        dash = " to " if low < 0 else "–\u2060"
        text += f" ({100 * low:.{digits}f}{dash}{100 * high:.{digits}f})"
    return text.replace("-", "−").replace(" ", "\u00a0")


def source_table(metrics: MetricsRecord, split: str) -> pd.DataFrame:
    """Metrics on each data set and subset, formatted for display.

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
        measures = measured(metrics, split, name)
        decided = measures.decided
        rows[name] = [
            f"{measures.images:,}",
            interval_text(measures.accuracy, *measures.accuracy_interval),
            f"{100 * decided.coverage:.1f}",
            interval_text(np.nan if decided.accuracy is None else decided.accuracy, np.nan, np.nan),
            f"{measures.calibration.ece:.3f}",
            f"{measures.roc_auc:.4f}",
        ]
    columns = [
        "Images",
        "Accuracy, %",
        "Decided, %",
        "Accuracy of decided, %",
        "Calibration error",
        "Area under ROC",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def source_table_reading(metrics: MetricsRecord, split: str) -> str:
    """Sources with the highest and lowest accuracy."""
    measures = {name: measured(metrics, split, name) for name in sources(metrics)}
    best = max(measures, key=lambda name: measures[name].accuracy)
    worst = min(measures, key=lambda name: measures[name].accuracy)
    if best == worst:
        return f"On the {split} split of {best}, accuracy is {percent(measures[best].accuracy)}."
    return (
        f"On the {split} splits, accuracy is highest on {best}, {percent(measures[best].accuracy)}, and lowest on "
        f"{worst}, {percent(measures[worst].accuracy)}; {percent(measures[best].decided.coverage)} and "
        f"{percent(measures[worst].decided.coverage)} of their images are decided, the others are “uncertain”."
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
        Formatted for display.
    """
    rows = cross_source.assign(
        row=[
            f"{trained_on} (run {run})"
            for run, trained_on in zip(cross_source["run"], cross_source["trained_on"], strict=True)
        ],
        text=[interval_text(*values) for values in cross_source[["accuracy", "low", "high"]].to_numpy()],
    )
    table = rows.pivot(index="row", columns="source", values="text")
    table = table.reindex(index=rows["row"].unique(), columns=cross_source["source"].unique())
    return table.rename_axis(index=None, columns=None)


def cross_source_reading(cross_source: pd.DataFrame) -> str:
    """Accuracy of this run compared with the best other run, on each test split."""
    first = cross_source["run"].iloc[0]
    own = cross_source[cross_source["run"] == first].set_index("source")
    others = cross_source[cross_source["run"] != first]
    if others.empty:
        return "No other run was measured on the same test images."
    parts = []
    for source, row in own.iterrows():
        rival = others[others["source"] == source].sort_values("accuracy").iloc[-1]
        apart = 100 * (row.accuracy - rival["accuracy"])
        clear = row.low > rival["high"] or rival["low"] > row.high
        place = f"{abs(apart):.1f} percentage points {'above' if apart > 0 else 'below'}"
        parts.append(
            f"{place if abs(apart) >= 0.05 else 'level with'} the best other run on {source}"
            + ("" if clear else " (intervals overlap)")
        )
    return f"Trained on {own['trained_on'].iloc[0]}, this run is {', '.join(parts)}."


def label_noise_table(metrics: MetricsRecord) -> pd.DataFrame:
    """Labels that confident learning suspects to be wrong, by data set, formatted for display."""
    rows = {
        name: [
            f"{noise.images:,}",
            f"{100 * noise.noise_rate:.1f}",
            f"{noise.suggested['female to male']:,}",
            f"{noise.suggested['male to female']:,}",
        ]
        for name, noise in metrics.label_noise.items()
    }
    columns = ["Images", "Estimated noise, %", "Female, perhaps male", "Male, perhaps female"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def label_noise_reading(metrics: MetricsRecord) -> str:
    """Number of suspected label errors, and the limits of the estimate."""
    parts = ", ".join(
        f"{noise.issues:,} of {noise.images:,} in {name} (noise estimated at {percent(noise.noise_rate)})"
        for name, noise in metrics.label_noise.items()
    )
    return (
        f"Confident learning suspects the labels of {parts}, from the model’s scores on validation and test images. A "
        "suspected label may be right and the model wrong. Training images are left out: the model has seen them."
    )
