"""One row per image of a data set, with all that is known of it and without any picture."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.core.people import person_names
from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.data.dataset import Dataset
from analysis.hypothesis.shape import Shapes
from analysis.shape.geometry import DISTANCES

# To what values are stored, about a fifth of their standard deviation: finer would make the file several times larger.
_STEPS = {
    "brightness": 0.02,
    "contrast": 0.01,
    "yaw": 2.0,
    "pitch": 2.0,
    "roll": 0.5,
    "mouth_corners": 0.005,
    "mouth_open": 0.01,
    **dict.fromkeys(DISTANCES, 0.01),
    **dict.fromkeys(("brow thickness", "eye width", "between the eyes", "upper lip height"), 0.002),
    **dict.fromkeys(("brow to eye", "eye height", "philtrum", "lower lip height", "jaw to face width"), 0.005),
    **dict.fromkeys(("mouth width", "jaw width", "face height", "lower face height", "face width to height"), 0.02),
    "jaw angle": 0.5,
}
_DIGITS = 2  # of the sharpness, which spans orders of magnitude


def face_rows(dataset: Dataset, shapes: Shapes | None = None, found: np.ndarray | None = None) -> pd.DataFrame:
    """List the usable images of a data set.

    Parameters
    ----------
    dataset
        The ingested data set.
    shapes
        Its measured faces, where they have landmarks; a sample of very many.
    found
        bool (image,), in the manifest's order: which faces have landmarks; None if they were not looked for.

    Returns
    -------
    pandas.DataFrame
        The columns of ``faces.parquet`` except ``aggregate``, as far as they are known, rounded; and two that are not
        published: ``row`` of the manifest, ascending, and ``person``.
    """
    manifest = dataset.manifest
    rows = np.flatnonzero(dataset.usable)
    used = manifest.iloc[rows].reset_index(drop=True)
    table = used[["image_id", "label", "split"]].assign(dataset=dataset.name)
    if "source" in used and used["source"].notna().any():
        table["part"] = used["source"]
    known = [name for name in ("age", "race", *CELEBA_ATTRIBUTES) if name in used and used[name].notna().any()]
    table[known] = used[known]
    measured: Mapping[str, pd.Series | np.ndarray] = {
        name: used[name] for name in ("brightness", "contrast", "sharpness") if name in used
    }
    for name, values in measured.items():
        table[name] = _rounded(name, np.asarray(values, dtype=float))
    if found is not None:
        table["landmarks"] = pd.array(found[rows], dtype="boolean")
    if shapes is not None:
        places = pd.Index(used["image_id"]).get_indexer(shapes.table["image_id"])
        mouth = shapes.smile.add_prefix("mouth_")
        for name, column in pd.concat([shapes.pose, mouth, shapes.distances], axis=1).items():
            values = np.full(len(used), np.nan)
            values[places] = column
            table[str(name)] = _rounded(str(name), values)
    return table.assign(row=rows, person=person_names(used).to_numpy())


def _rounded(name: str, values: np.ndarray) -> np.ndarray:
    """Values to the precision of the file, float32."""
    if name == "sharpness":
        known = np.maximum(values, 1e-6)
        step = 10.0 ** (np.floor(np.log10(known)) - _DIGITS + 1)
    else:
        step = np.full(len(values), _STEPS[name])
    return (np.round(values / step) * step).round(6).astype(np.float32)
