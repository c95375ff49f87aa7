"""Counts of a data set: labels, attributes, image quality, people and duplicates.

Labels of one person that differ are an inconsistency: a label or an identity is wrong, or the look has changed. The
share of images with the rarer label of their person is therefore a measure of how clean both are. Duplicates are found
by `analysis.data.splits`.
"""

import math

import numpy as np
import pandas as pd

from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.core.stats import wilson

QUALITY = {
    "brightness": "mean luma, 0 to 1",
    "contrast": "standard deviation of luma, 0 to 1",
    "sharpness": "log10 of the variance of the Laplacian",
    "width": "pixels",
}


def label_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Images and identities of each label and split.

    Parameters
    ----------
    manifest
        Rows with ``label``, ``split`` and, where known, ``identity``.

    Returns
    -------
    pandas.DataFrame
        ``label, split, images, identities``; ``identities`` is NA where the source has none.
    """
    groups = manifest.groupby(["label", "split"], observed=True)
    table = groups.size().rename("images").reset_index()
    known = "identity" in manifest and manifest["identity"].notna().any()
    table["identities"] = pd.array(groups["identity"].nunique() if known else [pd.NA] * len(table), dtype="Int64")
    return table


def attribute_table(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Prevalence of each attribute by label, with its 95 % Wilson interval.

    Parameters
    ----------
    rows
        ``label`` and boolean attribute columns.
    scope
        Value of the column ``scope``: "images" or "metadata".

    Returns
    -------
    pandas.DataFrame
        ``scope, attribute, label, images, positives, prevalence, low, high``; the last three in [0, 1].
    """
    names = [name for name in CELEBA_ATTRIBUTES if name in rows and rows[name].notna().any()]
    records = []
    for label, group in rows.groupby("label", observed=True):
        for name in names:
            values = group[name].dropna().astype(bool)
            if values.empty:
                continue
            low, high = wilson(int(values.sum()), len(values))
            records.append(
                {
                    "scope": scope,
                    "attribute": name,
                    "label": label,
                    "images": len(values),
                    "positives": int(values.sum()),
                    "prevalence": float(values.mean()),
                    "low": low,
                    "high": high,
                }
            )
    columns = ["scope", "attribute", "label", "images", "positives", "prevalence", "low", "high"]
    return pd.DataFrame(records, columns=columns)


def quality_table(manifest: pd.DataFrame, bins: int = 40) -> pd.DataFrame:
    """Histograms of image quality by label.

    Parameters
    ----------
    manifest
        Rows with ``label`` and the measures of `QUALITY`.
    bins
        Number of bins per measure, over its 0.5th to 99.5th percentile; the outer bins include what is beyond.

    Returns
    -------
    pandas.DataFrame
        ``label, measure, unit, bin_left, bin_right, images``.
    """
    tables = []
    for measure, unit in QUALITY.items():
        values = manifest[measure].astype(float)
        if measure == "sharpness":
            values = np.log10(values.clip(lower=1e-3))
        low, high = values.quantile([0.005, 0.995])
        if math.isclose(low, high):  # all images have the same value: a single bin
            low, high, count = low - 0.5, high + 0.5, 1
        else:
            count = bins
        edges = np.linspace(low, high, count + 1)
        for label, group in values.groupby(manifest["label"], observed=True):
            images, _ = np.histogram(group.clip(low, high), edges)
            tables.append(
                pd.DataFrame(
                    {
                        "label": label,
                        "measure": measure,
                        "unit": unit,
                        "bin_left": edges[:-1],
                        "bin_right": edges[1:],
                        "images": images,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def identity_table(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Count people by their number of images, and those whose labels disagree.

    Parameters
    ----------
    rows
        ``label`` and, where known, ``identity``; rows without an identity are left out.
    scope
        Value of the column ``scope``: "images" or "metadata".

    Returns
    -------
    pandas.DataFrame
        ``scope, images`` (per person), ``people``, ``mixed_people`` (those with both labels) and ``minority_images``
        (the images of those people that have the rarer of their two labels).
    """
    columns = ["scope", "images", "people", "mixed_people", "minority_images"]
    if "identity" not in rows or rows["identity"].isna().all():
        return pd.DataFrame(columns=columns)
    labels = rows.dropna(subset=["identity"]).groupby(["identity", "label"], observed=True).size().unstack(fill_value=0)
    people = pd.DataFrame({"images": labels.sum(axis=1)})
    rarer = labels.min(axis=1) if labels.shape[1] > 1 else 0
    people = people.assign(minority=rarer, mixed=rarer > 0 if labels.shape[1] > 1 else False)
    grouped = people.groupby("images")
    table = pd.DataFrame(
        {
            "people": grouped.size(),
            "mixed_people": grouped["mixed"].sum(),
            "minority_images": grouped["minority"].sum(),
        }
    ).reset_index()
    return table.assign(scope=scope)[columns].astype(dict.fromkeys(columns[1:], "int64"))


def duplicate_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Count the images that duplicate an earlier one.

    Parameters
    ----------
    manifest
        ``image_id, label, split, hash, near_duplicate_of`` and, where known, ``identity``.

    Returns
    -------
    pandas.DataFrame
        ``kind`` ("exact": the same file, "near": the same picture), ``same_split``, ``same_label`` (bool),
        ``same_person`` (bool, NA where an identity is unknown) and ``images``. Empty where there is no duplicate.
    """
    repeats = manifest[manifest["near_duplicate_of"].notna()]
    originals = manifest.set_index("image_id").loc[repeats["near_duplicate_of"]]

    def same(column: str) -> pd.Series:
        if column not in manifest:
            return pd.Series(pd.NA, index=repeats.index, dtype="boolean")
        original = pd.Series(originals[column].array, index=repeats.index)
        return (repeats[column] == original).astype("boolean").where(repeats[column].notna() & original.notna())

    agreement = pd.DataFrame(
        {
            "kind": same("hash").map({True: "exact", False: "near"}),
            "same_split": same("split"),
            "same_label": same("label"),
            "same_person": same("identity"),
        }
    )
    return agreement.groupby(list(agreement), dropna=False, observed=True).size().rename("images").reset_index()
