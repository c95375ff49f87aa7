"""Labelled arrays as one file: a Zarr store in a zip, written with xarray."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import xarray as xr
from numcodecs import Blosc

_LEVEL = 9  # of Zstandard: half of what Zarr's default needs for pictures, and read as quickly


def write_zarr_zip(dataset: xr.Dataset, path: Path) -> None:
    """Write a data set to ``path``, whose name ends in .zarr.zip; an older file is replaced."""
    # A zip cannot replace a member, and Zarr writes its metadata more than once: a folder first, then the zip.
    folder = path.with_suffix("")
    encoding = {
        name: {"compressors": _compressor(variable)}
        for name, variable in dataset.variables.items()
        if "compressors" not in variable.encoding
    }
    dataset.to_zarr(folder, mode="w", zarr_format=2, consolidated=False, encoding=encoding)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member in sorted(folder.rglob("*")):
            if member.is_file():
                archive.write(member, member.relative_to(folder))
    shutil.rmtree(folder)


def _compressor(variable: xr.Variable) -> Blosc:
    """Bytes of like weight beside each other, where a value has several."""
    stored = np.dtype(variable.encoding.get("dtype", variable.dtype))
    return Blosc("zstd", _LEVEL, Blosc.SHUFFLE if stored.itemsize > 1 else Blosc.NOSHUFFLE)


def read_zarr_zip(path: Path) -> xr.Dataset:
    """Read a data set into memory."""
    from zarr.storage import ZipStore  # noqa: PLC0415 - Zarr is slow to import and not always needed

    with ZipStore(path, mode="r") as store:
        return xr.open_zarr(store, consolidated=False).load()
