"""Figures and tables as HTML that both renderers of the report show alike.

A page holds each figure packed; ``site/assets/site.js`` draws it with BokehJS of the installed version once it comes
into view. Nothing is fetched from elsewhere.
"""

import base64
import gzip
import json
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import holoviews as hv
import pandas as pd
from bokeh.embed import json_item
from IPython.display import Markdown

from analysis.core.errors import UserError
from analysis.figures import theme
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
    return dict(json_item(plot.state, theme=theme.THEME)), still(plot.state)


def figure_html(
    figure: hv.core.Dimensioned, caption: str, alt: str, *, phone: hv.core.Dimensioned | None = None
) -> PageHtml:
    """Wrap a figure as ``<figure>`` with its caption.

    Parameters
    ----------
    figure
        Made by a function of this package.
    caption
        Shown beneath; plain text.
    alt
        What the figure shows, for those who cannot see it; plain text. The caption, which states the finding, follows.
    phone
        The same laid out for a screen of less than 600 pixels; None if it fits as it is.
    """
    item, picture = drawn(figure)
    packed = _packed("figure-data", item) + (_packed("figure-phone", figure_item(phone)) if phone is not None else "")
    name = escape(alt, quote=True)
    told = escape(f"{alt}. {caption}", quote=True) if caption else name
    return PageHtml(
        f'<figure class="chart" data-name="{name}"><div class="drawing" role="img" aria-label="{told}" '
        f'style="min-height:{_height(item)}px">{_stand_in(picture)}</div>{packed}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _stand_in(picture: str | None) -> str:
    if picture is None or len(picture) > _HEAVY:
        return "<noscript><p>This figure needs JavaScript; its finding:</p></noscript>"
    width, height = re.findall(r' (?:width|height)="(\d+)"', picture)[:2]
    source = base64.b64encode(picture.encode()).decode()
    return f'<img class="still" alt="" width="{width}" height="{height}" src="data:image/svg+xml;base64,{source}">'


def _packed(name: str, item: dict[str, Any]) -> str:
    content = gzip.compress(json.dumps(item, separators=(",", ":")).encode(), mtime=0)
    return f'<script type="text/plain" class="{name}">{base64.b64encode(content).decode()}</script>'


def _height(item: dict[str, Any]) -> int:
    """Pixels to keep free for a figure that is not drawn yet."""
    roots = item["doc"]["roots"]
    heights = [root["attributes"].get("height") for root in roots]
    return int(sum(height for height in heights if isinstance(height, int))) or 300


def table_html(table: pd.DataFrame, *, caption: str = "") -> PageHtml:
    """Turn a table of text into HTML for a page's style sheet.

    Parameters
    ----------
    table
        Cells as they are to be shown; the index names the rows, and the index's own name heads them.
    caption
        Shown above; plain text.
    """
    named = table.rename_axis(index=None, columns=table.index.name)
    with pd.option_context("display.max_colwidth", None):  # whole sentences, too
        html = named.to_html(border=0, classes="table")
    head, body = html.split("</thead>")
    head = head.replace("<th></th>", "<td></td>", 1)  # an empty cell is not a heading
    html = re.sub("<th>", '<th scope="col">', head) + "</thead>" + re.sub("<th>", '<th scope="row">', body)
    html = html.replace(' style="text-align: right;"', "")
    if caption:
        html = html.replace("<thead>", f"<caption>{escape(caption)}</caption>\n<thead>", 1)
    # A wide table scrolls within its place, by the keyboard, too.
    return PageHtml(
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="{escape(caption or "Table")}">{html}</div>'
    )


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


def where_available(available: bool, make: Callable[[], Any]) -> Any:
    """Call a function; where the run lacks the results that it draws, say so in one line.

    Parameters
    ----------
    available
        Whether the run has them.
    make
        Draws them.
    """
    return make() if available else Markdown("*Not part of this run.*")


def where_known(make: Callable[[], Any]) -> Any:
    """Call a function; where the run has nothing of the kind, say so in one line.

    Parameters
    ----------
    make
        Draws something that not every data set can give, and raises `UserError` where it cannot.
    """
    try:
        return make()
    except UserError as error:
        return Markdown(f"*Not shown: {error}.*")
