"""How often each annotated attribute occurs with each label."""

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.theme import LABEL_COLOURS


def attribute_name(attribute: str) -> str:
    """CelebA's name of an attribute, as a reader would write it: ``5_o_Clock_Shadow`` -> "5 o’clock shadow"."""
    return attribute.replace("_o_", "_o’").replace("_", " ").capitalize()


def _by_label(attributes: pd.DataFrame, scope: str) -> pd.DataFrame:
    """One row an attribute that both labels have, ordered by male minus female prevalence."""
    found = attributes[attributes["scope"] == scope]
    table = found.pivot(index="attribute", columns="label", values=["prevalence", "low", "high", "images", "positives"])
    wanted = [(value, label) for value in ("prevalence", "low", "high") for label in LABELS]
    if found.empty or not set(wanted) <= set(table.columns):
        raise UserError(f"this run knows no attributes of its {scope}: study a data set with an attribute file")
    table = table.dropna(subset=wanted).astype(float)
    table["difference"] = table["prevalence", "male"] - table["prevalence", "female"]
    return table.sort_values("difference", kind="stable")


def attribute_prevalence(attributes: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Prevalence of every attribute with either label, ordered by the difference, with 95 % intervals.

    Parameters
    ----------
    attributes
        ``scope, attribute, label, images, positives, prevalence, low, high``; shares in [0, 1]. An attribute that one
        label lacks is left out.
    scope
        "images" (the faces studied) or "metadata" (all rows of the attribute file).

    Raises
    ------
    UserError
        If the run knows no attributes of that scope.
    """
    table = _by_label(attributes, scope)
    names = [attribute_name(str(name)) for name in table.index]
    pairs = [
        (100 * female, row, 100 * male, row)
        for row, (female, male) in enumerate(
            zip(table["prevalence", "female"], table["prevalence", "male"], strict=True)
        )
    ]
    layers: list[hv.Element] = [hv.Segments(pairs).opts(color=theme.QUIET, line_width=2, alpha=0.45)]
    for label in LABELS:
        colour = LABEL_COLOURS[label]
        found = pd.DataFrame(
            {
                "share": 100 * table["prevalence", label],
                "row": range(len(table)),
                "name": names,
                "interval": [
                    f"{percent(low)} to {percent(high)}"
                    for low, high in zip(table["low", label], table["high", label], strict=True)
                ],
                "exact": [percent(share, 2) for share in table["prevalence", label]],
                "count": [
                    f"{positives:,.0f} of {images:,.0f}"
                    for positives, images in zip(table["positives", label], table["images", label], strict=True)
                ],
            }
        )
        intervals = [
            (100 * low, row, 100 * high, row)
            for row, (low, high) in enumerate(zip(table["low", label], table["high", label], strict=True))
        ]
        layers.append(hv.Segments(intervals).opts(color=colour, line_width=3.5))
        layers.append(
            hv.Points(found, ["share", "row"], ["name", "exact", "interval", "count"], label=label).opts(
                color=colour,
                size=8,
                tools=["hover"],
                hover_tooltips=[
                    ("attribute", "@name"),
                    (f"labelled {label}", "@exact"),
                    ("95 % interval", "@interval"),
                    ("images", "@count"),
                ],
            )
        )
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Which attributes differ?",
            height=110 + 21 * len(table),
            xlabel="Share of the label (%)",
            ylabel="",
            xticks=[0, 25, 50, 75, 100],
            yticks=list(enumerate(names)),
            xlim=(-4, 104),
            ylim=(-0.8, len(table) - 0.2),
            show_grid=True,
            # The title starts above the names: a phone leaves no room for it to their right.
            backend_opts={"ygrid.grid_line_alpha": 0.12, "title.offset": -6 * max(map(len, names))},
            **theme.legend(),
        )
    )


def attribute_prevalence_reading(attributes: pd.DataFrame, scope: str = "images") -> str:
    """Which attribute leans most to either label.

    Raises
    ------
    UserError
        If the run knows no attributes of that scope.
    """
    table = _by_label(attributes, scope)
    shares = table["prevalence"]

    def told(name: str) -> str:
        share = shares.loc[name]
        return f"“{attribute_name(name)}” ({percent(share['female'])} of female, {percent(share['male'])} of male)"

    apart = int(
        ((table["low", "male"] > table["high", "female"]) | (table["low", "female"] > table["high", "male"])).sum()
    )
    leans = []
    if table["difference"].iloc[0] < 0:
        leans.append(f"{told(str(table.index[0]))} goes most with the label female")
    if table["difference"].iloc[-1] > 0:
        leans.append(f"{told(str(table.index[-1]))} most with male")
    opening = ", ".join(leans) + "; " if leans else ""
    return f"{opening}the 95 % intervals of the two labels are apart for {apart} of {len(table)} attributes."
