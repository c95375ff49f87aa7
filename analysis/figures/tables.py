"""Tables of the model's results, formatted for display, each with its reading: data sets, runs, label errors."""

import numpy as np
import pandas as pd

from analysis.core.words import extremes, listed, percent, source_name
from analysis.figures.doubts import noise_comparison
from analysis.figures.metrics import measured, sources
from analysis.results.records import EvaluateStep, LabelNoise, MetricsRecord

_LEVEL = 0.05  # percentage points of accuracy; runs that are closer are level


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
        rows[source_name(name)] = [
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
    measures = {source_name(name): measured(metrics, split, name) for name in sources(metrics)}
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
    return table.rename(columns=source_name).rename_axis(index=None, columns=None)


def cross_source_reading(cross_source: pd.DataFrame) -> str:
    """On how many test splits this run is more accurate than the best other run, and by how much at most."""
    first = cross_source["run"].iloc[0]
    own = cross_source[cross_source["run"] == first].set_index("source")
    others = cross_source[cross_source["run"] != first]
    if others.empty:
        return "No other run was measured on the same test images."
    best = others.sort_values("accuracy").groupby("source").last()
    both = own.join(best[["accuracy", "low", "high"]], rsuffix="_best", how="inner")
    lead = 100 * (both["accuracy"] - both["accuracy_best"])
    overlap = int(((both["low"] <= both["high_best"]) & (both["low_best"] <= both["high"])).sum())
    parts = [
        f"{word} accurate on {count}, most on {source_name(str(ahead.idxmax()))} "
        f"(by {ahead.max():.1f} percentage points)"
        for word, ahead in (("more", lead), ("less", -lead))
        if (count := int((ahead >= _LEVEL).sum()))
    ]
    return (
        f"Compared with the best other run on each of {len(both)} test splits, this run is "
        f"{', and '.join(parts) or 'level with it on all'}. The 95 % intervals overlap on {overlap}."
    )


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


def label_noise_reading(metrics: MetricsRecord, study: LabelNoise) -> str:
    """Highest and lowest estimated noise, its limits, and why the data study estimates another one.

    Parameters
    ----------
    metrics
        ``metrics.json``.
    study
        ``label_noise`` of ``study.json``.
    """
    rates = {
        name: (noise.noise_rate, percent(noise.noise_rate), f"{noise.issues:,} of {noise.images:,} labels suspected")
        for name, noise in metrics.label_noise.items()
    }
    return (
        "From the model’s scores of validation and test images, which it was not trained on, confident learning "
        f"estimates a share of wrong labels that is {extremes(rates, 'in')}. A suspected label may be right and the "
        f"model wrong. {noise_comparison(metrics, study)}"
    )


def looks_reading(step: EvaluateStep) -> str:
    """How often the test splits were looked at, by this run and by those that it was trained from.

    Parameters
    ----------
    step
        The step "evaluate" of ``run.json``.
    """
    looks = step.looks
    if looks is None:
        return "How often the test splits were looked at before was not recorded."
    parts = []
    for name, counts in looks.evaluations.items():
        times = sum(counts.values())
        runs = ", ".join(f"{run} {count}" for run, count in counts.items())
        parts.append(f"{name} {times} {'time' if times == 1 else 'times'} ({runs})")
    text = (
        "Evaluations of this run, and of the runs that it was trained from, looked at the test splits: "
        f"{'; '.join(parts)}. No step of the code chooses by them, but whoever goes on from a result that was seen "
        "lets "
        "it choose a little."
    )
    if looks.uncounted:
        text += f" Of {listed(looks.uncounted)} not every evaluation was counted: these numbers are lower bounds."
    if looks.gone:
        text += f" Nothing is known of the evaluations of {listed(looks.gone)}."
    return text
