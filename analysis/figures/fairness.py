"""Who is served worse: groups by how far they are behind the best of their kind."""

from collections.abc import Sequence

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.figures.tables import interval_text

PEOPLE = ("label", "style", "part", "age", "race")  # features of who is shown; the others are CelebA's attributes
_NAMES = {"age": "age {}", "label": "labelled {}", "race": "{}", "style": "{}", "part": "{}"}


def runs(groups: pd.DataFrame) -> list[str]:
    """This run, then those that it was compared with."""
    return list(dict.fromkeys(groups["run"]))


def group_name(feature: str, group: str) -> str:
    """How a group is written: "age 10-19", "labelled male", "eyeglasses", "no eyeglasses"."""
    if feature in _NAMES:
        return _NAMES[feature].format(group.replace("-", "–"))
    attribute = attribute_name(feature)
    return attribute if group == "with" else f"not: {attribute}"


def _behind(groups: pd.DataFrame, people: bool) -> pd.DataFrame:
    """Groups of this run that are not the best of their feature, the worst last."""
    own = groups[groups["run"] == groups["run"].iloc[0]] if len(groups) else groups
    own = own[own["feature"].isin(PEOPLE) == people]
    best = own.groupby(["source", "feature"])["accuracy"].transform("max")
    found = own[own["accuracy"] < best].sort_values("gap", kind="stable")
    if found.empty:
        kind = "ages or races" if people else "attributes"
        raise UserError(f"this run knows no groups by {kind}: evaluate it on a data set that knows some")
    return found


def group_gaps(groups: pd.DataFrame, *, people: bool = True) -> hv.Overlay:
    """Points of accuracy by which each group is behind the best group of its feature, with 95 % intervals, on Test.

    Where another run was measured on the same images, its gap is a hollow circle: what became of a gap.

    Parameters
    ----------
    groups
        ``run, source, feature, group, images, accuracy, gap, gap_low, gap_high``, this run first; the second run, if
        any, is the hollow one.
    people
        Whether to show who is shown (label, age, race) or CelebA's attributes.

    Raises
    ------
    UserError
        If the run knows no such groups.
    """
    table = _behind(groups, people)
    several = table["source"].nunique() > 1
    names = [group_name(row.feature, row.group) + (f", {row.source}" if several else "") for row in table.itertuples()]
    facts = pd.DataFrame(
        {
            "gap": 100 * table["gap"].to_numpy(),
            "row": range(len(table)),
            "name": names,
            "exact": [f"{100 * gap:.1f} points" for gap in table["gap"]],
            "interval": [
                f"{100 * a:.1f} to {100 * b:.1f}" for a, b in zip(table["gap_low"], table["gap_high"], strict=True)
            ],
            "accuracy": [percent(value) for value in table["accuracy"]],
            "count": [f"{n:,}" for n in table["images"]],
        }
    )
    own = runs(groups)[0]
    spans = [
        (100 * low, row, 100 * high, row)
        for row, (low, high) in enumerate(zip(table["gap_low"], table["gap_high"], strict=True))
    ]
    tips = [("group", "@name"), ("behind the best", "@exact"), ("95 % interval", "@interval"),
            ("accuracy", "@accuracy"), ("images", "@count")]  # fmt: skip
    vdims = ["name", "exact", "interval", "accuracy", "count"]
    layers: list[hv.Element] = [
        hv.VLine(0).opts(color=theme.QUIET, line_width=1.5, line_dash="dashed"),
        hv.Segments(spans).opts(color=theme.CATEGORIES[0], alpha=0.45, line_width=3.5),
        hv.Points(facts, ["gap", "row"], vdims, label=f"run {own}").opts(
            color=theme.CATEGORIES[0], size=9, tools=["hover"], hover_tooltips=tips
        ),
    ]
    shown = [100 * table["gap_low"].min(), 100 * table["gap_high"].max(), 0]
    for rival in runs(groups)[1:2]:
        keys = ["source", "feature", "group"]
        other = table[keys].merge(groups[groups["run"] == rival], on=keys, how="left").reset_index(names="row")
        other = other.dropna(subset=["gap"])
        before = pd.DataFrame(
            {
                "gap": 100 * other["gap"],
                "row": other["row"],
                "name": [names[row] for row in other["row"]],
                "exact": [f"{100 * gap:.1f} points" for gap in other["gap"]],
                "interval": [
                    f"{100 * a:.1f} to {100 * b:.1f}" for a, b in zip(other["gap_low"], other["gap_high"], strict=True)
                ],
                "accuracy": [percent(value) for value in other["accuracy"]],
                "count": [f"{n:,.0f}" for n in other["images"]],
            }
        )
        layers.append(
            hv.Points(before, ["gap", "row"], vdims, label=f"run {rival}").opts(
                color="#00000000",
                line_color=theme.CATEGORIES[1],
                line_width=2,
                size=9,
                tools=["hover"],
                hover_tooltips=tips,
            )
        )
        shown += [100 * other["gap"].max()]
    room = 0.05 * (max(shown) - min(shown))
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Who is served worse?",
            height=130 + 23 * len(table),
            max_width=760,
            xlabel="Accuracy behind the best (points)",
            ylabel="",
            yticks=list(enumerate(names)),
            xlim=(min(shown) - room, max(shown) + room),
            ylim=(-0.8, len(table) - 0.2),
            show_grid=True,
            # The title starts above the names: a phone leaves no room for it to their right.
            backend_opts={"ygrid.grid_line_alpha": 0.12, "title.offset": -5 * max(map(len, names))},
            **(theme.names_of([f"run {name}" for name in runs(groups)[:2]])),
        )
    )


def group_gaps_reading(groups: pd.DataFrame, *, people: bool = True) -> str:
    """The largest gap, how many are beyond chance, and what it was in the other run.

    Raises
    ------
    UserError
        If the run knows no such groups.
    """
    table = _behind(groups, people)
    worst = table.iloc[-1]
    clear = int((table["gap_low"] > 0).sum())
    name = group_name(worst["feature"], worst["group"])
    said = (
        f"Furthest behind is “{name}” ({worst['source']}): {100 * worst['gap']:.1f} percentage points, 95 % interval "
        f"{100 * worst['gap_low']:.1f} to {100 * worst['gap_high']:.1f}; of {len(table)} groups that are behind, "
        f"{clear} are so beyond chance."
    )
    for rival in runs(groups)[1:2]:
        same = groups[
            (groups["run"] == rival)
            & (groups[["source", "feature", "group"]] == worst[["source", "feature", "group"]]).all(axis=1)
        ]
        if len(same):
            said += f" In run {rival} (hollow) that gap is {100 * same['gap'].iloc[0]:.1f} points."
    return said


def group_table(groups: pd.DataFrame, features: Sequence[str] = PEOPLE) -> pd.DataFrame:
    """Test metrics of this run's groups, as text to be shown.

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
        accuracy of the decided, and shares of female taken for male and of male taken for female, in per cent.
    """
    own = groups[groups["run"] == runs(groups)[0]] if len(groups) else groups
    own = own[own["feature"].isin(features)]
    rows = {
        f"{row.source}: {group_name(row.feature, row.group)}": [
            f"{row.images:,}",
            interval_text(row.accuracy, row.accuracy_low, row.accuracy_high),
            interval_text(row.gap, row.gap_low, row.gap_high) if row.gap else "best",
            f"{100 * row.coverage:.1f}",
            interval_text(row.decided_accuracy, float("nan"), float("nan")),
            interval_text(row.false_male_rate, float("nan"), float("nan")),
            interval_text(row.false_female_rate, float("nan"), float("nan")),
        ]
        for row in own.itertuples()
    }
    columns = [
        "Images",
        "Accuracy, %",
        "Gap",
        "Decided, %",
        "Right of those, %",
        "F as M, %",
        "M as F, %",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def summary(groups: pd.DataFrame) -> str:
    """The largest gap of this run by each feature, in a sentence."""
    if groups.empty:
        return "The run knows no groups of 20 test images or more."
    own = gap_table(groups).iloc[:, 0].dropna()
    told = "; ".join(f"{row}: {text}" for row, text in own.items())
    return f"Largest gaps to the best group, in percentage points with 95 % intervals: {told}."


def gap_table(groups: pd.DataFrame) -> pd.DataFrame:
    """Largest gap of each feature in each run, in percentage points with its 95 % interval: before and after.

    Parameters
    ----------
    groups
        As in `group_gaps`.

    Returns
    -------
    pandas.DataFrame
        Index: data set and feature; columns: runs, this run first; text to be shown.
    """
    kind = groups["feature"].where(groups["feature"].isin(PEOPLE), "attributes")
    worst = groups.loc[groups.assign(kind=kind).groupby(["run", "source", "kind"], sort=False)["gap"].idxmax()]
    shown = worst.assign(
        row=worst["source"] + ": " + kind.loc[worst.index],
        text=[
            f"{interval_text(row.gap, row.gap_low, row.gap_high)}, {group_name(row.feature, row.group)}"
            for row in worst.itertuples()
        ],
    )
    table = shown.pivot(index="row", columns="run", values="text").reindex(
        index=shown["row"].unique(), columns=runs(groups)
    )
    return table.rename_axis(index=None, columns=None)
