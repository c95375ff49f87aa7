"""Ingested data sets as arrays for training and evaluation. Knows manifests and cubes; knows nothing of networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, RACES
from analysis.data.ingest import load_faces, load_facts, load_manifest
from analysis.data.splits import resolve_splits

UNKNOWN = -1.0  # target that a source does not know; the loss leaves it out
AGE_EDGES = (4, 10, 20, 30, 40, 50, 60, 70)  # years at which a new class of ages begins
STYLE = ("Heavy_Makeup", "Wearing_Lipstick")  # a face with either is called styled


@dataclass(frozen=True)
class Faces:
    """Faces of one split, or of several.

    Attributes
    ----------
    table
        ``image_id, dataset, split, label`` and what else the manifests know; a row an image.
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


def load_split(names: list[str], split: str) -> Faces:
    """Read the usable faces of one split into memory.

    Of a person or picture that several data sets hold in different splits only the images in the latest split (test
    before validation before train) are usable, as within one data set.

    Parameters
    ----------
    names
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
    for name, manifest in zip(
        names, _apart(tuple((name, load_facts(name)["fingerprint"]) for name in names)), strict=True
    ):
        rows = np.flatnonzero(((manifest["status"] == "ok") & (manifest["split"] == split)).to_numpy())
        tables.append(manifest.iloc[rows].assign(dataset=name))
        pixels.append(load_faces(name).isel(image=rows).to_numpy())
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise UserError(f"{' and '.join(names)} hold no image in the {split} split: ingest a larger data set")
    return Faces(table, np.concatenate(pixels))


def source_names(table: pd.DataFrame) -> np.ndarray:
    """Name of the data set of each row, and of the part of it ("more-faces, press") where it has parts; str (n,)."""
    dataset = table["dataset"].astype("string")
    if "source" not in table:
        return dataset.to_numpy(dtype=str)
    return dataset.where(table["source"].isna(), dataset + ", " + table["source"].astype("string")).to_numpy(dtype=str)


class _Cubes:
    """Faces of several data sets under one numbering."""

    def __init__(self, names: Sequence[str]) -> None:
        self._cubes = [load_faces(name) for name in names]
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
def _apart(data: tuple[tuple[str, str], ...]) -> list[pd.DataFrame]:
    """Manifests of data sets, given with their fingerprints, in which no person or picture is in two splits."""
    names = [name for name, _ in data]
    manifests = [load_manifest(name) for name in names]
    if len(names) == 1:
        return manifests
    named = [each.assign(dataset=name) for name, each in zip(names, manifests, strict=True)]
    people = pd.concat([known_people(each) for each in named], ignore_index=True)
    joint = pd.concat(
        [each[["image_id", "label", "split", "hash", "phash", "status", "reason"]] for each in manifests],
        ignore_index=True,
    )
    codes = pd.Series(pd.factorize(people)[0], dtype="Int64")
    resolved, _ = resolve_splits(joint.assign(identity=codes.mask(people.isna())), _Cubes(names))
    ends = np.cumsum([len(each) for each in manifests])
    return [
        each.assign(status=resolved["status"].to_numpy()[end - len(each) : end])
        for each, end in zip(manifests, ends, strict=True)
    ]


def known_people(table: pd.DataFrame) -> pd.Series:
    """Who is on each image, the same text in every data set that knows CelebA's identity.

    Parameters
    ----------
    table
        ``dataset`` and, where known, ``identity`` and ``celeba_identity``.

    Returns
    -------
    pandas.Series
        string, index as in ``table``; <NA> where nobody knows.
    """
    person = pd.Series(pd.NA, index=table.index, dtype="string")
    if "identity" in table:
        person = table["dataset"].astype("string") + " " + table["identity"].astype("string")
    if "celeba_identity" in table:
        person = ("CelebA " + table["celeba_identity"].astype("string")).fillna(person)
    return person


def dataset_facts(names: list[str]) -> dict[str, dict[str, Any]]:
    """Fingerprint and size of each data set, for a run's record."""
    return {name: load_facts(name) for name in names}
