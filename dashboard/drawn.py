"""Figures that are constants of a run, drawn once for all sessions.

HoloViews takes most of the time of a figure. What it makes is therefore kept as Bokeh writes it, and each session gets
models of its own that are read from that.
"""

import itertools
import json
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import holoviews as hv
import panel as pn
from bokeh.document import Document
from bokeh.models import Plot

_MOST = 256  # figures and tables that are kept; one takes some 20 KB
_ID = re.compile(rb'"id":"p(\d+)"')  # quotes within a text are escaped: only a model's own name reads like this
_copies = itertools.count()


class Drawn:
    """What was drawn of a run, by what it depends on; the least recently used is dropped when there is too much."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Callable[[], Any]] = OrderedDict()

    def show(self, key: Hashable, draw: Callable[[], Callable[[], Any]]) -> Any:
        """Show what is kept under a key, drawing it first where nothing is.

        Parameters
        ----------
        key
            All that the drawing depends on.
        draw
            Draws it; gives a function that makes parts of a page from it, new ones at each call.
        """
        if key not in self._kept:
            self._kept[key] = draw()
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return self._kept[key]()


class Figure:
    """A figure of HoloViews, drawn once, of which any number of panes can be made.

    Parameters
    ----------
    drawing
        The figure; nothing in it may change with time.
    """

    def __init__(self, drawing: hv.core.Dimensioned) -> None:
        document = Document()
        document.add_root(hv.renderer("bokeh").get_plot(drawing).state)
        for plot in document.select({"type": Plot}):
            plot.update(outline_line_color=None)  # as in the theme; panel-material-ui would draw one in the dark
        written = json.dumps(document.to_json(deferred=False), separators=(",", ":"))
        self._packed = zlib.compress(written.encode(), 1)

    def pane(self) -> pn.pane.Bokeh:
        """Make a pane with models of its own."""
        number = next(_copies)  # models of two copies in one page need names of their own
        named = _ID.sub(rb'"id":"p%d-\1"' % number, zlib.decompress(self._packed))
        document = Document.from_json(json.loads(named))
        (model,) = document.roots
        document.remove_root(model)
        return pn.pane.Bokeh(model, sizing_mode="stretch_width", margin=0)
