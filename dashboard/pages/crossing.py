"""A table of accuracy where two groupings cross: as a grid, or the worst first; each cell leads to its faces."""

from html import escape
from urllib.parse import urlencode

import pandas as pd

from analysis.core.schema import AGE_BANDS, CELEBA_ATTRIBUTES
from analysis.core.words import percent

_BEHIND = 0.1  # share of right answers behind the overall one, at which a cell has its full tint


def faces_address(groups: dict[str, str], split: str) -> str:
    """Address of the page of all faces with some groups selected, relative to a page beside it; "" if there is none.

    Parameters
    ----------
    groups
        Key of a grouping, as in `analysis.figures.crossing` -> group.
    split
        Split of the faces.
    """
    query: dict[str, str] = {"split": split}
    for key, group in groups.items():
        if key == "age":
            low, high = AGE_BANDS[group]
            query["age"] = f"{low},{high - 1}"
        elif key in CELEBA_ATTRIBUTES:
            side = "having" if group == "yes" else "lacking"
            query[side] = f"{query[side]},{key}" if side in query else key
        elif key in ("label", "race", "dataset"):
            query["source" if key == "dataset" else key] = group
        else:
            return ""  # styled is either of two attributes, which the page cannot select
    return f"../explore?{urlencode(query)}"


def grid(cells: pd.DataFrame, first: str, second: str, split: str) -> str:
    """Write cells as a table of rows and columns, in HTML.

    Parameters
    ----------
    cells
        From `analysis.figures.crossing.crossed_accuracy`.
    first, second
        Keys of the groupings in rows and in columns.
    split
        Split of the faces.
    """
    rows, columns = list(dict.fromkeys(cells["first"])), _columns(cells)
    by_pair = cells.set_index(["first", "second"])
    overall = _overall(cells)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = ""
    for one in rows:
        body += f'<tr><th scope="row">{escape(one)}</th>'
        for other in columns:
            if (one, other) in by_pair.index:
                body += _cell(by_pair.loc[(one, other)], {first: one, second: other}, split, overall)
            else:
                body += "<td>–</td>"
        body += "</tr>"
    return f'<table class="cells"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def _columns(cells: pd.DataFrame) -> list[str]:
    """Groups of the columns, in the order of the row that has most of them."""
    longest = cells.groupby("first", sort=False).size().idxmax()
    own = cells.loc[cells["first"] == longest, "second"].tolist()
    return own + [name for name in dict.fromkeys(cells["second"]) if name not in own]


def _overall(cells: pd.DataFrame) -> float:
    known = cells.dropna(subset="accuracy")
    return float((known["accuracy"] * known["images"]).sum() / max(1, known["images"].sum()))


def _cell(cell: pd.Series, groups: dict[str, str], split: str, overall: float) -> str:
    count = f"n = {int(cell['images']):,}"
    if pd.isna(cell["accuracy"]):
        return f"<td><small>{count}</small></td>"
    tint = 100 * min(1.0, max(0.0, (overall - float(cell["accuracy"])) / _BEHIND))
    said = percent(float(cell["accuracy"]))
    address = faces_address(groups, split)
    link = _linked(said, address)
    return (
        f'<td style="--behind:{tint:.0f}%"><b>{link}</b><small>{percent(float(cell["low"]))} to '
        f"{percent(float(cell['high']))}<br>{count}</small></td>"
    )


def _linked(markup: str, address: str) -> str:
    return f'<a href="{escape(address)}">{markup}</a>' if address else markup


def ranking(cells: pd.DataFrame, first: str, second: str, split: str) -> str:
    """Write cells as a list, the lowest accuracy first, in HTML; arguments as in `grid`."""
    known = cells.dropna(subset="accuracy").sort_values(["accuracy", "images"], ascending=[True, False])
    body = ""
    for cell in known.to_dict("records"):
        address = faces_address({first: cell["first"], second: cell["second"]}, split)
        name = escape(cell["first"] if first == second else f"{cell['first']} × {cell['second']}")
        body += (
            f'<tr><th scope="row">{_linked(name, address)}</th>'
            f'<td class="number">{cell["images"]:,}</td><td class="number">{percent(cell["accuracy"])}</td>'
            f'<td class="number">{percent(cell["low"])} to {percent(cell["high"])}</td>'
            f'<td class="number">{percent(cell["undecided"])}</td></tr>'
        )
    heads = ("Group", "Faces", "Accuracy", "95 % interval", "Undecided")
    head = "".join(f'<th scope="col"{" class=number" * (place > 0)}>{name}</th>' for place, name in enumerate(heads))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
