"""Reads a face cube chunk by chunk, and says which file is damaged and what mends it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.data.alignment import to_usual_frame


def blocks(
    faces: xr.DataArray, description: str | None = None, wanted: np.ndarray | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row and the pixels, uint8 (image, y, x, channel), of each chunk of a face cube.

    With a description, a progress bar of that name is shown on stderr. With ``wanted``, bool (image,), chunks without
    any such image are left out.
    """
    chunk = faces.chunks[0][0] if faces.chunks else 256
    starts = [
        start
        for start in range(0, faces.sizes["image"], chunk)
        if wanted is None or wanted[start : start + chunk].any()
    ]
    for start in tqdm(starts, desc=description, unit="chunk", disable=description is None):
        yield start, faces.isel(image=slice(start, start + chunk)).to_numpy()


def damaged_cube(path: Location, reason: object) -> UserError:
    """Say that the cube of a data set, ``data/NAME/faces.zarr``, is damaged, and what mends it."""
    told = " ".join(str(reason).split()) or type(reason).__name__
    return UserError(f"{path} is damaged ({told}): run `meanface ingest {path.parent.name}` again")


def stored_chunks(cube: Location) -> set[int]:
    """Numbers of the chunks of a cube that are there."""
    chunks = cube / "faces" / "c"
    with storage.access(chunks):
        if isinstance(chunks, Path):
            return {int(path.parts[-4]) for path in chunks.glob("*/0/0/0")}
        return {int(file.split("/")[-4]) for file in chunks.fs.find(chunks.path) if file.endswith("/0/0/0")}


class UsualFrame:
    """A cube of faces in a frame of any size, whose faces are read in that of 109 x 89 pixels."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __getitem__(self, rows: Any) -> np.ndarray:
        return to_usual_frame(np.asarray(self._array[rows]))


class Cube:
    """A stored cube that tells of a damaged chunk with the command that mends it."""

    def __init__(self, array: zarr.Array, path: Location) -> None:
        self._array, self._path = array, path
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> np.ndarray:
        with storage.access(self._path):
            try:
                return np.asarray(self._array[key])
            except (ValueError, RuntimeError, KeyError, OSError) as error:
                if isinstance(error, OSError) and paths.is_remote(self._path):
                    raise
                raise damaged_cube(self._path, error) from error
