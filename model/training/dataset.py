"""Ingested data sets as arrays for training and evaluation. Knows manifests and cubes; knows nothing of networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, RACES
from analysis.data.ingest import load_faces, load_facts, load_manifest

UNKNOWN = -1.0  # target that a source does not know; the loss leaves it out
AGE_EDGES = (4, 10, 20, 30, 40, 50, 60, 70)  # years at which a new class of ages begins


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
    for name in names:
        manifest = load_manifest(name)
        rows = np.flatnonzero(((manifest["status"] == "ok") & (manifest["split"] == split)).to_numpy())
        tables.append(manifest.iloc[rows].assign(dataset=name))
        pixels.append(load_faces(name).isel(image=rows).to_numpy())
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise UserError(f"{' and '.join(names)} hold no image in the {split} split: ingest a larger data set")
    return Faces(table, np.concatenate(pixels))


def dataset_facts(names: list[str]) -> dict[str, dict[str, Any]]:
    """Fingerprint and size of each data set, for a run's record."""
    return {name: load_facts(name) for name in names}
