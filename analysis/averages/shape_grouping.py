"""Shape and texture of small groups, of which `analysis.averages.shape_aggregates` makes crisp averages; see there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from numcodecs import Blosc

from analysis.averages.aggregates import COVARIATES, covariates, within_groups
from analysis.averages.components import encode, fit_components
from analysis.averages.grouping import as_stored, chosen_faces, selections, shrunk
from analysis.averages.shape_aggregates import ShapeAggregates, enlarged, has_landmarks
from analysis.averages.shape_free import Prototypes
from analysis.core.schema import LABELS, MIN_FACES
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.data.dataset import Dataset
from analysis.results import artifacts
from analysis.shape.landmarks import Landmarks
from analysis.shape.mesh import POINTS
from analysis.shape.warp import Warp

SHAPES, TEXTURES = 16, 32  # components
_POINT, _GREY = 1 / 64, 0.25  # to what coefficients are stored, in pixels of the frame and in grey levels


@dataclass(frozen=True)
class AggregatedShapes:
    """What `aggregate_shapes` makes.

    Attributes
    ----------
    arrays
        Content of ``aggregate_shapes.zarr.zip``.
    errors
        Content of ``aggregate_shape_errors.parquet``.
    """

    arrays: xr.Dataset
    errors: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write the files into the study folder of a run."""
        artifacts.AGGREGATE_SHAPES.write(self.arrays, folder)
        artifacts.AGGREGATE_SHAPE_ERRORS.write(self.errors, folder)


@dataclass(frozen=True)
class _Sums:
    """What one pass over the faces of a data set gives; pools are numbered as in all data sets together.

    Attributes
    ----------
    points, textures
        float64 (pool, 468, 2) and (pool, y, x, 3) at half size: sums.
    with_points, with_textures
        float64 (covariate, ...): sums of `within_groups` times them.
    moments
        float64 (covariate, covariate): sum of products of covariates.
    kinds, members
        From `analysis.averages.grouping.selections`; faces without landmarks are left out.
    exact_points, exact_textures
        float64 (selection, ...): averages; the last one is of all faces.
    """

    points: np.ndarray
    textures: np.ndarray
    with_points: np.ndarray
    with_textures: np.ndarray
    moments: np.ndarray
    kinds: list[str]
    members: np.ndarray
    exact_points: np.ndarray
    exact_textures: np.ndarray


def aggregate_shapes(
    datasets: Sequence[Dataset],
    landmarks: Mapping[str, Landmarks],
    rows: pd.DataFrame,
    coefficient: np.ndarray,
    prototypes: Prototypes,
    *,
    seed: int = 0,
    progress: bool = False,
) -> AggregatedShapes:
    """Average shape and texture of small groups, and measure how well those of selections follow from them.

    Parameters
    ----------
    datasets
        Ingested data sets.
    landmarks
        Name of a data set -> its landmarks; faces of those without stay unknown.
    rows
        All data sets' rows in their order, as `analysis.averages.grouping.aggregate` returns them.
    coefficient
        float (group, component): of the averages of the groups' aligned faces; near ones look alike.
    prototypes
        Average shape and texture of the labels: every face is warped to the mean of the two shapes.
    seed
        Random seed of the components and of the selections.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    AggregatedShapes
    """
    known = [dataset for dataset in datasets if dataset.name in landmarks]
    found = pd.Series(has_landmarks(rows), index=rows.index)
    pool = pools(rows[found], coefficient)
    rows = rows.assign(pool=pool[rows["aggregate"]])
    tables = {dataset.name: rows[rows["dataset"] == dataset.name] for dataset in known}
    held = rows[found].groupby("pool")
    count = held.size().reindex(range(pool.max() + 1), fill_value=0).to_numpy()
    people = held["person"].nunique().reindex(range(pool.max() + 1), fill_value=0).to_numpy()
    count = np.where(people < MIN_FACES, 0, count)
    warp = Warp(prototypes.shape.mean(axis=0))
    sums = [
        _sums(dataset, landmarks[dataset.name], tables[dataset.name], warp, len(count), seed, progress)
        for dataset in known
    ]
    moments = [found.moments for found in sums]
    images = [found.members.shape[1] for found in sums]
    each = np.maximum(count, 1)
    shape = fit_components(
        sum(found.points for found in sums) / each[:, None, None],
        count,
        [found.with_points for found in sums],
        moments,
        images,
        components=SHAPES,
        seed=seed,
    )
    texture = fit_components(
        sum(found.textures for found in sums) / each[:, None, None, None],
        count,
        [found.with_textures for found in sums],
        moments,
        images,
        components=TEXTURES,
        seed=seed,
    )
    arrays = xr.Dataset(
        {
            **shape.variables("shape_", "pool", "shape_component", ("point", "axis")),
            **texture.variables("texture_", "pool", "texture_component", ("half_y", "half_x", "channel")),
            "common": (("point", "axis"), prototypes.shape.mean(axis=0).astype(np.float32)),
            "detail": (("label", "tall", "wide", "channel"), _detail(prototypes.texture)),
            "pool": ("aggregate", pool),
            "faces": ("pool", count),
            "people": ("pool", np.where(count > 0, people, 0)),
        },
        coords={
            "dataset": np.array([dataset.name for dataset in known], dtype="U"),
            "covariate": np.array(COVARIATES, dtype="U"),
            "label": list(LABELS),
            "axis": ["x", "y"],
            "channel": ["R", "G", "B"],
        },
    )
    encode(arrays, "shape_", centre=_POINT / 4, coefficient=_POINT)
    encode(arrays, "texture_", centre=_GREY / 16, coefficient=_GREY)
    arrays["shape_basis"].encoding["compressors"] = Blosc("zstd", 9, Blosc.NOSHUFFLE)
    engine = ShapeAggregates(as_stored(arrays), rows)
    errors = [
        _errors(dataset.name, engine, found, tables[dataset.name].index.to_numpy())
        for dataset, found in zip(known, sums, strict=True)
    ]
    return AggregatedShapes(arrays, pd.concat(errors, ignore_index=True))


def pools(rows: pd.DataFrame, coefficient: np.ndarray) -> np.ndarray:
    """Join groups with fewer than 16 people to the groups of their label and data set that look most like them.

    Parameters
    ----------
    rows
        Faces that have landmarks: ``dataset``, ``label``, ``person`` and ``aggregate``, a row number of the next.
    coefficient
        float (group, component): near ones look alike.

    Returns
    -------
    numpy.ndarray
        int (group,): the pool of each, counted from 0. One has fewer people only if its label has.
    """
    pool = np.arange(len(coefficient))
    people = {number: set(found) for number, found in rows.groupby("aggregate")["person"]}
    kind = rows.groupby("aggregate")[["dataset", "label"]].first().agg(tuple, axis=1)
    places = {number: coefficient[number].astype(np.float64) for number in kind.index}
    small = [number for number in kind.index if len(people[number]) < MIN_FACES]
    while small:
        number = min(small, key=lambda each: len(people[each]))
        small.remove(number)
        others = [other for other in places if other != number and kind[other] == kind[number]]
        if len(people[number]) >= MIN_FACES or not others:
            continue
        near = others[np.square(np.stack([places[other] for other in others]) - places[number]).sum(axis=1).argmin()]
        pool[pool == number] = near
        people[near] |= people.pop(number)
        del places[number]
    return np.unique(pool, return_inverse=True)[1]


def _detail(textures: np.ndarray) -> np.ndarray:
    """What is lost of the textures of the labels at half the frame's size: int8, at the size of the textures."""
    frame = (FRAME_WIDTH, FRAME_HEIGHT)
    small = [shrunk(cv2.resize(texture, frame, interpolation=cv2.INTER_AREA)) for texture in textures]
    return (textures - np.stack([enlarged(texture) for texture in small])).round().clip(-127, 127).astype(np.int8)


def _sums(
    dataset: Dataset,
    landmarks: Landmarks,
    table: pd.DataFrame,
    warp: Warp,
    count: int,
    seed: int,
    progress: bool,
) -> _Sums:
    """One pass over the faces; see `_Sums`."""
    half = shrunk(np.zeros((*warp.size, 3), np.uint8)).shape
    pool, found = table["pool"].to_numpy(), table["landmarks"].to_numpy(dtype=bool)
    within = within_groups(np.where(found[:, None], covariates(table), np.nan), pool)  # sums to 0 over those found
    kinds, members = selections(table, np.random.default_rng(seed))
    members = members & found
    weights = np.concatenate([members, found[None]])
    points_of, textures_of = np.zeros((count, POINTS, 2)), np.zeros((count, *half))
    with_points, with_textures = np.zeros((within.shape[1], POINTS, 2)), np.zeros((within.shape[1], *half))
    exact_points, exact_textures = np.zeros((len(weights), POINTS, 2)), np.zeros((len(weights), *half))
    rows = table["row"].to_numpy()
    for part, pixels in chosen_faces(dataset, table, "Warping small groups" if progress else None):
        here = np.flatnonzero(found[part])
        if not len(here):
            continue
        points = landmarks.read(rows[part][here])[..., :2]
        textures = np.stack(
            [shrunk(warp(face, mesh).astype(np.float32)) for face, mesh in zip(pixels[here], points, strict=True)]
        )
        places = here + part.start
        np.add.at(points_of, pool[places], points)
        np.add.at(textures_of, pool[places], textures)
        with_points += np.tensordot(within[places].T, points, 1)
        with_textures += np.tensordot(within[places].T, textures, 1)
        inside = weights[:, places].astype(np.float32)
        exact_points += np.tensordot(inside, points, 1)
        exact_textures += np.tensordot(inside, textures, 1)
    total = np.maximum(weights.sum(axis=1), 1)
    return _Sums(
        points=points_of,
        textures=textures_of,
        with_points=with_points,
        with_textures=with_textures,
        moments=within.T @ within,
        kinds=kinds,
        members=members,
        exact_points=exact_points / total[:, None, None],
        exact_textures=exact_textures / total[:, None, None, None],
    )


def _errors(name: str, engine: ShapeAggregates, found: _Sums, own: np.ndarray) -> pd.DataFrame:
    """Errors of the averages of each kind of selection, beside how far these are from the average of all."""
    records = []
    for number, kind in enumerate(found.kinds):
        if found.members[number].sum() < MIN_FACES:
            continue
        shape, texture = engine.means(own[found.members[number]])
        exact, exact_texture = found.exact_points[number], found.exact_textures[number]
        records.append(
            {
                "kind": kind,
                "faces": int(found.members[number].sum()),
                "points": _apart(shape, exact),
                "points_difference": _apart(found.exact_points[-1], exact),
                "texture": _root_mean_square(texture - exact_texture),
                "texture_difference": _root_mean_square(found.exact_textures[-1] - exact_texture),
            }
        )
    columns = [column.name for column in artifacts.AGGREGATE_SHAPE_ERRORS.columns]
    if not records:
        return pd.DataFrame(columns=columns)
    kinds = pd.DataFrame(records).groupby("kind", sort=False)
    return kinds.median().assign(selections=kinds.size()).reset_index().assign(dataset=name)[columns]


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square distance of two sets of points."""
    return float(np.sqrt(np.square(first - second).sum(axis=-1).mean()))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
