"""Average, spread and standard-error faces of any subset of a face cube.

Knows labelled pixels; knows nothing of tests, splits or figures.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from analysis.errors import UserError


def average_faces(faces: xr.DataArray, groups: pd.Series, *, progress: bool = False) -> xr.Dataset:
    """Mean, standard deviation and standard error of the faces of each group, pixel by pixel.

    One pass over the cube, a chunk in memory at a time; sums are exact, since they are kept in integers.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    groups
        Group of each image, one value a row of ``faces``; rows without a group (NA) are left out.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``spread`` (sample standard deviation) and ``sem`` (standard error of the mean): float32 in
        [0, 1], dims (label, y, x, channel); ``count``: int64, dim (label). Labels are sorted.

    Raises
    ------
    UserError
        If there is no group, or a group has fewer than two images and so no spread.
    """
    counts = groups.value_counts().sort_index()
    if counts.empty:
        raise UserError("the subset is empty: there is no face to average")
    if counts.min() < 2:
        raise UserError(f"the subset {counts.idxmin()!r} holds a single face: an average needs two or more")
    codes = pd.Categorical(groups, categories=counts.index).codes
    shape = (len(counts), *faces.shape[1:])
    total, squares = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for start, block in blocks(faces, "Averaging faces" if progress else None):
        for code in range(len(counts)):
            part = block[codes[start : start + len(block)] == code]
            total[code] += part.sum(axis=0, dtype=np.int64)
            squares[code] += np.einsum("iyxc,iyxc->yxc", part, part, dtype=np.int64, casting="unsafe")
    n = counts.to_numpy().reshape(-1, 1, 1, 1)
    mean = total / n
    spread = np.sqrt(np.maximum(squares - n * mean**2, 0) / (n - 1))
    dims = ("label", "y", "x", "channel")
    return xr.Dataset(
        {
            "mean": (dims, (mean / 255).astype(np.float32)),
            "spread": (dims, (spread / 255).astype(np.float32)),
            "sem": (dims, (spread / np.sqrt(n) / 255).astype(np.float32)),
            "count": ("label", counts.to_numpy().astype(np.int64)),
        },
        coords={"label": list(counts.index), "channel": ["R", "G", "B"]},
    )


def blocks(faces: xr.DataArray, description: str | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Walk a face cube chunk by chunk: first row of the chunk and its pixels, uint8 (image, y, x, channel).

    With a description a progress bar of that name is shown on stderr.
    """
    chunk = faces.chunks[0][0] if faces.chunks else 256
    starts = range(0, faces.sizes["image"], chunk)
    for start in tqdm(starts, desc=description, unit="chunk", disable=description is None):
        yield start, faces.isel(image=slice(start, start + chunk)).to_numpy()
