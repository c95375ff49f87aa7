"""The map of all faces: many points as a picture that the server draws for what is in sight, few as points.

A browser takes seconds for 50,000 points wherever it has no graphics card to itself; a picture of them takes it none.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
from bokeh.events import Event, RangesUpdate, SelectionGeometry
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    WheelZoomTool,
)
from bokeh.models.annotations.geometry import BoxAnnotation
from bokeh.plotting import figure

from analysis.figures.theme import QUIET
from dashboard import parts

SELECTED = "#7A74E0"  # of what is selected, on the map and in the histograms
FEW = 3000  # points in sight that the browser draws
_SIZE = 1040, 1180  # height and width of a picture, twice that of the map on a wide page
_CORNERS = 60  # of a lasso, which the address holds
_ROOM = 0.03  # beside the outermost points, of the extent
_NEAREST = 0.01  # of the width of the map that keys zoom to

Extent = tuple[float, float, float, float]  # left, right, bottom, top
Box = tuple[float, float, float, float]  # left, top, width and height, as shares of what is in sight


def picture(places: np.ndarray, colours: np.ndarray, extent: Extent, radius: int = 3) -> str:
    """Draw points into a picture.

    Parameters
    ----------
    places
        float (point, 2).
    colours
        uint8 (point, 4): red, green, blue, alpha.
    extent
        What the picture shows.
    radius
        Of a point, in pixels.

    Returns
    -------
    str
        A PNG as an address that holds it.
    """
    height, width = _SIZE
    left, right, bottom, top = extent
    x = np.rint((places[:, 0] - left) / (right - left) * (width - 1)).astype(int)
    y = np.rint((top - places[:, 1]) / (top - bottom) * (height - 1)).astype(int)
    seen = (x >= -radius) & (x < width + radius) & (y >= -radius) & (y < height + radius)
    # Which of two points is in front must not depend on the order of the data sets.
    order = np.random.default_rng(0).permutation(np.flatnonzero(seen))
    x, y, colours = x[order] + radius, y[order] + radius, colours[order][:, [2, 1, 0, 3]]
    drawn = np.zeros((height + 2 * radius, width + 2 * radius), dtype=np.uint32)
    packed = np.ascontiguousarray(colours).view(np.uint32).ravel()
    for down in range(-radius, radius + 1):
        for along in range(-radius, radius + 1):
            if down**2 + along**2 <= radius**2:
                drawn[(y + down).clip(0, drawn.shape[0] - 1), (x + along).clip(0, drawn.shape[1] - 1)] = packed
    pixels = drawn.view(np.uint8).reshape(*drawn.shape, 4)[radius:-radius, radius:-radius]
    encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 2])[1]
    return parts.data_url(encoded.tobytes(), "image/png")


class FaceMap:
    """A plot of all faces, in grey, and in front of them those that are selected.

    Parameters
    ----------
    places
        float32 (face, 2); NaN where a face has none.
    drawn
        Called with the corners of each area that a visitor draws.
    """

    def __init__(self, places: np.ndarray, drawn: Callable[[list[tuple[float, float]]], None]) -> None:
        self._places, self._drawn = places, drawn
        self._chosen = np.zeros(len(places), dtype=bool)
        self._codes = np.zeros(len(places), dtype=np.float32)
        self._palette: list[str] = ["#000000"]
        low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
        room = _ROOM * (high - low) + 1e-6
        (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
        self._whole: Extent = (left, right, bottom, top)
        self._extent = self._whole
        self._box: Box | None = None
        self.plot = plot = figure(
            height=520,
            sizing_mode="stretch_width",
            toolbar_location="above",
            tools=[],
            x_axis_type=None,
            y_axis_type=None,
            x_range=Range1d(start=left, end=right),
            y_range=Range1d(start=bottom, end=top),
            outline_line_color=None,
            min_width=280,
        )
        plot.grid.visible = False
        self._pictures = [ColumnDataSource({name: [] for name in ("url", "x", "y", "w", "h")}) for _ in range(2)]
        for source, alpha in zip(self._pictures, (0.3, 0.9), strict=True):
            plot.image_url("url", "x", "y", "w", "h", anchor="bottom_left", source=source, global_alpha=alpha)
        self._points = ColumnDataSource({"x": [], "y": [], "c": []})
        self._mapper = LinearColorMapper(palette=["#000000"], low=-0.5, high=0.5)
        self._marks = plot.scatter(
            "x",
            "y",
            source=self._points,
            color={"field": "c", "transform": self._mapper},
            alpha=0.8,
            line_color=None,
        ).glyph
        self._outline = ColumnDataSource({"x": [], "y": []})
        plot.patch(
            "x", "y", source=self._outline, fill_alpha=0.06, fill_color=SELECTED, line_color=SELECTED, line_width=2
        )
        self._cursor = BoxAnnotation(fill_color=None, line_color=QUIET, line_width=3, line_dash="dashed", visible=False)
        plot.add_layout(self._cursor)
        box, lasso = (tool(continuous=False, renderers=[]) for tool in (BoxSelectTool, LassoSelectTool))
        plot.add_tools(box, lasso, PanTool(), WheelZoomTool(), ResetTool())
        plot.toolbar.active_drag = box
        plot.toolbar.logo = None
        plot.on_event(SelectionGeometry, self._taken)
        plot.on_event(RangesUpdate, self._moved)
        self._show_all()

    def show(self, chosen: np.ndarray, codes: np.ndarray, palette: list[str], corners: np.ndarray | None) -> None:
        """Show a selection.

        Parameters
        ----------
        chosen
            bool (face,).
        codes
            float32 (face,): number of each face's colour in ``palette``; NaN for none.
        palette
            Colours as "#rrggbb".
        corners
            float (corner, 2) of the area that is selected; None for none.
        """
        self._chosen, self._codes, self._palette = chosen, codes, palette
        self._outline.data = {"x": [], "y": []} if corners is None else {"x": corners[:, 0], "y": corners[:, 1]}
        self._show_chosen()

    def show_cursor(self, box: Box | None) -> None:
        """Show the box that keys move, which stays where it is in sight as the map moves; None for none."""
        self._box = box
        if box is None:
            self._cursor.visible = False
            return
        left, right, bottom, top = self._placed(box)
        self._cursor.update(left=left, right=right, bottom=bottom, top=top, visible=True)

    def select(self, box: Box) -> None:
        """Select what is in a box."""
        left, right, bottom, top = self._placed(box)
        self._drawn([(left, bottom), (right, bottom), (right, top), (left, top)])

    def zoom(self, box: Box | None) -> None:
        """Show what is in a box; None for all. Nearer than a hundredth of the map there is nothing more to see."""
        left, right, bottom, top = extent = self._whole if box is None else self._placed(box)
        if right - left < _NEAREST * (self._whole[1] - self._whole[0]):
            return
        self.plot.x_range.update(start=left, end=right)
        self.plot.y_range.update(start=bottom, end=top)
        self._see(extent)

    def _see(self, extent: Extent) -> None:
        self._extent = extent
        self._show_all()
        self._show_chosen()
        self.show_cursor(self._box)

    def _placed(self, box: Box) -> Extent:
        left, right, bottom, top = self._extent
        x, y, width, height = box
        across, down = right - left, top - bottom
        return left + x * across, left + (x + width) * across, top - (y + height) * down, top - y * down

    def _show_all(self) -> None:
        grey = np.frombuffer(bytes.fromhex(QUIET[1:]) + b"\xff", np.uint8)
        if self._extent == self._whole:
            url = _whole(self._places.tobytes(), self._whole, grey.tobytes())
        else:
            known = self._places[np.isfinite(self._places).all(axis=1)]
            url = picture(known, np.broadcast_to(grey, (len(known), 4)), self._extent, self._radius())
        self._put(self._pictures[0], url)

    def _show_chosen(self) -> None:
        left, right, bottom, top = self._extent
        x, y = self._places.T
        with np.errstate(invalid="ignore"):
            inside = self._chosen & (x >= left) & (x <= right) & (y >= bottom) & (y <= top) & np.isfinite(self._codes)
        count = int(inside.sum())
        few = inside if count <= FEW else np.zeros_like(inside)
        self._mapper.update(palette=self._palette, low=-0.5, high=len(self._palette) - 0.5)
        self._marks.size = 9.0 if count < 100 else 5.0
        self._points.data = {"x": x[few], "y": y[few], "c": self._codes[few]}
        if count <= FEW:
            self._put(self._pictures[1], "")
            return
        colours = np.array([[*bytes.fromhex(each[1:]), 255] for each in self._palette], np.uint8)
        shown = colours[self._codes[inside].astype(int)]
        url = _drawn_before(self._places[inside].tobytes(), shown.tobytes(), self._extent, self._radius())
        self._put(self._pictures[1], url)

    def _radius(self) -> int:
        """Of a point in a picture: it grows a little as one comes nearer."""
        whole, now = (extent[1] - extent[0] for extent in (self._whole, self._extent))
        return int(np.clip(round(3 * (whole / now) ** 0.4), 2, 7))

    def _put(self, source: ColumnDataSource, url: str) -> None:
        """Show a picture of what is in sight; none for "", for which BokehJS would keep the last one."""
        left, right, bottom, top = self._extent
        place = {"url": url, "x": left, "y": bottom, "w": right - left, "h": top - bottom}
        source.data = {name: [value] if url else [] for name, value in place.items()}

    def _moved(self, event: Event) -> None:
        """Draw what is in sight."""
        assert isinstance(event, RangesUpdate)
        left, right, bottom, top = (
            np.nan if end is None else float(end) for end in (event.x0, event.x1, event.y0, event.y1)
        )
        if np.isfinite([left, right, bottom, top]).all() and left < right and bottom < top:
            self._see((left, right, bottom, top))

    def _taken(self, event: Event) -> None:
        shape = drawn_shape(event)
        if shape is None:
            return
        if shape["type"] == "rect":
            x, y = sorted((shape["x0"], shape["x1"])), sorted((shape["y0"], shape["y1"]))
            corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        else:
            corners = list(zip(shape["x"], shape["y"], strict=True))
            corners = corners[:: -(-len(corners) // _CORNERS)]
        self._drawn(corners)


@lru_cache(maxsize=12)  # half a megabyte each: the first ones of every session are the same
def _drawn_before(places: bytes, colours: bytes, extent: Extent, radius: int) -> str:
    points = np.frombuffer(places, np.float32).reshape(-1, 2)
    return picture(points, np.frombuffer(colours, np.uint8).reshape(-1, 4), extent, radius)


@lru_cache(maxsize=2)
def _whole(places: bytes, extent: Extent, colour: bytes) -> str:
    """Picture of all faces, which is a constant of a run."""
    known = np.frombuffer(places, np.float32).reshape(-1, 2)
    known = known[np.isfinite(known).all(axis=1)]
    return picture(known, np.broadcast_to(np.frombuffer(colour, np.uint8), (len(known), 4)), extent)


def drawn_shape(event: Event) -> dict[str, Any] | None:
    """What was drawn on a plot, once it is complete."""
    assert isinstance(event, SelectionGeometry)
    return cast("dict[str, Any]", event.geometry) if event.final else None
