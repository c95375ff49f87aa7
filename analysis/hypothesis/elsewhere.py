"""Replication: the difference map of a data set compared with those of other data sets, and of their ages and races.

Maps are compared at half size, since the crops and the compression of two data sets differ by about a pixel, and only
within the face: what surrounds it was chosen by the photographer or, in tight crops, is a margin that alignment filled
by repeating the edge. Correlations are over pixels, intervals over people: neighbouring pixels are not independent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.core.people import interval
from analysis.core.schema import AGE_BANDS, LABELS
from analysis.hypothesis import effect
from analysis.hypothesis.people import CHANNELS, People, Photos
from analysis.hypothesis.regions import face_pixels

# Names as figures write them.
AGES = {name.replace("-", "–").replace("+", " and over"): band for name, band in AGE_BANDS.items()}
FEWEST = 50  # people of each label below which a group's map is mostly noise
COLUMNS = ["dataset", "kind", "group", "female", "male", "channel", "correlation", "low", "high"]


@dataclass(frozen=True)
class Elsewhere:
    """Result of `compare`.

    Attributes
    ----------
    table
        `COLUMNS`: ``kind`` is "all", "age" or "race", ``channel`` "L", "a", "b" or "all"; correlations in [-1, 1].
    maps
        float32 (data set, channel, y, x): Hedges' g of each data set compared, male minus female.
    names
        Data sets of ``maps``.
    """

    table: pd.DataFrame
    maps: np.ndarray
    names: list[str]


def in_groups(table: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Kind, name and rows of each group that is compared: everybody, age bands, races.

    Parameters
    ----------
    table
        Rows of a manifest, numbered from 0.
    """
    yield "all", "everybody", None
    if "age" in table and table["age"].notna().any():
        age = table["age"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        for name, (low, high) in AGES.items():
            yield "age", name, (age >= low) & (age < high)
    if "race" in table and table["race"].notna().any():
        for name, rows in table.groupby("race", observed=True).groups.items():
            yield "race", str(name), table.index.isin(rows)


def _resampled_maps(people: People, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Effect maps of the people (first) and of bootstrap resamples, float32 (1 + resample, pixel)."""
    drawn = effect.draw_people(people.male, resamples, rng)
    rows = effect.contrast(people.male, np.concatenate([np.ones((1, len(people.male)), dtype=np.float32), drawn]))
    return effect.weighted_effects(people.images, rows, effect.pooled_deviation(people.images, people.male))


def correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Correlation of two maps over their pixels, corrected for the noise in both, with its 95 % interval.

    Noise increases the norms of maps, which makes their correlation too small. The bootstrap estimates by how much,
    since a resample contains the noise twice; the estimate is subtracted from the norms (correction for attenuation:
    Spearman, "The proof and measurement of association between two things", American Journal of Psychology 15, 1904).
    Covariances need no correction, as the noise of two data sets is independent. A map of pure noise gives an interval
    from nearly -1 to nearly 1.

    Parameters
    ----------
    first, second
        float32 (1 + resample, pixel): the map of the sample, then those of its resamples.

    Returns
    -------
    tuple of float
        Correlation, low and high end (percentiles of the resamples), in [-1, 1].
    """
    one, two = (maps - maps.mean(axis=1, keepdims=True) for maps in (first, second))
    norm = np.sqrt(_without_noise(one) * _without_noise(two))
    r = np.clip((one * two).sum(axis=1, dtype=np.float64) / norm, -1, 1)
    low, high = interval(r[1:])
    return float(r[0]), float(low), float(high)


def _without_noise(maps: np.ndarray) -> np.ndarray:
    """Squared norms of the maps of a sample and of its resamples, minus the noise in each; (map,), above 0."""
    squared = (maps**2).sum(axis=1, dtype=np.float64)
    noise = max(0.0, float(squared[1:].mean() - squared[0]))
    squared -= noise
    squared[1:] -= noise
    return np.maximum(squared, 1e-12)


def compare(own: Photos, others: dict[str, Photos], *, resamples: int, rng: np.random.Generator) -> Elsewhere:
    """Correlate the difference map of one data set with those of others, as a whole and by age and race.

    Parameters
    ----------
    own
        Photos of the data set that is studied.
    others
        Name -> photos of each data set to compare with.
    resamples
        Number of bootstrap resamples of people, drawn for each data set by itself.
    rng
        Random generator of the resamples.

    Returns
    -------
    Elsewhere
    """
    if not others:
        return Elsewhere(pd.DataFrame(columns=COLUMNS), np.empty((0, len(CHANNELS), *own.shape), np.float32), [])
    own_maps = _resampled_maps(own.by_person(), resamples, rng)
    in_face = face_pixels(own.shape, len(CHANNELS))
    of_channel = np.repeat(CHANNELS, own.shape[0] * own.shape[1])
    parts = {name: in_face & (of_channel == name) for name in CHANNELS} | {"all": in_face}
    records, maps = [], []
    for dataset, photos in others.items():
        for kind, group, rows in in_groups(photos.table):
            chosen = photos.table["kept"].to_numpy() & (True if rows is None else rows)
            labels = photos.table[chosen].drop_duplicates("person")["label"].value_counts()
            if labels.reindex(LABELS, fill_value=0).min() < (2 if kind == "all" else FEWEST):
                continue
            people = photos.by_person(rows)
            other_maps = _resampled_maps(people, resamples, rng)
            if kind == "all":
                maps.append(other_maps[0].reshape(len(CHANNELS), *photos.shape))
            counts = {"female": int((~people.male).sum()), "male": int(people.male.sum())}
            facts = {"dataset": dataset, "kind": kind, "group": group, **counts}
            for channel, part in parts.items():
                value, low, high = correlation(own_maps[:, part], other_maps[:, part])
                records.append({**facts, "channel": channel, "correlation": value, "low": low, "high": high})
    return Elsewhere(pd.DataFrame(records, columns=COLUMNS), np.stack(maps), list(others))
