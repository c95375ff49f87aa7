"""Abstention: what the band of uncertain scores promises, and whether that was kept on the test split."""

from typing import Any

import pandas as pd

from analysis.core.words import listed, percent
from analysis.figures.fairness import group_name
from analysis.figures.metrics import measured
from analysis.figures.tables import interval_text
from analysis.results.records import MetricsRecord

_KEPT = {
    "kept": "kept",
    "enough": "kept, within chance",
    "chance": "missed, within chance",
    "broken": "not kept",
}


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
        share = percent(promise.right / promise.decided, _digits(promise.right / promise.decided, metrics))
        sentences.append(
            f"For {name} it cannot: {share} of {promise.decided:,} answers on its validation split are right, so that "
            f"{percent(promise.at_least, _digits(promise.at_least, metrics))} is all that can be promised there"
            + ("." if promise.made == "sample" else ", and the band does not wait for it.")
        )
    return " ".join([text, *sentences])


def promise_reading(metrics: MetricsRecord, split: str = "test") -> str:
    """In which sources and subsets the promise was kept, in which not, and in which it may be chance."""
    wanted = metrics.right_share_wanted
    found: dict[str, list[str]] = {state: [] for state in _KEPT}
    for name in [*metrics.sources, *metrics.subsets]:
        decided = measured(metrics, split, name).decided
        if decided.accuracy is not None:
            state = _state(decided.accuracy, decided.accuracy_low, decided.accuracy_high, wanted)
            found[state].append(f"{name} ({percent(decided.accuracy, _digits(decided.accuracy, metrics))})")
    parts = [
        ("it was not kept on", "broken"),
        ("answers are right too rarely, which may be chance, on", "chance"),
        ("they are right often enough, though not with 95 % confidence, on", "enough"),
        ("it was kept with 95 % confidence on", "kept"),
    ]
    said = "; ".join(f"{how} {listed(found[state])}" for how, state in parts if found[state])
    if not said:
        return f"None of the {split} images is decided."
    return f"The promise that at least {percent(wanted, 0)} of the answers are right, on the {split} splits: {said}."


def promise_table(promise: pd.DataFrame, metrics: MetricsRecord, *, groups: bool = True) -> pd.DataFrame:
    """Answers of each source and group on both splits, and whether the promise was kept, formatted for display.

    Parameters
    ----------
    promise
        ``source, split, feature, group, images, decided, accuracy, low, high``.
    metrics
        ``metrics.json``.
    groups
        Whether to show groups, or each source as a whole and at the ages that the band is chosen for.

    Returns
    -------
    pandas.DataFrame
        Index: source and group; columns: of the validation and of the test split, share decided and share of answers
        that are right with the bounds that each hold with 95 % confidence, in per cent; and what became of the promise.
    """
    chosen = promise if groups else promise[promise["feature"].isin(["all", "ages"])]
    rows = {}
    for (source, feature, group), part in chosen.groupby(["source", "feature", "group"], sort=False):
        cells, state = [], "–"
        for split in ("validation", "test"):
            row = next(part[part["split"] == split].itertuples(), None)
            cells += (
                ["–", "–"] if row is None else [f"{100 * row.decided / row.images:.1f} of {row.images:,}", _right(row)]
            )
            if split == "test" and row is not None and row.decided:
                state = _KEPT[_state(row.accuracy, row.low, row.high, metrics.right_share_wanted)]
        rows[_name(source, feature, group)] = [*cells, state]
    columns = [
        "Validation: decided, %",
        "right of these, %",
        "Test: decided, %",
        "Right of these, %",
        "Promise on test",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _right(row: Any) -> str:
    return interval_text(row.accuracy, row.low, row.high) if row.decided else "–"


def groups_reading(promise: pd.DataFrame, metrics: MetricsRecord) -> str:
    """In which groups of the test splits the promise was broken beyond chance, and in how many it was kept."""
    wanted = metrics.right_share_wanted
    table = promise[(promise["split"] == "test") & ~promise["feature"].isin(["all", "ages"]) & (promise["decided"] > 0)]
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


def _digits(share: float, metrics: MetricsRecord) -> int:
    """Digits after the point, so that 98.96 % does not read as the 99.0 % that it misses."""
    return 2 if abs(share - metrics.right_share_wanted) < 0.001 else 1


def _name(source: str, feature: str, group: str) -> str:
    return str(source) if feature == "all" else f"{source}: {_group(feature, group)}"


def _group(feature: str, group: str) -> str:
    if feature == "ages":
        return f"ages {group.replace('-', '–')}"
    return f"predicted {group}" if feature == "answer" else group_name(feature, group)
