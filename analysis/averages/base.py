"""The average of a subset, and the common interface of the two engines that compute it.

`analysis.averages.exact` has the exact engine and `analysis.averages.compressed` the quick one. Nothing heavy is
imported here: the quick engine also runs in small processes.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.core.errors import UserError
from analysis.core.schema import MIN_FACES


@dataclass(frozen=True)
class Average:
    """Average of a subset, pixel by pixel.

    Attributes
    ----------
    mean, spread
        float32 (y, x, channel) in [0, 1]: mean and sample standard deviation; channels are R, G, B.
    count
        Number of faces in the subset.
    """

    mean: np.ndarray
    spread: np.ndarray
    count: int

    @property
    def sem(self) -> np.ndarray:
        """Standard error of the mean if photos are independent, float32 (y, x, channel) in [0, 1]."""
        return self.spread / np.float32(math.sqrt(self.count))


@dataclass(frozen=True)
class Difference:
    """Average of a first subset minus that of a second.

    Attributes
    ----------
    first, second
        The two averages.
    shared
        Number of faces that are in both subsets.
    difference
        float32 (y, x, channel) in [-1, 1].
    sem
        float32 (y, x, channel): standard error of ``difference``.
    """

    first: Average
    second: Average
    shared: int
    difference: np.ndarray
    sem: np.ndarray


class Engine(Protocol):
    """Computes the average of any subset of one data set's faces."""

    def average(self, rows: np.ndarray) -> Average:
        """Average the faces of a subset.

        Parameters
        ----------
        rows
            bool (image,): whether each row of the manifest is in the subset.

        Raises
        ------
        UserError
            If the subset has fewer than two faces, and so no standard deviation.
        """


def check_size(count: int, name: str = "the subset", least: int = MIN_FACES, *, people: int | None = None) -> None:
    """Refuse a subset with too few faces, or of too few people.

    Parameters
    ----------
    count
        Number of its faces.
    name
        What it is called in the message.
    least
        Fewest faces, and fewest people.
    people
        Number of people on the faces; None if identities are not known.

    Raises
    ------
    UserError
        If ``count`` or ``people`` is below ``least``.
    """
    if not count:
        raise UserError(
            f"{name} is empty: no face fits its filter (no condition holds of what is not known of a face): change a "
            "condition or leave it out"
        )
    if count < least:
        faces = "a single face" if count == 1 else f"{count} faces"
        raise UserError(
            f"{name} has {faces}: an average of fewer than {least} could show a person, leave out one of its conditions"
        )
    if people is not None and people < least:
        of = "one person" if people == 1 else f"{people} people"
        raise UserError(
            f"{name} has {count:,} faces of {of}: an average of fewer than {least} people could show a person, leave "
            "out one of its conditions"
        )


def compare(engine: Engine, first: np.ndarray, second: np.ndarray) -> Difference:
    """Compare two subsets, which may overlap.

    The variance of the difference is ``s1**2 / n1 + s2**2 / n2 - 2 * n12 * s12**2 / (n1 * n2)``, where ``n12`` faces
    with the standard deviation ``s12`` are in both; the last term is the covariance of the two means. Photos are
    assumed to be independent.

    Parameters
    ----------
    engine
        Engine of the data set.
    first, second
        bool (image,): rows of the subsets.

    Raises
    ------
    UserError
        If a subset has fewer than 16 faces.
    """
    check_size(int(first.sum()), "the first subset")
    check_size(int(second.sum()), "the second subset")
    both = first & second
    shared = int(both.sum())
    of_both = engine.average(both).spread if shared > 1 else None
    return difference(engine.average(first), engine.average(second), shared, of_both)


def difference(first: Average, second: Average, shared: int, spread: np.ndarray | None = None) -> Difference:
    """Compare two averages; see `compare`.

    Parameters
    ----------
    first, second
        The averages.
    shared
        Number of faces that are in both subsets.
    spread
        Standard deviation of the shared faces in [0, 1]; default: the geometric mean of those of the two subsets.
    """
    variance = first.sem.astype(np.float64) ** 2 + second.sem.astype(np.float64) ** 2
    if shared:
        both = first.spread.astype(np.float64) * second.spread if spread is None else spread.astype(np.float64) ** 2
        variance -= 2 * shared * both / (first.count * second.count)
    sem = np.sqrt(np.maximum(variance, 0)).astype(np.float32)
    return Difference(first, second, shared, first.mean - second.mean, sem)
