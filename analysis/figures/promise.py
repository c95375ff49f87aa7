"""Abstention: what the band of uncertain scores promises, and whether that was kept on the test split."""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.words import listed, percent, source_name
from analysis.figures import theme
from analysis.figures.fairness import group_name
from analysis.figures.guide import guided
from analysis.figures.metrics import measured, sources
from analysis.figures.rows import points
from analysis.figures.tables import interval_text
from analysis.results.records import MetricsRecord

_KEPT = {
    "kept": "kept",
    "enough": "kept, within chance",
    "chance": "missed, within chance",
    "broken": "not kept",
}

_MADE = {"confident": "made", "sample": "not with 95 % confidence", "none": "not made", None: "–"}


def band_reading(metrics: MetricsRecord) -> str:
    """Which scores are uncertain, what the band promises for which source, and how large a share is decided."""
    band, wanted = metrics.band, percent(metrics.right_share_wanted, 0)
    if band.low >= band.high:
        text = "Every face is decided."
    elif (band.low, band.high) == (0, 1):
        return "No face is decided: nowhere were scores right often enough on the validation splits."
    else:
        text = (
            f"Where the probability of “male” is between {band.low:.3f} and {band.high:.3f} the answer is “uncertain”: "
            "the model is not sure enough, and its probability says how far it leans."
        )
    ages = (
        "" if not metrics.band_ages else ", counting faces aged {} to {} and of unknown age".format(*metrics.band_ages)
    )
    text += (
        f" The band was chosen on the validation splits{ages}, so that at least {wanted} of the other answers are "
        "right in each source"
    )
    if not metrics.promises:
        return f"{text}."
    text += ", with 95 % confidence where that can be."
    proven = [name for name, promise in metrics.promises.items() if promise.made == "confident"]
    sentences = [f"With that confidence it can be promised for {listed(proven)}."] if proven else []
    if not proven:
        sentences.append("With that confidence it can be promised for no source.")
    for name, promise in metrics.promises.items():
        if promise.made == "confident" or promise.at_least is None:
            continue
        right = promise.right / promise.decided
        digits = _digits([right, promise.at_least], metrics)
        sentences.append(
            f"For {name} it cannot: {percent(right, digits)} of {promise.decided:,} answers on its validation split "
            f"are right, so that {percent(promise.at_least, digits)} is all that can be promised there"
            + ("." if promise.made == "sample" else ", and the band does not wait for it.")
        )
    return " ".join([text, *sentences])


def promise_reading(metrics: MetricsRecord, split: str = "test") -> str:
    """Markdown list of the sources and subsets on which the promise was kept, was not, or either may be chance."""
    wanted = metrics.right_share_wanted
    found: dict[str, list[str]] = {state: [] for state in _KEPT}
    every = {name: measured(metrics, split, name).decided for name in sources(metrics)}
    digits = _digits([decided.accuracy for decided in every.values() if decided.accuracy is not None], metrics)
    for name, decided in every.items():
        if decided.accuracy is not None:
            state = _state(decided.accuracy, decided.accuracy_low, decided.accuracy_high, wanted)
            found[state].append(f"{source_name(name)} ({percent(decided.accuracy, digits)})")
    lines = [
        f"- {how}: {'; '.join(found[state])}"
        for how, state in (
            ("Not kept", "broken"),
            ("Missed, though that may be chance", "chance"),
            ("Kept, though that may be chance", "enough"),
            ("Kept with 95 % confidence", "kept"),
        )
        if found[state]
    ]
    if not lines:
        return f"None of the {split} images is decided."
    title = f"Whether at least {percent(wanted, 0)} of the answers are right on the {split} splits:"
    return "\n".join([title, "", *lines])


def promise_table(promise: pd.DataFrame, metrics: MetricsRecord) -> pd.DataFrame:
    """Answers of each source and group on the test split, and what became of the promise, formatted for display.

    Parameters
    ----------
    promise
        ``source, split, feature, group, images, decided, accuracy, low, high``.
    metrics
        ``metrics.json``.

    Returns
    -------
    pandas.DataFrame
        Index: source and group; columns: images, share decided and share of these that is right with its bounds, in per
        cent, and what became of the promise.
    """
    rows = {}
    for row in _without_repeats(promise[promise["split"] == "test"]).itertuples():
        state = _state(row.accuracy, row.low, row.high, metrics.right_share_wanted) if row.decided else None
        rows[_name(row.source, row.feature, row.group)] = [
            f"{row.images:,}",
            f"{100 * row.decided / row.images:.1f}",
            _right(row),
            _KEPT[state] if state else "–",
        ]
    columns = ["Images", "Decided, %", "Right of decided, %", "Promise"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def splits_table(promise: pd.DataFrame, metrics: MetricsRecord) -> pd.DataFrame:
    """Answers of each source on the validation split, which the band is chosen on, above those on the test split.

    Parameters
    ----------
    promise, metrics
        As in `promise_table`.

    Returns
    -------
    pandas.DataFrame
        Index: source, or its faces of the ages that the band is chosen for, and split; columns: share decided and share
        of these that is right with its bounds, in per cent; whether the promise is made (validation) or was kept
        (test).
    """
    rows = {}
    chosen = promise[promise["feature"].isin(["all", "ages"])]
    for (source, feature, group), part in chosen.groupby(["source", "feature", "group"], sort=False):
        made = metrics.promises[source].made if source in metrics.promises else None
        for row in part.itertuples():
            kept = _state(row.accuracy, row.low, row.high, metrics.right_share_wanted) if row.decided else None
            rows[f"{_name(source, feature, group)}, {row.split}"] = [
                f"{100 * row.decided / row.images:.1f}",
                _right(row),
                _MADE[made] if row.split == "validation" else _KEPT[kept] if kept else "–",
            ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["Decided, %", "Right of decided, %", "Promise"])


def _without_repeats(promise: pd.DataFrame) -> pd.DataFrame:
    """Rows without men by style, who are those labelled male."""
    return promise[~((promise["feature"] == "style") & (promise["group"] == "men"))]


def _right(row: Any) -> str:
    return interval_text(row.accuracy, row.low, row.high) if row.decided else "–"


def groups_reading(promise: pd.DataFrame, metrics: MetricsRecord) -> str:
    """In which groups of the test splits the promise was broken beyond chance, and in how many it was kept."""
    wanted = metrics.right_share_wanted
    table = _without_repeats(promise)
    table = table[(table["split"] == "test") & ~table["feature"].isin(["all", "ages"]) & (table["decided"] > 0)]
    if table.empty:
        return "No group has enough test images."
    states = [_state(row.accuracy, row.low, row.high, wanted) for row in table.itertuples()]
    broken = [
        f"“{_group(row.feature, row.group)}” of {row.source}: {percent(row.accuracy)}"
        for row, state in zip(table.itertuples(), states, strict=True)
        if state == "broken"
    ]
    told = (
        f"Of {len(states)} groups the promise was kept with 95 % confidence in {states.count('kept')}, broken beyond "
        f"chance in {len(broken)}{f' ({listed(broken)})' if broken else ''}, and in {states.count('enough')} kept and "
        f"{states.count('chance')} missed within chance."
    )
    return (
        f"{told} The band is chosen for whole sources: of most groups there are too few validation faces for a proof."
    )


def _state(accuracy: float, low: float | None, high: float | None, wanted: float) -> str:
    if accuracy >= wanted:
        return "kept" if low is not None and low >= wanted else "enough"
    return "broken" if high is None or high < wanted else "chance"


def _digits(shares: Sequence[float], metrics: MetricsRecord) -> int:
    """Digits after the point of all of a text's shares, so that 98.96 % does not read as the 99.0 % that it misses."""
    wanted = metrics.right_share_wanted
    return 2 if any(share < wanted <= round(share, 3) for share in shares) else 1


def _name(source: str, feature: str, group: str) -> str:
    return str(source) if feature == "all" else f"{source}: {_group(feature, group)}"


def _group(feature: str, group: str) -> str:
    if feature == "ages":
        return f"ages {group.replace('-', '–')}"
    return f"predicted {group}" if feature == "answer" else group_name(feature, group)


_STEPS = np.linspace(0.02, 1, 50)  # shares of images that are decided


def _surest_first(predictions: pd.DataFrame, split: str, name: str) -> np.ndarray:
    """Whether each image of a data set is predicted right, the surest one first."""
    own = predictions[(predictions["split"] == split) & (predictions["dataset"] == name)]
    scores = own["p_male"].to_numpy()
    right = (scores >= _EVEN) == (own["label"] == "male").to_numpy()
    return np.asarray(right[np.argsort(-np.abs(scores - _EVEN), kind="stable")])


_EVEN = 0.5  # probability at which neither label is likelier


@guided(
    "From right to left fewer images are answered, the surest last to go. The higher a curve stays, the better the "
    "model knows which of its answers are right. The ring on each curve is the band as served; the dashed line is the "
    "share of right answers that it is meant to keep.",
    view="metrics?view=decisions",
)
def coverage_curve(predictions: pd.DataFrame, metrics: MetricsRecord, split: str, names: Sequence[str]) -> hv.Overlay:
    """Share of right answers against the share of images that are answered, and both as served.

    Parameters
    ----------
    predictions
        ``dataset, split, label, p_male``, one row per image.
    metrics
        ``metrics.json``.
    split
        "train", "validation" or "test".
    names
        Data sets, at most four.
    """
    layers: list[Any] = []
    lowest = 100.0
    tips = [("data set", "@source"), ("answered", "@decided{0.0} %"), ("right of these", "@right{0.00} %")]
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        right = _surest_first(predictions, split, name)
        counts = np.unique(np.maximum(1, (_STEPS * len(right)).astype(int)))
        table = pd.DataFrame(
            {
                "decided": 100 * counts / len(right),
                "right": 100 * np.cumsum(right)[counts - 1] / counts,
                "source": source_name(name),
            }
        )
        layers.append(hv.Curve(table, "decided", "right", label=source_name(name)).opts(color=colour))
        decided = measured(metrics, split, name).decided
        if decided.accuracy is not None:
            served = pd.DataFrame(
                {"decided": [100 * decided.coverage], "right": [100 * decided.accuracy], "source": [source_name(name)]}
            )
            layers.append(
                points(served, "decided", "right", tips, color=colour, fill_color="white", size=11, line_width=3)
            )
        lowest = min(lowest, float(table["right"].min()))
    wanted = hv.HLine(100 * metrics.right_share_wanted).opts(color=theme.QUIET, line_dash="dashed", line_width=1.5)
    return hv.Overlay([wanted, *layers]).opts(
        **theme.chart(
            "How sure is sure enough?",
            xlabel="Images answered (%)",
            ylabel="Right of these (%)",
            xlim=(0, 103),
            ylim=(lowest - 0.7, 100.4),
            show_grid=True,
            max_width=680,
        ),
        **theme.names_of([source_name(name) for name in names]),
    )


def coverage_curve_reading(predictions: pd.DataFrame, metrics: MetricsRecord, split: str, names: Sequence[str]) -> str:
    """How many images of each data set can be answered if answers are to be right as often as is wanted."""
    wanted = metrics.right_share_wanted
    parts = []
    for name in names:
        right = _surest_first(predictions, split, name)
        shares = np.cumsum(right) / np.arange(1, len(right) + 1)
        enough = np.flatnonzero(shares >= wanted)
        most = (enough[-1] + 1) / len(right) if len(enough) else 0
        decided = measured(metrics, split, name).decided
        parts.append(f"{percent(most)} of {source_name(name)} (as served, {percent(decided.coverage)} are)")
    return (
        f"With {percent(wanted, 0)} of the answers right, the surest answers could be given for {listed(parts)}. These "
        f"shares are read off the {split} split afterwards; the band was chosen before, on the validation split."
    )
