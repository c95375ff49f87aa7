"""The explorer's frame: title, navigation, theme, and what every page is built from.

Knows how a page looks; knows nothing of what is on it. What sessions share (the run and the scorer) is made once and
handed to each page.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import holoviews as hv
import panel as pn
import panel_material_ui as pmui
import param
from jinja2 import Template
from panel_material_ui.template.base import BASE_TEMPLATE, Meta

from analysis.core.errors import UserError
from analysis.results import Results
from dashboard.scoring import Scorer

NAVIGATION = (
    ("/explore", "Data"),
    ("/explore/faces", "Faces"),
    ("/explore/hypothesis", "Hypothesis"),
    ("/explore/metrics", "Metrics"),
    ("/explore/predict", "Predict"),
    ("/explore/api", "API"),
)
ELSEWHERE = (("/", "Report"), ("/api/docs", "API docs"))

ACCENT = "#332288"
_TYPE = {"button": {"textTransform": "none"}}
THEME = {
    "light": {
        "typography": _TYPE,
        "palette": {
            "primary": {"main": ACCENT},
            "background": {"default": "#ffffff", "paper": "#ffffff"},
            "text": {"primary": "#1c1b22"},
        },
    },
    "dark": {
        "typography": _TYPE,
        "palette": {
            "primary": {"main": "#b3a8f5"},
            "background": {"default": "#141318", "paper": "#141318"},
        },
    },
}
CONTENT_WIDTH = 1120  # pixels

_CHOICE = {
    "flexWrap": "wrap",
    "& button": {"whiteSpace": "nowrap", "width": "auto"},
}  # on several lines where the window is narrow
_BREATH = 0.01  # seconds before a figure is drawn, in which the server answers who waits
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()  # who draws, in each loop

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='12' cy='16' "
    "r='11' fill='%23CC6677'/%3E%3Ccircle cx='20' cy='16' r='11' fill='%23332288' fill-opacity='.75'/%3E%3C/svg%3E"
)

_PAGE_CSS = """
header .MuiToolbar-root { padding-inline: 16px; }
.title { font-size: 1.35rem !important; font-weight: 600 !important; letter-spacing: -0.01em; }
"""

_NAVIGATION_CSS = f"""
:host {{ border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); }}
nav {{ max-width: {CONTENT_WIDTH}px; margin: 0 auto; padding: 6px 8px; box-sizing: border-box;
  font: 500 0.925rem/1.2 Roboto, system-ui, sans-serif; }}
.links {{ display: flex; flex-wrap: wrap; gap: 2px 4px; }}
a, summary {{ color: inherit; text-decoration: none; padding: 9px 12px; border-radius: 8px; }}
a:hover, summary:hover {{ background: color-mix(in srgb, currentColor 8%, transparent); }}
a:focus-visible, summary:focus-visible {{ outline: 2px solid currentColor; outline-offset: -2px; }}
a[aria-current] {{ font-weight: 700;
  background: color-mix(in srgb, var(--mui-palette-primary-main, {ACCENT}) 15%, transparent); }}
.away {{ margin-left: auto; display: flex; gap: 4px; }}
.narrow {{ display: none; }}
summary {{ cursor: pointer; }}
@media (max-width: 700px) {{
  .wide {{ display: none; }}
  .narrow {{ display: block; }}
  .narrow .links, .narrow .away {{ flex-direction: column; flex-wrap: nowrap; margin: 0; }}
}}
"""

# What is there before any script has run: header, links, title and lead, in the places that the page gives them.
_SHELL = """
{%% extends "%s" %%}
{%% block js_resources %%}{%% endblock %%}
{%% block loader_css %%}
#loader { display: none !important; }
#shell { position: fixed; inset: 0; overflow: hidden; background: #ffffff; color: #1c1b22;
  font: 400 16px/1.6 Roboto, system-ui, sans-serif; }
#shell .bar { height: 68px; background: %s; color: #ffffff; }
#shell .bar b { display: block; max-width: %dpx; margin: 0 auto; padding: 0 16px; box-sizing: border-box;
  font-size: 1.35rem; line-height: 64px; font-weight: 600; letter-spacing: -0.01em; }
#shell .lead { max-width: %dpx; margin: 0 auto; padding: 28px 16px; box-sizing: border-box; }
#shell h1 { font: 700 clamp(1.6rem, 1.2rem + 1.6vw, 2.2rem)/1.2 Roboto, system-ui, sans-serif;
  letter-spacing: -0.015em; margin: 0 0 .5rem; }
#shell p { margin: 0 0 .6rem; max-width: 74ch; }
{%% endblock %%}
{%% block contents %%}
<div id="shell"><div class="bar"><b>meanface</b></div><div class="lead"><h1>{{ meta.title.split(" - ")[0] | e }}</h1>
<p>Loading ...</p></div></div>
{{ bokeh_js }}
<script>
  (function wait() {
    const root = window.Bokeh && Bokeh.index && Bokeh.index.roots && Bokeh.index.roots[0];
    if (root && root.is_idle) document.getElementById("shell").remove();
    else setTimeout(wait, 50);
  })();
</script>
{{ super() }}
{%% endblock %%}
"""

TEXT_CSS = f"""
:host {{ font: 400 1rem/1.6 Roboto, system-ui, sans-serif; }}
p, ul, ol {{ max-width: 74ch; margin: 0 0 .6rem; }}
p:last-child {{ margin-bottom: 0; }}
h1 {{ font: 700 clamp(1.6rem, 1.2rem + 1.6vw, 2.2rem)/1.2 Roboto, system-ui, sans-serif; margin: 0 0 .5rem;
  letter-spacing: -0.015em; }}
h2 {{ font: 600 1.25rem/1.3 Roboto, system-ui, sans-serif; margin: 0 0 .35rem; }}
a {{ color: var(--mui-palette-primary-main, {ACCENT}); }}
code {{ font-size: .9em; overflow-wrap: anywhere; color: inherit; }}
pre {{ overflow-x: auto; padding: 14px 16px; border-radius: 10px; margin: 0; font-size: .9rem; line-height: 1.5;
  background: color-mix(in srgb, currentColor 6%, transparent); }}
pre code {{ overflow-wrap: normal; font-size: inherit; }}
"""

_FACTS_CSS = """
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(160px, 44%), 1fr)); gap: 12px; margin: 0;
  font-family: Roboto, system-ui, sans-serif; }
dl > div { padding: 12px 14px; border-radius: 10px; background: color-mix(in srgb, currentColor 5%, transparent); }
dt { font-size: .85rem; opacity: .78; margin: 0 0 2px; }
dd { margin: 0; font-weight: 600; font-size: 1.35rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .85rem; font-weight: 400; opacity: .78; margin-top: 2px; }
"""

_NOTICE_CSS = f"""
:host {{ --tone: var(--mui-palette-primary-main, {ACCENT}); padding: 14px 18px; border-radius: 10px;
  box-sizing: border-box; border-left: 5px solid var(--tone);
  background: color-mix(in srgb, var(--tone) 9%, transparent); }}
:host(.warning) {{ --tone: #b26a00; }}
:host(.error) {{ --tone: var(--mui-palette-error-main, #b3261e); }}
p {{ max-width: 90ch; }}
"""

TABLE_CSS = """
:host { font: 400 .95rem/1.45 Roboto, system-ui, sans-serif; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 8px; opacity: .78; }
th, td { padding: 9px 14px 9px 0; text-align: left; vertical-align: middle;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
thead th { font-weight: 600; white-space: nowrap; border-bottom-width: 2px; }
tbody th { font-weight: 500; }
.number { text-align: right; }
code { font-size: .92em; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Shared:
    """What all sessions share.

    Attributes
    ----------
    results
        The published run; each of its files is read once.
    scorer
        The loaded model and the threads it works in.
    """

    results: Results
    scorer: Scorer


class ExplorerPage(pn.viewable.Viewer):
    """A page of the explorer: its parameters are its state, `content` lays out what is derived from them.

    A page's class says where it is (``path``), what it is called (``title``), in one or two sentences what it is for
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
        """Give the page's parts, top to bottom."""
        raise NotImplementedError

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            text(f"# {self.title}\n\n{self.lead}"),
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
            # A value that the page does not know is left out, and the page starts with its own.
            pn.state.location.sync(page, list(cls.in_url), on_error=lambda refused: None)
        return framed(page)


@cache
def _template() -> Template:
    base = BASE_TEMPLATE
    return base.environment.from_string(_SHELL % (base.name, ACCENT, CONTENT_WIDTH, CONTENT_WIDTH))


def framed(page: ExplorerPage) -> pmui.Page:
    """Put a page into the frame."""
    return pmui.Page(
        title="meanface",
        site_url="/explore",
        favicon=_ICON,
        meta=Meta(
            title=f"{page.title} - meanface",
            description="Explore the average faces of women and men, the study of their difference and the model.",
            icon=_ICON,
            apple_touch_icon=_ICON,
        ),
        template=_template(),
        theme_config=THEME,
        app_bar_width=CONTENT_WIDTH,
        sx={"&.mui-dark .MuiAppBar-root": {"backgroundColor": "#241b52", "backgroundImage": "none"}},
        raw_css=[_PAGE_CSS],
        main=[
            pn.pane.HTML(navigation(page.path), stylesheets=[_NAVIGATION_CSS], sizing_mode="stretch_width", margin=0),
            page,
        ],
    )


def navigation(current: str) -> str:
    """Make the links to all pages, the current one marked: a row, or a menu that opens where the window is narrow."""

    def link(path: str, title: str) -> str:
        mark = ' aria-current="page"' if path == current else ""
        return f'<a href="{path}"{mark}>{title}</a>'

    here = "".join(link(path, title) for path, title in NAVIGATION)
    away = "".join(link(path, title) for path, title in ELSEWHERE)
    links = f'<div class="links">{here}<span class="away">{away}</span></div>'
    name = dict(NAVIGATION).get(current, "")
    return (
        f'<nav class="wide" aria-label="Pages">{links}</nav>'
        f'<nav class="narrow" aria-label="Pages"><details><summary>Menu: {name}</summary>{links}</details></nav>'
    )


def text(markdown: str) -> pn.pane.Markdown:
    """Set Markdown in the explorer's type."""
    return pn.pane.Markdown(markdown, stylesheets=[TEXT_CSS], sizing_mode="stretch_width", margin=0)


def facts(found: dict[str, str | tuple[str, str]]) -> pn.pane.HTML:
    """Show a few numbers side by side.

    Parameters
    ----------
    found
        What a number is -> the number as text, or the number and a remark in smaller type.
    """

    def fact(name: str, value: str | tuple[str, str]) -> str:
        number, remark = value if isinstance(value, tuple) else (value, "")
        small = f"<small>{escape(remark)}</small>" if remark else ""
        return f"<div><dt>{escape(name)}</dt><dd>{escape(number)}{small}</dd></div>"

    items = "".join(fact(name, value) for name, value in found.items())
    return pn.pane.HTML(f"<dl>{items}</dl>", stylesheets=[_FACTS_CSS], sizing_mode="stretch_width", margin=0)


def table(rows: str, *, caption: str = "", css: str = "") -> pn.pane.HTML:
    """Show a table; where the window is too narrow for it, it scrolls by itself.

    Parameters
    ----------
    rows
        HTML of ``thead`` and ``tbody``.
    caption
        What the table tells, as text.
    css
        Further rules.
    """
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return pn.pane.HTML(
        f'<div class="scroll" tabindex="0"><table>{said}{rows}</table></div>',
        stylesheets=[TABLE_CSS + css],
        sizing_mode="stretch_width",
        margin=0,
    )


def section(title: str, *parts: Any, about: str = "") -> pn.Column:
    """Set parts under a heading."""
    return pn.Column(
        text(f"## {title}\n\n{about}"), *parts, sizing_mode="stretch_width", margin=(8, 0, 0, 0), styles={"gap": "14px"}
    )


def choice(parameter: param.Parameter) -> pmui.RadioButtonGroup:
    """Let one of a few values be chosen."""
    return pmui.RadioButtonGroup.from_param(parameter, label="", description="", margin=0, sx=_CHOICE)


def controls(*widgets: Any) -> pn.FlexBox:
    """Set widgets side by side, on several lines where the window is narrow."""
    return pn.FlexBox(*widgets, gap="12px 20px", align_items="end", sizing_mode="stretch_width", margin=0)


def figure(made: hv.core.Dimensioned, reading: str = "") -> pn.Column:
    """Show a figure as wide as the page lets it be, and under it what can be read from it."""
    shown = pn.pane.HoloViews(made, sizing_mode="stretch_width", margin=0, linked_axes=False)
    parts = [shown, text(reading)] if reading else [shown]
    return pn.Column(*parts, sizing_mode="stretch_width", margin=0, styles={"gap": "8px"})


def later(make: Callable[[], Any]) -> Any:
    """Show what a method of a page makes once the page is there, so that no visitor waits for the figures to read.

    Figures are drawn one at a time, and between two of them the server answers others.
    """
    owner = getattr(make, "__self__", None)
    state = owner.param.method_dependencies(make.__name__) if isinstance(owner, param.Parameterized) else []

    async def in_turn(*changed: Any) -> Any:
        async with _turn(asyncio.get_running_loop()):
            await asyncio.sleep(_BREATH)
            return make()

    return pn.panel(
        pn.bind(in_turn, *(each.inst.param[each.name] for each in state)),
        defer_load=True,
        loading_indicator=True,
        sizing_mode="stretch_width",
    )


def _turn(loop: asyncio.AbstractEventLoop) -> asyncio.Lock:
    return _turns.setdefault(loop, asyncio.Lock())


def nothing() -> pn.Spacer:
    """Take no room where there is nothing to show."""
    return pn.Spacer(width=0, height=0, margin=0)


def attempt(make: Callable[[], Any]) -> Any:
    """Make a part of a page, or say in one line which result it would need."""
    try:
        return make()
    except UserError as error:
        return notice(str(error), severity="warning")


def notice(markdown: str, *, severity: str = "info") -> pn.pane.Markdown:
    """Show a message that stands out.

    Parameters
    ----------
    markdown
        The message.
    severity
        "info", "warning" or "error".
    """
    return pn.pane.Markdown(
        markdown, stylesheets=[TEXT_CSS, _NOTICE_CSS], css_classes=[severity], sizing_mode="stretch_width", margin=0
    )
