"""Warps faces to a given shape: piecewise affine, over the triangles between the points of the mesh.

What has to be computed for a target shape is computed once: for each pixel the triangle that it lies in, and its
barycentric coordinates there. The place that it is read from in any face is then one product of a sparse matrix with
the points of that face.
"""

import cv2
import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import Delaunay

from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH

_RIGHT, _BOTTOM = FRAME_WIDTH - 1, FRAME_HEIGHT - 1
# Points of the frame's edge, which stay where they are, so that the surroundings of a face follow it smoothly.
_EDGE = np.array(
    [(x, y) for x in (0, _RIGHT / 2, _RIGHT) for y in (0, _BOTTOM / 2, _BOTTOM) if (x, y) != (_RIGHT / 2, _BOTTOM / 2)],
    dtype=np.float32,
)


class Warp:
    """Warps faces to one shape.

    Parameters
    ----------
    target
        float (468, 2): x and y of the points in pixels of the 89 x 109 frame.
    scale
        Pixels of the warped face for each pixel of the frame.

    Attributes
    ----------
    points
        float64 (476, 2): ``target``, then points of the frame's edge.
    triangles
        int32 (n, 3): corners of each triangle between them, as numbers of points.
    """

    def __init__(self, target: np.ndarray, scale: int = 1) -> None:
        self.scale = scale
        self.size = (FRAME_HEIGHT * scale, FRAME_WIDTH * scale)
        self.points = np.concatenate([target, _EDGE]).astype(np.float64)
        height, width = self.size
        y, x = np.mgrid[0:height, 0:width]
        # The middle of a small pixel, in pixels of the frame.
        pixels = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / scale - 0.5
        mesh = Delaunay(self.points)
        self.triangles = mesh.simplices
        inside = np.clip(pixels, 0, [_RIGHT, _BOTTOM])  # half a pixel at the edge repeats what is beside it
        triangle = mesh.find_simplex(inside, tol=1e-6)
        to_corner = mesh.transform[triangle]
        two = np.einsum("nij,nj->ni", to_corner[:, :2], inside - to_corner[:, 2])
        weights = np.concatenate([two, 1 - two.sum(axis=1, keepdims=True)], axis=1)
        columns = self.triangles[triangle]
        rows = np.repeat(np.arange(len(inside)), 3)
        self._matrix = csr_matrix(
            (weights.ravel().astype(np.float32), (rows, columns.ravel())), shape=(len(inside), len(self.points))
        )

    def __call__(self, face: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Warp a face.

        Parameters
        ----------
        face
            uint8 or float32 (y, x, 3), in a frame of any size.
        points
            float (468, 2): the face's points in pixels of the 89 x 109 frame.

        Returns
        -------
        numpy.ndarray
            (109 * scale, 89 * scale, 3), of the type of ``face``.
        """
        source = self._matrix @ np.concatenate([points, _EDGE]).astype(np.float32)
        larger = np.array([face.shape[1] / FRAME_WIDTH, face.shape[0] / FRAME_HEIGHT], dtype=np.float32)
        source = (source + np.float32(0.5)) * larger - np.float32(0.5)
        height, width = self.size
        return cv2.remap(
            face,
            np.ascontiguousarray(source[:, 0]).reshape(height, width),
            np.ascontiguousarray(source[:, 1]).reshape(height, width),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def mask(self, outline: tuple[int, ...], grow: float = 0.0) -> np.ndarray:
        """Pixels within an outline of the target shape.

        Parameters
        ----------
        outline
            Numbers of points of the mesh, in order around the part.
        grow
            Pixels of the frame by which the part is widened on all sides.

        Returns
        -------
        numpy.ndarray
            bool (109 * scale, 89 * scale).
        """
        drawn = np.zeros(self.size, dtype=np.uint8)
        corners = ((self.points[list(outline)] + 0.5) * self.scale - 0.5).round().astype(np.int32)
        cv2.fillPoly(drawn, [corners], 1)
        if radius := round(grow * self.scale):
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
            return cv2.dilate(drawn, disc).astype(bool)
        return drawn.astype(bool)
