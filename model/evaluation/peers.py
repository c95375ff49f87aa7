"""What can be installed instead, beside this model: answers of several programs to the same photos, compared.

Knows answers and labels; knows nothing of programs. Whole photos are answered, faces found by each program itself, so
that what it does not find counts, too.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.core.people import interval, person_numbers, resampled_means
from analysis.results import Results
from model.evaluation.fairness import SMALLEST
from model.evaluation.paired import RESAMPLES, paired_counts, slices

COLUMNS = (
    "system", "source", "feature", "group", "images", "found", "accuracy", "low", "high",
    "shared", "difference", "difference_low", "difference_high", "p_value",
)  # fmt: skip


def peers(table: pd.DataFrame, answers: Mapping[str, np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """Measure each system on each source, subset and group.

    Parameters
    ----------
    table
        ``dataset, split, label`` and what `model.evaluation.fairness.features` groups by; a row a photo.
    answers
        System -> its answers, object (n,): "female", "male", or None where it finds no face. The first is compared with
        each of the others.
    seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        ``system, source, feature, group`` ("all" for everybody), ``images``; in [0, 1], ``found`` (share of photos in
        which it finds a face) and ``accuracy`` (share of these that is right) with its 95 % interval ``low``, ``high``
        (people resampled); of all but the first system, ``shared`` (photos in which both find a face) and on these
        ``difference`` (accuracy of the first minus its own), with its interval and the ``p_value`` of a sign test over
        people. Missing where fewer than 20 faces are found: these would be the easy ones.
    """
    (first, *_), tables = answers, []
    for dataset in dict.fromkeys(table["dataset"]):
        own = (table["dataset"] == dataset).to_numpy()
        part = table[own]
        named, inside = slices(part)
        person = person_numbers(part)
        label = part["label"].to_numpy(object)
        for system, given in answers.items():
            measured = _measured(given[own], label, inside, person, np.random.default_rng(seed))
            compared = pd.DataFrame(index=named.index)
            if system != first:
                compared = _compared(
                    answers[first][own], given[own], label, inside, person, np.random.default_rng(seed)
                )
            tables.append(named.join(measured).join(compared).assign(system=system))
    found = pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS))
    return found.astype({"shared": "Int64"})


def with_own_intervals(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Give this model the intervals of its own metrics wherever it answered the same images.

    Both are bootstrapped, each with its own resamples: one number would have two intervals.

    Parameters
    ----------
    table
        As from `peers`; its first system is the model of the run.
    results
        The evaluated run.
    """
    known: dict[tuple[str, ...], tuple[float, ...]] = {}
    for name, splits in {**results.metrics.sources, **results.metrics.subsets}.items():
        test = splits["test"]
        known[name, "all", "all"] = (test.images, test.accuracy, *test.accuracy_interval)
    for group in results.groups[results.groups["run"] == results.run.run].itertuples():
        found = (group.images, group.accuracy, group.accuracy_low, group.accuracy_high)
        known[group.source, group.feature, group.group] = found
    table = table.copy()
    for row in table[(table["system"] == table["system"].iloc[0]) & (table["found"] == 1)].itertuples():
        images, accuracy, *ends = known.get((row.source, row.feature, row.group), (0, 0.0, 0.0, 0.0))
        if images == row.images and math.isclose(accuracy, row.accuracy, abs_tol=1e-6):
            table.loc[row.Index, ["low", "high"]] = ends
    return table


def _measured(
    given: np.ndarray, label: np.ndarray, inside: np.ndarray, person: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    face = np.array([answer is not None for answer in given])
    right = given == label
    counted = _enough(inside & face[:, None])
    low, high = _interval(right, counted, person, rng)
    return pd.DataFrame(
        {
            "images": inside.sum(axis=0),
            "found": [face[rows].mean() for rows in inside.T],
            "accuracy": [right[rows].mean() if rows.any() else np.nan for rows in counted.T],
            "low": low,
            "high": high,
        }
    )


def _compared(
    first: np.ndarray, given: np.ndarray, label: np.ndarray, inside: np.ndarray, person: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    both = np.array([one is not None and two is not None for one, two in zip(first, given, strict=True)])
    ahead = (first == label).astype(np.int8) - (given == label).astype(np.int8)
    counted = _enough(inside & both[:, None])
    counts = pd.DataFrame([paired_counts(ahead[rows], person[rows]) for rows in counted.T])
    low, high = _interval(ahead, counted, person, rng)
    paired = counts[["images", "difference", "p_value"]].rename(columns={"images": "shared"})
    paired = paired.assign(difference_low=low, difference_high=high).mask(paired["shared"] == 0, np.nan)
    return paired.assign(shared=(inside & both[:, None]).sum(axis=0))


def _enough(inside: np.ndarray) -> np.ndarray:
    """The same slices, without an image where they have too few to measure on."""
    return inside & (inside.sum(axis=0) >= SMALLEST)


def _interval(
    values: np.ndarray, inside: np.ndarray, person: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the mean of each slice; missing where a slice holds no image."""
    low, high = np.full((2, inside.shape[1]), np.nan)
    some = inside.any(axis=0)
    if some.any():
        low[some], high[some] = interval(resampled_means(values, inside[:, some], person, RESAMPLES, rng))
    return low, high
