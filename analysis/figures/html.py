"""Figures and tables as HTML that both renderers of the report show alike.

A page holds each figure packed; ``site/assets/site.js`` draws it with BokehJS of the installed version once it comes
into view. Nothing is fetched from elsewhere.
"""

import base64
import gzip
import json
import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import holoviews as hv
import pandas as pd
from bokeh.embed import json_item
from bokeh.models import Plot
from IPython.display import Markdown

from analysis.core.errors import UserError
from analysis.figures import theme
from analysis.figures.guide import Guide, guide_of
from analysis.figures.still import still

_HEAVY = 60_000  # bytes of a still above which the figure waits to be drawn


class PageHtml:
    """HTML that a page takes as it is.

    It is displayed as Markdown with a raw block. Were it displayed as HTML, Quarto would load jQuery and require.js
    from a server elsewhere.

    Parameters
    ----------
    data
        The HTML.
    """

    def __init__(self, data: str) -> None:
        self.data = data

    def _repr_markdown_(self) -> str:
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", self.data))])
        return f"{fence}{{=html}}\n{self.data}\n{fence}\n"


def figure_item(figure: hv.core.Dimensioned) -> dict[str, Any]:
    """Turn a figure into what BokehJS draws: the item of ``bokeh.embed.json_item``."""
    return drawn(figure)[0]


def drawn(figure: hv.core.Dimensioned) -> tuple[dict[str, Any], str | None]:
    """Turn a figure into what BokehJS draws, and into the SVG that stands in for it; see `analysis.figures.still`."""
    with warnings.catch_warnings():
        # Of a map on which nothing is beyond chance HoloViews asks the range all the same, and NumPy would say on the
        # page, with a path of this machine, that there is none.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        plot = hv.renderer("bokeh").get_plot(figure)
    if isinstance(plot.state, Plot):  # one chart, whose caption stands above; of several, each needs its title
        plot.state.title = None
    return dict(json_item(plot.state, theme=theme.THEME)), still(plot.state)


@dataclass(frozen=True)
class View:
    """Another look of a figure, which a reader switches to."""

    name: str
    """What the switch says, such as "Styling held equal"."""
    figure: hv.core.Dimensioned
    """As large as the figure itself."""
    finding: str
    """What it shows; plain text."""
    phone: hv.core.Dimensioned | None = None
    """The same laid out for a screen of less than 600 pixels."""


def figure_html(
    figure: hv.core.Dimensioned,
    finding: str,
    *,
    phone: hv.core.Dimensioned | None = None,
    name: str = "",
    views: Sequence[View] = (),
) -> PageHtml:
    """Wrap a figure for a page, which numbers it and gives it a caption.

    Beneath it stand its finding, how it is read, and links: to its picture, to the function that draws it and to where
    the explorer shows it. The last two are known of functions that are `analysis.figures.guide.guided`.

    Parameters
    ----------
    figure
        Made by a function of this package.
    finding
        What it shows, in a sentence or two; plain text. Those who cannot see the figure hear it, too.
    phone
        The same laid out for a screen of less than 600 pixels; None if it fits as it is.
    name
        What a switch between views says of this one.
    views
        Other looks of the figure in the same place; without JavaScript all are shown, one below the other.
    """
    item, picture = drawn(figure)
    packed = _packed("figure-data", item) + (_packed("figure-phone", figure_item(phone)) if phone is not None else "")
    guide = guide_of(figure)
    told = f"{guide.shows} {finding}" if guide else finding
    others = ""
    for place, view in enumerate(views, 1):
        other, still_of_it = drawn(view.figure)
        packed += _packed(f"figure-data{place}", other)
        packed += _packed(f"figure-phone{place}", figure_item(view.phone)) if view.phone is not None else ""
        shown = _still(still_of_it, "still-other") if still_of_it is not None and _stands_in(still_of_it) else ""
        others += f'<div class="other-view">{shown}<p class="finding">{escape(view.finding)}</p></div>'
    return PageHtml(
        f'<div class="chart">{_switch([name, *(view.name for view in views)])}<div class="drawing" role="img" '
        f'aria-label="{escape(told, quote=True)}" style="min-height:{_height(item)}px">{_stand_in(picture)}</div>'
        f'{packed}<p class="finding">{escape(finding)}</p>{others}{_beneath(guide, _stands_in(picture))}</div>'
    )


def interactive_html(kind: str, known: dict[str, Any], still: str, finding: str, guide: Guide | None) -> PageHtml:
    """Wrap a figure that a browser makes from numbers in the page, and remakes as a reader chooses.

    Parameters
    ----------
    kind
        Function of ``site/assets/interact.js`` that makes it.
    known
        What it is made from; loaded when the figure comes into view.
    still
        HTML that stands in its place without JavaScript.
    finding
        What the still shows; plain text. The browser changes it with the figure.
    guide
        How it is read; see `analysis.figures.guide`.
    """
    return PageHtml(
        f'<div class="chart interactive" data-kind="{kind}"><div class="live">{still}</div>'
        f'{_packed("figure-data", known)}<p class="finding" aria-live="polite">{escape(finding)}</p>'
        f"{_beneath(guide, pictured=False)}</div>"
    )


def _switch(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" aria-pressed="{"false" if place else "true"}">{escape(name)}</button>'
        for place, name in enumerate(names)
    )
    return f'<div class="views" role="group" aria-label="What the figure shows">{buttons}</div>'


def _beneath(guide: Guide | None, pictured: bool) -> str:
    """How a figure is read, and what it leads to; the page's script adds its data and its picture as PNG."""
    read = (
        f'<details class="how-to-read"><summary>How to read this</summary><p>{escape(guide.read)}</p></details>'
        if guide
        else ""
    )
    links = ['<a class="figure-image">Image (SVG)</a>'] if pictured else []
    if guide:
        links.append(f'<a href="code/{guide.code}.txt">Code</a>')
    if guide and guide.view is not None:
        address = f"../explore/{guide.view}"
        needs = "Needs a server that runs meanface serve"
        links.append(f'<a href="{escape(address, quote=True)}" title="{needs}">In the explorer</a>')
    return f'{read}<p class="figure-tools">{"".join(links)}</p>'


def _stands_in(picture: str | None) -> bool:
    return picture is not None and len(picture) <= _HEAVY


def _stand_in(picture: str | None) -> str:
    if picture is None or not _stands_in(picture):
        return "<noscript><p>This figure needs JavaScript; its finding:</p></noscript>"
    return _still(picture, "still")


def _still(picture: str, name: str) -> str:
    width, height = re.findall(r' (?:width|height)="(\d+)"', picture)[:2]
    source = base64.b64encode(picture.encode()).decode()
    return f'<img class="{name}" alt="" width="{width}" height="{height}" src="data:image/svg+xml;base64,{source}">'


def _packed(name: str, item: dict[str, Any]) -> str:
    content = gzip.compress(json.dumps(item, separators=(",", ":")).encode(), mtime=0)
    return f'<script type="text/plain" class="{name}">{base64.b64encode(content).decode()}</script>'


def _height(item: dict[str, Any]) -> int:
    """Pixels to keep free for a figure that is not drawn yet."""
    roots = item["doc"]["roots"]
    heights = [root["attributes"].get("height") for root in roots]
    return int(sum(height for height in heights if isinstance(height, int))) or 300


def table_html(table: pd.DataFrame, *, note: str = "", alike: bool = False) -> PageHtml:
    """Set a table of text, which the page numbers and captions; intervals and shares are drawn beside their numbers.

    Parameters
    ----------
    table
        Cells as they are to be shown; the index names the rows, and the index's own name heads them. A column whose
        cells all read like ``96.2 (94.8-97.4)`` is drawn as intervals, one whose heading ends with a % as bars.
    note
        Stands below: what abbreviations mean, where numbers come from; plain text.
    alike
        Whether the intervals of all columns are of one kind and share a scale.
    """
    names = list(table.columns)
    # Columns by number: headings may be alike, and may be Markdown to great-tables.
    cells = pd.DataFrame({str(place): [_shown(value) for value in table.iloc[:, place]] for place in range(len(names))})
    known = {place: [_interval(cell) for cell in cells[place]] for place in cells}
    drawn_as = {place: _marks(names[int(place)], values) for place, values in known.items()}
    ranges = {place: _range(values) for place, values in known.items() if drawn_as[place] == "interval"}
    if alike and ranges:
        lows, highs = zip(*ranges.values(), strict=True)
        ranges = dict.fromkeys(ranges, (min(lows), max(highs)))
    cells["stub"] = [_shown(name) for name in table.index]
    from great_tables import GT, html  # noqa: PLC0415 - 16 MB, which a server of the explorer does without

    styled = GT(cells, rowname_col="stub").cols_label(
        {str(place): html(escape(str(name))) for place, name in enumerate(names)}
    )
    styled = styled.tab_stubhead(html(escape(str(table.index.name or ""))))
    for place, values in known.items():
        numbers = sum(value is not None for value in values) > 0.5 * len(values)
        shown = [
            f"{escape(cell)}{_mark(drawn_as[place], value, ranges.get(place, (0, 100)))}"
            for cell, value in zip(cells[place], values, strict=True)
        ]
        styled = styled.cols_align("right" if numbers else "left", columns=place).fmt(
            _in_turn(shown), columns=place, is_substitution=False
        )
    styled = styled.fmt(escape, columns="stub")
    if note:
        styled = styled.tab_source_note(html(escape(note)))
    # The page's own style sheet styles it, by day and by night; ids would be those of another table, too.
    made = re.search(r"(?s)<table.*</table>", styled.as_raw_html())
    assert made is not None
    text = re.sub(r' (?:(?:id|headers|rowspan|data-quarto-[\w-]+)="[^"]*"|colspan="1")', "", made[0])
    text = re.sub(r'class="gt_(?:row|col_heading gt_columns_bottom_border) ', 'class="', text)
    text = re.sub(r"<th[^>]*></th>", "<td></td>", text)  # an empty cell is not a heading
    text = re.sub(r">\s+<", "><", text)
    # A wide table scrolls within its place, by the keyboard, too.
    return PageHtml(f'<div class="table-scroll" tabindex="0" role="group" aria-label="Table">{text}</div>')


def _shown(value: Any) -> str:
    return "–" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def _in_turn(texts: list[str]) -> Callable[[Any], str]:
    """Give one text after the other, whatever is asked."""
    left = iter(texts)
    return lambda _: next(left)


_ENDS = ("estimate", "low", "high")  # the numbers of an interval
_NUMBER = r"[+−-]?[\d,]*\.?\d+"
_INTERVAL = re.compile(rf"({_NUMBER})(?: %)?(?: \(({_NUMBER})(?: to |[–-])({_NUMBER})\)(?:,? .*)?)?")


def _interval(cell: str) -> tuple[float, ...] | None:
    """Read the number of a cell, with its interval if it has one; None if it is no number."""
    found = _INTERVAL.fullmatch(cell.replace("\u00a0", " ").replace("\u2060", "").strip())
    if found is None:
        return None
    return tuple(float(part.replace("−", "-").replace(",", "")) for part in found.groups() if part is not None)


def _marks(name: Any, values: list[tuple[float, ...] | None]) -> str:
    """What is drawn in the cells of a column: "interval", "bar" or nothing."""
    numbers = [value for value in values if value is not None]
    if sum(len(value) == len(_ENDS) for value in numbers) > 1:
        return "interval"
    shares = str(name).rstrip().endswith("%") and len(numbers) > 1
    return "bar" if shares and all(0 <= value[0] <= 100 for value in numbers) else ""


def _range(values: list[tuple[float, ...] | None]) -> tuple[float, float]:
    ends = [end for value in values if value is not None for end in value]
    return min(ends), max(ends)


def _mark(kind: str, value: tuple[float, ...] | None, ends: tuple[float, float]) -> str:
    """Draw a number of a cell; the style sheet makes it a bar or an interval, at places from 0 to 100."""
    if not kind or value is None or ends[0] == ends[1]:
        return ""
    at = [round(100 * (number - ends[0]) / (ends[1] - ends[0])) for number in (*value, 0)]
    if kind == "bar":
        return f'<i class="bar" style="--v:{at[0]}"></i>'
    low, high = at[1:3] if len(value) == len(_ENDS) else (at[0], at[0])
    zero = f";--z:{at[-1]}" if 0 < at[-1] < 100 else ""
    return f'<i class="ci{" zero" if zero else ""}" style="--l:{low};--p:{at[0]};--h:{high}{zero}"></i>'


def facts_html(facts: dict[str, str]) -> PageHtml:
    """Turn facts into a table of two columns.

    Parameters
    ----------
    facts
        Name -> value; plain text.
    """
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts.items()
    )
    return PageHtml(f'<table class="table facts"><tbody>{rows}</tbody></table>')


def where_available(
    available: bool,
    make: Callable[[], Any],
    *,
    label: str = "",
    caption: str = "",
    before: str = "",
    after: str = "",
) -> Any:
    """Call a function where the run has the results that it draws; else leave out all of it, number and caption, too.

    Parameters
    ----------
    available
        Whether the run has them.
    make
        Draws them.
    label, caption
        Of a figure or a table that the page numbers, such as "fig-learning", as in the markup of pages.
    before
        Markdown that stands before it and makes sense with it alone: its heading, a remark that refers to it, or the
        opening of a div that ``after`` closes. A cell with a heading in it needs ``#| output: asis``.
    after
        Markdown that stands behind it.
    """
    return _placed(make(), label, caption, before, after) if available else None


def where_known(make: Callable[[], Any], *, label: str = "", caption: str = "", before: str = "") -> Any:
    """Call a function; where the run has nothing of the kind, say so in one line, which has no number.

    Parameters
    ----------
    make
        Draws something that not every data set can give, and raises `UserError` where it cannot.
    label, caption, before
        As for `where_available`.
    """
    try:
        return _placed(make(), label, caption, before)
    except UserError as error:
        return Markdown(f"*Not shown: {error}.*")


def _placed(shown: Any, label: str, caption: str, before: str, after: str = "") -> Any:
    if not any((label, before, after)):
        return shown
    text = shown.data if isinstance(shown, Markdown) else shown._repr_markdown_()
    if label:
        text = f"::: {{#{label}}}\n\n{text}\n\n{caption}\n\n:::"
    return Markdown("\n\n".join(filter(None, (before, text, after))))
