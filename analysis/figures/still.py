"""A figure as it stands, in SVG: for pages without JavaScript, for paper, and until the figure itself is drawn.

It reads the models that HoloViews makes for BokehJS, which draws them only in a browser. It knows the glyphs that the
figures of this package use; of a figure with another one there is no still.
"""

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np
from bokeh.core.property.vectorization import Field, Value
from bokeh.models import (
    CategoricalAxis,
    Dodge,
    FactorRange,
    FixedTicker,
    GridPlot,
    LinearColorMapper,
    LogAxis,
    NumeralTickFormatter,
    Plot,
    PrintfTickFormatter,
)
from bokeh.models.annotations import Legend, Span, Whisker
from PIL import Image

from analysis.figures import theme

WIDTH = 680  # pixels of a still without a width of its own
_LETTER = 6.4  # pixels that a letter of a label is wide on average
_INK, _DARK, _GRID = theme.INK, "#D6D4DE", "#88888830"
_STYLE = (
    f"<style>text{{font:12px sans-serif;fill:{_INK}}}.title{{font-weight:600;font-size:14px}}"
    f"@media (prefers-color-scheme:dark){{text{{fill:{_DARK}}}}}text.own{{fill:var(--own)}}</style>"
)


def still(state: Any) -> str | None:
    """Draw a figure in SVG.

    Parameters
    ----------
    state
        A Bokeh plot or a grid of plots.

    Returns
    -------
    str or None
        None if it has a part that is not known here.
    """
    placed = [(state, 0, 0)] if isinstance(state, Plot) else []
    if isinstance(state, GridPlot):
        placed = [(child, row, column) for child, row, column, *_ in state.children if isinstance(child, Plot)]
    if not placed:
        return None
    columns = 1 + max(column for _, _, column in placed)
    parts: list[str] = []
    top = bottom = row_now = 0
    try:
        for plot, row, column in placed:
            if row != row_now:
                top, row_now = bottom, row
            drawing, height = _plot(plot, WIDTH // columns, f"c{row}-{column}")
            parts.append(f'<g transform="translate({column * (WIDTH // columns)} {top})">{drawing}</g>')
            bottom = max(bottom, top + height)
    except (_UnknownError, KeyError, TypeError, ValueError):  # a combination that no figure had so far
        return None
    size = f'viewBox="0 0 {WIDTH} {bottom}" width="{WIDTH}" height="{bottom}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{_STYLE}{"".join(parts)}</svg>'


class _UnknownError(Exception):
    """A part that cannot be drawn here."""


def _plot(plot: Any, width: int, clip: str) -> tuple[str, int]:
    """A plot with its axes, and its height."""
    below: Any = plot.below[0]
    left: Any = plot.left[0] if plot.left else None
    wide = min(width, plot.max_width or width)
    tall = plot.height or round(wide / (plot.aspect_ratio if isinstance(plot.aspect_ratio, float) else 1.4))
    spans = [_span(plot, "x"), _span(plot, "y")]
    shown = [axis is not None and axis.visible for axis in (below, left)]
    marks = [_ticks(axis, span) if on else [] for axis, span, on in zip((below, left), spans, shown, strict=True)]
    legends = [part for part in (*plot.above, *plot.center, *plot.right, *plot.below) if isinstance(part, Legend)]
    entries: list[Any] = [entry for legend in legends if legend.visible for entry in legend.items]
    named = max((len(text) for _, text in marks[1]), default=0) if shown[1] else 0
    margin_left = 10 + min(named * _LETTER + 8, wide * 0.45) + (18 if shown[1] and left.axis_label else 0)
    title = plot.title.text if plot.title else ""
    margin_top = (30 if title else 6) + 20 * math.ceil(len(entries) / 3)
    lines = (below.axis_label or "").split("\n") if shown[0] else []
    margin_bottom = (22 if shown[0] else 4) + 16 * len([line for line in lines if line])
    x0, x1, y0, y1 = margin_left, wide - 14, tall - margin_bottom, margin_top
    to_x = _scale(spans[0], (x0, x1), isinstance(below, LogAxis))
    to_y = _scale(spans[1], (y0, y1), isinstance(left, LogAxis))
    out = [f'<text class="title" x="{margin_left:.0f}" y="18">{escape(title)}</text>'] if title else []
    for place, entry in enumerate(entries):
        at = margin_left + (place % 3) * (wide - margin_left) / 3, (36 if title else 12) + 20 * (place // 3)
        colour = _colour_of(entry.renderers[-1]) if entry.renderers else _INK
        label = str(entry.label.value if isinstance(entry.label, Value) else entry.label)
        out.append(f'<circle cx="{at[0] + 5:.0f}" cy="{at[1] - 4}" r="5" fill="{colour}"/>')
        out.append(f'<text x="{at[0] + 15:.0f}" y="{at[1]}">{escape(label)}</text>')
    if shown[0]:
        for value, text in marks[0]:
            out.append(f'<path d="M{to_x(value):.1f} {y0:.0f}V{y1:.0f}" stroke="{_GRID}"/>')
            out.append(f'<text x="{to_x(value):.1f}" y="{y0 + 16:.0f}" text-anchor="middle">{escape(text)}</text>')
        for number, line in enumerate(line for line in lines if line):
            under = f'x="{(x0 + x1) / 2:.0f}" y="{y0 + 32 + 16 * number:.0f}"'
            out.append(f'<text {under} text-anchor="middle">{escape(line)}</text>')
    if shown[1]:
        for value, text in marks[1]:
            out.append(f'<path d="M{x0:.0f} {to_y(value):.1f}H{x1:.0f}" stroke="{_GRID}"/>')
            out.append(f'<text x="{x0 - 6:.0f}" y="{to_y(value) + 4:.1f}" text-anchor="end">{escape(text)}</text>')
        if left.axis_label:
            middle = (y0 + y1) / 2
            turned = f'transform="translate(12 {middle:.0f}) rotate(-90)"'
            out.append(f'<text {turned} text-anchor="middle">{escape(left.axis_label)}</text>')
    drawn = [part for part in plot.renderers if part.visible and hasattr(part, "glyph")]
    inside = [shape for part in drawn for shape in _glyph(part, to_x, to_y)]
    for part in (*plot.center, *plot.renderers):
        if isinstance(part, Whisker):
            inside += _whiskers(part, to_x, to_y)
        elif isinstance(part, Span):
            inside.append(_line_across(part, to_x, to_y, (x0, x1, y0, y1)))
    inner = _box(x0 - 8, x1 + 8, y1 - 8, y0 + 8)
    out.append(f'<clipPath id="{clip}">{inner}/></clipPath>')
    out.append(f'<g clip-path="url(#{clip})">{"".join(inside)}</g>')
    return "".join(out), int(tall)


def _span(plot: Any, dimension: str) -> tuple[float, float] | Sequence[str]:
    """Ends of an axis, or its categories."""
    known: Any = getattr(plot, f"{dimension}_range")
    if isinstance(known, FactorRange):
        factors: Any = known.factors
        return list(factors)
    if known.start is not None and known.end is not None and not math.isnan(known.start):
        return float(known.start), float(known.end)
    names = {"x": ("x", "xs", "left", "right", "x0", "x1"), "y": ("y", "ys", "top", "bottom", "y0", "y1")}[dimension]
    found: list[float] = []
    for part in plot.renderers:
        glyph = getattr(part, "glyph", None)
        columns = [_values(part, name) for name in names if hasattr(glyph, name)]
        if hasattr(glyph, "dw"):
            size = _values(part, "dw" if dimension == "x" else "dh")
            columns.append([start + long for start, long in zip(columns[0], size, strict=True)])
        for value in (
            item for column in columns for cell in column for item in np.atleast_1d(np.asarray(cell)).ravel()
        ):
            if isinstance(value, int | float | np.number) and math.isfinite(value):
                found.append(float(value))
    if not found:
        raise _UnknownError(dimension)
    low, high = min(found), max(found)
    if any(hasattr(getattr(part, "glyph", None), "dw") for part in plot.renderers):
        return low, high
    high = high if high > low else low + 1
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _scale(span: Any, ends: tuple[float, float], logarithmic: bool) -> Callable[[Any], float]:
    start, end = ends
    if isinstance(span, list):
        step = (end - start) / len(span)
        places = {name: start + (place + 0.5) * step for place, name in enumerate(span)}

        def of_name(value: Any) -> float:
            if isinstance(value, tuple):
                return places[value[0]] + value[1] * step
            return places[value] if isinstance(value, str) else start + value * step

        return of_name
    low, high = map(math.log10, span) if logarithmic else span
    return lambda value: start + ((math.log10(value) if logarithmic else value) - low) / (high - low) * (end - start)


def _ticks(axis: Any, span: Any) -> list[tuple[Any, str]]:
    if isinstance(axis, CategoricalAxis):
        return [(name, name) for name in span]
    low, high = sorted(span)
    ticker = axis.ticker
    if isinstance(ticker, FixedTicker):
        values = [float(value) for value in ticker.ticks if low <= value <= high]
    elif isinstance(axis, LogAxis):
        values = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    else:
        rough = (high - low) / max(getattr(ticker, "desired_num_ticks", 6) - 1, 2)
        base = 10 ** math.floor(math.log10(rough))
        step = base * next(factor for factor in (1, 2, 5, 10) if factor * base >= rough)
        values = [step * number for number in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]
    overrides = {float(key): str(text) for key, text in axis.major_label_overrides.items() if not isinstance(key, str)}
    return [(value, overrides.get(value) or _written(axis.formatter, value)) for value in values]


def _written(formatter: Any, value: float) -> str:
    if isinstance(formatter, PrintfTickFormatter):
        text = str(formatter.format % value)
    elif isinstance(formatter, NumeralTickFormatter):
        text = f"{value:,.0f}" if "," in formatter.format else f"{value:g}"
    else:
        text = f"{round(value, 10):g}"
    return text.replace("-", "−")


def _values(part: Any, name: str) -> list[Any]:
    """What a property of a glyph is for each of its rows."""
    data = part.data_source.data
    rows = max((len(column) for column in data.values()), default=0)
    spec = getattr(part.glyph, name)
    if isinstance(spec, str) and spec in data:
        spec = Field(spec)
    if isinstance(spec, Field):
        column = list(data[spec.field])
        if isinstance(spec.transform, Dodge):
            by = spec.transform.value
            return [(value, by) if isinstance(value, str) else value + by for value in column]
        if isinstance(spec.transform, LinearColorMapper):
            return [_mapped(spec.transform, value) for value in column]
        return column
    return [spec.value if isinstance(spec, Value) else spec] * max(rows, 1)


def _mapped(mapper: Any, value: float) -> str:
    if math.isnan(value):
        return "none"
    place = (value - mapper.low) / (mapper.high - mapper.low) * len(mapper.palette)
    return str(mapper.palette[int(min(max(place, 0), len(mapper.palette) - 1))])


def _colour_of(part: Any) -> str:
    for name in ("fill_color", "line_color"):
        if hasattr(part, "glyph") and hasattr(part.glyph, name):
            colour = _values(part, name)[0]
            if colour is not None:
                return str(colour)
    return _INK


def _look(part: Any, row: int) -> str:
    """Attributes of a shape's ink."""
    glyph, said = part.glyph, []
    for kind, attribute in (("fill", "fill"), ("line", "stroke")):
        if hasattr(glyph, f"{kind}_color"):
            colour = _values(part, f"{kind}_color")[row]
            alpha = _values(part, f"{kind}_alpha")[row]
            clear = f' {attribute}-opacity="{alpha:g}"' if alpha != 1 else ""
            said.append(f'{attribute}="{colour or "none"}"{clear}')
        elif kind == "fill":
            said.append('fill="none"')
    if hasattr(glyph, "line_width"):
        said.append(f'stroke-width="{_values(part, "line_width")[row]:g}"')
    dash = getattr(glyph, "line_dash", None)
    dash = dash.value if isinstance(dash, Value) else dash
    if dash in ("dashed", "dotted") or (isinstance(dash, list) and dash):
        said.append('stroke-dasharray="{}"'.format({"dashed": "6", "dotted": "2 4"}.get(str(dash), "6")))
    return " ".join(said)


def _path(xs: Any, ys: Any, to_x: Any, to_y: Any, closed: bool) -> str:
    out, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if any(isinstance(value, float | np.floating) and math.isnan(value) for value in (x, y)):
            pen = "M"
            continue
        out.append(f"{pen}{to_x(x):.1f} {to_y(y):.1f}")
        pen = "L"
    return "".join(out) + ("Z" if closed else "")


def _box(left: float, right: float, top: float, bottom: float) -> str:
    x, y = min(left, right), min(top, bottom)
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{abs(right - left):.1f}" height="{abs(bottom - top):.1f}"'


def _glyph(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    """Shapes of a glyph."""
    kind = type(part.glyph).__name__
    for kinds, draw in _DRAWN_BY.items():
        if kind in kinds:
            return draw(part, to_x, to_y)
    raise _UnknownError(kind)


def _lines(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    kind = type(part.glyph).__name__
    if kind == "MultiLine":
        lines = list(zip(_values(part, "xs"), _values(part, "ys"), strict=True))
    elif kind == "Segment":
        ends = zip(*(_values(part, name) for name in ("x0", "y0", "x1", "y1")), strict=True)
        lines = [((x0, x1), (y0, y1)) for x0, y0, x1, y1 in ends]
    else:
        lines = [(_values(part, "x"), _values(part, "y"))]
    for row, (xs, ys) in enumerate(lines):
        yield f'<path d="{_path(xs, ys, to_x, to_y, kind == "Patch")}" {_look(part, row)}/>'


def _scatter(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    markers, angles = _values(part, "marker"), _values(part, "angle")
    for row, (x, y, size) in enumerate(zip(*(_values(part, name) for name in ("x", "y", "size")), strict=True)):
        if isinstance(x, float | np.floating) and math.isnan(x):
            continue
        at = to_x(x), to_y(y)
        if markers[row] != "dash":
            yield f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{size / 2:g}" {_look(part, row)}/>'
        elif abs(math.sin(angles[row])) > _UPRIGHT:
            yield f'<path d="M{at[0]:.1f} {at[1] - size / 2:.1f}v{size}" {_look(part, row)}/>'
        else:
            yield f'<path d="M{at[0] - size / 2:.1f} {at[1]:.1f}h{size}" {_look(part, row)}/>'


def _bars(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    for row, (left, right, top, bottom) in enumerate(_boxes(type(part.glyph).__name__, partial(_values, part))):
        yield f"{_box(to_x(left), to_x(right), to_y(top), to_y(bottom))} {_look(part, row)}/>"


def _images(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    mapper = getattr(part.glyph, "color_mapper", None)
    for pixels, x, y, wide, tall in zip(
        *(_values(part, name) for name in ("image", "x", "y", "dw", "dh")), strict=True
    ):
        box = _box(to_x(x), to_x(x + wide), to_y(y + tall), to_y(y)).replace("<rect", "<image")
        yield f'{box} preserveAspectRatio="none" href="{_picture(np.asarray(pixels), mapper)}"/>'


def _words(part: Any, to_x: Any, to_y: Any) -> Iterator[str]:
    names = ("x", "y", "text", "x_offset", "y_offset", "text_align", "text_color")
    for x, y, text, right, down, align, colour in zip(*(_values(part, name) for name in names), strict=True):
        anchor = {"left": "start", "center": "middle", "right": "end"}[align]
        at = f'x="{to_x(x) + right:.1f}" y="{to_y(y) + 4 + down:.1f}"'
        yield f'<text class="own" style="--own:{colour}" {at} text-anchor="{anchor}">{escape(str(text))}</text>'


_UPRIGHT = 0.5  # sine of the angle from which a dash stands
_DRAWN_BY: dict[tuple[str, ...], Callable[[Any, Any, Any], Iterator[str]]] = {
    ("Line", "Patch", "MultiLine", "Segment"): _lines,
    ("Scatter",): _scatter,
    ("Quad", "VBar", "HBar", "Rect"): _bars,
    ("Image", "ImageRGBA"): _images,
    ("Text",): _words,
}


def _boxes(kind: str, get: Callable[[str], list[Any]]) -> Iterator[tuple[Any, Any, Any, Any]]:
    def around(centre: Any, size: float) -> tuple[Any, Any]:
        if isinstance(centre, str):
            return (centre, -size / 2), (centre, size / 2)
        if isinstance(centre, tuple):
            return (centre[0], centre[1] - size / 2), (centre[0], centre[1] + size / 2)
        return centre - size / 2, centre + size / 2

    if kind == "Quad":
        yield from zip(get("left"), get("right"), get("top"), get("bottom"), strict=True)
    elif kind == "VBar":
        for x, wide, top, bottom in zip(get("x"), get("width"), get("top"), get("bottom"), strict=True):
            yield *around(x, wide), top, bottom
    elif kind == "HBar":
        for y, tall, left, right in zip(get("y"), get("height"), get("left"), get("right"), strict=True):
            yield left, right, *around(y, tall)
    else:
        for x, y, wide, tall in zip(get("x"), get("y"), get("width"), get("height"), strict=True):
            yield *around(x, wide), *around(y, tall)


def _picture(values: np.ndarray, mapper: Any) -> str:
    """Address of a picture; the first row of Bokeh's images is the lowest."""
    if mapper is None:
        pixels = values.view(np.uint8).reshape(*values.shape, 4)
    else:
        colours = np.array([[*bytes.fromhex(colour.lstrip("#")[:6]), 255] for colour in mapper.palette], np.uint8)
        low = np.nanmin(values) if mapper.low is None else mapper.low
        high = np.nanmax(values) if mapper.high is None else mapper.high
        place = np.nan_to_num((values - low) / (high - low) * len(colours)).astype(int).clip(0, len(colours) - 1)
        pixels = np.where(np.isnan(values)[..., None], np.array([138, 136, 148, 71], np.uint8), colours[place])
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1].astype(np.uint8)), "RGBA").save(file, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _whiskers(part: Any, to_x: Any, to_y: Any) -> list[str]:
    data = part.source.data
    specs = [getattr(part, name) for name in ("base", "lower", "upper")]
    columns = [data[spec.field if isinstance(spec, Field) else spec] for spec in specs]
    colour, width, alpha = (
        spec.value if isinstance(spec, Value) else spec for spec in (part.line_color, part.line_width, part.line_alpha)
    )
    look = f'stroke="{colour}" stroke-width="{width:g}" stroke-opacity="{alpha:g}"'
    if part.dimension == "width":
        return [
            f'<path d="M{to_x(low):.1f} {to_y(base):.1f}H{to_x(high):.1f}" {look}/>'
            for base, low, high in zip(*columns, strict=True)
            if not math.isnan(low)
        ]
    return [
        f'<path d="M{to_x(base):.1f} {to_y(low):.1f}V{to_y(high):.1f}" {look}/>'
        for base, low, high in zip(*columns, strict=True)
        if not math.isnan(low)
    ]


def _line_across(part: Any, to_x: Any, to_y: Any, ends: tuple[float, float, float, float]) -> str:
    x0, x1, y0, y1 = ends
    dash = ' stroke-dasharray="5"' if part.line_dash and part.line_dash != [] else ""
    look = f'stroke="{part.line_color}" stroke-width="{part.line_width:g}"{dash}'
    if part.dimension == "height":
        return f'<path d="M{to_x(part.location):.1f} {y0:.0f}V{y1:.0f}" {look}/>'
    return f'<path d="M{x0:.0f} {to_y(part.location):.1f}H{x1:.0f}" {look}/>'
