"""The work of ``meanface average``: averages of subsets, as lines of text and as a file."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from analysis.averages.base import Average, Difference, Engine, compare
from analysis.averages.compressed import average_folder, open_engine
from analysis.averages.exact import ExactEngine
from analysis.averages.filters import check_subset, count_people, load_table, select
from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.zarr_zip import write_zarr_zip
from analysis.data.alignment import FRAME
from analysis.data.dataset import Dataset

EngineName = Literal["auto", "exact", "compressed"]


def choose_engine(dataset: Dataset, engine: EngineName = "auto") -> Engine:
    """Open an engine; "auto" opens the quick one if `meanface study` has made it and faces are of its size.

    Raises
    ------
    UserError
        If the data set is not ingested, or the compressed engine is requested but does not exist.
    """
    quick = (average_folder(dataset) / "engine.json").exists() and dataset.frame == FRAME
    if engine == "exact" or (engine == "auto" and not quick):
        return ExactEngine(dataset.stored_faces)
    return open_engine(dataset)


def average_subsets(
    dataset: Dataset,
    first: str,
    second: str | None = None,
    *,
    predictions: pd.DataFrame | None = None,
    engine: EngineName = "auto",
    output: Path | None = None,
) -> list[str]:
    """Average one subset of an ingested data set, or compare two.

    Parameters
    ----------
    dataset
        An ingested data set.
    first, second
        Filters; see `analysis.averages.filters`.
    predictions
        Scores of a run, for filters that use them.
    engine
        See `choose_engine`.
    output
        ``.png`` for the averages side by side, ``.zarr.zip`` for all numbers.

    Returns
    -------
    list of str
        Count and standard deviation of each subset, the difference, and the file that was written.

    Raises
    ------
    UserError
        If the data set is not ingested, a filter is malformed, a subset has fewer than 16 faces or people, or the
        output has another ending.
    """
    if output is not None and not output.name.endswith((".png", ".zarr.zip")):
        raise UserError(f"{output} is neither .png nor .zarr.zip: choose one of these endings")
    if output is not None:
        storage.check_writable(output)
    table = load_table(dataset, predictions)
    filters = [first] if second is None else [first, second]
    rows = [select(table, filter_) for filter_ in filters]
    names = [filter_ or "all faces" for filter_ in filters]
    for name, inside in zip(names, rows, strict=True):
        check_subset(table, inside, f"the subset {name!r}")
    opened = choose_engine(dataset, engine)
    if len(rows) == 1:
        averages, difference = [opened.average(rows[0])], None
    else:
        difference = compare(opened, rows[0], rows[1])
        averages = [difference.first, difference.second]
    lines = []
    for name, inside, average in zip(names, rows, averages, strict=True):
        people = count_people(table, inside)
        of_people = "" if people is None else f" of {people:,} people"
        lines.append(
            f"{name}: {average.count:,} faces{of_people}; standard deviation {255 * average.spread.mean():.1f}, "
            f"standard error {255 * average.sem.mean():.2f} of 255 steps on average"
        )
    if difference is not None:
        lines.append(_summary(difference))
    if output is not None:
        _write(output, names, averages, difference)
        lines.append(f"written: {output}")
    return lines


def _summary(of: Difference) -> str:
    size = 255 * float(np.sqrt(np.mean(of.difference.astype(np.float64) ** 2)))
    beyond = float((np.abs(of.difference) > 1.96 * of.sem).mean())
    shared = f"; {of.shared:,} faces are in both" if of.shared else ""
    return (
        f"difference: {size:.2f} of 255 steps, root mean square; standard error {255 * of.sem.mean():.2f} on "
        f"average; {100 * beyond:.0f} % of the values are more than 1.96 standard errors from zero{shared}"
    )


def _write(path: Path, names: list[str], averages: list[Average], difference: Difference | None) -> None:
    with storage.replacing(path) as new:
        if path.suffix == ".png":
            side_by_side = np.concatenate([average.mean for average in averages], axis=1)
            Image.fromarray(np.rint(255 * side_by_side).astype(np.uint8)).save(new)
            return
        dims = ("y", "x", "channel")
        numbers = xr.Dataset(
            {
                "mean": (("subset", *dims), np.stack([average.mean for average in averages])),
                "spread": (("subset", *dims), np.stack([average.spread for average in averages])),
                "sem": (("subset", *dims), np.stack([average.sem for average in averages])),
                "count": ("subset", np.array([average.count for average in averages])),
                "filter": ("subset", np.array(names, dtype="U")),
            },
            coords={"channel": ["R", "G", "B"]},
        )
        if difference is not None:
            numbers["difference"], numbers["difference_sem"] = (dims, difference.difference), (dims, difference.sem)
            numbers.attrs["shared"] = difference.shared
        write_zarr_zip(numbers, new)
