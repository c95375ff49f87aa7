"""A figure as HTML that both renderers of the report show alike.

Knows nothing of what is drawn. The page must have loaded BokehJS of the installed version; nothing is fetched.
"""

import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import holoviews as hv
from bokeh.embed import components
from IPython.display import HTML, Markdown

import analysis.figures.theme  # noqa: F401 - makes Bokeh the backend
from analysis.core.errors import UserError


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
    script, div = components(plot.state)
    return HTML(
        f'<figure class="chart"><div role="img" aria-label="{escape(alt, quote=True)}">{div}</div>'
        f"{script}<figcaption>{escape(caption)}</figcaption></figure>"
    )


def where_known(make: Callable[[], Any]) -> Any:
    """What a function makes, or in one line why this run has nothing of the kind.

    Parameters
    ----------
    make
        Draws something that not every data set can give, and raises `UserError` where it cannot.
    """
    try:
        return make()
    except UserError as error:
        return Markdown(f"*Not shown: {error}.*")
