"""Source -> manifest (Parquet) and face cube (Zarr): decode, validate, align, hash, split.

Knows sources and pixels; knows nothing of what is studied later. Every later step reads only what this one writes to
``data/NAME``: ``manifest.parquet`` (a row an image), ``faces.zarr`` (``faces``, uint8, dims image, y, x, channel, in
the manifest's order) and ``ingest.json`` (the data's fingerprint and what was done), which is written last.

The work is cut into parts of 256 images. Each part is a chunk of the cube and a table of its own, so that parts can be
done in any order, by any thread or worker, and once more where one was killed.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr
import zarr
from pyarrow import parquet
from zarr.codecs import BloscCodec

from analysis.core import compute, paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.schema import LABELS
from analysis.data import alignment
from analysis.data.measures import measure_faces
from analysis.data.photo import PhotoError, decode_photo
from analysis.data.sources import Source, open_source, without_tables
from analysis.data.splits import resolve_splits

PART = 256  # images a task, and a chunk of the cube: 7.4 MB
_FORMAT = 2  # raised when what a manifest holds changes, so that an older one is made anew
_CODEC = BloscCodec(cname="lz4", clevel=1, shuffle="noshuffle")  # ten times as fast as Zarr's default, 8 % larger
_COLUMNS = {"image_id", "label", "split", "status", "hash"}  # which every manifest has


def load_manifest(name: str) -> pd.DataFrame:
    """Read a data set's manifest.

    Parameters
    ----------
    name
        Name of an ingested data set.

    Returns
    -------
    pandas.DataFrame
        A row an image, in the face cube's order: ``image_id``, ``label``, ``split``, ``identity``, ``age``, ``race``
        and attributes where known, ``width``, ``height`` (pixels), ``brightness``, ``contrast`` (mean and standard
        deviation of luma, [0, 1]), ``sharpness`` (variance of the Laplacian of luma in 0 to 255), ``hash`` (SHA-256
        of the file), ``phash`` (64-bit perceptual hash, hexadecimal), ``near_duplicate_of``, ``source_path``,
        ``aligned_by``, ``status`` ("ok", "broken", "no_face" or "excluded") and ``reason``.

    Raises
    ------
    UserError
        If the data set has not been ingested, or the manifest is malformed: not Parquet, without one of its columns,
        with other labels than female and male, an image twice, or not one row a face.
    """
    folder = paths.data_folder(name)
    path, again = folder / "manifest.parquet", f"run `meanface ingest {name}` again"
    with storage.reaching(path):
        if not path.exists():
            raise UserError(f"data set {name!r} has no manifest: run `meanface ingest {name}` first")
        try:
            manifest = _read_table(path)
        except (pa.ArrowException, ValueError) as error:
            raise UserError(f"{path} cannot be read: {again}") from error
    if missing := _COLUMNS - set(manifest.columns):
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}: {again}")
    if strange := set(manifest["label"].unique()) - set(LABELS):
        example = sorted(map(str, strange))[0]
        raise UserError(f"{path} has the label {example!r}, where only female and male are known: {again}")
    twice = manifest["image_id"].duplicated()
    if twice.any():
        raise UserError(f"{path} lists {manifest['image_id'][twice].iloc[0]!r} twice: {again}")
    faces = _open_cube(folder / "faces.zarr")
    if faces is not None and faces.shape[0] != len(manifest):
        raise UserError(f"{path} has {len(manifest):,} rows, but the cube {faces.shape[0]:,} faces: {again}")
    return manifest


def load_faces(name: str) -> xr.DataArray:
    """Open a data set's face cube lazily.

    Parameters
    ----------
    name
        Name of an ingested data set.

    Returns
    -------
    xarray.DataArray
        uint8, dims (image, y, x, channel), a Dask array; row i belongs to row i of the manifest. Images whose status
        is "broken" or "no_face" are black.

    Raises
    ------
    UserError
        If the data set has not been ingested.
    """
    path = paths.data_folder(name) / "faces.zarr"
    with storage.reaching(path):
        if not path.exists():
            raise UserError(f"data set {name!r} has no face cube: run `meanface ingest {name}` first")
        return xr.open_zarr(storage.zarr_store(path), consolidated=False)["faces"]


def load_facts(name: str) -> dict[str, Any]:
    """Read ``ingest.json``: ``fingerprint``, ``images``, ``align``, ``conflicts`` and more.

    Raises
    ------
    UserError
        If the data set has not been ingested.
    """
    path = paths.data_folder(name) / "ingest.json"
    with storage.reaching(path):
        if not path.exists():
            raise UserError(f"data set {name!r} is not ingested: run `meanface ingest {name}` first")
        return json.loads(path.read_text(encoding="utf-8"))


def ingest(
    name: str, *, align: Literal["detect", "source"] = "detect", seed: int = 0, progress: bool = True
) -> dict[str, Any]:
    """Bring a fetched data set into a manifest and a face cube.

    Runs on this machine, or on the cluster that `analysis.core.compute.connected` names, in parts of 256 images. Each
    finished part is kept until all are done, so that a run that was killed continues where it stopped; nothing of an
    earlier ingest is touched before the new one is complete.

    Parameters
    ----------
    name
        Name under which the data set was fetched.
    align
        "detect" brings every face into the frame by its own landmarks, as uploads are; "source" trusts images that
        come aligned (CelebA's) and only resizes them.
    seed
        Of the split, where the source has none.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    dict
        What ``ingest.json`` holds.

    Raises
    ------
    UserError
        If the data set was not fetched, ``align="source"`` is asked for images that are not aligned, or a bucket
        cannot be reached.
    """
    source = open_source(name)
    if align == "source" and not source.aligned:
        raise UserError(f"{name!r} is not aligned to CelebA's frame: leave out `--align source`")
    folder = paths.data_folder(name)
    configuration = {
        "format": _FORMAT,
        "source": source.fingerprint,
        "align": align,
        "seed": seed,
        "part": PART,
    }
    with storage.reaching(folder):
        facts_path = folder / "ingest.json"
        # A manifest of an earlier version may lack what is known of the images now; its faces are the same.
        columns = set(source.images.columns) - {"token", "bytes"}
        if (
            facts_path.exists()
            and json.loads(facts_path.read_text("utf-8"))["configuration"] == configuration
            and columns <= set(load_manifest(name).columns)
        ):
            return load_facts(name)

        digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]
        work = folder / f".ingest-{digest}"
        for stale in folder.glob(".ingest-*"):
            if stale.name != work.name:
                storage.remove(stale)
        records = _ingest_parts(source, work, align, progress)
        manifest, conflicts = _manifest(source, records, work / "faces.zarr", seed)
        facts = {
            "dataset": name,
            "fingerprint": _fingerprint(manifest, digest),
            "images": len(manifest),
            "status": {str(key): int(value) for key, value in manifest["status"].value_counts().items()},
            "conflicts": conflicts,
            "configuration": configuration,
        }
        facts_path.unlink(missing_ok=True)  # its presence vouches for the two that are replaced now
        storage.put_folder(work / "faces.zarr", folder / "faces.zarr")
        storage.write_whole(folder / "manifest.parquet", manifest.to_parquet(index=False))
        storage.write_whole(facts_path, json.dumps(facts, indent=1).encode())
        storage.remove(work)
    return facts


def _fingerprint(manifest: pd.DataFrame, digest: str) -> str:
    rows = manifest[["image_id", "hash", "label", "split", "status"]].astype("string")
    return hashlib.sha256(
        pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes() + digest.encode()
    ).hexdigest()


def _ingest_parts(source: Source, work: Location, align: str, progress: bool) -> pd.DataFrame:
    """Fill the cube in ``work`` part by part and return one record an image."""
    names = source.images["source_path"].tolist()
    cube = work / "faces.zarr"
    if not (cube / "faces" / "zarr.json").exists():
        storage.remove(work)  # parts' tables without the cube they belong to: a run was killed as it put the cube away
        _create_cube(cube, len(names))
    parts = [(start, names[start : start + PART]) for start in range(0, len(names), PART)]
    with _single_threaded_opencv():
        compute.run(
            partial(_ingest_part, without_tables(source), work, align),
            parts,
            description=f"Ingesting {source.name} in parts of {PART}",
            unit="part",
            progress=progress,
        )
    tables = [parquet.read_table(io.BytesIO(_part_path(work, start).read_bytes())) for start, _ in parts]
    return pa.concat_tables(tables, promote_options="permissive").to_pandas(ignore_metadata=True)


@contextlib.contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Without OpenCV's own threads: every core has a part to work on, and threads within threads cost a fifth."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _create_cube(cube: Location, images: int) -> None:
    """Write the description of a cube without faces."""
    if not paths.is_remote(cube):
        cube.mkdir(parents=True, exist_ok=True)
    frame = (alignment.FRAME_HEIGHT, alignment.FRAME_WIDTH, 3)
    zarr.open_group(storage.zarr_store(cube), mode="w", zarr_format=3).create_array(
        "faces",
        shape=(images, *frame),
        chunks=(PART, *frame),
        dtype="uint8",
        compressors=_CODEC,
        dimension_names=("image", "y", "x", "channel"),
    )


def _open_cube(cube: Location) -> Any:
    """Faces of a cube as a Zarr array; None where there is no cube."""
    try:
        return zarr.open_array(storage.zarr_store(cube), path="faces", mode="r")
    except FileNotFoundError:
        return None


def _part_path(work: Location, start: int) -> Location:
    return work / f"part-{start:09d}.parquet"


def _ingest_part(source: Source, work: Location, align: str, part: tuple[int, list[str]]) -> None:
    """Write the faces of one part to its chunk of the cube and then its table, which vouches for them."""
    start, names = part
    target = _part_path(work, start)
    with storage.reaching(target):
        if target.exists():
            return
    block = np.zeros((len(names), alignment.FRAME_HEIGHT, alignment.FRAME_WIDTH, 3), dtype=np.uint8)
    records = [_record(source, name, align, face) for name, face in zip(names, block, strict=True)]
    usable = [i for i, record in enumerate(records) if record["status"] == "ok"]
    for i, measures in zip(usable, measure_faces(block[usable]), strict=True):
        records[i] |= measures
    table = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(records), table)
    with storage.reaching(target):
        faces = zarr.open_array(storage.zarr_store(work / "faces.zarr"), path="faces", mode="r+")
        faces[start : start + len(names)] = block
        storage.write_whole(target, table.getvalue())


def _read_table(path: Location) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(path.read_bytes()))


def _record(source: Source, path: str, align: str, out: np.ndarray) -> dict[str, Any]:
    """Describe one image and put its aligned face into ``out``; a broken file is described, never raised."""
    record: dict[str, Any] = dict.fromkeys(
        ("width", "height", "brightness", "contrast", "sharpness", "hash", "phash", "aligned_by", "reason")
    )
    record["status"] = "broken"
    try:
        data = source.read(path)
        record["hash"] = hashlib.sha256(data).hexdigest()
        photo = decode_photo(data)
    except (PhotoError, OSError) as error:
        return record | {"reason": str(error)}
    record["height"], record["width"] = photo.shape[:2]
    found = alignment.detect_faces(photo) if align == "detect" else []
    if found:
        out[:] = alignment.align_face(photo, found[0].landmarks)
        record["aligned_by"] = "landmarks"
    elif source.aligned:
        out[:] = alignment.fit_frame(photo)
        record["aligned_by"] = "source"
    else:
        return record | {"status": "no_face", "reason": "the detector found no face"}
    return record | {"status": "ok"}


def _manifest(source: Source, records: pd.DataFrame, cube: Location, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    manifest = pd.concat([source.images.reset_index(drop=True), records], axis=1)
    manifest = manifest.drop(columns=["token", "bytes"])
    faces = zarr.open_array(storage.zarr_store(cube), path="faces", mode="r")
    # Faces that are compared lie all over the cube: its chunks are decoded one by one, which is no slower on a disk and
    # takes a fraction of the memory of ten at once.
    with contextlib.nullcontext() if paths.is_remote(cube) else zarr.config.set({"async.concurrency": 1}):
        return resolve_splits(manifest, faces, seed=seed)
