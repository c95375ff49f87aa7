"""Face or styling: what is left of the difference when other things are held equal, and whether they are.

Knows the results of the matched comparisons; knows nothing of how they were computed.
"""

from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.words import p_value, percent
from analysis.figures import theme
from analysis.figures.hypothesis import chance_ticks
from analysis.figures.rows import broken, intervals, points, row_chart, row_heights
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS
from analysis.hypothesis.regions import REGIONS

BALANCED = 0.1  # standardised difference below which a covariate is taken as balanced (Austin 2009)
_PLAIN = {  # what attributes are called on a page
    "5_o_Clock_Shadow": "stubble",
    "Heavy_Makeup": "heavy make-up",
    "Wearing_Lipstick": "lipstick",
    "Wearing_Hat": "hat",
    "Mouth_Slightly_Open": "mouth open",
}


def plain_name(attribute: str) -> str:
    """What an attribute is called on a page."""
    return _PLAIN.get(attribute, attribute.replace("_", " ").lower())


def _titles(hypothesis: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["title"] for each in hypothesis["confounders"]["comparisons"]}


def _strictest(table: pd.DataFrame, hypothesis: dict[str, Any]) -> pd.DataFrame:
    return table[table["comparison"] == list(_titles(hypothesis))[-1]]


def steps_chart(confounders: pd.DataFrame, hypothesis: dict[str, Any], region: str = "face") -> hv.Overlay:
    """Mean abs(g) of one part as more and more is held equal, with intervals.

    Parameters
    ----------
    confounders
        ``comparison, region, mean_abs_g, low, high, by_chance, survives``.
    hypothesis
        ``hypothesis.json``.
    region
        A part, "face" or "whole picture".
    """
    titles = {key: broken(title) for key, title in _titles(hypothesis).items()}
    rows = row_heights(titles.values())
    chosen = confounders[confounders["region"] == region]
    table = chosen.assign(x=chosen["mean_abs_g"], y=chosen["comparison"].map(titles).map(rows))
    table["share"] = 100 * table["survives"]
    tips = [
        ("mean |g|", "@mean_abs_g{0.000}"),
        ("95 % interval", "@low{0.000} to @high{0.000}"),
        ("of it is left", "@share{0} %"),
        ("by chance", "@by_chance{0.000}"),
    ]
    return row_chart(
        [*chance_ticks(table), *intervals(table, CATEGORIES[0], tips)],
        rows,
        "Is it the face or the styling?",
        f"Mean |g|, {region} (standard deviations)",
        height=110 + 46 * len(rows),
        xlim=(0, float(table["high"].max()) * 1.06),
    )


def steps_reading(hypothesis: dict[str, Any]) -> str:
    """How much of the difference in the face is left at the end, and how sure that is."""
    found = hypothesis["survives"]
    if found is None:
        return "Nothing is known of these photos that could be held equal."
    low, high = found["interval"]
    people = hypothesis["confounders"]["comparisons"][-1]["effective"]
    return (
        f"With as much held equal as can be, {percent(found['share'], 0)} of the difference in the face is left (95 % "
        f"interval {percent(low, 0)} to {percent(high, 0)}); {p_value(found['p_value'])} for an effect as large "
        f"anywhere in the face. That comparison counts like one of {people['female']:,.0f} people labelled female and "
        f"{people['male']:,.0f} labelled male, of {hypothesis['confounders']['photos']:,} in all."
    )


def comparison_table(hypothesis: dict[str, Any]) -> pd.DataFrame:
    """What each comparison holds equal, how, and how many people it is worth, as text to be shown."""
    rows = [
        {
            "Comparison": each["title"],
            "Held equal by": each["how"],
            "People, female": f"{each['people']['female']:,}",
            "People, male": f"{each['people']['male']:,}",
            "Worth, female": f"{each['effective']['female']:,.0f}",
            "Worth, male": f"{each['effective']['male']:,.0f}",
            "p, face": p_value(each["p_value"]).removeprefix("p ").removeprefix("= "),
        }
        for each in hypothesis["confounders"]["comparisons"]
    ]
    return pd.DataFrame(rows).set_index("Comparison")


def survival_chart(confounders: pd.DataFrame, hypothesis: dict[str, Any]) -> hv.Overlay:
    """Mean abs(g) of each part before and after as much was held equal as can be.

    Parameters
    ----------
    confounders, hypothesis
        As in `steps_chart`.
    """
    parts = confounders[confounders["region"].isin(REGIONS)]
    after = _strictest(parts, hypothesis).sort_values("survives", ascending=False).set_index("region")
    before = parts[parts["comparison"] == "all"].set_index("region").loc[after.index]
    rows = row_heights(after.index)
    tips = [("part", "@region"), ("mean |g|", "@mean_abs_g{0.000}"), ("95 % interval", "@low{0.000} to @high{0.000}")]
    lines = [(before.loc[name, "mean_abs_g"], y, after.loc[name, "mean_abs_g"], y) for name, y in rows.items()]
    placed = [
        table.reset_index().assign(x=lambda t: t["mean_abs_g"], y=lambda t: t["region"].map(rows))
        for table in (before, after)
    ]
    layers = [
        hv.Segments(lines).opts(color=theme.QUIET, line_width=2, alpha=0.6),
        *chance_ticks(placed[1]),
        points(placed[0], LABEL_COLOURS["uncertain"], tips, "as photographed"),
        *intervals(placed[1], CATEGORIES[0], [*tips, ("of it is left", "@survives{0%}")], "held equal"),
    ]
    return row_chart(
        layers,
        rows,
        "What survives, part by part?",
        "Mean |g| (standard deviations)",
        height=150 + 34 * len(rows),
        xlim=(0, float(max(before["mean_abs_g"].max(), after["high"].max())) * 1.06),
        **theme.legend(),
    )


def survival_reading(confounders: pd.DataFrame, hypothesis: dict[str, Any]) -> str:
    """Which parts keep most and least of their difference."""
    after = _strictest(confounders[confounders["region"].isin(REGIONS)], hypothesis)
    after = after.sort_values("survives", ascending=False)
    told = [
        f"the {row.region}, {percent(row.survives, 0)} "
        f"({percent(row.survives_low, 0)} to {percent(row.survives_high, 0)})"
        for row in after.itertuples()
    ]
    clear = int((after["low"] > after["by_chance"]).sum())
    return (
        f"Most is left in {told[0]}, and {told[1]}; least in {told[-1]}, and {told[-2]}. {clear} of "
        f"{len(after)} parts still lie above what chance gives with the whole interval."
    )


def balance_chart(balance: pd.DataFrame, hypothesis: dict[str, Any]) -> hv.Overlay:
    """Absolute standardised difference of every covariate, before and after, and the limit of 0.1.

    Parameters
    ----------
    balance
        ``comparison, kind, covariate, held, difference``.
    hypothesis
        ``hypothesis.json``.
    """
    table = balance.assign(x=balance["difference"].abs(), name=balance["covariate"].map(plain_name))
    before = table[table["comparison"] == "all"].sort_values("x", ascending=False)
    rows = row_heights(before["name"])
    table["y"] = table["name"].map(rows)
    tips = [("covariate", "@name"), ("male − female", "@difference{+0.00} SD")]
    shown = ["x", "y", "name", "difference"]
    layers = [
        hv.VLine(BALANCED).opts(color=CATEGORIES[1], line_dash="dashed", line_width=2),
        points(table.loc[before.index, shown], LABEL_COLOURS["uncertain"], tips, "as photographed"),
        points(_strictest(table, hypothesis)[shown], CATEGORIES[0], tips, "held equal"),
    ]
    return row_chart(
        layers,
        rows,
        "Are the groups alike?",
        "Difference between labels, absolute (SD)",
        height=140 + 22 * len(rows),
        xlim=(-0.04, float(table["x"].max()) * 1.04 + 0.05),
        **theme.legend(),
    )


def balance_reading(balance: pd.DataFrame, hypothesis: dict[str, Any]) -> str:
    """How many covariates differ before and after."""
    before = balance[balance["comparison"] == "all"].set_index("covariate")["difference"].abs()
    after = _strictest(balance, hypothesis).set_index("covariate")["difference"].abs()
    return (
        f"As photographed, {int((before > BALANCED).sum())} of {len(before)} covariates differ by more than {BALANCED} "
        f"standard deviations between the labels, most of all {plain_name(str(before.idxmax()))} ({before.max():.1f}); "
        f"held equal, {int((after > BALANCED).sum()) or 'none'} do, and the largest difference is {after.max():.2f}."
    )


def overlap_table(hypothesis: dict[str, Any]) -> pd.DataFrame:
    """Shares of each label with each attribute, and whether it can be held equal, as text to be shown."""
    columns = ["Attribute", "Labelled female", "Labelled male", "Smallest group", "Can be matched"]
    rows = [
        (
            plain_name(row["attribute"]),
            percent(row["female"]),
            percent(row["male"]),
            f"{row['fewest']:,}",
            "with and without" if row["matchable"] else "hardly",
        )
        for row in sorted(hypothesis["confounders"]["overlap"], key=lambda row: row["fewest"])
    ]
    return pd.DataFrame(rows, columns=columns).set_index("Attribute")


def overlap_reading(hypothesis: dict[str, Any]) -> str:
    """Which attributes next to nobody of one label has."""
    found = hypothesis["confounders"]
    lone = [plain_name(row["attribute"]) for row in found["overlap"] if not row["matchable"]]
    if not found["overlap"]:
        return "The photos come without attributes."
    if not lone:
        return f"In both labels, every attribute is found and missing in {found['fewest']} people or more."
    names = ", ".join(lone[:-1]) + (" or " if len(lone) > 1 else "") + lone[-1]
    return (
        f"Fewer than {found['fewest']} people of one label are noted for {names}: no weighting can make the labels "
        "alike in these. So the strictest comparison leaves out whoever wears make-up or a beard, and people without "
        "a counterpart hardly count in it."
    )
