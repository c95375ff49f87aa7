"""Labels that confident learning doubts, by group of faces."""

from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.figures.rows import intervals, row_chart, row_heights
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS


def _named(doubts: pd.DataFrame) -> pd.DataFrame:
    """All, the labels, then attributes from the most doubted to the least."""
    kinds = {"all": 0, "label": 1, "attribute": 2}
    table = doubts.assign(
        kind_place=doubts["kind"].map(kinds), less=-doubts["share"].where(doubts["kind"] != "label", 0)
    )
    table = table.sort_values(["kind_place", "less"], kind="stable")
    names = {
        "all": lambda group: group,
        "label": lambda group: f"labelled {group}",
        "attribute": lambda group: attribute_name(group).lower(),
    }
    return table.assign(name=[names[row.kind](row.group) for row in table.itertuples()])


def doubted_shares(doubts: pd.DataFrame, top: int = 10) -> hv.Overlay:
    """Share of doubted labels among all faces, by label and with each attribute, with 95 % intervals.

    Parameters
    ----------
    doubts
        ``kind, group, images, doubted, share, low, high``; see `analysis.study.label_noise.doubted_labels`.
    top
        Attributes that are shown, those with the most doubted labels.
    """
    named = _named(doubts)
    named = pd.concat([named[named["kind"] != "attribute"], named[named["kind"] == "attribute"].head(top)])
    rows = row_heights(named["name"])
    table = named.assign(
        x=100 * named["share"],
        y=named["name"].map(rows),
        interval=[f"{percent(row.low)} to {percent(row.high)}" for row in named.itertuples()],
        counts=[f"{row.doubted:,} of {row.images:,}" for row in named.itertuples()],
        low=100 * named["low"],
        high=100 * named["high"],
    )
    tips = [("faces", "@name"), ("doubted", "@counts"), ("share", "@x{0.0} %"), ("95 % interval", "@interval")]
    colours = {"all faces": theme.QUIET} | {label: LABEL_COLOURS[label] for label in LABELS}
    layers: list[hv.Element] = []
    for group, colour in colours.items():
        part = table[(table["group"] == group) & (table["kind"] != "attribute")]
        layers += intervals(part, colour, tips) if len(part) else []
    attributes = table[table["kind"] == "attribute"]
    layers += intervals(attributes, CATEGORIES[2], tips) if len(attributes) else []
    return row_chart(
        layers,
        rows,
        "Which labels are in doubt?",
        "Doubted labels (%)",
        xlim=(0, 1.08 * max(1.0, float(table["high"].max()))),
        height=110 + 28 * len(rows),
    )


def doubted_shares_reading(doubts: pd.DataFrame, noise: dict[str, Any]) -> str:
    """What confident learning expects, how it was asked, and which faces are doubted most.

    Parameters
    ----------
    doubts
        As in `doubted_shares`.
    noise
        ``label_noise`` of ``study.json``.
    """
    said = (
        f"A simple classifier scored every face after learning from other people only ({noise['folds']} parts, "
        f"{percent(noise['accuracy'])} right). From its scores confident learning expects "
        f"{percent(noise['noise_rate'])} of the {noise['images']:,} labels to be wrong and names {noise['issues']:,} "
        f"({noise['suggested']['female to male']:,} labelled female, {noise['suggested']['male to female']:,} male)"
    )
    attributes = _named(doubts[doubts["kind"] == "attribute"])
    if attributes.empty:
        return f"{said}."
    most = attributes.iloc[0]
    return (
        f"{said}. Most are doubted where “{most['name']}” is noted: {percent(most['share'])} of {most['images']:,}. A "
        "doubt is no proof: it may be a rare face as well as a wrong label."
    )
