"""Charts of estimates with intervals, one per row, and other parts that many figures share."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.figures import theme

Tooltips = list[tuple[str, str]]


def of_scope(table: pd.DataFrame, scope: str, kind: str) -> pd.DataFrame:
    """Rows of a table of the study that were counted over some images.

    Parameters
    ----------
    table
        Table with the column ``scope``.
    scope
        "images" (the faces studied) or "metadata" (all rows of the attribute or identity file).
    kind
        "attribute" or "identity": the file that the table needs.

    Raises
    ------
    UserError
        If there are none.
    """
    rows = table[table["scope"] == scope]
    if rows.empty:
        several = {"attribute": "attributes", "identity": "identities"}[kind]
        raise UserError(f"this run has no {several} of its {scope}: study a data set with an {kind} file")
    return rows


def two_lines(name: str, width: int = 26) -> str:
    """Break a long name into two lines near its middle."""
    if len(name) <= width:
        return name
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    middle = min(spaces, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def in_percent(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Copy of a table whose shares in [0, 1] are percentages."""
    return table.assign(**{column: 100 * table[column].astype(float) for column in columns})


def with_errors(table: pd.DataFrame, estimate: str) -> pd.DataFrame:
    """Copy of a table with ``below`` and ``above``: how far ``low`` and ``high`` are from an estimate."""
    return table.assign(below=table[estimate] - table["low"], above=table["high"] - table[estimate])


def points(table: pd.DataFrame, x: str, y: str, tooltips: Tooltips, *, label: str = "", **style: Any) -> hv.Points:
    """Points with tooltips.

    Parameters
    ----------
    table
        ``x``, ``y`` and the columns that the tooltips show.
    x, y
        Names of columns; a column of text gives an axis of names.
    tooltips
        Names and values of the tooltip of each point.
    label
        Name in the legend.
    **style
        Further HoloViews options, such as ``color``.
    """
    needed = {name for _, text in tooltips for name in re.findall(r"@(\w+)", text)} | {*style.values()}
    others = [name for name in table if name in needed - {x, y}]  # the others would only make pages larger
    return hv.Points(table, [x, y], others, label=label).opts(
        **({"size": 10, "tools": ["hover"], "hover_tooltips": tooltips} | style)
    )


def intervals(
    table: pd.DataFrame, x: str, y: str, tooltips: Tooltips, *, color: str, label: str = "", **style: Any
) -> hv.Overlay:
    """Points with horizontal intervals from ``low`` to ``high``; otherwise as `points`."""
    errors = hv.ErrorBars(with_errors(table, x), x, [y, "below", "above"], horizontal=True).opts(color=color)
    return errors * points(table, x, y, tooltips, label=label, color=color, **style)


def row_chart(
    layers: Sequence[hv.core.Dimensioned],
    names: Iterable[str],
    title: str,
    xlabel: str,
    *,
    height: int | None = None,
    **more: Any,
) -> hv.Overlay:
    """Chart with one row per name.

    Parameters
    ----------
    layers
        Elements that are drawn over each other; their dimension ``row`` is the name of the row.
    names
        Names of the rows, from top to bottom.
    title, xlabel
        The question that the chart answers, and the measure with its unit.
    height
        Height in CSS pixels; default: what the rows need.
    **more
        Further HoloViews options.
    """
    names = list(names)
    overlay = hv.Overlay(layers).collate().redim.values(row=names[::-1])
    options: dict[str, Any] = {"max_width": 820, "ylabel": "", "show_grid": True, "show_legend": False}
    options |= {"height": height or 110 + 34 * len(names)} | theme.over_names(names) | more
    return overlay.opts(**theme.chart(title, xlabel=xlabel, **options))
