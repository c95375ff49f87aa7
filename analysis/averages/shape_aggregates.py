"""Crisp averages of any selection, shape and texture apart, without any person's face.

What `analysis.averages.aggregates` is for aligned faces, for faces warped to one shape: the average shape and the
average texture of small groups are published, and those of a selection are made of them in the same way. Textures
have half the frame's size; the fine detail that an average of warped faces has beyond that is taken from the average
textures of the labels, in the proportion of the selection.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import xarray as xr

from analysis.averages.aggregates import expected_coefficients
from analysis.averages.shape_free import SCALE
from analysis.core.errors import UserError
from analysis.core.schema import LABELS, MIN_FACES
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.shape.warp import Warp


@dataclass(frozen=True)
class ShapeFreeAverage:
    """Average of a selection.

    Attributes
    ----------
    points
        float32 (468, 2): average shape, in pixels of the frame.
    texture
        float32 (327, 267, 3) in [0, 255]: average colours, in the common shape of all faces.
    faces
        Faces of the selection that have landmarks.
    """

    points: np.ndarray
    texture: np.ndarray
    faces: int


class ShapeAggregates:
    """Shape and texture of any selection of faces, from published files alone.

    Parameters
    ----------
    arrays
        Content of ``aggregate_shapes.zarr.zip``.
    rows
        One row per image: content of ``faces.parquet``.

    Attributes
    ----------
    pool
        int (image,): the group that its shape and texture are taken from.
    common
        float32 (468, 2): the shape that textures lie in, in pixels of the frame.
    """

    def __init__(self, arrays: xr.Dataset, rows: pd.DataFrame) -> None:
        self._parts = {
            part: (
                arrays[f"{part}_centre"].to_numpy().astype(np.float32),
                arrays[f"{part}_basis"].to_numpy().astype(np.float32),
            )
            for part in ("shape", "texture")
        }
        self.pool = arrays["pool"].to_numpy()[rows["aggregate"].to_numpy(np.int64)]
        self._shape, self._texture = expected_coefficients(arrays, rows, self.pool, ("shape_", "texture_"))
        self._known = has_landmarks(rows) & np.isfinite(self._shape[:, 0]) & np.isfinite(self._texture[:, 0])
        self._male = (rows["label"] == LABELS[1]).to_numpy()
        self._detail = arrays["detail"].to_numpy().astype(np.float32)
        self.common = arrays["common"].to_numpy().astype(np.float32)

    def known(self, chosen: np.ndarray) -> np.ndarray:
        """Which faces of a selection, bool (image,), have landmarks: bool (image,)."""
        return self._known & chosen

    def means(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Average points, float32 (468, 2), and average texture at half size, float32 (y, x, 3) in [0, 255].

        Parameters
        ----------
        chosen
            bool (image,), or the numbers of its rows.

        Raises
        ------
        UserError
            If fewer than 16 faces of the selection have landmarks.
        """
        rows = self._rows(chosen)
        found = []
        for values, part in ((self._shape, "shape"), (self._texture, "texture")):
            centre, basis = self._parts[part]
            found.append(centre + np.tensordot(values[rows].mean(axis=0), basis, 1))
        return found[0], found[1]

    def average(self, chosen: np.ndarray) -> ShapeFreeAverage:
        """Average shape and texture of a selection.

        Parameters
        ----------
        chosen
            bool (image,), or the numbers of its rows.

        Raises
        ------
        UserError
            If fewer than 16 faces of the selection have landmarks.
        """
        rows = self._rows(chosen)
        points, texture = self.means(rows)
        male = float(self._male[rows].mean())
        fine = enlarged(texture) + (1 - male) * self._detail[0] + male * self._detail[1]
        return ShapeFreeAverage(points, fine, len(rows))

    def picture(self, average: ShapeFreeAverage) -> np.ndarray:
        """Draw an average in its own shape: uint8 (327, 267, 3), RGB."""
        warped = Warp(average.points, SCALE)(average.texture, self.common)
        return warped.round().clip(0, 255).astype(np.uint8)

    def _rows(self, chosen: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        rows = rows[self._known[rows]]
        if len(rows) < MIN_FACES:
            raise UserError(
                f"{len(rows)} of the selected faces have landmarks: an average of fewer than {MIN_FACES} could show a "
                "person, select more"
            )
        return rows


def has_landmarks(rows: pd.DataFrame) -> np.ndarray:
    """Which faces have landmarks of their own, bool (image,); ``rows`` as in ``faces.parquet``."""
    if "landmarks" in rows:
        return rows["landmarks"].fillna(False).to_numpy(dtype=bool)
    # Runs from before the column measured the pose of every face that had landmarks.
    return rows["yaw"].notna().to_numpy() if "yaw" in rows else np.zeros(len(rows), dtype=bool)


def enlarged(texture: np.ndarray) -> np.ndarray:
    """A texture of half the frame's size at the size of a shape-free average, float32 (327, 267, 3)."""
    size = (FRAME_WIDTH * SCALE, FRAME_HEIGHT * SCALE)
    return cv2.resize(texture.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
