"""The geometry of faces: pose, smile, and distances that a face scientist names, from the points of the mesh.

Heads turn, and a turned head has a narrow face. Each mesh is therefore turned, scaled and shifted as a solid body onto
a symmetric average mesh (Procrustes; Gower, "Generalized Procrustes analysis", Psychometrika 40, 1975); the turn is the
pose, and distances are measured on what remains, seen from the front. Depth is the network's guess, so what is left of
a strong pose is held equal where groups are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

# Points of the mesh, in MediaPipe's order; left and right are those of the picture.
LEFT_EYE, RIGHT_EYE = (33, 133), (362, 263)  # corners
_UPPER_LIDS, _LOWER_LIDS = (159, 386), (145, 374)
_BROW_TOPS, _BROW_BOTTOMS = (105, 334), (52, 282)
_INNER_BROWS = (107, 336)
_NOSE_ROOT, _NOSE_BASE, _NOSE_WINGS = 168, 2, (129, 358)
_LIP_TOP, _LIP_BOTTOM, _MOUTH_CORNERS = 0, 17, (61, 291)
_INNER_LIPS = (13, 14)
_CHIN, _FOREHEAD = 152, 10
_CHEEKBONES, _JAW, _CHIN_SIDES = (234, 454), (172, 397), (176, 400)
_ROUNDS = 4  # of averaging and aligning again; the average no longer moves visibly

DISTANCES: dict[str, str] = {
    "brow to eye": "middle of the lower edge of the brow to the upper lid",
    "brow thickness": "lower to upper edge of the brow, in its middle",
    "eye width": "inner to outer corner",
    "eye height": "upper to lower lid",
    "between the eyes": "inner corner to inner corner",
    "nose length": "root between the eyes to base",
    "nose width": "wing to wing",
    "philtrum": "base of the nose to the upper lip",
    "upper lip height": "outer to inner edge of the upper lip",
    "lower lip height": "inner to outer edge of the lower lip",
    "mouth width": "corner to corner",
    "chin height": "lower lip to chin",
    "chin width": "side to side of the chin",
    "jaw width": "angle to angle of the jaw",
    "jaw angle": "at the angle of the jaw, between cheekbone and chin, in degrees",
    "face width": "cheekbone to cheekbone",
    "face height": "top of the forehead to chin",
    "lower face height": "base of the nose to chin",
    "face width to height": "cheekbones, over brows to upper lip (fWHR), a ratio",
    "jaw to face width": "jaw over cheekbones, a ratio",
}
"""Name -> what is measured; in distances between the pupils, unless it says otherwise."""


@dataclass(frozen=True)
class Solids:
    """Meshes turned to the front.

    Attributes
    ----------
    points
        float32 (face, 468, 3): in distances between the pupils, the middle between the eyes at the origin; x to the
        right of the picture, y down, depth away from the camera.
    pose
        ``yaw``, ``pitch``, ``roll`` in degrees: 0 is straight ahead for yaw and roll, and the average for pitch.
    """

    points: np.ndarray
    pose: pd.DataFrame


def _align(points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn, scale and shift meshes (face, point, 3) onto a centred one (point, 3): meshes, and rotations (face, 3, 3).

    Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Crystallographica A32, 1976.
    """
    centred = points - points.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(np.einsum("fpi,pj->fij", centred, target, optimize=True))
    s[:, 2] *= (sign := np.sign(np.linalg.det(u @ vt)))
    u[:, :, 2] *= sign[:, None]
    rotation = u @ vt
    scale = s.sum(axis=1) / np.maximum((centred**2).sum(axis=(1, 2)), 1e-9)
    return centred @ rotation * scale[:, None, None], rotation


def mirrored(shape: np.ndarray) -> np.ndarray:
    """Number of the point on the other side of the face, for each point.

    Parameters
    ----------
    shape
        float (point, 2 or 3): a nearly symmetric shape, with x first.

    Returns
    -------
    numpy.ndarray
        int (point,); points on the middle line are their own.
    """
    centred = shape - shape.mean(axis=0)
    other = centred * np.array([-1, *np.ones(shape.shape[1] - 1)])
    apart = ((centred[:, None] - other[None]) ** 2).sum(axis=-1)
    partner = linear_sum_assignment(apart)[1]
    mutual = partner[partner] == np.arange(len(partner))
    return np.where(mutual, partner, np.arange(len(partner)))


def average_mesh(points: np.ndarray) -> np.ndarray:
    """Symmetric average of meshes, straight ahead.

    Parameters
    ----------
    points
        float32 (face, 468, 3).

    Returns
    -------
    numpy.ndarray
        float64 (468, 3), centred, of the average size.
    """
    centred = points - points.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=(1, 2)).mean())
    average = centred.mean(axis=0, dtype=np.float64)
    for _ in range(_ROUNDS):
        average = _align(points, average)[0].mean(axis=0, dtype=np.float64)
        other = average[mirrored(average)] * [-1, 1, 1]
        average = (average + _align(other[None], average)[0][0]) / 2
        average = _straight(average - average.mean(axis=0))
        average *= size / np.sqrt((average**2).sum())
    return average


def _straight(mesh: np.ndarray) -> np.ndarray:
    """Turn a symmetric mesh so that its plane of symmetry is x = 0 and its eyes are level."""
    across = mesh[list(RIGHT_EYE)].mean(axis=0) - mesh[list(LEFT_EYE)].mean(axis=0)
    x = across / np.linalg.norm(across)
    y = np.array([0, 1, 0]) - x * x[1]
    y /= np.linalg.norm(y)
    return mesh @ np.stack([x, y, np.cross(x, y)], axis=1)


def solids(points: np.ndarray, average: np.ndarray) -> Solids:
    """Turn meshes to the front; see `Solids`.

    Parameters
    ----------
    points
        float32 (face, 468, 3).
    average
        From `average_mesh`.
    """
    aligned, rotation = _align(points, average)
    left, right = (aligned[:, list(eye)].mean(axis=1) for eye in (LEFT_EYE, RIGHT_EYE))
    between = np.linalg.norm((right - left)[:, :2], axis=1)
    aligned = (aligned - ((left + right) / 2)[:, None]) / np.maximum(between, 1e-6)[:, None, None]
    # The rotation turns the photo's mesh to the front; angles are read as turns about the vertical, the horizontal and
    # the line of sight.
    pose = pd.DataFrame(
        {
            "yaw": np.degrees(np.arctan2(-rotation[:, 2, 0], rotation[:, 2, 2])),
            "pitch": np.degrees(np.arcsin(np.clip(rotation[:, 2, 1], -1, 1))),
            "roll": np.degrees(np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])),
        }
    )
    return Solids(aligned.astype(np.float32), pose)


def _length(points: np.ndarray, one: int, other: int) -> np.ndarray:
    return np.linalg.norm(points[:, one, :2] - points[:, other, :2], axis=1)


def _both(points: np.ndarray, ones: Sequence[int], others: Sequence[int]) -> np.ndarray:
    return np.mean([_length(points, one, other) for one, other in zip(ones, others, strict=True)], axis=0)


def _angle(points: np.ndarray, at: int, one: int, other: int) -> np.ndarray:
    first, second = (points[:, each, :2] - points[:, at, :2] for each in (one, other))
    cosine = (first * second).sum(axis=1) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def distances(points: np.ndarray) -> pd.DataFrame:
    """Measure the named distances.

    Parameters
    ----------
    points
        float32 (face, 468, 3), from `solids`.

    Returns
    -------
    pandas.DataFrame
        One column per key of `DISTANCES`, one row per face; what is on both sides is averaged.
    """
    brow = (points[:, _INNER_BROWS[0]] + points[:, _INNER_BROWS[1]]) / 2
    upper_face = np.linalg.norm((brow - points[:, _LIP_TOP])[:, :2], axis=1)
    cheekbones, jaw = _length(points, *_CHEEKBONES), _length(points, *_JAW)
    measured = {
        "brow to eye": _both(points, _BROW_BOTTOMS, _UPPER_LIDS),
        "brow thickness": _both(points, _BROW_TOPS, _BROW_BOTTOMS),
        "eye width": (_length(points, *LEFT_EYE) + _length(points, *RIGHT_EYE)) / 2,
        "eye height": _both(points, _UPPER_LIDS, _LOWER_LIDS),
        "between the eyes": _length(points, LEFT_EYE[1], RIGHT_EYE[0]),
        "nose length": _length(points, _NOSE_ROOT, _NOSE_BASE),
        "nose width": _length(points, *_NOSE_WINGS),
        "philtrum": _length(points, _NOSE_BASE, _LIP_TOP),
        "upper lip height": _length(points, _LIP_TOP, _INNER_LIPS[0]),
        "lower lip height": _length(points, _INNER_LIPS[1], _LIP_BOTTOM),
        "mouth width": _length(points, *_MOUTH_CORNERS),
        "chin height": _length(points, _LIP_BOTTOM, _CHIN),
        "chin width": _length(points, *_CHIN_SIDES),
        "jaw width": jaw,
        "jaw angle": np.mean(
            [_angle(points, at, top, _CHIN) for at, top in zip(_JAW, _CHEEKBONES, strict=True)], axis=0
        ),
        "face width": cheekbones,
        "face height": _length(points, _FOREHEAD, _CHIN),
        "lower face height": _length(points, _NOSE_BASE, _CHIN),
        "face width to height": cheekbones / np.maximum(upper_face, 1e-6),
        "jaw to face width": jaw / np.maximum(cheekbones, 1e-6),
    }
    return pd.DataFrame({name: measured[name] for name in DISTANCES})


def smile(points: np.ndarray) -> pd.DataFrame:
    """Measure how far a mouth smiles and is open.

    Parameters
    ----------
    points
        float32 (face, 468, 3), from `solids`.

    Returns
    -------
    pandas.DataFrame
        ``corners``: how far the corners of the mouth are above the middle between the lips; ``open``: gap between the
        lips; both in distances between the pupils.
    """
    middle = points[:, [_LIP_TOP, _LIP_BOTTOM], 1].mean(axis=1)
    corners = points[:, list(_MOUTH_CORNERS), 1].mean(axis=1)
    return pd.DataFrame({"corners": middle - corners, "open": _length(points, *_INNER_LIPS)})


FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INSIDE_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398),
)
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
NOSE = (168, 122, 196, 236, 198, 209, 49, 129, 98, 2, 327, 358, 279, 429, 420, 456, 419, 351)
