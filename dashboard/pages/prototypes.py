"""Shape and texture of the average woman and man, apart, as the browser needs them to put any two together.

The run publishes pictures of both in their own shape, and the points of each shape; see `analysis.averages.shape_free`.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.averages.shape_free import SCALE
from analysis.core.schema import LABELS
from analysis.figures.theme import LABEL_COLOURS
from analysis.results import Results, artifacts
from analysis.shape.geometry import BROWS, EYES, FACE_OVAL, LIPS
from analysis.shape.warp import Warp
from dashboard import parts
from dashboard.pages.pixels import QUALITY, as_text


def prototypes(results: Results) -> dict[str, Any]:
    """Textures in the mean shape, points of both shapes and the triangles between them; empty where a run has none."""
    if not results.has_shape_free:
        return {}
    return _read(results.folder, (results.folder / artifacts.SHAPE_FREE.path).stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(folder: Path, mark: int) -> dict[str, Any]:
    stored = Results(folder).shape_free
    of = list(zip(stored["shape_of"].values.tolist(), stored["texture_of"].values.tolist(), strict=True))
    shapes = stored["points"].to_numpy().astype(np.float64)
    warp = Warp(shapes.mean(axis=0), SCALE)
    own = [stored["picture"].to_numpy()[of.index((float(place), float(place)))] for place in range(len(LABELS))]
    textures = [warp(picture, shape) for picture, shape in zip(own, shapes, strict=True)]
    edge = warp.points[len(shapes[0]) :]
    eyes = [shapes[:, list(outline)].mean(axis=1) for outline in EYES]
    return {
        "width": textures[0].shape[1],
        "height": textures[0].shape[0],
        "scale": SCALE,
        "textures": [parts.jpeg_url(texture, QUALITY) for texture in textures],
        "points": [as_text(np.concatenate([shape, edge]).astype(np.float32)) for shape in shapes],
        "triangles": as_text(warp.triangles.astype(np.uint16)),
        "outlines": [list(outline) for outline in (FACE_OVAL, LIPS, *EYES, *BROWS)],
        "pupils": float(np.linalg.norm(eyes[0] - eyes[1], axis=-1).mean()),
        "colours": {label: LABEL_COLOURS[label] for label in LABELS},
        "counts": [int(count) for count in stored["count"].to_numpy()],
    }
