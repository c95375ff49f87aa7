"""Ingested data sets as arrays, for training and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, RACES
from analysis.data.dataset import Dataset
from analysis.data.splits import resolve_splits
from analysis.results.records import Data

UNKNOWN = -1.0  # target where the source has no value; the loss ignores it
AGE_EDGES = (4, 10, 20, 30, 40, 50, 60, 70)  # years at which a new class of ages begins
STYLE = ("Heavy_Makeup", "Wearing_Lipstick")  # a face with either is called styled


@dataclass(frozen=True)
class Faces:
    """Faces of one split, or of several.

    Attributes
    ----------
    table
        ``image_id, dataset, split, label`` and the other columns of the manifests; one row per image.
    pixels
        uint8 (n, 109, 89, 3), RGB.
    """

    table: pd.DataFrame
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    @property
    def male(self) -> np.ndarray:
        """float32 (n,): 1 where the label is "male", else 0."""
        return (self.table["label"] == "male").to_numpy(np.float32)

    @property
    def attributes(self) -> np.ndarray:
        """float32 (n, 39): 1, 0, or -1 where the source does not know."""
        columns = [
            self.table[name].astype("Float32").fillna(UNKNOWN).to_numpy(np.float32)
            if name in self.table
            else np.full(len(self.table), UNKNOWN, np.float32)
            for name in CELEBA_ATTRIBUTES
        ]
        return np.stack(columns, axis=1)

    @property
    def styled(self) -> np.ndarray:
        """float32 (n,): 1 where make-up or lipstick is visible, 0 where neither is, -1 where that is unknown."""
        styles = self.attributes[:, [CELEBA_ATTRIBUTES.index(name) for name in STYLE]]
        return np.where((styles == UNKNOWN).any(axis=1), UNKNOWN, styles.max(axis=1)).astype(np.float32)

    @property
    def source(self) -> np.ndarray:
        """str (n,): the data set, and the part of it where its table of labels has a column ``source``."""
        return source_names(self.table)

    @property
    def age_class(self) -> np.ndarray:
        """float32 (n,): number of the class between `AGE_EDGES`, -1 where the source does not know."""
        if "age" not in self.table:
            return np.full(len(self.table), UNKNOWN, np.float32)
        age = self.table["age"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
        return np.where(np.isnan(age), UNKNOWN, np.digitize(age, AGE_EDGES)).astype(np.float32)

    @property
    def race_class(self) -> np.ndarray:
        """float32 (n,): place in `RACES`, -1 where the source does not know."""
        if "race" not in self.table:
            return np.full(len(self.table), UNKNOWN, np.float32)
        return pd.Categorical(self.table["race"], categories=RACES).codes.astype(np.float32)


def load_split(datasets: Sequence[Dataset], split: str) -> Faces:
    """Read the usable faces of one split into memory.

    Of a person or picture that several data sets hold in different splits only the images in the latest split (test
    before validation before train) are usable, as within one data set.

    Parameters
    ----------
    datasets
        Ingested data sets.
    split
        "train", "validation" or "test".

    Returns
    -------
    Faces

    Raises
    ------
    UserError
        If a data set is not ingested, or the split holds no image.
    """
    tables, pixels = [], []
    manifests = _apart(tuple(datasets), tuple(dataset.fingerprint for dataset in datasets))
    for dataset, manifest in zip(datasets, manifests, strict=True):
        rows = np.flatnonzero(((manifest["status"] == "ok") & (manifest["split"] == split)).to_numpy())
        tables.append(manifest.iloc[rows].assign(dataset=dataset.name))
        pixels.append(dataset.faces.isel(image=rows).to_numpy())
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        names = " and ".join(dataset.name for dataset in datasets)
        raise UserError(f"{names} hold no image in the {split} split: ingest a larger data set")
    return Faces(table, np.concatenate(pixels))


def source_names(table: pd.DataFrame) -> np.ndarray:
    """Name of the data set of each row, and of the part of it ("more-faces, press") where it has parts; str (n,)."""
    dataset = table["dataset"].astype("string")
    if "source" not in table:
        return dataset.to_numpy(dtype=str)
    return dataset.where(table["source"].isna(), dataset + ", " + table["source"].astype("string")).to_numpy(dtype=str)


class _Cubes:
    """Faces of several data sets under one numbering."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self._cubes = [dataset.faces for dataset in datasets]
        self._starts = np.cumsum([0] + [len(cube) for cube in self._cubes])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """uint8 (len(rows), 109, 89, 3); ``rows`` ascend."""
        cube = np.searchsorted(self._starts, rows, side="right") - 1
        return np.concatenate(
            [
                self._cubes[number].isel(image=rows[cube == number] - self._starts[number]).to_numpy()
                for number in np.unique(cube)
            ]
        )


@lru_cache(maxsize=4)
def _apart(datasets: tuple[Dataset, ...], fingerprints: tuple[str, ...]) -> list[pd.DataFrame]:
    """Manifests in which no person or picture is in two splits; a data set of another fingerprint is resolved anew."""
    manifests = [dataset.manifest for dataset in datasets]
    if len(datasets) == 1:
        return manifests
    named = [manifest.assign(dataset=dataset.name) for dataset, manifest in zip(datasets, manifests, strict=True)]
    people = pd.concat([known_people(manifest) for manifest in named], ignore_index=True)
    columns = ["image_id", "label", "split", "hash", "phash", "status", "reason"]
    joint = pd.concat([manifest[columns] for manifest in manifests], ignore_index=True)
    codes = pd.Series(pd.factorize(people)[0], dtype="Int64")
    resolved, _ = resolve_splits(joint.assign(identity=codes.mask(people.isna())), _Cubes(datasets))
    ends = np.cumsum([len(manifest) for manifest in manifests])
    return [
        manifest.assign(status=resolved["status"].to_numpy()[end - len(manifest) : end])
        for manifest, end in zip(manifests, ends, strict=True)
    ]


def known_people(table: pd.DataFrame) -> pd.Series:
    """Name of the person on each image, which is the same in all data sets with CelebA's identities.

    Parameters
    ----------
    table
        ``dataset`` and, where known, ``identity`` and ``celeba_identity``.

    Returns
    -------
    pandas.Series
        string, index as in ``table``; <NA> where the identity is unknown.
    """
    person = pd.Series(pd.NA, index=table.index, dtype="string")
    if "identity" in table:
        person = table["dataset"].astype("string") + " " + table["identity"].astype("string")
    if "celeba_identity" in table:
        person = ("CelebA " + table["celeba_identity"].astype("string")).fillna(person)
    return person


def seen_data(datasets: Sequence[Dataset]) -> dict[str, Data]:
    """Fingerprint and size of each data set, for a run's record."""
    return {dataset.name: dataset.facts.seen for dataset in datasets}
