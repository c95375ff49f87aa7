"""Pictures that a data set holds more than once, counted by what their copies disagree about.

Knows the manifest; which pictures are the same, `analysis.splits` has found.
"""

import pandas as pd


def duplicate_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Count the pictures that repeat an earlier one.

    Parameters
    ----------
    manifest
        ``image_id, label, split, hash, near_duplicate_of`` and, where known, ``identity``.

    Returns
    -------
    pandas.DataFrame
        ``kind`` ("exact": the same file, "near": the same picture), ``same_split``, ``same_label`` (bool),
        ``same_person`` (bool, NA where an identity is unknown) and ``images``. Empty where no picture repeats.
    """
    repeats = manifest[manifest["near_duplicate_of"].notna()]
    originals = manifest.set_index("image_id").loc[repeats["near_duplicate_of"]]

    def same(column: str) -> pd.Series:
        if column not in manifest:
            return pd.Series(pd.NA, index=repeats.index, dtype="boolean")
        original = pd.Series(originals[column].array, index=repeats.index)
        return (repeats[column] == original).astype("boolean").where(repeats[column].notna() & original.notna())

    found = pd.DataFrame(
        {
            "kind": same("hash").map({True: "exact", False: "near"}),
            "same_split": same("split"),
            "same_label": same("label"),
            "same_person": same("identity"),
        }
    )
    return found.groupby(list(found), dropna=False, observed=True).size().rename("images").reset_index()
