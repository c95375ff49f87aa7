"""Replication: difference maps of two data sets, and their correlation by age and race."""

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.words import extremes, number
from analysis.figures.guide import guided
from analysis.figures.hypothesis import CHANNEL_NAMES, maps_side_by_side
from analysis.figures.rows import intervals, row_chart
from analysis.figures.theme import CATEGORIES
from analysis.hypothesis.regions import face_pixels


@guided(
    "Both maps have the same scale, each in standard deviations of its own people. Where the same places have the "
    "same colour, the difference is found in both data sets.",
    view="hypothesis?view=elsewhere",
)
def elsewhere_maps(effects: xr.Dataset, own: str, other: str, channel: str = "L") -> hv.Overlay:
    """Difference maps of the face in two data sets side by side, each in its own people's standard deviations.

    Parameters
    ----------
    effects
        ``effect`` (channel, y, x) and ``elsewhere`` (dataset, channel, half_y, half_x).
    own, other
        Names of the data sets.
    channel
        "L", "a" or "b".
    """
    other_map = effects["elsewhere"].sel(dataset=other, channel=channel).to_numpy()
    rows, columns = other_map.shape
    full_size = effects["effect"].sel(channel=channel).to_numpy()[: 2 * rows, : 2 * columns]
    own_map = full_size.reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    in_face = face_pixels((rows, columns), 1).reshape(rows, columns)
    return maps_side_by_side(
        [np.where(in_face, values, np.nan) for values in (own_map, other_map)],
        [own, other],
        "Does it replicate?",
        f"Hedges’ g, {CHANNEL_NAMES[channel]}, male − female (SD)",
    )


def elsewhere_maps_reading(elsewhere: pd.DataFrame, other: str, channel: str = "L") -> str:
    """Correlation of the two maps."""
    chosen = elsewhere.query("dataset == @other and kind == 'all' and channel == @channel").iloc[0]
    return (
        f"Pixel by pixel within the face, the two maps of {CHANNEL_NAMES[channel]} correlate with {_r(chosen)}; "
        f"{other} has {chosen['female']:,} people labelled female and {chosen['male']:,} labelled male. Outside the "
        "face (grey) nothing is compared, as crops differ."
    )


def _r(row: pd.Series) -> str:
    return f"{_value(row)} ({_interval(row)})"


def _value(row: pd.Series) -> str:
    return f"r = {row['correlation']:.2f}".replace("-", "−")


def _interval(row: pd.Series) -> str:
    return f"95 % interval {row['low']:.2f} to {row['high']:.2f}".replace("-", "−")


def _named(elsewhere: pd.DataFrame, channel: str) -> pd.DataFrame:
    chosen = elsewhere[elsewhere["channel"] == channel].reset_index(drop=True)
    kinds = {"all": "{0}, everybody", "age": "{0}, ages {1}", "race": "{0}, {1}"}
    names = [kinds[row.kind].format(row.dataset, row.group) for row in chosen.itertuples()]
    return chosen.assign(name=pd.Series(names, dtype=object))


@guided(
    "Each row compares the map of a data set, or of an age or race in it, with the map of this study. At one the "
    "maps are the same, at zero they have nothing in common; bars are 95 % intervals.",
    view="hypothesis?view=elsewhere",
)
def correlation_chart(elsewhere: pd.DataFrame, channel: str = "L") -> hv.Overlay:
    """Correlation with the difference maps of other data sets, their ages and races, with intervals.

    Parameters
    ----------
    elsewhere
        ``dataset, kind, group, female, male, channel, correlation, low, high``.
    channel
        "L", "a", "b" or "all".
    """
    table = _named(elsewhere, channel).rename(columns={"name": "row"})
    tips = [
        ("group", "@row"),
        ("correlation", "@correlation{0.00}"),
        ("95 % interval", "@low{0.00} to @high{0.00}"),
        ("labelled female, male", "@female{0,0}, @male{0,0}"),
    ]
    groups = [
        intervals(table[table["kind"] == kind], "correlation", "row", tips, color=colour)
        for kind, colour in zip(("all", "age", "race"), CATEGORIES, strict=False)
        if (table["kind"] == kind).any()
    ]
    return row_chart(
        [hv.VLine(0).opts(line_dash="solid", line_width=1), *groups],
        table["row"],
        "For which groups?",
        f"Correlation, {CHANNEL_NAMES.get(channel, 'all channels')}\n(−1 to 1)",
        xlim=(min(-0.05, float(table["low"].min()) - 0.05), 1),
    )


def correlation_reading(elsewhere: pd.DataFrame, channel: str = "L") -> str:
    """Correlation of whole data sets, of the most and least similar group, and of the channels."""
    chosen = _named(elsewhere, channel)
    if chosen.empty:
        return "No other data set was compared."
    whole = {
        str(row["dataset"]): (row["correlation"], _value(row), _interval(row))
        for _, row in chosen[chosen["kind"] == "all"].iterrows()
    }
    text = f"The correlation of the whole maps is {extremes(whole, 'with')}. {channels_reading(elsewhere)}"
    parts = chosen[chosen["kind"] != "all"]
    if len(parts) < 2:
        return text
    best, worst = parts.loc[parts["correlation"].idxmax()], parts.loc[parts["correlation"].idxmin()]
    together = _named(elsewhere, "all")
    lowest = together.loc[together["correlation"].idxmin()]
    return (
        f"{text} Of the groups, {best['name']} is most similar, {_r(best)}, {worst['name']} least, {_r(worst)}; "
        f"over all channels it is {lowest['name']}, {_r(lowest)}. Intervals are over people; the attenuation by "
        "noise in small groups is corrected for."
    )


def channels_reading(elsewhere: pd.DataFrame) -> str:
    """Why the correlation over all channels, which the verdict uses, is not that of lightness."""
    whole = elsewhere[elsewhere["kind"] == "all"].pivot(index="dataset", columns="channel", values="correlation")
    least = whole.loc[whole["all"].idxmin()]
    parts = [f"{number(least[channel])} in {name}" for channel, name in CHANNEL_NAMES.items()]
    if len({f"{value:.2f}" for value in least}) == 1:
        return f"All channels agree alike (with {least.name}, r is {', '.join(parts)})."
    return (
        f"The channels agree to different degrees (with {least.name}, r is {', '.join(parts)}), so over all three "
        f"together, which the verdict uses, r is {number(least['all'])}."
    )
