"""The frame around every page of the explorer: title bar, navigation, theme, and the address that carries its state.

What is in a page is made of `parts`; what sessions share (the run and the scorer) is made once and handed to each
page.
"""

import posixpath
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui
import param
from jinja2 import Template
from panel.util import edit_readonly

# Underneath Page's own templates; it is public nowhere, and the shell has to extend it.
from panel_material_ui.template.base import BASE_TEMPLATE, Meta

from analysis.results import Results
from dashboard import address, parts
from dashboard.drawn import Drawn
from dashboard.scoring import Scorer
from dashboard.settings import Settings

NAVIGATION = (
    ("/explore", "Every face"),
    ("/explore/faces", "Average faces"),
    ("/explore/hypothesis", "Hypothesis"),
    ("/explore/data", "Data"),
    ("/explore/metrics", "Metrics"),
    ("/explore/predict", "Predict"),
    ("/explore/api", "API"),
)
BEYOND = (("/", "Report"), ("/api/docs", "API docs"))  # pages of this server that are not the explorer's


def _components(outline: str) -> dict[str, Any]:
    """Looks of panel-material-ui's components: its outlines are too pale to be seen by everybody (WCAG 1.4.11)."""
    button = {"textTransform": "none", "&:not(.Mui-disabled)": {"borderColor": outline}}
    return {
        "MuiAlert": {
            "styleOverrides": {
                "root": {"color": "inherit", "fontSize": "1rem", "lineHeight": 1.6, "padding": "10px 16px"},
                "message": {
                    "& p": {"margin": "0 0 .6rem", "maxWidth": "90ch"},
                    "& p:last-child": {"marginBottom": 0},
                    "& .MuiAlertTitle-root": {"fontSize": "1.25rem", "fontWeight": 600},
                },
            }
        },
        "MuiButton": {"styleOverrides": {"root": button}},
        # Each has a frame of its own, as they stand on several lines where the window is narrow.
        "MuiToggleButton": {
            "styleOverrides": {
                "root": button
                | {
                    "&.MuiToggleButtonGroup-grouped": {"borderRadius": "8px", "margin": 0},
                    "&.MuiToggleButtonGroup-grouped:not(.Mui-disabled)": {"border": f"1px solid {outline}"},
                }
            }
        },
        "MuiOutlinedInput": {"styleOverrides": {"notchedOutline": {"borderColor": outline}}},
        "MuiTab": {"styleOverrides": {"root": {"textTransform": "none"}}},
    }


THEME = {
    "light": {
        "components": _components("#85828f"),
        "palette": {
            "primary": {"main": "#332288"},
            "background": {"default": "#ffffff", "paper": "#ffffff"},
            "text": {"primary": "#1c1b22"},
        },
    },
    "dark": {
        "components": _components("#7c7988"),
        "palette": {
            "primary": {"main": "#b3a8f5"},
            "background": {"default": "#141318", "paper": "#141318"},
        },
    },
}
CONTENT_WIDTH = 1120  # pixels; theme.css has it, too

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='12' cy='16' "
    "r='11' fill='%23C48400'/%3E%3Ccircle cx='20' cy='16' r='11' fill='%23107277' fill-opacity='.75'/%3E%3C/svg%3E"
)


_HALF = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><circle cx="12" cy="12" r="9" fill="none" '
    'stroke="currentColor" stroke-width="2"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/></svg>'
)
_PAGE = {
    "&.mui-dark .MuiAppBar-root": {"backgroundColor": "#241b52", "backgroundImage": "none"},
    # The window scrolls, not a part of it: keys, the bars of a phone and the place after going back work as everywhere.
    "&": {"height": "auto", "minHeight": "100vh", "width": "100%", "overflow": "visible"},
    # It has no name that a screen reader could tell; parts that are at work show it themselves.
    "& .MuiAppBar-root > .MuiLinearProgress-root": {"display": "none"},
    "& .main": {"overflow": "visible"},
    "& .main-content": {"overflowY": "visible"},
    "& .main .MuiToolbar-root > *": {"display": "none"},  # an empty heading that keeps the place of the bar
}


@dataclass(frozen=True)
class Shared:
    """What all sessions share.

    Attributes
    ----------
    results
        The published run; each of its files is read once.
    scorer
        The loaded model and the threads it works in.
    settings
        What the operator sets.
    drawn
        The figures of the run that were drawn before.
    """

    results: Results
    scorer: Scorer
    settings: Settings = field(default_factory=Settings.read)
    drawn: Drawn = field(default_factory=Drawn, compare=False)


class ExplorerPage(pn.viewable.Viewer):
    """A page of the explorer: its parameters are its state, `content` lays out what is derived from them.

    A page's class gives its address (``path``), its name (``title``), what it is for in one or two sentences
    (``lead``), and which of its parameters the URL carries (``in_url``).

    Parameters
    ----------
    shared
        What all sessions share.
    **params
        The page's state.
    """

    shared: Shared = param.ClassSelector(class_=Shared, constant=True, precedence=-1)  # type: ignore[assignment]

    path: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str] = ""
    in_url: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shared: Shared, **params: Any) -> None:
        super().__init__(shared=shared, **params)

    @property
    def results(self) -> Results:
        """The published run."""
        return self.shared.results

    def content(self) -> list[Any]:
        """List the page's parts, top to bottom."""
        raise NotImplementedError

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            parts.text(f"# {self.title}\n\n{self.lead}"),
            *self.content(),
            sizing_mode="stretch_width",
            styles={
                "width": "100%",
                "max-width": f"{CONTENT_WIDTH}px",
                "margin": "0 auto",
                "padding": "28px 16px 64px",
                "box-sizing": "border-box",
                "gap": "28px",
            },
        )

    @classmethod
    def serve(cls, shared: Shared) -> pmui.Page:
        """Make the page for one session, in its frame and with its state in the URL."""
        page = cls(shared)
        if cls.in_url and pn.state.location:
            address.follow(page, cls.in_url, pn.state.location)
        return framed(page)


@cache
def _template(theme_css: str) -> Template:
    shell, frame_js = (
        Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("shell.html", "frame.js")
    )
    names = {"base": BASE_TEMPLATE.name, "theme_css": theme_css, "frame_js": frame_js}
    return BASE_TEMPLATE.environment.from_string(shell, globals=names)


def framed(page: ExplorerPage) -> pmui.Page:
    """Put a page into the frame."""
    frame = pmui.Page(
        favicon=_ICON,
        meta=Meta(
            title=f"{page.title} - meanface",
            description="Explore the average faces of women and men, the study of their difference and the model.",
            icon=_ICON,
            apple_touch_icon=_ICON,
        ),
        template=_template(parts.theme_css()),
        theme_config=THEME,
        app_bar_width=CONTENT_WIDTH,
        theme_toggle=False,  # the one in the navigation is remembered; see frame.js
        sx=_PAGE,
        header=[parts.html(navigation(page.path), "navigation")],
        main=[page],
    )
    # Else it follows `pn.state.busy`, which lives as long as the process and keeps all that follow it: each page, then,
    # that was ever shown. Parts show themselves that they are at work.
    with edit_readonly(frame):
        frame.busy = frame.param.loading
    return frame


def relative(path: str, current: str) -> str:
    """Write an address of this server relative to that of a page, so that it holds below any prefix.

    Parameters
    ----------
    path
        The address, such as "/explore/faces".
    current
        The page's own address.
    """
    folder, name = posixpath.split(path)
    return posixpath.join(posixpath.relpath(folder, posixpath.dirname(current)), name)


def navigation(current: str) -> str:
    """Make the links to all pages, the current one marked: a row, or a menu that opens where the window is narrow."""

    def link(path: str, title: str) -> str:
        mark = ' aria-current="page"' if path == current else ""
        return f'<a href="{relative(path, current)}"{mark}>{title}</a>'

    here = "".join(link(path, title) for path, title in NAVIGATION)
    away = "".join(link(path, title) for path, title in BEYOND)
    links = f'<div class="links">{here}<span class="away">{away}</span></div>'
    name = dict(NAVIGATION).get(current, "")
    return (
        f'<a class="brand" href="{relative("/explore", current)}">meanface</a>'
        f'<nav class="wide" aria-label="Pages">{links}</nav>'
        f'<nav class="narrow" aria-label="Pages"><details><summary>Menu: {name}</summary>{links}</details></nav>'
        f'<button type="button" data-act="theme" aria-label="Light or dark" title="Light or dark">{_HALF}</button>'
    )
