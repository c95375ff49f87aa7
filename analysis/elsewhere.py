"""Does it hold elsewhere? The difference map of one data set beside those of others, and of their ages and races.

Knows photos of several data sets; knows nothing of how they came about. Maps are compared at half size, since how two
data sets were cropped and compressed differs by about a pixel, and within the face only: around it lies what the
photographer chose or, where photos were cropped tightly, a rim that alignment repeated. Correlations are taken over
pixels, intervals over people: neighbouring pixels are alike and no sample of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import effect
from analysis.people import CHANNELS, People, Photos
from analysis.regions import face_pixels

AGES = {"0–9": (0, 10), "10–19": (10, 20), "20–39": (20, 40), "40–59": (40, 60), "60 and over": (60, 200)}
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


def groups(photos: Photos) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Kind, name and rows of the groups that a data set is compared by: all of it, age bands, races."""
    yield "all", "everybody", None
    table = photos.table
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


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation over pixels of rows of two stacks of maps; (row,)."""
    one, two = (maps - maps.mean(axis=1, keepdims=True) for maps in (first, second))
    norm = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return np.divide((one * two).sum(axis=1), norm, out=np.zeros_like(norm), where=norm > 0)


def correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Correlation of two maps with its 95 % interval, corrected for the noise in both.

    Noise makes maps look less alike than they are. The bootstrap adds it once more, which shows how much that is; it is
    taken off on Fisher's scale (basic interval: Davison and Hinkley, 1997, 5.2).

    Parameters
    ----------
    first, second
        float32 (1 + resample, pixel): maps of the sample, then of its resamples.

    Returns
    -------
    tuple of float
        Correlation, low and high end, in [-1, 1].
    """
    z = np.arctanh(np.clip(_correlations(first, second), -0.9999, 0.9999))
    low, high = np.quantile(z[1:], [0.025, 0.975])
    return tuple(float(np.tanh(2 * z[0] - each)) for each in (z[1:].mean(), high, low))  # type: ignore[return-value]


def compare(own: Photos, others: dict[str, Photos], *, resamples: int, rng: np.random.Generator) -> Elsewhere:
    """Correlate the difference map of one data set's faces with those of others, whole and by age and race.

    Parameters
    ----------
    own
        The data set that is studied.
    others
        Name -> data set that it is compared with.
    resamples
        Bootstrap resamples of people, drawn in each data set on its own.
    rng
        Draws them.

    Returns
    -------
    Elsewhere
    """
    if not others:
        return Elsewhere(pd.DataFrame(columns=COLUMNS), np.empty((0, len(CHANNELS), *own.shape), np.float32), [])
    mine = _resampled_maps(own.by_person(), resamples, rng)
    in_face = face_pixels(own.shape, len(CHANNELS))
    of_channel = np.repeat(CHANNELS, own.shape[0] * own.shape[1])
    parts = {name: in_face & (of_channel == name) for name in CHANNELS} | {"all": in_face}
    records, maps = [], []
    for dataset, photos in others.items():
        for kind, group, rows in groups(photos):
            chosen = photos.table["kept"].to_numpy() & (True if rows is None else rows)
            labels = photos.table[chosen].drop_duplicates("person")["label"].value_counts()
            if labels.reindex(["female", "male"], fill_value=0).min() < (2 if kind == "all" else FEWEST):
                continue
            people = photos.by_person(rows)
            theirs = _resampled_maps(people, resamples, rng)
            if kind == "all":
                maps.append(theirs[0].reshape(len(CHANNELS), *photos.shape))
            counts = {"female": int((~people.male).sum()), "male": int(people.male.sum())}
            facts = {"dataset": dataset, "kind": kind, "group": group, **counts}
            for channel, part in parts.items():
                value, low, high = correlation(mine[:, part], theirs[:, part])
                records.append({**facts, "channel": channel, "correlation": value, "low": low, "high": high})
    return Elsewhere(pd.DataFrame(records, columns=COLUMNS), np.stack(maps), list(others))
