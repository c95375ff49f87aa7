"""The exact engine: mean, standard deviation and standard error of any subset of a face cube.

Sums are computed chunk by chunk with Dask, on this machine's threads or on the cluster of the current client. They are
integers, so that results depend neither on the order of chunks nor on the number of workers.
"""

import dask
import numpy as np
import pandas as pd
import xarray as xr
from dask.delayed import Delayed
from tqdm.dask import TqdmCallback

from analysis.averages.base import Average, check_size
from analysis.core.errors import UserError

_EXACT = 256  # faces whose squares float32 sums without rounding: 256 * 255**2 < 2**24
_IN_32_BITS = 65_536  # faces the sum of whose squares fits into 32 bits: sums of a chunk take half the memory
_BRANCHES = 4  # partial sums added at a time
_AT_ONCE = 64  # subsets per pass; their sums over one chunk take 15 MB


class ExactEngine:
    """Averages the pixels themselves, of data of any size and with any scheduler.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel); chunks without a face of the subset are not read.
    """

    def __init__(self, faces: xr.DataArray) -> None:
        self.faces = faces

    def average(self, rows: np.ndarray) -> Average:
        """Average the faces of a subset; see `analysis.averages.base.Engine`."""
        check_size(int(rows.sum()), least=2)
        count, mean, spread = moments(self.faces, rows[None])
        return Average(mean[0], spread[0], int(count[0]))


def average_faces(faces: xr.DataArray, groups: pd.Series, *, progress: bool = False) -> xr.Dataset:
    """Mean, standard deviation and standard error of the faces of each group, pixel by pixel.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    groups
        Group of each image, one value per row of ``faces``; rows with NA are left out.
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
        If there is no group, or a group has fewer than two images and so no standard deviation.
    """
    counts = groups.value_counts().sort_index()
    counts = counts[counts > 0]
    if counts.empty:
        raise UserError("the subset is empty: there is no face to average")
    if counts.min() < 2:
        raise UserError(f"the subset {counts.idxmin()!r} has a single face: an average needs two or more")
    members = np.stack([(groups == label).fillna(False).to_numpy(dtype=bool) for label in counts.index])
    count, mean, spread = moments(faces, members, progress=progress)
    dims = ("label", "y", "x", "channel")
    return xr.Dataset(
        {
            "mean": (dims, mean),
            "spread": (dims, spread),
            "sem": (dims, spread / np.sqrt(count).astype(np.float32).reshape(-1, 1, 1, 1)),
            "count": ("label", count),
        },
        coords={"label": list(counts.index), "channel": ["R", "G", "B"]},
    )


def moments(
    faces: xr.DataArray, members: np.ndarray, *, progress: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and sample standard deviation of many subsets.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    members
        bool (subset, image); subsets may overlap and have two faces or more.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    tuple of numpy.ndarray
        int64 (subset,), and twice float32 (subset, y, x, channel) in [0, 1].
    """
    total, squares = sums(faces, members, progress=progress)
    count = members.sum(axis=1, dtype=np.int64)
    n = count.reshape(-1, 1, 1, 1)
    mean = total / n
    spread = np.sqrt(np.maximum(squares - n * mean**2, 0) / (n - 1))
    return count, (mean / 255).astype(np.float32), (spread / 255).astype(np.float32)


def sums(faces: xr.DataArray, members: np.ndarray, *, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Exact sums of the pixels and of their squares over many subsets, in one pass for every 64 subsets.

    Parameters
    ----------
    faces, members, progress
        As in `moments`.

    Returns
    -------
    tuple of numpy.ndarray
        Twice int64 (subset, y, x, channel).
    """
    if len(members) > _AT_ONCE:
        passes = [sums(faces, members[i : i + _AT_ONCE], progress=progress) for i in range(0, len(members), _AT_ONCE)]
        return np.concatenate([total for total, _ in passes]), np.concatenate([squares for _, squares in passes])
    whole = dict.fromkeys(("y", "x", "channel"), -1)
    chunked = faces.chunk(whole if faces.chunks else {"image": _EXACT, **whole})
    parts: list[Delayed] = []
    start = 0
    block_sums, add = dask.delayed(_block_sums, pure=True), dask.delayed(_add, pure=True)
    for block, size in zip(chunked.data.to_delayed().ravel(), chunked.data.chunks[0], strict=True):
        inside = members[:, start : start + size]
        if inside.any():
            parts.append(block_sums(block, inside))
        start += size
    if not parts:
        return (np.zeros((len(members), *faces.shape[1:]), dtype=np.int64),) * 2
    while len(parts) > 1:
        parts = [add(parts[i : i + _BRANCHES]) for i in range(0, len(parts), _BRANCHES)]
    with TqdmCallback(desc="Averaging faces", unit="task", disable=not progress):
        total, squares = dask.compute(parts[0])[0]
    return total.astype(np.int64), squares.astype(np.int64)


def _block_sums(block: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Sums and sums of squares of one chunk, whole numbers (2, subset, y, x, channel), as matrix products."""
    used = np.flatnonzero(members.any(axis=0))
    kind = np.uint32 if len(used) <= _IN_32_BITS else np.int64
    result = np.zeros((2, len(members), int(np.prod(block.shape[1:]))), dtype=kind)
    for start in range(0, len(used), _EXACT):
        rows = used[start : start + _EXACT]
        pixels = block[rows].reshape(len(rows), -1).astype(np.float32)
        weights = members[:, rows].astype(np.float32)
        result[0] += (weights @ pixels).astype(kind)
        result[1] += (weights @ np.square(pixels, out=pixels)).astype(kind)
    return result.reshape(2, len(members), *block.shape[1:])


def _add(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.sum(parts, axis=0, dtype=np.int64))
