"""Reads a face cube chunk by chunk."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from tqdm import tqdm


def blocks(faces: xr.DataArray, description: str | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row and the pixels, uint8 (image, y, x, channel), of each chunk of a face cube.

    With a description, a progress bar of that name is shown on stderr.
    """
    chunk = faces.chunks[0][0] if faces.chunks else 256
    starts = range(0, faces.sizes["image"], chunk)
    for start in tqdm(starts, desc=description, unit="chunk", disable=description is None):
        yield start, faces.isel(image=slice(start, start + chunk)).to_numpy()
