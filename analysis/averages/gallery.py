"""Averages of named subsets for the published run, and the agreement of the quick engine with the exact one.

A published average is of 16 people or more, so that nobody can be recognised.
"""

import numpy as np
import pandas as pd
import xarray as xr
from numcodecs import Blosc

from analysis.averages.base import Average, Difference, difference
from analysis.averages.compressed import CompressedEngine
from analysis.averages.exact import moments
from analysis.averages.filters import check_subset, count_people, select
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.data.dataset import Dataset
from analysis.results.records import Agreement

_PAIRS = 60  # subsets of a label with two attributes that the engines are compared on
_RANDOM = 3  # random subsets of each size that they are compared on
# Stored precision: an eighth and a quarter of an 8-bit step. More is not visible and would triple the file.
_STEPS = {"mean": 8, "spread": 4}


def named_subsets(table: pd.DataFrame) -> dict[str, str]:
    """Names and filters of the subsets that the run publishes.

    Parameters
    ----------
    table
        As from `analysis.averages.filters.load_table`.

    Returns
    -------
    dict
        Name -> filter: all faces, each label, and each label with each attribute, age band, race and split. A subset
        and the rest of its label must have 16 faces of 16 people or more, since the average of the rest follows by
        subtraction.
    """
    filters = {"all faces": ""}
    for label in sorted(table["label"].dropna().unique()):
        filters[label] = of_label = f"label == {label!r}"
        for name in CELEBA_ATTRIBUTES:
            if name in table:
                filters[f"{label}, {name.replace('_', ' ').lower()}"] = f"{of_label} and {name}"
        for column, description in (("age_band", "aged {}"), ("race", "race {}"), ("split", "{} split")):
            if column in table:
                for value in table[column].cat.categories:
                    filters[f"{label}, {description.format(value)}"] = f"{of_label} and {column} == {str(value)!r}"
    return {name: filter_ for name, filter_ in filters.items() if _large(table, select(table, filter_))}


def _large(table: pd.DataFrame, rows: np.ndarray) -> bool:
    """Whether neither a subset nor the rest of its label is an average of few people."""
    labels = table.loc[rows, "label"].unique()
    whole = (table["status"] == "ok").to_numpy(dtype=bool) & table["label"].isin(labels).to_numpy(dtype=bool)
    rest = whole & ~rows
    return _many(table, rows) and (_many(table, rest) or not rest.any())


def _many(table: pd.DataFrame, rows: np.ndarray) -> bool:
    try:
        check_subset(table, rows, "")
    except UserError:
        return False
    return True


def build_gallery(dataset: Dataset, table: pd.DataFrame, *, progress: bool = True) -> xr.Dataset:
    """Average the named subsets of a data set with the exact engine.

    Parameters
    ----------
    dataset, table, progress
        As in `analysis.averages.fit.build_engine`.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``spread`` in [0, 1] (subset, y, x, channel); ``count`` and ``people`` (subset), -1 where
        identities are unknown; ``filter`` (subset); ``shared`` (subset, other), the number of faces in both. Files keep
        ``mean`` to an eighth of an 8-bit step and ``spread`` to a quarter.
    """
    filters = named_subsets(table)
    members = np.stack([select(table, filter_) for filter_ in filters.values()])
    count, mean, spread = moments(dataset.faces, members, progress=progress)
    people = [-1 if (number := count_people(table, rows)) is None else number for rows in members]
    dims = ("subset", "y", "x", "channel")
    subsets = xr.Dataset(
        {
            "mean": (dims, mean),
            "spread": (dims, spread),
            "count": ("subset", count),
            "people": ("subset", np.array(people, dtype=np.int64)),
            "filter": ("subset", np.array(list(filters.values()), dtype="U")),
            "shared": (("subset", "other"), (members.astype(np.float64) @ members.T).astype(np.int64)),
        },
        coords={"subset": np.array(list(filters), dtype="U"), "channel": ["R", "G", "B"]},
    )
    for variable, steps in _STEPS.items():
        subsets[variable].encoding = {
            "dtype": "uint16",
            "scale_factor": 1 / (255 * steps),
            "_FillValue": 65535,  # no value is missing, but xarray needs one that stands for it
            "compressors": Blosc("zstd", 9, Blosc.SHUFFLE),
        }
    return subsets


def compare_published(subsets: xr.Dataset, first: str, second: str) -> Difference:
    """Compare two published subsets.

    Parameters
    ----------
    subsets
        As from `build_gallery`.
    first, second
        Filters of the subsets.

    Returns
    -------
    Difference
        Its standard error assumes that shared faces vary as much as those of both subsets.

    Raises
    ------
    UserError
        If a filter is not among those published.
    """
    filters = [str(filter_) for filter_ in subsets["filter"].values]
    for filter_ in (first, second):
        if filter_ not in filters:
            raise UserError(
                f"{filter_!r} is not among the published subsets: choose one of them, or ingest and study the data here"
            )
    one, two = filters.index(first), filters.index(second)
    return difference(_published(subsets, one), _published(subsets, two), int(subsets["shared"][one, two]))


def _published(subsets: xr.Dataset, index: int) -> Average:
    one = subsets[["mean", "spread", "count"]].isel(subset=index).transpose("y", "x", "channel")
    mean, spread = (one[name].to_numpy().astype(np.float32) for name in ("mean", "spread"))
    return Average(mean, spread, int(one["count"]))


def measure_agreement(
    dataset: Dataset, table: pd.DataFrame, engine: CompressedEngine, *, seed: int = 0, progress: bool = True
) -> Agreement:
    """Compare the quick engine with the exact one.

    The subsets are the published ones and others that the components were not fitted to: labels with two attributes,
    the brightest, darkest and sharpest faces, and random faces. Only subsets that are estimated are compared: for
    smaller ones the quick engine reads the faces and agrees exactly.

    Parameters
    ----------
    dataset, table, progress
        As in `build_gallery`.
    engine
        Quick engine of the data set.
    seed
        Random seed of the subsets.

    Returns
    -------
    Agreement
        Without differences if no subset of the data set is estimated.
    """
    facts = engine.facts
    agreement = Agreement(
        images=facts.images,
        mean_components=facts.mean_components,
        spread_components=facts.spread_components,
        residual=facts.residual,
        exact_below=facts.exact_below,
        bytes_a_face=facts.components,
        subsets=0,
    )
    grid = {key: rows for key, rows in _grid(table, facts.exact_below, seed).items() if rows.sum() >= facts.exact_below}
    if not grid:
        return agreement
    _, mean, spread = moments(dataset.faces, np.stack(list(grid.values())), progress=progress)
    estimates = [engine.average(rows) for rows in grid.values()]
    mean_errors = [_rms(estimate.mean, exact) for estimate, exact in zip(estimates, mean, strict=True)]
    spread_errors = [_rms(estimate.spread, exact) for estimate, exact in zip(estimates, spread, strict=True)]
    worst = int(np.argmax(mean_errors))
    return agreement.changed(
        subsets=len(grid),
        worst_mean=max(mean_errors),
        median_mean=float(np.median(mean_errors)),
        worst_spread=max(spread_errors),
        median_spread=float(np.median(spread_errors)),
        worst_subset=list(grid)[worst] or "all faces",
        worst_subset_count=estimates[worst].count,
    )


def _rms(first: np.ndarray, second: np.ndarray) -> float:
    """Root-mean-square difference in grey levels (0 to 255)."""
    return float(255 * np.sqrt(np.mean((first.astype(np.float64) - second) ** 2)))


def _grid(table: pd.DataFrame, smallest: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    filters = list(named_subsets(table).values())
    attributes = [name for name in CELEBA_ATTRIBUTES if name in table]
    labels = sorted(table["label"].dropna().unique())
    for _ in range(_PAIRS if len(attributes) > 1 else 0):
        one, two = rng.choice(attributes, 2, replace=False)
        filters.append(f"label == {str(rng.choice(labels))!r} and {one} and {two}")
    for column in ("brightness", "contrast", "sharpness"):
        if column in table:
            low, high = table[column].quantile([0.1, 0.9])
            filters += [f"{column} < {low:.4f}", f"{column} > {high:.4f}"]
    grid = {filter_: select(table, filter_) for filter_ in filters}
    usable = np.flatnonzero(grid[""])
    for size in (smallest, 2 * smallest, 4 * smallest):
        for number in range(_RANDOM if size <= len(usable) else 0):
            rows = np.zeros(len(table), dtype=bool)
            rows[rng.choice(usable, size, replace=False)] = True
            grid[f"random {number + 1} of {size}"] = rows
    return grid
