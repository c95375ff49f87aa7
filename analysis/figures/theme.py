"""How every figure looks: colours, type, and the options that charts have in common.

Knows nothing of what is drawn. Importing it makes Bokeh the backend of HoloViews without writing anything to a
notebook: a page loads BokehJS itself. Backgrounds are transparent, so that a page's own colour shows through.
"""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh
from bokeh.core.properties import value
from bokeh.models import DataRange1d

__all__ = [
    "CATEGORIES",
    "DIVERGING",
    "FONT",
    "INK",
    "LABEL_COLOURS",
    "QUIET",
    "SEQUENTIAL",
    "chart",
    "colour_bar",
    "legend",
    "names_of",
    "picture",
    "words",
]

hv.Store.set_current_backend("bokeh")

# Told apart by hue, by lightness and with any colour blindness; each stands out from white and from near black.
LABEL_COLOURS = {"female": "#CC6677", "male": "#5651C4", "uncertain": "#8A8894"}
CATEGORIES = ("#5651C4", "#C06A00", "#00866E", "#A8397E")  # data sets and runs side by side; the first is the main one
INK = "#3B3946"  # titles and axes on a light page; the explorer recolours them in its dark theme
QUIET = "#7C7A86"  # reference lines and words within a chart: legible on light and on dark
FONT = "Roboto, system-ui, -apple-system, 'Segoe UI', sans-serif"

# From "higher where labelled female" over nothing to "higher where labelled male".
_STOPS = ("#7A2136", "#CC6677", "#EFC4C8", "#F6F4F2", "#C6C4EE", "#5651C4", "#211C73")


def _between(colours: tuple[str, ...], steps: int) -> list[str]:
    """Interpolate colours evenly."""
    stops = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    result = []
    for step in range(steps):
        at = step / (steps - 1) * (len(stops) - 1)
        left = min(int(at), len(stops) - 2)
        mix = [round(a + (b - a) * (at - left)) for a, b in zip(stops[left], stops[left + 1], strict=True)]
        result.append("#{:02x}{:02x}{:02x}".format(*mix))
    return result


DIVERGING = _between(_STOPS, 255)
SEQUENTIAL = _between(("#EFEEF9", "#A9A6E4", "#5651C4"), 128)


def chart(title: str, *, height: int = 340, max_width: int | None = None, **more: Any) -> dict[str, Any]:
    """Options of a chart that is as wide as its place lets it be.

    Parameters
    ----------
    title
        The question that the chart answers; at most 30 characters fit a phone.
    height
        In CSS pixels.
    max_width
        In CSS pixels; None lets the chart grow.
    **more
        Further HoloViews options; ``backend_opts`` are added to the common ones.
    """
    size: dict[str, Any] = {"height": height, "min_width": 280}
    if max_width:
        size["max_width"] = max_width
    return _common(title, more) | size | {"responsive": True} | more


def picture(title: str, *, aspect: float, max_width: int, **more: Any) -> dict[str, Any]:
    """Options of a picture that keeps its shape and scales with its place.

    Parameters
    ----------
    title
        As in `chart`.
    aspect
        Width by height of the whole figure; what is left over beside the picture stays empty.
    max_width
        In CSS pixels.
    **more
        As in `chart`.
    """

    def keep_shape(plot: Any, element: Any) -> None:
        figure = plot.state
        figure.x_range, figure.y_range = DataRange1d(range_padding=0), DataRange1d(range_padding=0)
        figure.update(
            match_aspect=True, sizing_mode="scale_width", aspect_ratio=aspect, min_width=240, max_width=max_width
        )

    hooks = [keep_shape, *more.pop("hooks", [])]
    return _common(title, more) | {"responsive": True, "hooks": hooks} | more


def _common(title: str, more: dict[str, Any]) -> dict[str, Any]:
    backend = {
        "plot.background_fill_alpha": 0,
        "plot.border_fill_alpha": 0,
        "plot.outline_line_color": None,
        "plot.min_border_right": 12,
        "title.text_color": INK,
        "title.text_font": FONT,
        "title.text_font_size": "15px",
        "title.text_font_style": "bold",
        "title.standoff": 12,
    }
    for axis in ("xaxis", "yaxis"):
        backend |= {
            f"{axis}.axis_label_text_font": FONT,
            f"{axis}.axis_label_text_font_size": "13px",
            f"{axis}.axis_label_text_font_style": "normal",
            f"{axis}.axis_label_text_color": INK,
            f"{axis}.major_label_text_font": FONT,
            f"{axis}.major_label_text_font_size": "12px",
            f"{axis}.major_label_text_color": INK,
            f"{axis}.axis_line_color": None,
            f"{axis}.major_tick_line_color": None,
            f"{axis}.minor_tick_line_color": None,
        }
    backend |= more.pop("backend_opts", {})
    return {
        "title": title,
        "toolbar": None,
        "default_tools": [],
        "active_tools": [],
        "gridstyle": {"grid_line_color": QUIET, "grid_line_alpha": 0.22},
        "backend_opts": backend,
    }


def legend(position: str = "top", columns: int = 2) -> dict[str, Any]:
    """Options of a legend without a box, above the chart unless told otherwise."""
    return {
        "show_legend": True,
        "legend_position": position,
        "legend_cols": columns,
        "legend_opts": {
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
    }


def colour_bar(name: str) -> dict[str, Any]:
    """Options of the bar beneath a picture that explains a scale of colours; it needs a name and a unit."""
    return {
        "colorbar": True,
        "colorbar_position": "bottom",
        "clabel": name,
        "colorbar_opts": {
            "title_text_font": FONT,
            "title_text_font_size": "13px",
            "title_text_font_style": "normal",
            "title_text_color": INK,
            "major_label_text_font": FONT,
            "major_label_text_font_size": "12px",
            "major_label_text_color": INK,
            "major_tick_line_color": None,
            "background_fill_alpha": 0,
            "bar_line_color": None,
            "height": 12,
            "padding": 6,
        },
    }


def names_of(names: Sequence[str]) -> dict[str, Any]:
    """Options of a legend that names what is shown side by side; a single one needs none."""
    return legend(columns=1 if max(map(len, names)) > 14 else 2) if len(names) > 1 else {"show_legend": False}


def words(colour: str = QUIET, size: int = 13, **more: Any) -> dict[str, Any]:
    """Options of text within a chart."""
    return {"text_color": colour, "text_font_size": f"{size}px", "text_font": value(FONT)} | more
