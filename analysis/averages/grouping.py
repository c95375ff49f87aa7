"""Puts faces into small groups and makes of them what `analysis.averages.aggregates` reads; see there.

A group has at least 16 people of one label who look alike and, as far as possible, share attributes, age and race.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from analysis.averages.accuracy import AT_RANDOM
from analysis.averages.aggregates import COVARIATES, POWERS, Aggregates, covariates, within_groups
from analysis.averages.components import encode, fit_components
from analysis.core.schema import CELEBA_ATTRIBUTES, LABELS, MIN_FACES, RACES
from analysis.core.zarr_zip import read_zarr_zip, write_zarr_zip
from analysis.data.cube import blocks
from analysis.data.dataset import Dataset
from analysis.results import artifacts
from analysis.shape.geometry import DISTANCES

COMPONENTS = 48
MOST = 2000  # groups of one data set; those of a larger one have more people
SELECTIONS, PRODUCTS = 1000, 10_000_000  # selections that the error is measured on, and selections times images at most
_SEARCHED = 4000  # faces among which the members of a group are searched
_LOOKS = 24  # principal components of thumbnails that say who looks alike
_ATTRIBUTE, _AGE = 0.3, 0.012  # weight of an attribute, and of a year; the first of these components has the sd 1
_THUMBNAIL = (11, 14)
_STEP = 0.25  # grey levels to which coefficients are stored
KINDS = (AT_RANDOM, "label and two attributes", "age and race", "range of a measure")
"""Kinds of selections that the error is measured on."""


@dataclass(frozen=True)
class Aggregated:
    """What `aggregate` makes of some data sets.

    Attributes
    ----------
    rows
        The rows given, all data sets' in their order, with ``aggregate``: the group of each image.
    arrays
        Content of ``aggregates.zarr.zip``.
    errors
        Content of ``aggregate_errors.parquet``.
    """

    rows: pd.DataFrame
    arrays: xr.Dataset
    errors: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write the files into the study folder of a run."""
        artifacts.FACES.write(self.rows.drop(columns=["row", "person"]), folder)
        artifacts.AGGREGATES.write(self.arrays, folder)
        artifacts.AGGREGATE_ERRORS.write(self.errors, folder)


def has_groups(rows: pd.DataFrame) -> bool:
    """Whether each label of a data set has the people that a group needs; ``rows`` as from `face_rows`."""
    return bool((rows.groupby("label")["person"].nunique().reindex(LABELS, fill_value=0) >= MIN_FACES).all())


def aggregate(
    datasets: Sequence[Dataset], rows: Sequence[pd.DataFrame], *, seed: int = 0, progress: bool = False
) -> Aggregated:
    """Make micro-aggregates of data sets and measure how well averages of selections follow from them.

    Parameters
    ----------
    datasets
        Ingested data sets.
    rows
        One table per data set, as `analysis.study.rows.face_rows` makes it; `has_groups` of each.
    seed
        Random seed of the components and of the selections.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    Aggregated
    """
    groups, sums, parts, first = [], [], [], 0
    for dataset, table in zip(datasets, rows, strict=True):
        own = _groups(dataset, table, seed, progress)
        groups.append(own + first)
        first += int(own.max()) + 1
        sums.append(_sums(dataset, table, own, seed, progress))
    joined = pd.concat(rows, ignore_index=True).assign(aggregate=np.concatenate(groups))
    arrays = _components(datasets, joined, sums, seed)
    engine = Aggregates(as_stored(arrays), joined, sums[0].frame)
    start = 0
    for dataset, table, found in zip(datasets, rows, sums, strict=True):
        parts.append(_errors(dataset.name, engine, found, start))
        start += len(table)
    return Aggregated(joined, arrays, pd.concat(parts, ignore_index=True))


@dataclass(frozen=True)
class _Sums:
    """What one pass over the faces of a data set gives.

    Attributes
    ----------
    means
        float64 (group, y, x, 3), at half size: average of each group.
    with_covariates
        float64 (covariate, y, x, 3), at half size: sum of covariates, as in `within_groups`, times pixels.
    moments
        float64 (covariate, covariate): sum of products of covariates.
    kinds
        Kind of each selection that errors are measured on, one of `KINDS`.
    members
        bool (selection, row).
    exact
        float32 (selection, y, x, 3): average of each selection.
    mean
        float32 (y, x, 3): average of all.
    frame
        Height and width of a face.
    """

    means: np.ndarray
    with_covariates: np.ndarray
    moments: np.ndarray
    kinds: list[str]
    members: np.ndarray
    exact: np.ndarray
    mean: np.ndarray
    frame: tuple[int, int]


def shrunk(face: np.ndarray) -> np.ndarray:
    """A face at half its size, rounded up."""
    height, width = face.shape[:2]
    return cv2.resize(face, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def chosen_faces(dataset: Dataset, table: pd.DataFrame, description: str | None) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of the faces that a table lists: which of its rows, and their pixels."""
    numbers = table["row"].to_numpy()
    for start, block in blocks(dataset.faces, description):
        first, last = np.searchsorted(numbers, [start, start + len(block)])
        if last > first:
            yield slice(first, last), block[numbers[first:last] - start]


def _groups(dataset: Dataset, table: pd.DataFrame, seed: int, progress: bool) -> np.ndarray:
    """Number of the group of each face."""
    thumbnails = np.empty((len(table), _THUMBNAIL[0] * _THUMBNAIL[1] * 3), dtype=np.uint8)
    for part, pixels in chosen_faces(dataset, table, "Looking at faces" if progress else None):
        small = [cv2.resize(face, _THUMBNAIL, interpolation=cv2.INTER_AREA).ravel() for face in pixels]
        thumbnails[part] = np.stack(small)
    looks = PCA(min(_LOOKS, *thumbnails.shape), random_state=seed).fit_transform(thumbnails.astype(np.float32))
    features = [looks / max(looks[:, 0].std(), 1e-6)]
    for name in CELEBA_ATTRIBUTES:
        if name in table:
            known = table[name].astype("Float64").to_numpy(float, na_value=0.5)
            features.append(_ATTRIBUTE * known[:, None])
    if "age" in table:
        features.append(_AGE * table["age"].astype("Float64").to_numpy(float, na_value=35)[:, None])
    if "race" in table:
        race = table["race"].astype("string")
        features.append(_ATTRIBUTE * np.stack([(race == each).fillna(False) for each in RACES], axis=1))
    space = np.concatenate(features, axis=1).astype(np.float32)
    person = pd.factorize(table["person"])[0]
    least = max(MIN_FACES, -(-len(np.unique(person)) // MOST))
    group = np.full(len(table), -1)
    for label in LABELS:
        own = np.flatnonzero((table["label"] == label).to_numpy())
        for near in _halves(space, own, person, least):
            found = micro_aggregate(space[near], person[near], least)
            group[near] = found + group.max() + 1
    return group


def _halves(space: np.ndarray, rows: np.ndarray, person: np.ndarray, least: int) -> Iterator[np.ndarray]:
    """Halve rows, across the direction in which they vary most, until a search among them is quick."""
    if len(rows) <= _SEARCHED:
        yield rows
        return
    centred = space[rows] - space[rows].mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ vectors[:, -1], kind="stable")
    halves = np.array_split(order, 2)
    if min(len(np.unique(person[rows[half]])) for half in halves) < least:
        yield rows
        return
    for half in halves:
        yield from _halves(space, np.sort(rows[half]), person, least)


def micro_aggregate(space: np.ndarray, person: np.ndarray, least: int = MIN_FACES) -> np.ndarray:
    """Put faces into groups of at least some people, alike faces together (MDAV, with people as the unit).

    Parameters
    ----------
    space
        float32 (face, feature): alike faces are close.
    person
        int (face,): who is on it.
    least
        Fewest people of a group; there must be as many.

    Returns
    -------
    numpy.ndarray
        int (face,): number of the group, from 0.
    """
    group, number = np.full(len(space), -1), 0
    left = np.arange(len(space))
    while len(np.unique(person[left])) >= 2 * least:
        points = space[left]
        farthest = np.square(points - points.mean(axis=0)).sum(axis=1).argmax()
        order = np.argsort(np.square(points - points[farthest]).sum(axis=1), kind="stable")
        _, firsts = np.unique(person[left[order]], return_index=True)
        size = int(np.sort(firsts)[least - 1]) + 1  # as many of the closest as it takes to be of enough people
        rest = left[np.sort(order[size:])]
        if len(np.unique(person[rest])) < least:
            break
        group[left[order[:size]]] = number
        left, number = rest, number + 1
    group[left] = number
    return group


def _sums(dataset: Dataset, table: pd.DataFrame, group: np.ndarray, seed: int, progress: bool) -> _Sums:
    """One pass over the faces; see `_Sums`."""
    height, width = dataset.faces.sizes["y"], dataset.faces.sizes["x"]
    half = shrunk(np.zeros((height, width, 3), np.uint8)).shape
    within = within_groups(covariates(table), group)
    kinds, members = selections(table, np.random.default_rng(seed))
    total = np.zeros((int(group.max()) + 1, *half))
    crossed = np.zeros((within.shape[1], *half))
    # Sums of bytes, which float32 adds exactly up to 65,793 faces, and to a ten-thousandth of a grey level beyond.
    exact = np.zeros((len(members) + 1, height * width * 3), dtype=np.float32)
    weights = np.concatenate([members, np.ones((1, len(table)), bool)])
    for part, pixels in chosen_faces(dataset, table, "Averaging small groups" if progress else None):
        exact += weights[:, part].astype(np.float32) @ pixels.reshape(len(pixels), -1).astype(np.float32)
        small = np.stack([shrunk(face) for face in pixels.astype(np.float32)])
        ones = csr_array((np.ones(len(small)), (group[part], np.arange(len(small)))), (len(total), len(small)))
        total += (ones @ small.reshape(len(small), -1)).reshape(total.shape)
        crossed += np.tensordot(within[part].T, small, 1)
    exact /= weights.sum(axis=1, keepdims=True)
    averages = exact.reshape(-1, height, width, 3)
    return _Sums(
        means=total / np.bincount(group).reshape(-1, 1, 1, 1),
        with_covariates=crossed,
        moments=within.T @ within,
        kinds=kinds,
        members=members,
        exact=averages[:-1],
        mean=averages[-1],
        frame=(height, width),
    )


def _components(datasets: Sequence[Dataset], rows: pd.DataFrame, sums: Sequence[_Sums], seed: int) -> xr.Dataset:
    """Content of ``aggregates.zarr.zip``: common components of the groups' averages and of the model's slopes."""
    grouped = rows.groupby("aggregate")
    faces = grouped.size().to_numpy()
    fitted = fit_components(
        np.concatenate([found.means for found in sums]),
        faces,
        [found.with_covariates for found in sums],
        [found.moments for found in sums],
        [found.members.shape[1] for found in sums],
        components=COMPONENTS,
        seed=seed,
    )
    arrays = xr.Dataset(
        {
            **fitted.variables("", "aggregate", "component", ("half_y", "half_x", "channel")),
            "faces": ("aggregate", faces),
            "people": ("aggregate", grouped["person"].nunique().to_numpy()),
        },
        coords={
            "dataset": np.array([dataset.name for dataset in datasets], dtype="U"),
            "covariate": np.array(COVARIATES, dtype="U"),
            "channel": ["R", "G", "B"],
        },
    )
    encode(arrays, "", centre=_STEP / 16, coefficient=_STEP)
    return arrays


def as_stored(arrays: xr.Dataset) -> xr.Dataset:
    """The arrays as they are read again, to the precision of the file."""
    with tempfile.TemporaryDirectory(prefix="meanface-") as folder:
        write_zarr_zip(arrays, path := Path(folder) / "aggregates.zarr.zip")
        return read_zarr_zip(path)


def selections(table: pd.DataFrame, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Draw selections of 32 faces or more, of the `KINDS` that a data set allows: kinds, and bool (selection, row)."""
    images = len(table)
    wanted = max(1, min(SELECTIONS, PRODUCTS // images) // len(KINDS))
    attributes = [name for name in CELEBA_ATTRIBUTES if name in table and table[name].any()]
    measures = [name for name in (*POWERS, *DISTANCES) if name in table and table[name].notna().any()]
    ages = [name for name in ("age", "race") if name in table and table[name].notna().any()]
    label = table["label"].to_numpy()

    def draw(kind: str) -> np.ndarray | None:
        inside = np.zeros(images, dtype=bool)
        if kind == AT_RANDOM:
            size = int(np.exp(rng.uniform(np.log(32), np.log(max(33, images / 2)))))
            inside[rng.choice(images, min(size, images), replace=False)] = True
        elif kind == "label and two attributes" and len(attributes) > 1:
            inside[:] = label == rng.choice(LABELS)
            for name in rng.choice(attributes, 2, replace=False):
                inside &= table[name].fillna(False).to_numpy(dtype=bool)
        elif kind == "age and race" and ages:
            inside[:] = True
            if "age" in ages:
                low = rng.uniform(0, 80)
                inside &= table["age"].between(low, low + rng.choice([5, 10, 20])).fillna(False).to_numpy(dtype=bool)
            if "race" in ages:
                inside &= (table["race"] == rng.choice(RACES)).fillna(False).to_numpy(dtype=bool)
        elif kind == "range of a measure" and measures:
            values = table[rng.choice(measures)].astype("Float64").to_numpy(float, na_value=np.nan)
            low = rng.uniform(0, 0.95)
            ends = np.nanquantile(values, [low, min(1, low + rng.choice([0.02, 0.05, 0.2, 0.5]))])
            inside[:] = (values >= ends[0]) & (values <= ends[1])
        else:
            return None
        return inside

    kinds: list[str] = []
    members: list[np.ndarray] = []
    for kind in KINDS:
        for _ in range(4 * wanted):
            inside = draw(kind)
            if inside is not None and inside.sum() >= 2 * MIN_FACES and kinds.count(kind) < wanted:
                kinds.append(kind)
                members.append(inside)
    return kinds, np.stack(members) if members else np.zeros((0, images), dtype=bool)


def _errors(name: str, engine: Aggregates, found: _Sums, start: int) -> pd.DataFrame:
    """Root-mean-square error of the averages of each kind of selection, in grey levels."""
    records = []
    for kind, inside, exact in zip(found.kinds, found.members, found.exact, strict=True):
        estimate = 255 * engine.average(start + np.flatnonzero(inside)).astype(np.float64)
        records.append(
            {
                "kind": kind,
                "faces": int(inside.sum()),
                "error": np.sqrt(np.mean((estimate - exact) ** 2)),
                "difference": np.sqrt(np.mean((found.mean - exact) ** 2)),
            }
        )
    columns = ["dataset", "kind", "selections", "faces", "error", "error_high", "difference"]
    if not records:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame(records).groupby("kind", sort=False)
    return (
        pd.DataFrame(
            {
                "selections": table.size(),
                "faces": table["faces"].median(),
                "error": table["error"].median(),
                "error_high": table["error"].quantile(0.95),
                "difference": table["difference"].median(),
            }
        )
        .reset_index()
        .assign(dataset=name)[columns]
    )
