"""How far an average made of small groups is from the exact one, for any selection.

Two things decide it. Faces that are selected stand for their group only as far as they are all of it: the average of
``n`` of a group's ``N`` faces is unknown by about ``s * sqrt((1 - n / N) / n)``, as in any sample without replacement
(Cochran, "Sampling Techniques", 1977, chapter 2). And what is selected may have to do with how faces of one group
differ, and averages are stored in few numbers: that part, ``c``, does not shrink with the selection. Both follow from
the errors that the study measures for selections drawn at random: ``s`` from faces drawn regardless of what they show,
``c`` from what the other kinds err by beyond that. With weights for groups and data sets, the error is ::

    sqrt(sum_g s² n_g (1 - n_g / N_g)) / n  and  sum_d c_d n_d / n, added as squares
"""

import numpy as np
import pandas as pd

AT_RANDOM = "random faces"
"""The kind of selection that is drawn regardless of what faces show."""

SHADE_SELDOM, POINTS_SELDOM = 1.5, 2.5
"""How many times the expected error 19 of 20 selections stay below, at least: points err together, as heads turn."""


class ExpectedError:
    """Expected error of the average of any selection.

    Parameters
    ----------
    errors
        Content of ``aggregate_errors.parquet`` or ``aggregate_shape_errors.parquet``.
    column
        Column of ``errors``, whose unit the result has.
    dataset
        str (image,): data set of each.
    group
        int (image,): group of each, of one data set.
    counted
        bool (image,): which images are in the averages of their groups.
    """

    def __init__(
        self, errors: pd.DataFrame, column: str, dataset: np.ndarray, group: np.ndarray, counted: np.ndarray
    ) -> None:
        self._group, self._counted = group, counted
        self._faces = np.bincount(group[counted], minlength=int(group.max()) + 1)
        self._place, names = pd.factorize(dataset)
        variance, self._floor = np.full((2, len(names)), np.nan)
        for place, name in enumerate(names):
            own = errors[errors["dataset"] == name]
            drawn = own["kind"] == AT_RANDOM
            if not drawn.any():
                continue
            images = int((counted & (self._place == place)).sum())
            share = (1 - own["faces"] / images).clip(lower=0) / own["faces"]
            variance[place] = (np.square(own[column]) / share)[drawn].mean()
            beyond = np.square(own[column]) - variance[place] * share
            self._floor[place] = np.sqrt(max(0.0, float(beyond[~drawn].max()) if (~drawn).any() else 0.0))
        self._variance = np.zeros(len(self._faces))  # of each group
        self._variance[group] = variance[self._place]

    def __call__(self, chosen: np.ndarray) -> float:
        """Expected root-mean-square error; NaN where the errors of a data set are not known.

        Parameters
        ----------
        chosen
            bool (image,): the selection.
        """
        inside = chosen & self._counted
        count = np.bincount(self._group[inside], minlength=len(self._faces))
        apart = count * (1 - count / np.maximum(self._faces, 1))
        images = np.bincount(self._place[inside], minlength=len(self._floor))
        unknown = (self._variance * apart)[count > 0].sum()
        floor = (self._floor * images)[images > 0].sum()
        return float(np.sqrt(unknown + floor**2) / max(1, images.sum()))
