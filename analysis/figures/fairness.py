"""Accuracy by group: how far each group is behind the best of its feature."""

from collections.abc import Sequence

import holoviews as hv
import hvplot.pandas  # noqa: F401 - gives tables `.hvplot`
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import AGE_BANDS, LABELS, LARGE_GROUP, MIN_FACES, RACES
from analysis.core.words import number, percent
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, intervals, points, row_chart
from analysis.figures.tables import interval_text

PEOPLE = ("label", "style", "part", "age", "race")  # other features are CelebA's attributes
BEST = (
    f"The best group is chosen among those of {LARGE_GROUP} images or more, where a feature has such; a smaller group "
    "that is more accurate has a gap below zero."
)
_UNKNOWN = "race unknown"
_ORDER = (("row_place", "row"), ("column_place", "column"))
_NAMES = {"age": "age {}", "label": "labelled {}", "race": "{}", "style": "{}", "part": "{}"}


def runs(groups: pd.DataFrame) -> list[str]:
    """This run, then those that it was compared with."""
    return list(dict.fromkeys(groups["run"]))


def group_name(feature: str, group: str) -> str:
    """How a group is written: "age 10-19", "labelled male", "eyeglasses", "no eyeglasses"."""
    if feature in _NAMES:
        return _NAMES[feature].format(group.replace("-", "–") if feature == "age" else group)
    attribute = attribute_name(feature)
    return attribute if group == "with" else f"not: {attribute}"


def _is_best(groups: pd.DataFrame) -> pd.Series:
    """Whether each group is one from which gaps are measured; see `BEST`. ``groups`` are whole features."""
    large = groups["images"] >= LARGE_GROUP
    any_large = large.groupby([groups[key] for key in ("run", "source", "feature")]).transform("any")
    return (groups["gap"] == 0) & (large | ~any_large)


def _behind(groups: pd.DataFrame, people: bool) -> pd.DataFrame:
    """Groups of this run that are not the best of their feature, the one with the largest gap last."""
    own = groups[groups["run"] == groups["run"].iloc[0]] if len(groups) else groups
    own = own[own["feature"].isin(PEOPLE) == people]
    behind = own[~_is_best(own)].sort_values("gap", kind="stable")
    if behind.empty:
        kind = "label, style, age, race or part of a source" if people else "attributes"
        raise UserError(f"this run has no groups by {kind}: evaluate it on a data set that has them")
    return behind


@guided(
    "Each row is a group. Its point says how many percentage points of accuracy it is behind the best group of "
    "the same kind, which would lie at zero; bars are 95 % intervals, and a gap whose bar crosses zero may be "
    f"chance. {BEST}",
    view="metrics?view=groups",
)
def group_gaps(groups: pd.DataFrame, *, people: bool = True) -> hv.Overlay:
    """Points of accuracy by which each group is behind the best group of its feature, with 95 % intervals, on Test.

    If another run was measured on the same images, its gap is a hollow circle.

    Parameters
    ----------
    groups
        ``run, source, feature, group, images, accuracy, gap, gap_low, gap_high``, this run first; the second run, if
        any, is the hollow one.
    people
        Whether to show people and sources (label, style, age, race, part of a source) or CelebA's attributes.

    Raises
    ------
    UserError
        If the run has no such groups.
    """
    table = _behind(groups, people)
    several = table["source"].nunique() > 1
    names = [group_name(row.feature, row.group) + (f", {row.source}" if several else "") for row in table.itertuples()]
    keys = ["source", "feature", "group"]
    shares = ["gap", "gap_low", "gap_high", "accuracy"]
    table = in_percent(table.assign(row=names), *shares).rename(columns={"gap_low": "low", "gap_high": "high"})
    tips = [
        ("group", "@row"),
        ("behind the best", "@gap{0.0} points"),
        ("95 % interval", "@low{0.0} to @high{0.0}"),
        ("accuracy", "@accuracy{0.0} %"),
        ("images", "@images{0,0}"),
    ]
    layers: list[hv.core.Dimensioned] = [
        hv.VLine(0).opts(line_width=1.5),
        intervals(table, "gap", "row", tips, color=theme.CATEGORIES[0], label=f"run {runs(groups)[0]}", size=9),
    ]
    ends = [table["low"].min(), table["high"].max(), 0]
    for rival in runs(groups)[1:2]:
        other = in_percent(groups[groups["run"] == rival], *shares).rename(
            columns={"gap_low": "low", "gap_high": "high"}
        )
        other = table[[*keys, "row"]].merge(other, on=keys).dropna(subset=["gap"])
        hollow = {"color": "#00000000", "line_color": theme.CATEGORIES[1], "line_width": 2, "size": 9}
        layers.append(points(other, "gap", "row", tips, label=f"run {rival}", **hollow))
        ends += [other["gap"].min(), other["gap"].max()]
    room = 0.05 * (max(ends) - min(ends))
    return row_chart(
        layers,
        names[::-1],
        "Where is accuracy lower?",
        "Gap (points)",
        height=130 + 23 * len(table),
        max_width=760,
        xlim=(min(ends) - room, max(ends) + room),
        **theme.names_of([f"run {name}" for name in runs(groups)[:2]]),
    )


def group_gaps_reading(groups: pd.DataFrame, *, people: bool = True) -> str:
    """Largest gap, number of significant gaps, and the largest gap in the other run.

    Raises
    ------
    UserError
        If the run has no such groups.
    """
    table = _behind(groups, people)
    worst = table.iloc[-1]
    clear = int((table["gap_low"] > 0).sum())
    name = group_name(worst["feature"], worst["group"])
    text = (
        f"The largest gap is that of “{name}” ({worst['source']}): {100 * worst['gap']:.1f} percentage points, 95 % "
        f"interval {number(100 * worst['gap_low'], 1)} to {number(100 * worst['gap_high'], 1)}; the gap is "
        f"significant in {clear} of {len(table)} groups."
    )
    for rival in runs(groups)[1:2]:
        same = groups[
            (groups["run"] == rival)
            & (groups[["source", "feature", "group"]] == worst[["source", "feature", "group"]]).all(axis=1)
        ]
        if len(same):
            text += f" In run {rival} (hollow) that gap is {number(100 * same['gap'].iloc[0], 1)} points."
    return text


def group_table(groups: pd.DataFrame, features: Sequence[str] = PEOPLE) -> pd.DataFrame:
    """Test metrics of this run's groups, formatted for display.

    Parameters
    ----------
    groups
        As in `group_gaps`.
    features
        Those to show.

    Returns
    -------
    pandas.DataFrame
        Index: data set and group; columns: images, accuracy (95 % interval), points behind the best group, coverage,
        accuracy of the decided, and shares of female predicted male and of male predicted female, in per cent.
    """
    own = groups[groups["run"] == runs(groups)[0]] if len(groups) else groups
    own = own[own["feature"].isin(features)]
    rows = {
        f"{row.source}: {group_name(row.feature, row.group)}": [
            f"{row.images:,}",
            interval_text(row.accuracy, row.accuracy_low, row.accuracy_high),
            "best" if row.best else interval_text(row.gap, row.gap_low, row.gap_high),
            f"{100 * row.coverage:.1f}",
            interval_text(row.decided_accuracy, float("nan"), float("nan")),
            interval_text(row.false_male_rate, float("nan"), float("nan")),
            interval_text(row.false_female_rate, float("nan"), float("nan")),
        ]
        for row in own.assign(best=_is_best(own)).itertuples()
    }
    columns = [
        "Images",
        "Accuracy, %",
        "Gap",
        "Decided, %",
        "Accuracy of decided, %",
        "Female as male, %",
        "Male as female, %",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


@guided(
    "Each cell is an age and a race with one label. The darker a cell, the more of its faces are predicted wrong; "
    "groups of few images are left out, and small ones vary by chance.",
    view="metrics?view=crossing",
)
def cell_accuracy(cells: pd.DataFrame) -> hv.Overlay:
    """Accuracy of each age, race and label together; the darker a cell, the more of its faces are predicted wrong.

    Parameters
    ----------
    cells
        ``source, age, race, label, images`` and, in [0, 1], ``accuracy, low, high``, whose intervals hold at once. Of
        several sources the one with most cells is shown.

    Raises
    ------
    UserError
        If no source knows ages or races, or no cell is large enough.
    """
    table = _richest(cells)
    table = in_percent(table.assign(wrong=1 - table["accuracy"]), "accuracy", "low", "high", "wrong")
    tips = [
        ("group", "@row, @column"),
        ("accuracy", "@accuracy{0.0} %"),
        ("simultaneous 95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("images", "@images{0,0}"),
    ]
    rows, columns = (list(dict.fromkeys(table.sort_values(key)[name])) for key, name in _ORDER)
    worst = max(table["wrong"].max(), 1)
    heat = table.hvplot.heatmap(
        x="column",
        y="row",
        C="wrong",
        hover_cols=["accuracy", "low", "high", "images"],
        cmap=theme.SEQUENTIAL,
        clim=(0, worst),
        colorbar=False,
        responsive=True,
        hover_tooltips=tips,
    )
    words = table.assign(
        text=[f"{row.accuracy:.0f}{'*' * row.below}" for row in table.itertuples()],
        colour=np.where(table["wrong"] > 0.65 * worst, "#ffffff", "#25232E"),
    )
    numbers = hv.Labels(words, ["column", "row"], ["text", "colour"]).opts(text_color="colour", text_font_size="13px")
    return (
        hv.Overlay([heat, numbers])
        .redim.values(column=columns, row=rows[::-1])
        .opts(
            **theme.chart(
                "Who is predicted worst?",
                height=130 + 26 * len(rows),
                max_width=760,
                xlabel="Accuracy (%) by race",
                ylabel="",
                xrotation=30 if max(map(len, columns)) > 8 else 0,
                show_legend=False,
                backend_opts=theme.over_names(rows)["backend_opts"],
            )
        )
    )


def cell_accuracy_reading(cells: pd.DataFrame) -> str:
    """The worst cell, and how many are worse than the data set beyond doubt.

    Parameters
    ----------
    cells
        As in `cell_accuracy`.

    Raises
    ------
    UserError
        If there is no cell.
    """
    table = _richest(cells)
    count = int(table["below"].sum())
    worst = table.loc[table["accuracy"].idxmin()]
    said = "none is below the accuracy of all of them together"
    if count:
        said = f"{count} {'is' if count == 1 else 'are'} below the accuracy of all of them together (*)"
    return (
        f"Of {len(table)} groups of {worst['source']} by age, race and label, each of {MIN_FACES} test images or more, "
        f"accuracy is lowest for {worst['row']}, {worst['column']}: {percent(worst['accuracy'])} of "
        f"{worst['images']:,} (interval {percent(worst['low'], 0)} to {percent(worst['high'], 0)}). All intervals hold "
        f"at once with 95 % confidence; by these, {said}. Smaller groups are left out."
    )


def cell_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each cell in per cent with its simultaneous interval and number of images, formatted for display.

    Parameters
    ----------
    cells
        As in `cell_accuracy`; all sources are shown.

    Returns
    -------
    pandas.DataFrame
        Index: source where there are several, label and age; columns: races.

    Raises
    ------
    UserError
        If there is no cell.
    """
    table = _named_cells(cells)
    words = [f"{interval_text(row.accuracy, row.low, row.high)} of {row.images:,}" for row in table.itertuples()]
    named = table["source"] + ": " + table["row"] if table["source"].nunique() > 1 else table["row"]
    table = table.assign(text=words, row=named)
    rows, columns = (list(dict.fromkeys(table.sort_values(key)[name])) for key, name in _ORDER)
    shown = table.pivot(index="row", columns="column", values="text")
    return shown.reindex(index=rows, columns=columns).fillna("–").rename_axis(index=None, columns=None)


def _richest(cells: pd.DataFrame) -> pd.DataFrame:
    table = _named_cells(cells)
    return table[table["source"] == table["source"].value_counts().index[0]]


def _named_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with ``row`` (label, age), ``column`` (race), their places, and whether they are ``below`` their source."""
    if cells.empty:
        raise UserError("this run has no large groups by age or race: evaluate it on a data set that has them")
    ages = cells["age"].astype(object).where(cells["age"].notna(), "")
    races = cells["race"].astype(object).where(cells["race"].notna(), _UNKNOWN)
    labels = cells["label"].astype(object)
    right = (cells["accuracy"] * cells["images"]).groupby(cells["source"]).transform("sum")
    whole = right / cells["images"].groupby(cells["source"]).transform("sum")
    order = [*RACES, *sorted(set(races) - {*RACES, _UNKNOWN}), _UNKNOWN]
    sources = list(dict.fromkeys(cells["source"]))
    place = [
        (sources.index(source), [*AGE_BANDS, ""].index(age), LABELS.index(label))
        for source, age, label in zip(cells["source"], ages, labels, strict=True)
    ]
    return cells.assign(
        row=labels + ages.map(lambda age: f", {age.replace('-', '–')}" if age else ""),
        column=races,
        below=cells["high"] < whole,
        row_place=place,
        column_place=races.map(order.index),
    )


def worst_groups(groups: pd.DataFrame) -> str:
    """The group of 50 images or more that this run serves worst, then the worst group of each other feature.

    Parameters
    ----------
    groups
        As in `group_gaps`, with ``accuracy_low, accuracy_high``.
    """
    own = groups[(groups["run"] == groups["run"].iloc[0]) & groups["feature"].isin(PEOPLE)] if len(groups) else groups
    if not (own["images"] >= LARGE_GROUP).any():
        return f"The run has no groups of {LARGE_GROUP} test images or more."
    ranked = own[own["images"] >= LARGE_GROUP].sort_values("accuracy", kind="stable")
    worst = ranked.drop_duplicates("feature")
    best = own[_is_best(own)].drop_duplicates(["source", "feature"]).set_index(["source", "feature"])
    first = worst.iloc[0]
    other = best.loc[(first["source"], first["feature"])]
    text = (
        f"Accuracy is lowest for {group_name(first['feature'], first['group'])} in {first['source']}: "
        f"{percent(first['accuracy'])} of {first['images']:,} (95 % interval {percent(first['accuracy_low'])} to "
        f"{percent(first['accuracy_high'])}), against {percent(other['accuracy'])} for "
        f"{group_name(first['feature'], other['group'])}."
    )
    parts = [
        f"{group_name(row.feature, row.group)} in {row.source} ({percent(row.accuracy)})"
        for row in worst.iloc[1:].itertuples()
    ]
    return f"{text} By the other features, it is lowest for {', '.join(parts)}." if parts else text


def is_equal(groups: pd.DataFrame) -> bool:
    """Whether this run has no group of people that is worse served beyond chance."""
    own = groups[(groups["run"] == groups["run"].iloc[0]) & groups["feature"].isin(PEOPLE)] if len(groups) else groups
    return not bool((own["gap_low"] > 0).any())


def measured_by(groups: pd.DataFrame) -> list[str]:
    """What groups of people are told apart by: "label", "style", "age" ..., in the order of `PEOPLE`."""
    named = {"part": "part of a data set"}
    return [named.get(feature, feature) for feature in PEOPLE if (groups["feature"] == feature).any()]


def summary(groups: pd.DataFrame) -> str:
    """The largest gap of this run, and the number of features whose largest gap is significant."""
    if groups.empty:
        return "The run has no groups of 20 test images or more."
    largest = _largest_gaps(groups[groups["run"] == runs(groups)[0]])
    worst = largest.loc[largest["gap"].idxmax()]
    return (
        f"The largest gap to the best group of a feature is {100 * worst['gap']:.1f} percentage points (95 % interval "
        f"{number(100 * worst['gap_low'], 1)} to {number(100 * worst['gap_high'], 1)}), for "
        f"{group_name(worst['feature'], worst['group'])} in {worst['source']}. Over all data sets, the largest gap is "
        f"significant for {int((largest['gap_low'] > 0).sum())} of {len(largest)} features."
    )


def _largest_gaps(groups: pd.DataFrame) -> pd.DataFrame:
    """Row with the largest gap of each run, source and ``kind``: a feature of people, or all attributes together."""
    kinds = groups.assign(kind=groups["feature"].where(groups["feature"].isin(PEOPLE), "attributes"))
    return kinds.loc[kinds.groupby(["run", "source", "kind"], sort=False)["gap"].idxmax()]


def gap_table(groups: pd.DataFrame) -> pd.DataFrame:
    """Largest gap of each feature in each run, in percentage points with its 95 % interval.

    Parameters
    ----------
    groups
        As in `group_gaps`.

    Returns
    -------
    pandas.DataFrame
        Index: data set and feature; columns: runs, this run first; formatted for display.
    """
    largest = _largest_gaps(groups)
    largest = largest.assign(
        row=largest["source"] + ": " + largest["kind"],
        text=[
            f"{interval_text(row.gap, row.gap_low, row.gap_high)}, {group_name(row.feature, row.group)}"
            for row in largest.itertuples()
        ],
    )
    table = largest.pivot(index="row", columns="run", values="text").reindex(
        index=largest["row"].unique(), columns=runs(groups)
    )
    return table.rename_axis(index=None, columns=None)
