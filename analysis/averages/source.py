"""Averages of subsets for pages: from the data set, if it is on this machine, else those that the run publishes."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
import xarray as xr

from analysis.averages.base import Difference, compare
from analysis.averages.compressed import CompressedEngine, average_folder, open_engine
from analysis.averages.filters import check_subset, load_table, select
from analysis.averages.gallery import compare_published
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Results


@dataclass(frozen=True)
class LiveSubsets:
    """Averages by any filter, of a data set that was ingested and studied on this machine."""

    table: pd.DataFrame
    engine: CompressedEngine

    def compare(self, first: str, second: str) -> Difference:
        """Compare the subsets of two filters.

        Raises
        ------
        UserError
            If a filter is malformed, or a subset has fewer than 16 faces or people.
        """
        subsets = [select(self.table, each) for each in (first, second)]
        for name, rows in zip(("the first subset", "the second subset"), subsets, strict=True):
            check_subset(self.table, rows, name)
        return compare(self.engine, *subsets)


@dataclass(frozen=True)
class PublishedSubsets:
    """Averages that a run publishes.

    Attributes
    ----------
    subsets
        As from `analysis.averages.gallery.build_gallery`.
    reason
        Why only published subsets are available, in one line.
    """

    subsets: xr.Dataset
    reason: str

    def compare(self, first: str, second: str) -> Difference:
        """Compare the subsets of two filters.

        Raises
        ------
        UserError
            If a filter is not among those published.
        """
        return compare_published(self.subsets, first, second)


def subset_source(results: Results) -> LiveSubsets | PublishedSubsets:
    """Open the data set that a run studied, or else the averages that the run publishes.

    Raises
    ------
    UserError
        If the run publishes no subsets.
    """
    dataset = Dataset.open(results.study.dataset)
    try:
        mark = (average_folder(dataset) / "engine.json").stat().st_mtime_ns
    except OSError:
        reason = f"the data set {dataset.name!r} is not here, or was not studied here"
        return PublishedSubsets(results.subsets, reason)
    try:
        return _live(dataset, mark, results)
    except UserError as error:
        return PublishedSubsets(results.subsets, str(error))


@lru_cache(maxsize=1)
def _live(dataset: Dataset, mark: int, results: Results) -> LiveSubsets:
    """Read the data set once for all sessions; ``mark`` changes with each study of it."""
    return LiveSubsets(load_table(dataset, predictions_of(results)), open_engine(dataset))


def predictions_of(results: Results) -> pd.DataFrame | None:
    """Scores of a run, for `analysis.averages.filters.load_table`; None if it has none yet."""
    try:
        return results.predictions
    except UserError:
        return None
