"""Figures and tables as HTML that both renderers of the report show alike.

The page must have loaded BokehJS of the installed version; nothing is fetched.
"""

import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import holoviews as hv
import pandas as pd
from bokeh.embed import components
from IPython.display import HTML, Markdown

from analysis.core.errors import UserError
from analysis.figures import theme


def figure_html(figure: hv.core.Dimensioned, caption: str, alt: str) -> HTML:
    """Wrap a figure as ``<figure>`` with its caption.

    Parameters
    ----------
    figure
        Made by a function of this package.
    caption
        Shown beneath; plain text.
    alt
        What the figure shows, for those who cannot see it; plain text.
    """
    with warnings.catch_warnings():
        # Of a map on which nothing is beyond chance HoloViews asks the range all the same, and NumPy would say on the
        # page, with a path of this machine, that there is none.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        plot = hv.renderer("bokeh").get_plot(figure)
    script, div = components(plot.state, theme=theme.THEME)
    return HTML(
        f'<figure class="chart"><div role="img" aria-label="{escape(alt, quote=True)}">{div}</div>'
        f"{script}<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table_html(table: pd.DataFrame) -> HTML:
    """Turn a table of text into HTML for a page's style sheet.

    Parameters
    ----------
    table
        Cells as they are to be shown; the index names the rows, and the index's own name heads them.
    """
    named = table.rename_axis(index=None, columns=table.index.name)
    with pd.option_context("display.max_colwidth", None):  # whole sentences, too
        html = named.to_html(border=0, classes="table")
    return HTML(html.replace("<th></th>", "<td></td>", 1))  # an empty cell is not a heading


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
