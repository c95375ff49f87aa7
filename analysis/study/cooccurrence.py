"""Correlation of every pair of attributes, and an order in which correlated attributes are next to each other."""

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from analysis.core.schema import CELEBA_ATTRIBUTES

LABEL = "Male"  # the label as one of the attributes, by CelebA's name


def cooccurrence_table(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Correlation of every pair of attributes, the label included, in an order of similarity.

    The correlation of two boolean attributes is the phi coefficient (Yule, "On the methods of measuring association
    between two attributes", Journal of the Royal Statistical Society 75, 1912). The order is that of the leaves of
    average-linkage clustering on 1 - abs(phi), arranged so that neighbours are as similar as possible (Bar-Joseph,
    Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering", Bioinformatics 17, 2001).

    Parameters
    ----------
    rows
        ``label`` and boolean attribute columns; rows with an unknown attribute and constant attributes are left out.
    scope
        Value of the column ``scope``: "images" or "metadata".

    Returns
    -------
    pandas.DataFrame
        One row per ordered pair of different attributes: ``scope, first, second, first_place, second_place`` (from
        0, in the order of similarity), ``images``, ``both`` (share of the images that have both, in [0, 1]) and
        ``phi`` (-1 to 1). Empty where fewer than two attributes are known.
    """
    columns = ["scope", "first", "second", "first_place", "second_place", "images", "both", "phi"]
    names = [name for name in CELEBA_ATTRIBUTES if name in rows and rows[name].notna().any()]
    known = rows.dropna(subset=names)
    table = known[names].astype(bool).assign(**{LABEL: known["label"] == "male"}) if names else pd.DataFrame()
    table = table.loc[:, table.nunique() > 1]
    if table.shape[1] < 2:
        return pd.DataFrame(columns=columns)
    values = table.to_numpy(np.float32)
    phi = np.corrcoef(values, rowvar=False)
    both = values.T @ values / len(values)
    distance = squareform(np.clip(1 - np.abs(phi), 0, None), checks=False)
    order = leaves_list(linkage(distance, "average", optimal_ordering=True))
    first, second = np.nonzero(~np.eye(len(order), dtype=bool))
    ordered = np.array(table.columns)[order]
    return pd.DataFrame(
        {
            "scope": scope,
            "first": ordered[first],
            "second": ordered[second],
            "first_place": first,
            "second_place": second,
            "images": len(values),
            "both": both[order[first], order[second]].astype(np.float64),
            "phi": phi[order[first], order[second]].astype(np.float64),
        }
    )[columns]
