"""Made-up tables of the data study: which attributes go together, people, repeated pictures, doubted labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.results import artifacts
from analysis.study.cooccurrence import cooccurrence_table
from analysis.study.tables import identity_table


def write_data_study(folder: Path, rng: np.random.Generator) -> None:
    """Write the files of the data study into the study folder of a run."""
    scopes = {"images": rows(rng, 1000), "metadata": rows(rng, 5000)}
    tables = [cooccurrence_table(found, scope) for scope, found in scopes.items()]
    artifacts.COOCCURRENCE.write(pd.concat(tables), folder)
    tables = [identity_table(found, scope) for scope, found in scopes.items()]
    artifacts.IDENTITIES.write(pd.concat(tables), folder)
    artifacts.DUPLICATES.write(duplicates(), folder)
    artifacts.DOUBTS.write(doubts(), folder)
    faces = rng.integers(0, 256, (6, 109, 89, 3), dtype=np.uint8)
    samples = xr.Dataset(
        {
            "face": (("picture", "y", "x", "channel"), faces),
            "label": ("picture", ["female"] * 3 + ["male"] * 3),
            "members": ("picture", [24, 24, 20, 24, 24, 24]),
        },
        coords={"channel": ["R", "G", "B"]},
    )
    artifacts.SAMPLES.write(samples, folder)


def rows(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Labels, identities and attributes that come in three groups; a few people carry both labels."""
    identity = rng.integers(0, count // 8, count)
    male = (identity % 5 < 2) ^ (rng.uniform(size=count) < 0.004)
    table = pd.DataFrame({"label": np.where(male, "male", "female"), "identity": pd.array(identity, dtype="Int64")})
    hidden = rng.normal(size=(3, count)) + np.array([2.0 * male - 1, 1 - 2.0 * male, 0 * male])
    for place, name in enumerate(CELEBA_ATTRIBUTES):
        table[name] = pd.array(hidden[place % 3] + 0.7 * rng.normal(size=count) > 0.5, dtype="boolean")
    return table


def duplicates() -> pd.DataFrame:
    """One file that repeats, and four pictures: two as another person, one of them under the other label."""
    return pd.DataFrame(
        {
            "kind": ["exact", "near", "near", "near"],
            "same_split": [True, True, False, True],
            "same_label": [True, True, True, False],
            "same_person": pd.array([True, True, False, False], dtype="boolean"),
            "images": [1, 2, 1, 1],
        }
    )


def doubts() -> pd.DataFrame:
    """All faces, labels, and three attributes."""
    groups = [("all", "all faces", 1000, 12), ("label", "female", 600, 7), ("label", "male", 400, 5)]
    groups += [("attribute", "Blurry", 50, 4), ("attribute", "Young", 800, 8), ("attribute", "Wearing_Hat", 40, 2)]
    table = pd.DataFrame(groups, columns=["kind", "group", "images", "doubted"])
    share = table["doubted"] / table["images"]
    return table.assign(share=share, low=share * 0.5, high=share * 1.6)
