"""Which labels are in doubt, and of which faces: confident learning on out-of-fold scores, counted by group.

Knows labels, scores and attributes; shows no image and names no person.
"""

from typing import Any

import pandas as pd
import xarray as xr
from scipy.stats import binomtest

from analysis.label_errors import label_errors
from analysis.out_of_fold import FOLDS, out_of_fold_scores
from analysis.sources import CELEBA_ATTRIBUTES

_SMALLEST = 30  # images of a group whose share says anything


def doubted_labels(
    faces: xr.DataArray, manifest: pd.DataFrame, *, seed: int = 0, progress: bool = True
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Estimate how many labels are wrong, and in which groups labels are doubted more often.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel), rows as in the manifest.
    manifest
        ``image_id, label, split, status`` and, where known, ``identity`` and attributes.
    seed
        Of the folds.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    facts : dict
        What `analysis.label_errors.label_errors` says, ``folds``, and ``accuracy`` of the out-of-fold scores in [0, 1].
    groups : pandas.DataFrame
        ``kind`` ("all", "label" or "attribute"), ``group``, ``images``, ``doubted`` (count), ``share``, and ``low`` and
        ``high``, its 95 % Wilson interval, in [0, 1]; groups of 30 images or more.

    Raises
    ------
    UserError
        If a label has fewer people than there are folds.
    """
    scored = out_of_fold_scores(faces, manifest, seed=seed, progress=progress).assign(dataset="studied")
    facts, issues = label_errors(scored)
    right = (scored["p_male"] >= 0.5) == (scored["label"] == "male")
    rows = manifest[manifest["status"] == "ok"]
    doubted = rows["image_id"].isin(set(issues["image_id"]))
    known = [name for name in CELEBA_ATTRIBUTES if name in rows]
    groups: list[tuple[str, str, pd.Series]] = [("all", "all faces", pd.Series(True, rows.index))]
    groups += [("label", label, rows["label"] == label) for label in ("female", "male")]
    groups += [("attribute", name, rows[name].fillna(False).astype(bool)) for name in known]
    records = []
    for kind, group, inside in groups:
        images, found = int(inside.sum()), int(doubted[inside].sum())
        if images >= _SMALLEST or kind == "all":
            interval = binomtest(found, images).proportion_ci(method="wilson")
            records.append((kind, group, images, found, found / images, float(interval.low), float(interval.high)))
    columns = ["kind", "group", "images", "doubted", "share", "low", "high"]
    return {**facts, "folds": FOLDS, "accuracy": float(right.mean())}, pd.DataFrame(records, columns=columns)
