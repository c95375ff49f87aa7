"""The runs on this machine whose scores can be compared: the one that is shown, and those below ``runs/``."""

from functools import lru_cache
from pathlib import Path

import pandas as pd

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.figures import two_runs
from analysis.results import Results, artifacts


def runs_here(shown: Results) -> dict[str, Path]:
    """Name -> folder of each evaluated run, the one that is shown first; none where that was not evaluated."""
    if not (shown.folder / artifacts.PREDICTIONS.path).exists():
        return {}
    try:
        found = {shown.run.run: shown.folder}
    except UserError:
        return {}
    runs = paths.home() / "runs"
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        if (folder / artifacts.PREDICTIONS.path).exists():
            found.setdefault(folder.name, folder)
    return found


def pair(first: Path, second: Path, source: str, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of two runs side by side and their measures; see `analysis.figures.two_runs`.

    Raises
    ------
    UserError
        If a run's scores cannot be read, or too few images are in both.
    """
    marks = tuple((folder / artifacts.PREDICTIONS.path).stat().st_mtime_ns for folder in (first, second))
    return _pair(first, second, source, split, marks)


@lru_cache(maxsize=16)
def _pair(
    first: Path, second: Path, source: str, split: str, marks: tuple[int, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    images = two_runs.same_images(Results(first).predictions, Results(second).predictions, source, split)
    return images, two_runs.compared(images)
