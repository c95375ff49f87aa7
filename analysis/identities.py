"""How many images there are of each person, and whether one person carries both labels.

Knows labels and identities; knows no image. A person does not change between two photos as often as labels do: what is
in the minority among one person's labels is a wrong label or a wrong identity, and so bounds how clean both are.
"""

import pandas as pd


def identity_table(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Count people by the number of their images, and how often labels disagree.

    Parameters
    ----------
    rows
        ``label`` and, where known, ``identity``; rows without an identity are left out.
    scope
        Written into the table: "images" or "metadata".

    Returns
    -------
    pandas.DataFrame
        ``scope, images`` (of each person), ``people``, ``mixed_people`` (of them with both labels) and
        ``minority_images`` (of those people's images the ones that carry the rarer of their two labels).
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
