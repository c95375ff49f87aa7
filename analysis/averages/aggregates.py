"""Average faces of any selection, without any person's face.

Faces are put into small groups of at least 16 people who look alike, have the same label and, as far as possible, the
same attributes, age and race: micro-aggregates (Domingo-Ferrer and Mateo-Sanz, "Practical data-oriented
microaggregation for statistical disclosure control", IEEE Transactions on Knowledge and Data Engineering 14(1), 2002).
Only the average of each group is published. The average of a selection is made of the averages of the groups that its
faces belong to, each weighted by the number of faces selected, and moved by a linear model of how faces within a group
differ with what is known of them, such as brightness or glasses: the generalised regression estimator of survey
statistics (Deville and Särndal, "Calibration estimators in survey sampling", JASA 87, 1992).

Averages have half the frame's size: more could not be seen in them, and would be four times the file.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
import xarray as xr

from analysis.averages.base import check_size
from analysis.core.schema import CELEBA_ATTRIBUTES, RACES
from analysis.shape.geometry import DISTANCES

POWERS = {"brightness": 2, "contrast": 2, "sharpness": 2, "age": 3, "yaw": 2, "pitch": 2, "roll": 1}
COVARIATES = (
    *CELEBA_ATTRIBUTES,
    *(f"race {race}" for race in RACES),
    *(name if power == 1 else f"{name}^{power}" for name, most in POWERS.items() for power in range(1, most + 1)),
    "mouth_corners",
    "mouth_open",
    *DISTANCES,
)
"""What the linear model knows of a face."""
_AT_ONCE = 8  # covariates


class Aggregates:
    """Averages of any selection of faces, from published files alone.

    Parameters
    ----------
    arrays
        Content of ``aggregates.zarr.zip``.
    rows
        One row per image: content of ``faces.parquet``.
    frame
        Height and width of the averages in pixels.

    Attributes
    ----------
    coefficients
        float32 (group, component): the average of each group in few numbers, of which like ones look alike.
    """

    def __init__(self, arrays: xr.Dataset, rows: pd.DataFrame, frame: tuple[int, int]) -> None:
        self._frame = frame
        self._basis = arrays["basis"].to_numpy().astype(np.float32)
        self._centre = arrays["centre"].to_numpy().astype(np.float32)
        self.coefficients = arrays["coefficient"].to_numpy().astype(np.float32)
        (self._expected,) = expected_coefficients(arrays, rows, rows["aggregate"].to_numpy(np.int64), ("",))

    def group(self, number: int) -> np.ndarray:
        """Average face of a group, as published: float32 (y, x, 3) in [0, 1]."""
        return enlarged(self._centre + np.tensordot(self.coefficients[number], self._basis, 1), self._frame)

    def average(self, chosen: np.ndarray) -> np.ndarray:
        """Estimate the average of a selection.

        Parameters
        ----------
        chosen
            bool (image,), or the numbers of its rows.

        Returns
        -------
        numpy.ndarray
            float32 (y, x, 3) in [0, 1].

        Raises
        ------
        UserError
            If the selection has fewer than 16 faces.
        """
        selected = self._expected[chosen]
        check_size(len(selected), "the selection")
        return enlarged(self._centre + np.tensordot(selected.mean(axis=0), self._basis, 1), self._frame)


def expected_coefficients(
    arrays: xr.Dataset, rows: pd.DataFrame, group: np.ndarray, prefixes: Sequence[str]
) -> list[np.ndarray]:
    """What the linear model expects of each face, from its group and from how it differs within that.

    Parameters
    ----------
    arrays
        ``coefficient`` (group, component) and ``slope`` (dataset, covariate, component), each after a prefix.
    rows
        One row per image, as in ``faces.parquet``.
    group
        int (image,): group of each.
    prefixes
        What the names of the two begin with.

    Returns
    -------
    list[numpy.ndarray]
        float32 (image, component) for each prefix; NaN for faces of a group that has no coefficients.
    """
    names = [str(name) for name in arrays["covariate"].values]
    found = [arrays[f"{prefix}coefficient"].to_numpy().astype(np.float32)[group] for prefix in prefixes]
    slopes = [arrays[f"{prefix}slope"].to_numpy().astype(np.float32) for prefix in prefixes]
    for place, dataset in enumerate(arrays["dataset"].values):
        own = np.flatnonzero((rows["dataset"] == dataset).to_numpy())
        few = rows.iloc[own]
        for start in range(0, len(names), _AT_ONCE):  # all at once take a hundred times the memory of the result
            some = slice(start, start + _AT_ONCE)
            apart = within_groups(covariates(few, names[some]), group[own]).astype(np.float32)
            if apart.any():
                for expected, slope in zip(found, slopes, strict=True):
                    expected[own] += apart @ slope[place, some]
    return found


def covariates(rows: pd.DataFrame, names: Sequence[str] = COVARIATES) -> np.ndarray:
    """What the linear model knows of each face.

    Parameters
    ----------
    rows
        One row per image, as in ``faces.parquet``.
    names
        What is asked for, each one of `COVARIATES`.

    Returns
    -------
    numpy.ndarray
        float32 (image, covariate); NaN where something is not known.
    """
    found = np.full((len(rows), len(names)), np.nan, dtype=np.float32)

    def values(name: str) -> np.ndarray:
        return rows[name].astype("Float64").to_numpy(float, na_value=np.nan)

    for place, name in enumerate(names):
        base, _, power = name.partition("^")
        if name.startswith("race "):
            if "race" in rows:
                race = rows["race"].astype("string")
                found[:, place] = (
                    (race == name.removeprefix("race ")).astype("Float64").to_numpy(float, na_value=np.nan)
                )
        elif base in rows:
            known = values(base)
            if base == "sharpness":
                known = np.log10(np.maximum(known, 1))
            elif base in ("yaw", "pitch", "roll", "age"):
                known = known / 30  # so that powers stay of one order
            found[:, place] = known ** int(power or 1)
    return found


def within_groups(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    """By how much each face differs from the mean of its group; 0 where something is not known."""
    known = np.isfinite(x)
    filled = np.where(known, x, 0).astype(np.float64)
    for values, has in zip(filled.T, known.T, strict=True):
        count = np.bincount(group, has)
        mean = np.bincount(group, values) / np.maximum(count, 1)
        values[has] -= mean[group[has]]
    return filled


def enlarged(face: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """A face of half size, in grey levels, at full size in [0, 1]."""
    full = cv2.resize(face.astype(np.float32), (frame[1], frame[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(full.clip(0, 255) / 255, dtype=np.float32)
