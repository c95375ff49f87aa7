"""Charts of estimates with intervals, one a row: what many results of the test have in common.

Knows how rows are laid out; knows nothing of what is estimated.
"""

from collections.abc import Iterable
from typing import Any

import holoviews as hv
import pandas as pd

from analysis.figures import theme


def row_heights(names: Iterable[str]) -> dict[str, int]:
    """Height of each row by its name, the first on top."""
    names = list(names)
    return {name: len(names) - 1 - place for place, name in enumerate(names)}


def broken(name: str, width: int = 26) -> str:
    """Break a long name into two lines near its middle."""
    if len(name) <= width:
        return name
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    middle = min(spaces, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def intervals(table: pd.DataFrame, colour: str, tooltips: list[tuple[str, str]], label: str = "") -> list[hv.Element]:
    """Points with their intervals.

    Parameters
    ----------
    table
        ``x, y, low, high`` and what the tooltips ask for.
    colour
        Of both.
    tooltips
        What is said of each point.
    label
        In the legend.
    """
    others = [name for name in table if name not in ("x", "y")]
    return [
        hv.Segments(table, ["low", "y", "high", "y"]).opts(color=colour, line_width=3, alpha=0.55),
        points(table[["x", "y", *others]], colour, tooltips, label),
    ]


def points(table: pd.DataFrame, colour: str, tooltips: list[tuple[str, str]], label: str = "") -> hv.Points:
    """Points without intervals; as `intervals`."""
    others = [name for name in table if name not in ("x", "y")]
    return hv.Points(table, ["x", "y"], others, label=label).opts(
        color=colour, size=10, tools=["hover"], hover_tooltips=tooltips
    )


def row_chart(
    layers: list[hv.Element],
    rows: dict[str, int],
    title: str,
    xlabel: str,
    *,
    height: int | None = None,
    head: float = 0.7,
    **more: Any,
) -> hv.Overlay:
    """Lay rows out under each other.

    Parameters
    ----------
    layers
        Drawn over each other.
    rows
        From `row_heights`.
    title, xlabel
        The question, and what is measured with its unit.
    height
        In CSS pixels; by default what the rows need.
    head
        Room above the first row, in rows.
    **more
        Further HoloViews options.
    """
    return hv.Overlay(layers).opts(
        **theme.chart(
            title,
            height=height or 110 + 34 * len(rows),
            max_width=820,
            xlabel=xlabel,
            ylabel="",
            yticks=[(y, name) for name, y in rows.items()],
            ylim=(-0.8, len(rows) - 1 + head),
            show_grid=True,
            **({"show_legend": False} | more),
        )
    )
