"""Averages of named subsets for the published run, and how well the quick engine agrees with the exact one.

Knows which subsets are worth a name; knows nothing of how they are drawn. A published average is one of 16 or more
people, so that nobody can be recognised.
"""

import numpy as np
import pandas as pd
import xarray as xr
from numcodecs import Blosc

from analysis.averages.base import Average, Difference, difference
from analysis.averages.compressed import CompressedEngine
from analysis.averages.exact import moments
from analysis.averages.filters import count_people, select
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, MIN_FACES
from analysis.data.dataset import Dataset
from analysis.results.records import Agreement

_PAIRS = 60  # label with two attributes, drawn for the comparison of the engines
_RANDOM = 3  # random subsets of each size, drawn for the same
# Stored precision: an eighth and a quarter of an 8-bit step. What is finer is not seen and would triple the file.
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
        Name -> filter: all faces, each label, and each label with each attribute, age band, race and split, where they
        hold 16 faces of 16 people or more, and so does what they leave of the label: the average of the rest could be
        had by subtraction.
    """
    found = {"all faces": ""}
    for label in sorted(table["label"].dropna().unique()):
        found[label] = of_label = f"label == {label!r}"
        for name in CELEBA_ATTRIBUTES:
            if name in table:
                found[f"{label}, {name.replace('_', ' ').lower()}"] = f"{of_label} and {name}"
        for column, said in (("age_band", "aged {}"), ("race", "race {}"), ("split", "{} split")):
            if column in table:
                for value in table[column].cat.categories:
                    found[f"{label}, {said.format(value)}"] = f"{of_label} and {column} == {str(value)!r}"
    return {name: filter_ for name, filter_ in found.items() if _large(table, select(table, filter_))}


def _large(table: pd.DataFrame, rows: np.ndarray) -> bool:
    """Whether neither a subset nor what it leaves of its label is an average of few people."""
    labels = table.loc[rows, "label"].unique()
    whole = (table["status"] == "ok").to_numpy(dtype=bool) & table["label"].isin(labels).to_numpy(dtype=bool)
    rest = whole & ~rows
    return _many(table, rows) and (_many(table, rest) or not rest.any())


def _many(table: pd.DataFrame, rows: np.ndarray) -> bool:
    persons = count_people(table, rows)
    return bool(rows.sum() >= MIN_FACES) and (persons is None or persons >= MIN_FACES)


def build_gallery(dataset: Dataset, table: pd.DataFrame, *, progress: bool = True) -> xr.Dataset:
    """Average the named subsets of a data set, exactly.

    Parameters
    ----------
    dataset
        An ingested data set.
    table
        As from `analysis.averages.filters.load_table`.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``spread`` in [0, 1] (subset, y, x, channel); ``count`` and ``people`` (subset), -1 where
        identities are unknown; ``filter`` (subset); ``shared`` (subset, other), faces in both. Written, ``mean`` keeps
        an eighth of an 8-bit step and ``spread`` a quarter.
    """
    wanted = named_subsets(table)
    members = np.stack([select(table, filter_) for filter_ in wanted.values()])
    count, mean, spread = moments(dataset.faces, members, progress=progress)
    persons = [count_people(table, rows) for rows in members]
    dims = ("subset", "y", "x", "channel")
    found = xr.Dataset(
        {
            "mean": (dims, mean),
            "spread": (dims, spread),
            "count": ("subset", count),
            "people": ("subset", np.array([-1 if each is None else each for each in persons], dtype=np.int64)),
            "filter": ("subset", np.array(list(wanted.values()), dtype="U")),
            "shared": (("subset", "other"), (members.astype(np.float64) @ members.T).astype(np.int64)),
        },
        coords={"subset": np.array(list(wanted), dtype="U"), "channel": ["R", "G", "B"]},
    )
    for variable, steps in _STEPS.items():
        found[variable].encoding = {
            "dtype": "uint16",
            "scale_factor": 1 / (255 * steps),
            "_FillValue": 65535,  # none is missing, but xarray asks for a value that would say so
            "compressors": Blosc("zstd", 9, Blosc.SHUFFLE),
        }
    return found


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
        Its standard error takes shared faces to vary as those of both subsets do.

    Raises
    ------
    UserError
        If a filter is none of those published.
    """
    filters = [str(each) for each in subsets["filter"].values]
    for each in (first, second):
        if each not in filters:
            raise UserError(
                f"{each!r} is not among the published subsets: choose one of them, or ingest and study the data here"
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

    The grid holds the published subsets and others that the components were not made for: labels with two attributes,
    brightest, darkest and sharpest faces, and random ones. Only subsets large enough to be estimated count: of smaller
    ones the quick engine reads the faces and agrees exactly.

    Parameters
    ----------
    dataset, table, progress
        As in `build_gallery`.
    engine
        Of the same data set.
    seed
        Of what is drawn.

    Returns
    -------
    Agreement
        Without differences where the data set has no subset that is estimated.
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
    off_mean = [_apart(estimate.mean, exact) for estimate, exact in zip(estimates, mean, strict=True)]
    off_spread = [_apart(estimate.spread, exact) for estimate, exact in zip(estimates, spread, strict=True)]
    worst = int(np.argmax(off_mean))
    return agreement.changed(
        subsets=len(grid),
        worst_mean=max(off_mean),
        median_mean=float(np.median(off_mean)),
        worst_spread=max(off_spread),
        median_spread=float(np.median(off_spread)),
        worst_subset=list(grid)[worst] or "all faces",
        worst_subset_count=estimates[worst].count,
    )


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Root-mean-square difference in 8-bit steps."""
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
