"""Landmarks of a data set: found once, part by part, and stored beside its face cube.

``data/NAME/landmarks.zarr`` holds the points in the manifest's order, ``landmarks.parquet`` how far they are to be
trusted, and ``landmarks.json``, written last, what they were made from.

Trust is measured twice: by the network's own probability that it sees a face, and by its agreement with another
detector. Faces were aligned by YuNet's five landmarks, so these lie at known places of the frame; the mesh, which was
not told, has to find eyes, nose tip and mouth corners there.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import zarr
from pydantic import ValidationError
from zarr.codecs import BloscCodec, Crc32cCodec

from analysis.core import compute, storage, switch
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.data.alignment import FRAME_LANDMARKS
from analysis.data.dataset import Dataset
from analysis.results.records import Record
from analysis.shape.mesh import POINTS, face_mesh, weights_checksum

PART = 256  # faces per task and per chunk
LEAST_PRESENCE = 0.5
MOST_APART = 0.35  # root mean square distance of the five points, in distances between the eyes

_FORMAT = 1  # raised when what is stored changes
_STEP = 1 / 256  # pixels: points are stored as whole multiples, in half the space of float32
# The mesh's counterparts of `FRAME_LANDMARKS`: corners of either eye, nose tip, corners of the mouth.
_FIVE = ((33, 133), (362, 263), (4,), (61,), (291,))
_LEAST_BYTES = 2_000  # of a face's points, compressed


class LandmarkFacts(Record):
    """``landmarks.json``: what the landmarks of a data set were made from, and how many faces have them."""

    dataset: str
    """Name of the data set."""
    fingerprint: str
    """Fingerprint of the data set whose faces were measured."""
    weights: str
    """SHA-256 of the network's weights, hexadecimal."""
    format: int
    """Version of what is stored."""
    faces: int
    """Usable faces."""
    found: int
    """Faces whose landmarks can be trusted."""


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of an ingested data set; rows follow its manifest.

    Attributes
    ----------
    folder
        ``data/NAME``.
    table
        ``image_id``, ``presence`` (probability of a face, [0, 1]), ``apart`` (root mean square distance from the five
        points that the face was aligned by, in distances between the eyes), ``found`` (whether the points can be
        trusted) and ``reason`` (why not).
    """

    folder: Location
    table: pd.DataFrame

    @property
    def found(self) -> np.ndarray:
        """Bool (image,): faces whose landmarks can be trusted."""
        return self.table["found"].to_numpy(dtype=bool)

    def read(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Read the points of some faces, which are not to be trusted where not `found`.

        Parameters
        ----------
        rows
            Row numbers in the manifest, ascending; default: all.

        Returns
        -------
        numpy.ndarray
            float32 (row, 468, 3): x, y and depth in pixels of the frame.

        Raises
        ------
        UserError
            If the stored points are damaged.
        """
        path = self.folder / "landmarks.zarr"
        with storage.access(path):
            try:
                points = zarr.open_array(storage.zarr_store(path), path="points", mode="r")
                if points.shape != (len(self.table), POINTS, 3):
                    raise _damaged(path)
                stored = np.asarray(points.get_orthogonal_selection((rows,)))
            except (ValueError, RuntimeError, KeyError, TypeError, FileNotFoundError) as error:
                raise _damaged(path) from error
        return stored.astype(np.float32) * np.float32(_STEP)


def _damaged(path: Location) -> UserError:
    return UserError(f"{path} is damaged: delete it and run `meanface landmarks {path.parent.name}` again")


def read_landmarks(dataset: Dataset) -> Landmarks | None:
    """Read the landmarks of a data set; None where they were not found yet.

    Raises
    ------
    UserError
        If they are damaged, or were found on another version of the data set.
    """
    path = dataset.folder / "landmarks.json"
    with storage.access(path):
        if not path.exists():
            return None
        try:
            facts = LandmarkFacts.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise _damaged(path) from error
        if facts.fingerprint != dataset.fingerprint:
            raise UserError(
                f"{dataset.name!r} was ingested anew after its landmarks were found: run "
                f"`meanface landmarks {dataset.name}` again"
            )
        table_path = dataset.folder / "landmarks.parquet"
        try:
            table = pd.read_parquet(io.BytesIO(table_path.read_bytes()), page_checksum_verification=True)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _damaged(table_path) from error
    if len(table) != len(dataset.manifest):
        raise _damaged(table_path)
    return Landmarks(dataset.folder, table)


def find_landmarks(dataset: Dataset, *, progress: bool = False) -> LandmarkFacts:
    """Find the landmarks of every usable face of a data set and store them beside its cube.

    Runs on this machine, or on the cluster that `analysis.core.compute.connected` names. A killed run resumes where it
    stopped; nothing is done where the landmarks of this version of the data set are there.

    Parameters
    ----------
    dataset
        The ingested data set.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    LandmarkFacts

    Raises
    ------
    UserError
        If the data set is not ingested, the extra `shape` is not installed, or the place cannot be written to.
    """
    folder, manifest = dataset.folder, dataset.manifest
    made_from: dict[str, Any] = {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "weights": weights_checksum(),
        "format": _FORMAT,
    }
    facts_path = folder / "landmarks.json"
    if (earlier := _earlier(dataset, made_from)) is not None:
        return earlier
    storage.check_writable(facts_path, len(manifest) * _LEAST_BYTES)
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
    work = folder / f".landmarks-{digest}"
    with storage.access(folder):
        for stale in folder.glob(".landmarks-*"):
            if stale.name != work.name:
                storage.remove(stale)
        if not (work / "landmarks.zarr" / "points" / "zarr.json").exists():
            storage.remove(work)
            _create(work / "landmarks.zarr", len(manifest))
    starts = range(0, len(manifest), PART)
    compute.run(
        partial(_find_part, dataset.name, folder, work, dataset.usable),
        starts,
        description=f"Landmarks of {dataset.name} in parts of {PART}",
        unit="part",
        progress=progress,
    )
    with storage.access(folder):
        parts = [pd.read_parquet(io.BytesIO(_part_path(work, start).read_bytes())) for start in starts]
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "image_id", manifest["image_id"].to_numpy())
        facts = LandmarkFacts(**made_from, faces=int(dataset.usable.sum()), found=int(table["found"].sum()))
        facts_path.unlink(missing_ok=True)  # where it exists, the two that are replaced now are complete
        storage.put_folder(work / "landmarks.zarr", folder / "landmarks.zarr")
        content = io.BytesIO()
        table.to_parquet(content, index=False, write_page_checksum=True)
        storage.write_whole(folder / "landmarks.parquet", content.getvalue())
        storage.write_whole(facts_path, json.dumps(facts.as_json(), indent=1).encode())
        storage.remove(work)
    return facts


def _earlier(dataset: Dataset, made_from: dict[str, Any]) -> LandmarkFacts | None:
    """What an earlier run found on the same faces with the same weights, where it is whole; else None."""
    try:
        landmarks = read_landmarks(dataset)
        if landmarks is None:
            return None
        landmarks.read()
        facts = LandmarkFacts.model_validate_json((dataset.folder / "landmarks.json").read_bytes())
    except UserError:
        return None
    return facts if made_from.items() <= facts.as_json().items() else None


def _create(cube: Location, images: int) -> None:
    zarr.open_group(storage.zarr_store(cube), mode="w", zarr_format=3).create_array(
        "points",
        shape=(images, POINTS, 3),
        chunks=(PART, POINTS, 3),
        dtype="int16",
        compressors=(BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()),
        dimension_names=("image", "point", "coordinate"),
        attributes={"unit": "pixels of the frame", "step": _STEP},
    )


def _part_path(work: Location, start: int) -> Location:
    return work / f"part-{start:09d}.parquet"


def _find_part(name: str, folder: Location, work: Location, usable: np.ndarray, start: int) -> None:
    """Write the points of one part, then its table: where that exists the part is complete."""
    target = _part_path(work, start)
    with storage.access(target):
        if target.exists():
            return
    rows = slice(start, start + PART)
    here = np.flatnonzero(usable[rows])
    faces = Dataset(name, folder).stored_faces.isel(image=rows)
    size = faces.sizes["image"]
    points, presence = np.zeros((size, POINTS, 3), np.float32), np.full(size, np.nan, np.float32)
    apart = np.full(size, np.nan, np.float32)
    if len(here):
        points[here], presence[here] = face_mesh(faces.to_numpy()[here])
        apart[here] = agreement(points[here])
    table = pd.DataFrame({"presence": presence, "apart": apart})
    table["reason"] = np.select(
        [
            ~usable[rows],
            ~(presence >= LEAST_PRESENCE),
            ~(apart <= MOST_APART),
        ],
        ["not usable", "the mesh sees no face", "the mesh disagrees with the detector"],
        default="",
    )
    table["found"] = table["reason"] == ""
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    with storage.access(target):
        stored = zarr.open_array(storage.zarr_store(work / "landmarks.zarr"), path="points", mode="r+")
        stored[rows] = np.clip(np.round(points / _STEP), -(2**15), 2**15 - 1).astype(np.int16)
        chunk = work / "landmarks.zarr" / "points" / "c" / str(start // PART) / "0" / "0"
        if isinstance(chunk, Path) and chunk.exists():
            switch.flush(chunk)  # before the table that says that it is there
        storage.write_whole(target, content.getvalue())


def agreement(points: np.ndarray) -> np.ndarray:
    """Root mean square distance of a mesh from the five points that faces are aligned by.

    Parameters
    ----------
    points
        float32 (face, 468, 3), pixels of the frame.

    Returns
    -------
    numpy.ndarray
        float32 (face,), in distances between the eyes; 0.1 is usual.
    """
    five = np.stack([points[:, list(part), :2].mean(axis=1) for part in _FIVE], axis=1)
    between = float(np.linalg.norm(FRAME_LANDMARKS[1] - FRAME_LANDMARKS[0]))
    return np.sqrt(((five - FRAME_LANDMARKS) ** 2).sum(axis=-1).mean(axis=1)) / np.float32(between)
