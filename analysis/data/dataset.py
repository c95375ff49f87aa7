"""An ingested data set as one object: its manifest, its faces and its facts, each read once, on first access. ::

celeba = Dataset.open("celeba")
celeba.manifest      # one row per image
celeba.faces         # uint8 (image, y, x, channel), a lazy array whose rows follow the manifest
celeba.stored_faces  # the same in the frame that they were ingested in, which may be larger than 109 x 89 pixels
"""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr
import zarr
from pydantic import ValidationError

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.schema import LABELS
from analysis.data.alignment import FRAME, to_usual_frame
from analysis.data.cube import Cube, damaged_cube, stored_chunks
from analysis.data.facts import COPIES_COUNT_ONCE, DatasetFacts
from analysis.data.sources import Source, fetched_fingerprint, how_to_fetch, open_source
from analysis.data.splits import without_copies

_COLUMNS = {"image_id", "label", "split", "status", "hash"}  # which every manifest has


@dataclass(frozen=True)
class Dataset:
    """An ingested data set. Two of one name and folder are equal.

    What is read from it is shared: copy a table before changing it.

    Attributes
    ----------
    name
        Name under which it was fetched.
    folder
        ``data/NAME``, on disk or in a bucket.
    """

    name: str
    folder: Location

    @classmethod
    def open(cls, name: str) -> "Dataset":
        """Open the data set called ``name``; whether it was ingested shows when it is first read."""
        return cls(name, paths.data_folder(name))

    @property
    def disk_folder(self) -> Path:
        """Folder on this machine's disk for files that are mapped into memory."""
        return paths.disk_folder(self.name)

    @cached_property
    def facts(self) -> DatasetFacts:
        """``ingest.json``: what was ingested, in numbers.

        Raises
        ------
        UserError
            If the data set has not been ingested since it was fetched last, or the file is damaged or of another
            version.
        """
        path = self.folder / "ingest.json"
        with storage.access(path):
            if not path.exists():
                raise self._not_ingested()
            text = path.read_bytes()
        try:
            facts = DatasetFacts.model_validate_json(text)
        except ValidationError as error:
            raise UserError(
                f"{path} is damaged or of another version: run `meanface ingest {self.name}` again"
            ) from error
        # Both are checksums of what was fetched: a data set that is fetched under an old name is not the old one.
        if fetched_fingerprint(self.name) not in (None, facts.fetched or facts.configuration.source):
            raise UserError(
                f"{self.name!r} was fetched anew after it was ingested: run `meanface ingest {self.name}` first"
            )
        return facts

    def _not_ingested(self) -> UserError:
        """Say which command comes next, of those that make a data set: fetch, then ingest."""
        ingest = f"`meanface ingest {self.name}`"
        if (self.folder / "source.json").exists():
            return UserError(f"data set {self.name!r} is not ingested: run {ingest} first")
        return UserError(f"no data set is called {self.name!r}: {how_to_fetch(self.name)}, then {ingest}")

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) that changes with any image, label, split or status that ingest wrote.

        Copies that are excluded as an old manifest is read do not change it.
        """
        return self.facts.fingerprint

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row per image, in the face cube's order.

        ``image_id``, ``label``, ``split``, ``identity``, ``age``, ``race`` and attributes where known, ``width``,
        ``height`` (pixels), ``brightness``, ``contrast`` (mean and standard deviation of luma, [0, 1]), ``sharpness``
        (variance of the Laplacian of luma in 0 to 255), ``hash`` (SHA-256 of the file), ``phash`` (64-bit perceptual
        hash, hexadecimal), ``near_duplicate_of``, ``source_path``, ``aligned_by``, ``status`` ("ok", "broken",
        "no_face" or "excluded") and ``reason``. Of an ingest from before copies counted once, they are excluded as the
        table is read.

        Raises
        ------
        UserError
            If the data set has not been ingested since it was fetched last, or the manifest is malformed: not Parquet,
            without one of its columns, with other labels than female and male, an image twice, or not one row per face.
        """
        path, again = self.folder / "manifest.parquet", f"run `meanface ingest {self.name}` again"
        with storage.access(path):
            if not path.exists():
                raise self._not_ingested()
            content = path.read_bytes()
        ingested = (self.folder / "ingest.json").exists()
        if ingested:
            _ = self.facts  # it says so where the data set was fetched anew
        try:
            manifest = pd.read_parquet(io.BytesIO(content), page_checksum_verification=True)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise UserError(f"{path} cannot be read: {again}") from error
        if missing := _COLUMNS - set(manifest.columns):
            raise UserError(f"{path} lacks {', '.join(sorted(missing))}: {again}")
        if unknown := set(manifest["label"].unique()) - set(LABELS):
            example = sorted(map(str, unknown))[0]
            raise UserError(f"{path} has the label {example!r}, where only female and male are known: {again}")
        repeated = manifest["image_id"].duplicated()
        if repeated.any():
            raise UserError(f"{path} lists {manifest['image_id'][repeated].iloc[0]!r} twice: {again}")
        cube = self._cube
        if cube is not None and cube.shape[0] != len(manifest):
            raise UserError(f"{path} has {len(manifest):,} rows, but the cube {cube.shape[0]:,} faces: {again}")
        if ingested and self.facts.configuration.format < COPIES_COUNT_ONCE:
            return without_copies(manifest)
        return manifest

    @cached_property
    def _cube(self) -> zarr.Array | None:
        """The cube as it is stored; None where there is none."""
        path = self.folder / "faces.zarr"
        with storage.access(path):
            try:
                return zarr.open_array(storage.zarr_store(path), path="faces", mode="r")
            except FileNotFoundError:
                return None
            except (ValueError, KeyError, TypeError) as error:
                raise damaged_cube(path, error) from error

    @property
    def usable(self) -> np.ndarray:
        """Bool (image,): which images take part in what is computed, those of status "ok"."""
        return (self.manifest["status"] == "ok").to_numpy(dtype=bool)

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the stored faces in pixels."""
        return self.facts.configuration.frame

    @cached_property
    def faces(self) -> xr.DataArray:
        """Aligned faces: uint8, dims (image, y, x, channel), a Dask array; row i belongs to row i of the manifest.

        They have 109 x 89 pixels, which the model and the test use; those stored in a larger frame are shrunk as they
        are read. Images whose status is "broken" or "no_face" are black.

        Raises
        ------
        UserError
            If the data set has not been ingested.
        """
        stored = self.stored_faces
        if self.frame == FRAME:
            return stored
        pixels = stored.data
        small = pixels.map_blocks(
            to_usual_frame, dtype=pixels.dtype, chunks=(pixels.chunks[0], *FRAME, pixels.chunks[3])
        )
        return xr.DataArray(small, dims=stored.dims, name="faces")

    @cached_property
    def stored_faces(self) -> xr.DataArray:
        """Aligned faces as in `faces`, in the frame that they were ingested in.

        Raises
        ------
        UserError
            If the data set has not been ingested.
        """
        path = self.folder / "faces.zarr"
        if (cube := self._cube) is None:
            raise self._not_ingested()
        part, stored = cube.chunks[0], stored_chunks(path)
        for number, start in enumerate(range(0, cube.shape[0], part)):
            # A chunk without any face need not be stored.
            if number not in stored and self.usable[start : start + part].any():
                raise damaged_cube(path, f"chunk {number} is missing")
        name = f"faces-{self.fingerprint}"
        pixels = da.from_array(Cube(cube, path), cube.chunks, name=name, asarray=False)
        return xr.DataArray(pixels, dims=("image", "y", "x", "channel"), name="faces")

    @cached_property
    def source(self) -> Source:
        """Where the images come from, and all rows of the metadata beside them; see `analysis.data.sources`.

        Raises
        ------
        UserError
            If the images or the metadata have gone.
        """
        return open_source(self.name)
