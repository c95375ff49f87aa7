"""Who gained and who lost against another run, answer by answer on the same test images."""

import holoviews as hv
import pandas as pd
from scipy.stats import false_discovery_control

from analysis.core.errors import UserError
from analysis.core.schema import LARGE_GROUP
from analysis.core.words import p_value, signed, source_name
from analysis.figures import theme
from analysis.figures.fairness import PEOPLE, group_name
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, points, row_chart, with_errors

_FALSE = 0.05  # share of false ones among the differences that are called beyond chance, at most
_NAMED = 3  # groups that the reading names of a kind


def compared_runs(paired: pd.DataFrame) -> list[str]:
    """Runs that this one was compared with, in the order of the evaluation."""
    return list(dict.fromkeys(paired["run"]))


def _against(paired: pd.DataFrame, run: str | None) -> pd.DataFrame:
    """Rows against one run: sources, then groups of people; ``beyond`` says whether chance is ruled out."""
    runs = compared_runs(paired)
    if not runs:
        raise UserError("this run was compared with no other: evaluate it with `--compare RUN`")
    chosen = paired[(paired["run"] == (run or runs[0]))]
    # Parts of a data set are sources of their own already, and men by style are those labelled male.
    shown = chosen["feature"].isin({"all", *PEOPLE} - {"part"}) & (chosen["group"] != "men")
    chosen = chosen[shown & (chosen["images"] >= LARGE_GROUP)].reset_index(drop=True)
    return chosen.assign(
        beyond=false_discovery_control(chosen["p_value"]) <= _FALSE,
        row=[_name(row.source, row.feature, row.group) for row in chosen.itertuples()],
    )


def _name(source: str, feature: str, group: str) -> str:
    return source_name(source) if feature == "all" else f"{group_name(feature, group)}, {source}"


@guided(
    "Each row is a data set or a group. Right of zero this run is right more often than the other; bars are 95 % "
    "intervals, and those that cross zero may be chance.",
    view="metrics?view=accuracy",
)
def gains(paired: pd.DataFrame, run: str | None = None) -> hv.Overlay:
    """Points of accuracy by which each source and group gained against another run, with 95 % intervals, on Test.

    Groups are of 50 images or more; differences that chance could explain are hollow.

    Parameters
    ----------
    paired
        ``run, source, feature, group, images, gained, lost, p_value`` and, in [-1, 1], ``difference, low, high``.
    run
        The other run; default: the first.

    Raises
    ------
    UserError
        If this run was compared with no other.
    """
    table = in_percent(_against(paired, run), "difference", "low", "high")
    table = table.sort_values("difference", ascending=False, kind="stable")
    tips = [
        ("group", "@row"),
        ("difference", "@difference{+0.0} points"),
        ("95 % interval", "@low{+0.0} to @high{+0.0}"),
        ("gained, lost", "@gained{0,0}, @lost{0,0} of @images{0,0}"),
        ("p", "@p_value{0.0000}"),
    ]
    layers: list[hv.core.Dimensioned] = [
        hv.VLine(0).opts(line_width=1.5),
        hv.ErrorBars(with_errors(table, "difference"), "difference", ["row", "below", "above"], horizontal=True).opts(
            color=theme.CATEGORIES[0]
        ),
    ]
    style = {"line_color": theme.CATEGORIES[0], "line_width": 2, "size": 9}
    for beyond, label, fill in ((True, "beyond chance", theme.CATEGORIES[0]), (False, "may be chance", "#00000000")):
        part = table[table["beyond"] == beyond]
        if part.empty:
            continue
        layers.append(points(part, "difference", "row", tips, label=label, fill_color=fill, **style))
    ends = [table["low"].min(), table["high"].max(), 0]
    room = 0.05 * (max(ends) - min(ends))
    return row_chart(
        layers,
        table["row"],
        "Who gained and who lost?",
        "Difference (points)",
        height=130 + 23 * len(table),
        max_width=760,
        xlim=(min(ends) - room, max(ends) + room),
        xticks=4,
        **theme.legend(),
    )


def gains_reading(paired: pd.DataFrame, run: str | None = None) -> str:
    """Gain or loss of each data set, and the groups whose gain or loss chance does not explain.

    Parameters
    ----------
    paired, run
        As in `gains`.

    Raises
    ------
    UserError
        If this run was compared with no other.
    """
    table = _against(paired, run)
    whole = table[(table["feature"] == "all") & ~table["source"].str.contains(", ")]
    parts = [
        f"{_points(row.difference)} on {row.source} ({_points(row.low)} to {_points(row.high)}; {row.gained:,} images "
        f"gained, {row.lost:,} lost, {p_value(row.p_value)})"
        for row in whole.itertuples()
    ]
    groups = table[table["feature"] != "all"]
    found = groups[groups["beyond"]]
    kinds = [
        _listed("gained", found[found["difference"] > 0].sort_values("difference", ascending=False)),
        _listed("lost", found[found["difference"] < 0].sort_values("difference")),
    ]
    beyond = " and ".join(filter(None, kinds)) or "none gained or lost"
    return (
        f"Against run {table['run'].iloc[0]}, accuracy differs by {'; '.join(parts)}. Of {len(groups)} groups of "
        f"people, {beyond} beyond chance: sign tests over people, of whose findings at most {100 * _FALSE:.0f} % are "
        "expected to be false (Benjamini and Hochberg). What may be chance is hollow; an interval is for its row alone."
    )


def _points(difference: float) -> str:
    return signed(100 * difference, 1)


def _listed(verb: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    named = "; ".join(f"{_points(row.difference)} {row.row}" for row in rows.head(_NAMED).itertuples())
    more = f"; and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"{len(rows)} {verb} ({named}{more})"


def paired_table(paired: pd.DataFrame) -> pd.DataFrame:
    """Gains and losses on each source against each run that this one was compared with, formatted for display.

    Parameters
    ----------
    paired
        As in `gains`.

    Returns
    -------
    pandas.DataFrame
        Index: source and, where there are several, the other run; columns: images, images that only this run and only
        the other has right, difference in percentage points with its interval, p value.
    """
    several = len(compared_runs(paired)) > 1
    rows = {
        source_name(row.source) + f", against {row.run}" * several: [
            f"{row.images:,}",
            f"{row.gained:,}",
            f"{row.lost:,}",
            f"{_points(row.difference)} ({_points(row.low)} to {_points(row.high)})".replace(" ", "\u00a0"),
            p_value(row.p_value).removeprefix("p ").removeprefix("= "),
        ]
        for row in paired[paired["feature"] == "all"].itertuples()
    }
    columns = ["Images", "Gained", "Lost", "Difference, points", "p"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
