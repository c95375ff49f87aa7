"""What pages are built from: text, numbers, tables, figures, controls, and figures that are drawn once a page is there.

A part that needs a result which the run lacks is replaced by a notice that names it; see `or_notice`.
"""

import asyncio
import base64
import hashlib
import inspect
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from html import escape
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param
from panel_material_ui.theme import MuiDarkTheme, MuiDefaultTheme
from param.parameterized import resolve_ref
from PIL import Image

from analysis.core.errors import UserError
from analysis.figures.html import PageHtml
from analysis.figures.theme import THEME as FIGURE_THEME
from analysis.results.stored import Artifact
from dashboard.drawn import Drawn, Figure

_THEME = Path(__file__).with_name("theme.css")
_PAGES = Path(__file__).with_name("pages")
# Named after its content: browsers keep it for good, and ask for the next version by another name.
_THEME_CSS = f"explore/theme.css?{hashlib.sha256(_THEME.read_bytes()).hexdigest()[:8]}"

# A document has one Bokeh theme, which its design sets: that of the report's figures.
for _theme in (MuiDefaultTheme, MuiDarkTheme):
    _theme.param["bokeh_theme"].default = FIGURE_THEME

_CHOICE = {
    "flexWrap": "wrap",
    "gap": "8px",
    "& button": {"whiteSpace": "nowrap", "width": "auto"},
}  # on several lines where the window is narrow
# What follows does not jump far once a figure is there; Panel would cover its place with white, in the dark, too.
_PLACEHOLDER = """
:host(.pn-loading) { min-height: 240px; }
:host(.pn-loading)::after { background-color: rgb(124 122 134 / 12%) !important; border-radius: 10px; }
"""
_PAUSE = 0.01  # seconds before a figure is drawn, in which the server answers other requests
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()  # one figure at a time


def theme_css() -> str:
    """Write the address of the explorer's type, relative to the session's page, as Panel writes those of its files."""
    return f"{pn.state.rel_path}/{_THEME_CSS}" if pn.state.rel_path else _THEME_CSS


def script(name: str) -> str:
    """Read a component's part in the browser, with what it imports of common.mjs written into it.

    Panel sends the text of a component's script, of which addresses relative to its file are none.

    Parameters
    ----------
    name
        Name of the file in dashboard/pages, without its ending.
    """
    own, common = (_PAGES.joinpath(f"{each}.mjs").read_text(encoding="utf-8") for each in (name, "common"))
    return re.sub(
        r'^import \{[^}]*\} from "\./common\.mjs";$',
        lambda found: common.replace("export ", ""),
        own,
        flags=re.MULTILINE,
    )


def in_turn(work: Callable[[], None]) -> None:
    """Do what changes a page that is shown after what is being done for it, with the document locked.

    Plots are Bokeh's own, which may be changed only so; when Panel hears of a button, the document often is not locked.
    Before the page is in the browser nobody else changes it, and it is to arrive as it is: then it is done at once.
    """
    pn.state.execute(work, schedule=bool(pn.state.curdoc and pn.state.loaded))


def text(markdown: str) -> pn.pane.Markdown:
    """Set Markdown in the explorer's type."""
    return pn.pane.Markdown(markdown, stylesheets=[theme_css()], sizing_mode="stretch_width", margin=0)


def html(markup: str, css_class: str) -> pn.pane.HTML:
    """Set HTML in the explorer's type; rules of theme.css for ``css_class`` apply to it."""
    return pn.pane.HTML(
        markup, stylesheets=[theme_css()], css_classes=[css_class], sizing_mode="stretch_width", margin=0
    )


def data_url(data: bytes, media_type: str) -> str:
    """Write bytes as an address that holds them."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def jpeg_url(pixels: np.ndarray, quality: int = 85) -> str:
    """Write a picture, uint8 (y, x, 3) in RGB, as an address that holds it."""
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=quality)
    return data_url(encoded.getvalue(), "image/jpeg")


def facts(numbers: dict[str, str | tuple[str, str]]) -> pn.pane.HTML:
    """Show a few numbers side by side.

    Parameters
    ----------
    numbers
        Name -> the number as text, or the number and a remark in smaller type.
    """

    def fact(name: str, value: str | tuple[str, str]) -> str:
        number, remark = value if isinstance(value, tuple) else (value, "")
        small = f"<small>{escape(remark)}</small>" if remark else ""
        return f"<div><dt>{escape(name)}</dt><dd>{escape(number)}{small}</dd></div>"

    return html(f"<dl>{''.join(fact(name, value) for name, value in numbers.items())}</dl>", "facts")


def table(frame: pd.DataFrame, *, numbers: bool = False) -> pn.pane.HTML:
    """Show a table of text; where the window is too narrow for it, it scrolls by itself.

    Parameters
    ----------
    frame
        Cells as text; the index names the rows, and its own name is the heading above them.
    numbers
        Whether the columns are numbers, which are aligned on the right.
    """
    named = frame.rename_axis(index=None, columns=frame.index.name)
    # An empty cell is no heading. To hold whole sentences, cells must not be cut.
    with pd.option_context("display.max_colwidth", None):
        cells = named.to_html(border=0, justify="unset", classes="numbers" if numbers else "")
    return scrolling(cells.replace("<th></th>", "<td></td>", 1))


def scrolling(markup: str, css_class: str = "table") -> pn.pane.HTML:
    """Show an HTML table that scrolls by itself, by keyboard as well, where the window is too narrow for it."""
    return html(f'<div class="scroll" tabindex="0">{markup}</div>', css_class)


def section(title: str, *content: Any, about: str = "") -> pn.Column:
    """Put content under a heading."""
    return pn.Column(
        text(f"## {title}\n\n{about}"),
        *content,
        sizing_mode="stretch_width",
        margin=(8, 0, 0, 0),
        styles={"gap": "14px"},
    )


def stack(*content: Any, gap: int = 8) -> pn.Column:
    """Put content one below the other, ``gap`` pixels apart."""
    return pn.Column(*content, sizing_mode="stretch_width", margin=0, styles={"gap": f"{gap}px"})


def choice(parameter: param.Parameter) -> pmui.RadioButtonGroup:
    """Show a Selector parameter as radio buttons."""
    return pmui.RadioButtonGroup.from_param(parameter, label="", description="", margin=0, sx=_CHOICE)


def chips(parameter: param.Parameter) -> pmui.CheckButtonGroup:
    """Show a ListSelector parameter as buttons, any of which can be pressed."""
    return pmui.CheckButtonGroup.from_param(parameter, label="", description="", margin=0, sx=_CHOICE)


def controls(*widgets: Any) -> pn.FlexBox:
    """Put widgets side by side, on several lines where the window is narrow."""
    return pn.FlexBox(*widgets, gap="12px 20px", align_items="end", sizing_mode="stretch_width", margin=0)


def nothing() -> pn.Spacer:
    """Make an empty part that takes no room."""
    return pn.Spacer(width=0, height=0, margin=0)


def notice(markdown: str, *, title: str = "", severity: str = "info") -> pmui.Alert:
    """Show a message that stands out.

    Parameters
    ----------
    markdown
        The message.
    title
        What it is about; empty for none.
    severity
        "info", "warning" or "error".
    """
    return pmui.Alert(
        object=markdown,
        title=title or None,
        severity=severity,
        sizing_mode="stretch_width",
        margin=0,
        sx={} if title else {"& .MuiAlertTitle-root": {"display": "none"}},
    )


def figure(drawing: hv.core.Dimensioned, reading: str = "") -> pn.Column:
    """Show a figure as wide as the page lets it be, and under it a sentence that reads it."""
    return _figures(_drawn(drawing), reading)


def _drawn(drawing: hv.core.Dimensioned) -> list[Figure]:
    # Charts one above the other are panes of their own: a grid of stretched charts loses its axes in Panel's Column.
    return [Figure(each) for each in (drawing if isinstance(drawing, hv.Layout) else [drawing])]


def _figures(figures: list[Figure], reading: str) -> pn.Column:
    panes = [each.pane() for each in figures]
    return stack(*panes, text(reading)) if reading else stack(*panes)


def or_notice(make: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function return a notice where the run lacks the result that it needs.

    Parameters
    ----------
    make
        Makes a part of a page and raises `UserError` where it cannot.

    Returns
    -------
    callable
        Takes the same arguments and depends on the same parameters.
    """

    @wraps(make)
    def part_or_notice(*args: Any, **options: Any) -> Any:
        try:
            return make(*args, **options)
        except UserError as error:
            return notice(sentence(error), severity="warning")

    if not inspect.ismethod(make):
        return part_or_notice
    # What a method depends on is known by names, which mean nothing without its object.
    return pn.bind(lambda *values: part_or_notice(), *dependencies(make))


def sentence(error: UserError) -> str:
    """Say an error as a page does: its message begins in lower case and has no full stop, for it may follow a colon."""
    message = str(error)
    return f"{message[:1].upper()}{message[1:]}."


def dependencies(make: Callable[..., Any]) -> list[param.Parameter]:
    """List the parameters after whose change a function has to be called again.

    Parameters
    ----------
    make
        Method with ``param.depends``, function from ``pn.bind``, or either of them wrapped with ``functools.wraps`` or
        ``functools.partial``.
    """
    while not inspect.ismethod(make):
        inner = make.func if isinstance(make, partial) else getattr(make, "__wrapped__", None)
        # `_dinfo` is where param keeps what a function depends on; of a method it holds names of its parameters.
        if inner is None or (hasattr(make, "_dinfo") and not inspect.ismethod(inner)):
            break
        make = inner
    return resolve_ref(make)


def later(make: Callable[[], Any], *parameters: param.Parameter) -> Any:
    """Show what a function makes once the page is there, so that no visitor waits for the figures to read.

    Parameters
    ----------
    make
        Makes the part; where a result is missing, a notice is shown in its place.
    *parameters
        Parameters after whose change it is made again, besides `dependencies` of ``make``: a lambda has none itself.
    """
    return deferred(or_notice(make), {*parameters, *dependencies(make)})


def deferred(make: Callable[[], Any], parameters: Iterable[param.Parameter]) -> Any:
    """Show what a function makes after the page has loaded, and again when a parameter changes.

    Figures are drawn one at a time, and between two of them the server answers others.
    """
    # Panel's own indicator ends when the function is called, which only begins to wait for its turn.
    place = pn.Column(loading=True, sizing_mode="stretch_width", margin=0, stylesheets=[_PLACEHOLDER])

    async def drawn(*values: Any) -> Any:
        place.loading = True
        async with _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            await asyncio.sleep(_PAUSE)
            try:
                return make()
            finally:  # only of what was drawn: the wait is cancelled where a newer change waits, too
                place.loading = False

    place.append(pn.panel(pn.bind(drawn, *parameters), defer_load=True, sizing_mode="stretch_width"))
    return place


@dataclass(frozen=True)
class View:
    """A figure or a table of a page, and the sentence that reads it.

    Attributes
    ----------
    title
        Heading above it; empty if it stands under the heading of the view before.
    draw
        Function of ``analysis.figures`` that returns a figure, pictures as HTML, or a table of text.
    read
        Function that returns the sentence under it; None where there is none.
    needs
        Names of the arguments of ``draw``, separated by spaces: each a parameter, a property or a method of the page,
        or else an entry of its `Results`. The view is drawn again when a parameter changes, or one that a method
        depends on.
    read_needs
        The same for ``read``; None if they are those of ``draw``.
    about
        Text under the heading.
    numbers
        Whether the columns of a table are numbers.
    """

    title: str
    draw: Callable[..., Any]
    read: Callable[..., str] | None
    needs: str
    read_needs: str | None = None
    about: str = ""
    numbers: bool = True

    def show(self, page: Any) -> pn.Column:
        """Show it with the page's state; what was drawn with the same state before is not drawn again.

        Raises
        ------
        UserError
            If the run lacks a result that it needs.
        """
        state = {each.name: repr(getattr(each.owner, str(each.name))) for each in self.parameters(page)}
        kept = page.shared.drawn if hasattr(type(page), "shared") else Drawn()
        return kept.show((type(page), self, *state.items()), lambda: self._make(page))

    def _make(self, page: Any) -> Callable[[], pn.Column]:
        """Draw it; give a function that makes its parts, for any session."""
        drawing = self.draw(*(_argument(page, name) for name in self.needs.split()))
        needs = self.needs if self.read_needs is None else self.read_needs
        reading = self.read(*(_argument(page, name) for name in needs.split())) if self.read else ""
        if not isinstance(drawing, pd.DataFrame | PageHtml):
            return partial(_figures, _drawn(drawing), reading)

        def show() -> pn.Column:
            shown = (
                table(drawing, numbers=self.numbers)
                if isinstance(drawing, pd.DataFrame)
                else html(drawing.data, "pictures")
            )
            return stack(shown, *([text(reading)] if reading else []))

        return show

    def parameters(self, page: Any) -> list[param.Parameter]:
        """List the parameters of a page after whose change it has to be shown again."""
        names = f"{self.needs} {self.read_needs or ''}".split()
        return [parameter for name in names for parameter in _parameters(page, name)]

    def later(self, page: Any) -> Any:
        """Show it once the page is there."""
        return later(partial(self.show, page), *self.parameters(page))


def sections(page: Any, views: Iterable[View]) -> list[pn.Column]:
    """Show views once the page is there, those without a title in the section of the view before.

    What needs a result that a published run may lack, and this one does, is left out.
    """
    grouped: list[list[View]] = []
    for view in views:
        if view.title or not grouped:
            grouped.append([])
        grouped[-1].append(view)
    return [
        section(group[0].title, *(view.later(page) for view in there), about=group[0].about)
        for group in grouped
        if (there := [view for view in group if not _is_left_out(page, view)])
    ]


def _is_left_out(page: Any, view: View) -> bool:
    """Whether a view needs an optional result that the run does not have."""
    if not hasattr(type(page), "results"):
        return False
    try:
        results = page.results
    except UserError:  # no run is published: the views say so
        return False
    declared = [getattr(type(results), name, None) for name in f"{view.needs} {view.read_needs or ''}".split()]
    return any(
        isinstance(artifact, Artifact)
        and artifact.published == "where present"
        and not (results.folder / artifact.path).exists()
        for artifact in declared
    )


def chosen(page: Any, name: str, views: dict[Any, View]) -> Any:
    """Show the view that a parameter of the page chooses, once the page is there.

    Parameters
    ----------
    page
        The page.
    name
        Name of the parameter.
    views
        Value of the parameter -> view.
    """

    def choose(value: Any) -> Any:
        return views[value].later(page)

    return pn.panel(pn.bind(choose, page.param[name]), sizing_mode="stretch_width")


def _argument(page: Any, name: str) -> Any:
    """Get a parameter, property or method's result of a page, or an entry of its results."""
    value = getattr(page if hasattr(type(page), name) else page.results, name)
    return value() if inspect.ismethod(value) else value


def _parameters(page: Any, name: str) -> list[param.Parameter]:
    """List the parameters that an argument depends on."""
    if name in page.param:
        return [page.param[name]]
    return dependencies(getattr(page, name)) if inspect.isfunction(getattr(type(page), name, None)) else []
