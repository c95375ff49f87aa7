"""The average face of a selection, that of the rest, and all that lies between and beyond; the browser draws it.

What it does there is in between.mjs.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import panel as pn
import param

from analysis.averages.shape_aggregates import ShapeAggregates, ShapeFreeAverage
from analysis.averages.shape_free import SCALE
from analysis.shape.warp import Warp
from dashboard import parts
from dashboard.pages.pixels import QUALITY, as_text


class Between(pn.custom.JSComponent):
    """A face on the way from that of the rest to that of the selection, with a slider.

    Parameters
    ----------
    shapes
        Shape and texture of selections, where the run has them.
    **params
        ``share``, and what `panel.custom.JSComponent` takes.
    """

    mesh = param.Dict(default={}, doc="Points and triangles of the shape that textures lie in.")
    pair = param.Dict(default={}, doc="What `aligned` or `crisp` gives; empty where there is no rest.")
    share = param.Integer(default=200, bounds=(0, 200), doc="How far from the rest (0) to the selection (100), %.")

    _esm = parts.script("between")

    def __init__(self, shapes: ShapeAggregates | None, **params: Any) -> None:
        super().__init__(
            mesh=_mesh(shapes) if shapes is not None else {},
            stylesheets=[parts.theme_css()],
            css_classes=["between"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )


@lru_cache(maxsize=2)
def _mesh(shapes: ShapeAggregates) -> dict[str, Any]:  # once for all sessions, which share the shapes
    warp = Warp(shapes.common, SCALE)
    return {
        "scale": SCALE,
        "common": as_text(warp.points.astype(np.float32)),
        "triangles": as_text(warp.triangles.astype(np.uint16)),
    }


def crisp(rest: ShapeFreeAverage, own: ShapeFreeAverage) -> dict[str, Any]:
    """Two averages, shape and texture apart, as the browser reads them."""
    return {
        "pictures": [parts.jpeg_url(_whole(each.texture), QUALITY) for each in (rest, own)],
        "points": [as_text(each.points.astype(np.float32)) for each in (rest, own)],
    }


def aligned(rest: np.ndarray, own: np.ndarray) -> dict[str, Any]:
    """Two averages of aligned faces, float (y, x, 3) in [0, 1], as the browser reads them."""
    return {"pictures": [parts.jpeg_url(_whole(255 * each), QUALITY) for each in (rest, own)]}


def _whole(levels: np.ndarray) -> np.ndarray:
    return levels.round().clip(0, 255).astype(np.uint8)
