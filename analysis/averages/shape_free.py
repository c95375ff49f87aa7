"""Averages in which shape and texture are apart.

An average of aligned faces is blurred, since only eyes, nose and mouth are at the same place in all. Here every face is
warped to one common shape before it is averaged (Benson and Perrett, "Extracting prototypical facial images from
exemplars", Perception 22, 1993): brows, lids, lips and chin come to lie on each other, and the average is nearly as
sharp as a photo. That average is the *texture*; the average of the points is the *shape*. Either can be that of one
label, of the other, between them, or beyond (a caricature).
"""

from dataclasses import dataclass

import cv2
import dask
import numpy as np
import xarray as xr
from dask.delayed import Delayed
from tqdm.dask import TqdmCallback

from analysis.averages.filters import check_subset
from analysis.core.schema import LABELS
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.data.dataset import Dataset
from analysis.shape.geometry import FACE_OVAL
from analysis.shape.landmarks import Landmarks
from analysis.shape.warp import Warp

SCALE = 3  # pixels of an average for each pixel of the frame: points are known more finely than to a pixel
STEPS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # from beyond the one label to beyond the other
CROSSED = ((1.0, 0.0), (0.0, 1.0))  # shape of one label with the texture of the other
_BRANCHES = 4  # partial sums added at a time


@dataclass(frozen=True)
class Prototypes:
    """Average shape and texture of each label.

    Attributes
    ----------
    shape
        float32 (label, 468, 2): average points in pixels of the frame.
    texture
        float32 (label, y, x, 3) in [0, 255]: average colours, in the mean of the two shapes.
    count
        Label -> faces averaged.
    """

    shape: np.ndarray
    texture: np.ndarray
    count: dict[str, int]

    def render(self, shape: float, texture: float) -> np.ndarray:
        """Draw a face between the labels, or beyond them.

        Parameters
        ----------
        shape, texture
            0 is that of the first label, female, 1 that of the second, male; 0.5 lies between them, and below 0 or
            above 1 a caricature.

        Returns
        -------
        numpy.ndarray
            uint8 (327, 267, 3), RGB.
        """
        colours = (1 - texture) * self.texture[0] + texture * self.texture[1]
        points = (1 - shape) * self.shape[0] + shape * self.shape[1]
        warped = Warp(points, SCALE)(colours.astype(np.float32), self.shape.mean(axis=0))
        return warped.round().clip(0, 255).astype(np.uint8)


def _sums(faces: np.ndarray, points: np.ndarray, groups: np.ndarray, warp: Warp) -> np.ndarray:
    """Sum of the warped faces of each group, float32 (group, y, x, 3); whole numbers, which float32 adds exactly."""
    total = np.zeros((len(LABELS), *warp.size, 3), dtype=np.float32)
    for face, mesh, group in zip(faces, points, groups, strict=True):
        total[group] += warp(face, mesh)
    return total


def _added(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.sum(parts, axis=0, dtype=np.float64))


def prototypes(dataset: Dataset, landmarks: Landmarks, *, progress: bool = False) -> Prototypes:
    """Average shape and texture of each label, over all faces that have landmarks.

    Runs on this machine's threads, or on the cluster of `analysis.core.compute.connected`.

    Parameters
    ----------
    dataset, landmarks
        The data set and its landmarks.
    progress
        Whether to show a progress bar on stderr.

    Raises
    ------
    UserError
        If a label has fewer than 16 such faces, or they are of fewer than 16 people.
    """
    manifest = dataset.manifest
    chosen = dataset.usable & landmarks.found
    group = np.where(manifest["label"] == LABELS[1], 1, 0)
    count = {}
    for number, label in enumerate(LABELS):
        rows = chosen & (group == number)
        check_subset(manifest, rows, f"the faces labelled {label}")
        count[label] = int(rows.sum())
    stored = dataset.stored_faces
    chunk = stored.chunks[0][0] if stored.chunks else len(manifest)
    starts = [start for start in range(0, len(manifest), chunk) if chosen[start : start + chunk].any()]
    shape = np.zeros((len(LABELS), landmarks.read(slice(0, 1)).shape[1], 2))
    for start in starts:
        here = np.flatnonzero(chosen[start : start + chunk]) + start
        np.add.at(shape, group[here], landmarks.read(here)[..., :2])
    shape /= np.array(list(count.values()))[:, None, None]
    warp = dask.delayed(Warp(shape.mean(axis=0), SCALE), pure=False)
    parts: list[Delayed] = []
    for start in starts:
        here = np.flatnonzero(chosen[start : start + chunk])
        faces = stored.isel(image=slice(start, start + chunk)).data[here]
        parts.append(
            dask.delayed(_sums)(faces, dask.delayed(_points)(landmarks, here + start), group[here + start], warp)
        )
    while len(parts) > 1:
        parts = [dask.delayed(_added)(parts[i : i + _BRANCHES]) for i in range(0, len(parts), _BRANCHES)]
    with TqdmCallback(desc="Warping faces", disable=not progress):
        (total,) = dask.compute(parts[0])
    texture = total / np.array(list(count.values()))[:, None, None, None]
    return Prototypes(shape.astype(np.float32), texture.astype(np.float32), count)


def _points(landmarks: Landmarks, rows: np.ndarray) -> np.ndarray:
    return landmarks.read(rows)[..., :2]


def sharpness(picture: np.ndarray, warp: Warp) -> float:
    """Mean gradient of luma within the face, in 8-bit steps per pixel of the frame.

    Parameters
    ----------
    picture
        uint8 (y, x, 3), of the size of the warp.
    warp
        Warp to the shape of the face, which says where it is.
    """
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    along_y, along_x = np.gradient(luma)
    return float(np.hypot(along_y, along_x)[warp.mask(FACE_OVAL)].mean() * warp.scale)


def enlarged(average: np.ndarray) -> np.ndarray:
    """Enlarge an average of aligned faces, float (y, x, 3) in [0, 1], smoothly to uint8 (327, 267, 3)."""
    size = (FRAME_WIDTH * SCALE, FRAME_HEIGHT * SCALE)
    picture = cv2.resize(average.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return (255 * picture).round().clip(0, 255).astype(np.uint8)


def shape_free(found: Prototypes, aligned: xr.Dataset) -> xr.Dataset:
    """Pictures of the two labels, of the steps between and beyond them, and their sharpness.

    Parameters
    ----------
    found
        From `prototypes`.
    aligned
        ``mean`` (label, y, x, channel): averages of the aligned faces, for comparison.

    Returns
    -------
    xarray.Dataset
        As `analysis.results.artifacts.SHAPE_FREE` declares.
    """
    steps = [*((step, step) for step in STEPS), *CROSSED]
    pictures = np.stack([found.render(*step) for step in steps])
    before = np.stack([enlarged(aligned["mean"].sel(label=label).to_numpy()) for label in LABELS])
    after = [pictures[steps.index((float(number), float(number)))] for number in range(len(LABELS))]
    warps = [Warp(shape, SCALE) for shape in found.shape]
    gains = [[sharpness(one, warp) for one, warp in zip(each, warps, strict=True)] for each in (before, after)]
    return xr.Dataset(
        {
            "picture": (("step", "tall", "wide", "channel"), pictures),
            "shape_of": (("step",), np.array([shape for shape, _ in steps])),
            "texture_of": (("step",), np.array([texture for _, texture in steps])),
            "points": (("label", "point", "axis"), found.shape),
            "count": (("label",), np.array([found.count[label] for label in LABELS])),
            "sharpness": (("kind", "label"), np.array(gains)),
        },
        coords={
            "label": list(LABELS),
            "axis": ["x", "y"],
            "channel": ["R", "G", "B"],
            "kind": ["aligned", "shape-free"],
        },
    )
