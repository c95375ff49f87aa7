"""A sample of a data set that shows no real person: each picture is the average of a face and the most similar ones.

`analysis.data.composites` chooses the similar faces.
"""

import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.people import person_names
from analysis.core.schema import LABELS
from analysis.data.composites import MEMBERS, nearest_members, similarity_space

PICTURES = 8  # per label
_DRAWN = 2048  # people per label among whom neighbours are searched


def sample_grid(faces: xr.DataArray, manifest: pd.DataFrame, *, seed: int = 0) -> xr.Dataset:
    """Draw faces of each label and average each one with its nearest neighbours among other people.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel), rows as in the manifest.
    manifest
        ``image_id, label, status`` and, where known, ``identity``.
    seed
        Random seed of the draw.

    Returns
    -------
    xarray.Dataset
        ``face``: uint8 (picture, y, x, channel); ``label`` (picture); ``members`` (picture): number of faces in each,
        16 or more. A label with fewer people than a composite needs has no picture.
    """
    rng = np.random.default_rng(seed)
    pictures, labels, counts = [], [], []
    for label in LABELS:
        labelled = (manifest["status"] == "ok") & (manifest["label"] == label)
        rows = rng.permutation(np.flatnonzero(labelled.to_numpy()))
        people = person_names(manifest.iloc[rows])
        rows = np.sort(rows[~people.duplicated().to_numpy()][:_DRAWN])  # one photo per person
        if len(rows) < MEMBERS:
            continue
        space = similarity_space(faces, rows, seed)
        for members in nearest_members(space, person_names(manifest.iloc[rows]), PICTURES, rng):
            pixels = faces[np.sort(rows[members])].to_numpy()
            pictures.append(pixels.mean(axis=0).round().astype(np.uint8))
            labels.append(label)
            counts.append(len(members))
    shape = (len(pictures), *faces.shape[1:])
    return xr.Dataset(
        {
            "face": (("picture", "y", "x", "channel"), np.array(pictures, dtype=np.uint8).reshape(shape)),
            "label": ("picture", np.array(labels, dtype="U6")),
            "members": ("picture", np.array(counts, dtype=np.int64)),
        },
        coords={"channel": ["R", "G", "B"]},
    )
