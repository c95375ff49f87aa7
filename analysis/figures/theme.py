"""The look of every figure: colours, fonts, and the options that charts have in common.

Importing this module makes Bokeh the backend of HoloViews without writing anything to a notebook: a page loads BokehJS
itself. `THEME` is the Bokeh theme of both the report and the explorer. Backgrounds are transparent, so that figures fit
light and dark pages.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh
from bokeh.core.properties import value
from bokeh.models import DataRange1d
from bokeh.palettes import interp_palette
from bokeh.themes import Theme

__all__ = [
    "CATEGORIES",
    "COLOUR_NAMES",
    "DIVERGING",
    "FONT",
    "HEAT",
    "INK",
    "LABEL_COLOURS",
    "OPPOSED",
    "QUIET",
    "SEQUENTIAL",
    "THEME",
    "chart",
    "colour_bar",
    "diagonal",
    "legend",
    "names_of",
    "over_names",
    "picture",
    "title_over_names",
]

hv.Store.set_current_backend("bokeh")

# Amber and teal stand for the labels and for nothing else; neither is a colour that is given to girls or boys by habit.
# They differ in hue and in lightness, also with any colour blindness and in grey print, and are visible on white and on
# near black.
LABEL_COLOURS = {"female": "#C48400", "male": "#107277", "uncertain": "#8A8894"}
COLOUR_NAMES = {"female": "amber", "male": "teal"}
# Data sets and runs side by side; the first is the main one. Lines and text in them are seen on light and dark pages.
CATEGORIES = ("#6A65DE", "#BF4A92", "#3D8EC9", "#8A5A2B")
INK = "#3B3946"  # titles and axes on a light page; the explorer changes them in its dark theme
QUIET = "#7C7A86"  # reference lines and text within a chart; legible on light and dark pages
FONT = "Roboto, system-ui, -apple-system, 'Segoe UI', sans-serif"

# From "higher where labelled female" to "higher where labelled male", nearly white in the middle.
_STOPS = ("#5A3A00", "#C48400", "#EFD9A6", "#F6F4F2", "#B3D6D6", "#107277", "#00363B")
DIVERGING = list(interp_palette(_STOPS, 255))
# The same where the two ends are no labels: from "less" or "second" to "more" or "first".
OPPOSED = list(interp_palette(("#561741", "#A8397E", "#E7C3DA", "#F6F4F2", "#C6C4EE", "#5651C4", "#211C73"), 255))
HEAT = "#5B3DF0"  # over a grey face: violet is told from grey with any colour blindness, and stands for no label
SEQUENTIAL = list(interp_palette(("#EFEEF9", "#A9A6E4", "#5651C4"), 128))

THEME = Theme(
    json={
        "attrs": {
            "Plot": {
                "background_fill_alpha": 0,
                "border_fill_alpha": 0,
                "outline_line_color": None,
                "min_border_right": 12,
            },
            "Title": {
                "text_color": INK,
                "text_font": FONT,
                "text_font_size": "15px",
                "text_font_style": "bold",
                "standoff": 12,
            },
            "Axis": {
                "axis_label_text_font": FONT,
                "axis_label_text_font_size": "13px",
                "axis_label_text_font_style": "normal",
                "axis_label_text_color": INK,
                "major_label_text_font": FONT,
                "major_label_text_font_size": "12px",
                "major_label_text_color": INK,
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
            },
            "Grid": {"grid_line_color": QUIET, "grid_line_alpha": 0.22},
            "Legend": {
                "background_fill_alpha": 0,
                "border_line_alpha": 0,
                "label_text_font": FONT,
                "label_text_font_size": "13px",
                "label_text_color": INK,
                "padding": 0,
                "margin": 4,
                "spacing": 14,
                "glyph_width": 16,
                "glyph_height": 16,
            },
            "ColorBar": {
                "title_text_font": FONT,
                "title_text_font_size": "13px",
                "title_text_font_style": "normal",
                "title_text_color": INK,
                "major_label_text_font": FONT,
                "major_label_text_font_size": "12px",
                "major_label_text_color": INK,
                "background_fill_alpha": 0,
            },
        }
    }
)
hv.renderer("bokeh").theme = THEME

_BARE: dict[str, Any] = {"toolbar": None, "default_tools": [], "active_tools": []}  # charts without tools
hv.opts.defaults(
    hv.opts.Overlay(**_BARE),
    hv.opts.HeatMap(**_BARE),
    hv.opts.Image(**_BARE),
    hv.opts.Bars(line_color=None),
    hv.opts.Histogram(line_color=None),
    hv.opts.ErrorBars(lower_head=None, upper_head=None, line_width=3, alpha=0.7),
    hv.opts.Spread(line_color=None, alpha=0.18),
    hv.opts.Curve(line_width=2.5),
    hv.opts.Labels(text_color=QUIET, text_font=value(FONT), text_font_size="12px"),
    hv.opts.VLine(color=QUIET, line_dash="dashed", line_width=2),
)


def chart(title: str, *, height: int = 340, max_width: int | None = None, **more: Any) -> dict[str, Any]:
    """Options of a chart that is as wide as its container.

    Parameters
    ----------
    title
        The question that the chart answers; 30 characters fit on a phone.
    height
        Height in CSS pixels.
    max_width
        Largest width in CSS pixels; None for no limit.
    **more
        Further HoloViews options.
    """
    size: dict[str, Any] = {"height": height, "min_width": 280, "responsive": True}
    if max_width:
        size["max_width"] = max_width
    return {"title": title} | size | more


def picture(title: str, *, aspect: float, max_width: int, **more: Any) -> dict[str, Any]:
    """Options of a picture that keeps its proportions and is as wide as its container.

    Parameters
    ----------
    title
        As in `chart`.
    aspect
        Width divided by height of the whole figure; space beside the picture stays empty.
    max_width
        Largest width in CSS pixels.
    **more
        As in `chart`.
    """

    def keep_shape(plot: Any, element: Any) -> None:
        figure = plot.state
        figure.x_range, figure.y_range = DataRange1d(range_padding=0), DataRange1d(range_padding=0)
        figure.update(
            match_aspect=True, sizing_mode="scale_width", aspect_ratio=aspect, min_width=240, max_width=max_width
        )

    return {"title": title, "responsive": True, "hooks": [keep_shape, *more.pop("hooks", [])]} | more


def title_over_names(names: Iterable[str]) -> dict[str, Any]:
    """Backend options that start the title above the names of rows, where it has more room on a phone.

    Only the browser knows the width of the names. The left margin therefore gets their estimated width, and the title
    is moved by the same amount, so that it cannot leave the figure.
    """
    width = 6 * max(len(line) for name in names for line in name.split("\n"))  # CSS pixels, 6 for each letter
    return {"title.offset": -width, "plot.min_border_left": width}


def over_names(names: Iterable[str]) -> dict[str, Any]:
    """Options that start title and legend above the names of rows; see `title_over_names`."""
    options = title_over_names(names)
    return {"backend_opts": options, "legend_opts": {"location": (options["title.offset"], 6)}}


def legend(position: str = "top", columns: int = 2) -> dict[str, Any]:
    """Options of a legend, by default above the chart."""
    options: dict[str, Any] = {"show_legend": True, "legend_position": position, "legend_cols": columns}
    return options | ({"legend_offset": (0, 6)} if position == "top" else {})  # pixels between it and the chart


def colour_bar(name: str) -> dict[str, Any]:
    """Options of the colour bar beneath a picture; its name should include a unit."""
    return {
        "colorbar": True,
        "colorbar_position": "bottom",
        "clabel": name,
        # HoloViews sets these itself, so that a theme cannot.
        "colorbar_opts": {"bar_line_color": None, "major_tick_line_color": None, "height": 12, "padding": 6},
    }


def names_of(names: Sequence[str]) -> dict[str, Any]:
    """Options of a legend of these names; none for a single name."""
    return legend(columns=1 if max(map(len, names)) > 14 else 2) if len(names) > 1 else {"show_legend": False}


def diagonal() -> hv.Curve:
    """Dashed line on which two percentages are equal."""
    return hv.Curve([(0, 0), (100, 100)]).opts(color=QUIET, line_dash="dashed", line_width=1.5)
