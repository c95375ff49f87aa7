"""Source -> manifest (Parquet) and face cube (Zarr): decode, validate, align, hash, split.

Knows sources and pixels; knows nothing of what is studied later. Every later step opens `analysis.data.dataset.Dataset`
and so reads only what this one writes to ``data/NAME``: ``manifest.parquet`` (one row per image), ``faces.zarr``
(``faces``, uint8, dims image, y, x, channel, in the manifest's order) and ``ingest.json`` (the data's fingerprint and
what was done), which is written last.

The work is cut into parts of 256 images. Each part is a chunk of the cube and a table of its own, so that parts can be
done in any order, by any thread or worker, and again where one was killed.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import zarr
from pyarrow import parquet
from pydantic import ValidationError
from zarr.codecs import BloscCodec, Crc32cCodec

from analysis.core import compute, paths, storage, switch
from analysis.core.errors import UserError
from analysis.core.memory import give_back
from analysis.core.paths import Location
from analysis.data import alignment, decoding
from analysis.data.cube import UsualFrame, stored_chunks
from analysis.data.dataset import Dataset
from analysis.data.detection import detect_faces
from analysis.data.facts import Conflicts, DatasetFacts, IngestOptions
from analysis.data.measures import measure_faces
from analysis.data.photo import PhotoError, only_photo_errors, read_photo
from analysis.data.sources import Source, fetched_fingerprint, open_source, without_tables
from analysis.data.splits import resolve_splits

PART = 256  # images per task and per chunk of the cube: 7.4 MB in the usual frame
_FORMAT = 3  # raised when what a manifest holds changes, so that an older one is made anew
_LEAST = 10_000  # bytes of a face of the usual frame in the cube, at least: 15 to 25 kB are usual
_CODEC = BloscCodec(cname="lz4", clevel=1, shuffle="noshuffle")  # ten times as fast as Zarr's default, 8 % larger
_CHECKSUM = Crc32cCodec()  # without one, bytes that have changed on the disk become other pixels


def ingest(
    name: str,
    *,
    align: Literal["detect", "source"] = "detect",
    frame: tuple[int, int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> DatasetFacts:
    """Bring a fetched data set into a manifest and a face cube.

    Runs on this machine, or on the cluster that `analysis.core.compute.connected` names, in parts of 256 images. Each
    finished part is kept until all are done, so that a killed ingest resumes where it stopped; nothing of an
    earlier ingest is touched before the new one is complete.

    Parameters
    ----------
    name
        Name under which the data set was fetched.
    align
        "detect" aligns every face by its own landmarks, as uploads are aligned; "source" trusts images that are
        aligned already (CelebA's) and only resizes them.
    frame
        Height and width of the stored faces, as from `analysis.data.alignment.frame_of`; default: those of an earlier
        ingest, or else 109 x 89. Measures are of the usual frame, whatever the size.
    seed
        Random seed of the splits, where the source has none.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    DatasetFacts
        What ``ingest.json`` holds.

    Raises
    ------
    UserError
        If the data set was not fetched, ``align="source"`` is asked for images that are not aligned, a bucket cannot be
        reached, or the disk has no room for the faces.
    """
    source = open_source(name)
    give_back()  # what was needed to read the list and the tables: a kilobyte for each image
    if align == "source" and not source.aligned:
        raise UserError(f"{name!r} is not aligned to CelebA's frame: leave out `--align source`")
    folder = paths.data_folder(name)
    with storage.access(folder):
        facts_path = folder / "ingest.json"
        frame = frame or _earlier_frame(facts_path)
        larger = {} if frame == alignment.FRAME else {"frame": frame}
        configuration = IngestOptions(
            format=_FORMAT, source=source.fingerprint, align=align, seed=seed, part=PART, **larger
        )
        earlier = _earlier(Dataset(name, folder), source, configuration) if facts_path.exists() else None
        if earlier is not None:
            return earlier
        storage.check_writable(
            facts_path,
            len(source.images) * _LEAST * frame[0] * frame[1] // (alignment.FRAME_HEIGHT * alignment.FRAME_WIDTH),
        )

        digest = hashlib.sha256(json.dumps(configuration.as_json(), sort_keys=True).encode()).hexdigest()[:12]
        work = folder / f".ingest-{digest}"
        for stale in folder.glob(".ingest-*"):
            if stale.name != work.name:
                storage.remove(stale)
        records = _ingest_parts(source, work, align, frame, progress)
        manifest, conflicts = _manifest(source, records, work / "faces.zarr", seed)
        facts = DatasetFacts(
            dataset=name,
            fingerprint=_fingerprint(manifest, digest),
            images=len(manifest),
            status={str(key): int(value) for key, value in manifest["status"].value_counts().items()},
            conflicts=conflicts,
            configuration=configuration,
            fetched=fetched_fingerprint(name),
        )
        facts_path.unlink(missing_ok=True)  # where it exists, the two that are replaced now are complete
        storage.put_folder(work / "faces.zarr", folder / "faces.zarr")
        storage.write_whole(folder / "manifest.parquet", manifest.to_parquet(index=False))
        storage.write_whole(facts_path, json.dumps(facts.as_json(), indent=1).encode())
        storage.remove(work)
    return facts


def _earlier_frame(facts_path: Location) -> tuple[int, int]:
    """Frame of an earlier ingest, so that one that is done again need not be told."""
    try:
        return DatasetFacts.model_validate_json(facts_path.read_bytes()).configuration.frame
    except (FileNotFoundError, ValidationError):
        return alignment.FRAME


def _earlier(dataset: Dataset, source: Source, configuration: IngestOptions) -> DatasetFacts | None:
    """What an earlier ingest found, where it was done like this one and is whole; else it is done anew."""
    try:
        facts, manifest = dataset.facts, dataset.manifest
    except UserError:
        return None
    # A manifest of an earlier version may lack what is known of the images now; its faces are the same.
    columns = set(source.images.columns) - {"token", "bytes"}
    return facts if facts.configuration == configuration and columns <= set(manifest.columns) else None


def _fingerprint(manifest: pd.DataFrame, digest: str) -> str:
    rows = manifest[["image_id", "hash", "label", "split", "status"]].astype("string")
    return hashlib.sha256(
        pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes() + digest.encode()
    ).hexdigest()


def _ingest_parts(source: Source, work: Location, align: str, frame: tuple[int, int], progress: bool) -> pd.DataFrame:
    """Fill the cube in ``work`` part by part and return one record per image."""
    names = source.images["source_path"].tolist()
    cube = work / "faces.zarr"
    if not (cube / "faces" / "zarr.json").exists():
        storage.remove(work)  # parts' tables without the cube they belong to: a run was killed as it put the cube away
        _create_cube(cube, (len(names), *frame, 3))
    parts = [(start, names[start : start + PART]) for start in range(0, len(names), PART)]
    _drop_damaged_parts(work)
    with _single_threaded_opencv():
        compute.run(
            partial(_ingest_part, without_tables(source), work, align, frame),
            parts,
            description=f"Ingesting {source.name} in parts of {PART}",
            unit="part",
            progress=progress,
        )
    tables = [parquet.read_table(io.BytesIO(_part_path(work, start).read_bytes())) for start, _ in parts]
    return pa.concat_tables(tables, promote_options="permissive").to_pandas(ignore_metadata=True)


def _drop_damaged_parts(work: Location) -> None:
    """Remove the tables of parts that a failing disk left damaged, or without their faces: these are done again."""
    stored = stored_chunks(work / "faces.zarr")
    for path in work.glob("part-*.parquet"):
        try:
            faces = "ok" in parquet.read_table(io.BytesIO(path.read_bytes()), columns=["status"])["status"].to_pylist()
        except (pa.ArrowException, OSError, KeyError):
            path.unlink()
            continue
        if faces and int(path.stem.removeprefix("part-")) // PART not in stored:
            path.unlink()


@contextlib.contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Without OpenCV's own threads: every core has a part to work on, and threads within threads cost a fifth."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _create_cube(cube: Location, shape: tuple[int, ...]) -> None:
    """Write the description of a cube without faces."""
    if isinstance(cube, Path):
        with storage.replacing(cube) as new:
            _describe_cube(new, shape)
    else:
        _describe_cube(cube, shape)


def _describe_cube(cube: Location, shape: tuple[int, ...]) -> None:
    zarr.open_group(storage.zarr_store(cube), mode="w", zarr_format=3).create_array(
        "faces",
        shape=shape,
        chunks=(PART, *shape[1:]),
        dtype="uint8",
        compressors=(_CODEC, _CHECKSUM),
        dimension_names=("image", "y", "x", "channel"),
    )


def _part_path(work: Location, start: int) -> Location:
    return work / f"part-{start:09d}.parquet"


def _ingest_part(
    source: Source, work: Location, align: str, frame: tuple[int, int], part: tuple[int, list[str]]
) -> None:
    """Write the faces of one part to its chunk of the cube, then its table: where that exists the part is complete."""
    start, names = part
    target = _part_path(work, start)
    with storage.access(target):
        if target.exists():
            return
    block = np.zeros((len(names), *frame, 3), dtype=np.uint8)
    records = [_record(source, name, align, face) for name, face in zip(names, block, strict=True)]
    usable = [i for i, record in enumerate(records) if record["status"] == "ok"]
    for i, measures in zip(usable, measure_faces(alignment.to_usual_frame(block[usable])), strict=True):
        records[i] |= measures
    table = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(records), table)
    with storage.access(target):
        faces = zarr.open_array(storage.zarr_store(work / "faces.zarr"), path="faces", mode="r+")
        faces[start : start + len(names)] = block
        chunk = work / "faces.zarr" / "faces" / "c" / str(start // PART) / "0" / "0" / "0"
        if isinstance(chunk, Path) and chunk.exists():
            switch.flush(chunk)  # before the table that says that it is there
        storage.write_whole(target, table.getvalue())


def _record(source: Source, path: str, align: str, out: np.ndarray) -> dict[str, Any]:
    """Describe one image and put its aligned face into ``out``; a broken file is described, never raised."""
    record: dict[str, Any] = dict.fromkeys(
        ("width", "height", "brightness", "contrast", "sharpness", "hash", "phash", "aligned_by", "reason")
    )
    record["status"] = "broken"
    try:
        data = source.read(path)
        record["hash"] = hashlib.sha256(data).hexdigest()
        record["width"], record["height"], aligned_by, face = decoding.call(
            _aligned, data, align, source.aligned, out.shape[:2]
        )
    except (PhotoError, OSError) as error:
        return record | {"reason": str(error)}
    if face is None:
        return record | {"status": "no_face", "reason": "the detector found no face"}
    out[:] = face
    return record | {"status": "ok", "aligned_by": aligned_by}


def _aligned(
    data: bytes, align: str, in_frame: bool, frame: tuple[int, int]
) -> tuple[int, int, str | None, np.ndarray | None]:
    """Width and height of an image, what its face was aligned by and its face in the frame; None where it has none."""
    photo = read_photo(data)
    with only_photo_errors():
        faces = detect_faces(photo.pixels) if align == "detect" else []
        if faces:
            return photo.width, photo.height, "landmarks", alignment.align_face(photo.pixels, faces[0].landmarks, frame)
        if in_frame:
            return photo.width, photo.height, "source", alignment.fit_frame(photo.pixels, frame)
    return photo.width, photo.height, None, None


def _manifest(source: Source, records: pd.DataFrame, cube: Location, seed: int) -> tuple[pd.DataFrame, Conflicts]:
    manifest = pd.concat([source.images.reset_index(drop=True), records], axis=1)
    manifest = manifest.drop(columns=["token", "bytes"])
    faces = zarr.open_array(storage.zarr_store(cube), path="faces", mode="r")
    # Faces that are compared lie all over the cube: its chunks are decoded one by one, which is no slower on a disk and
    # takes a fraction of the memory of ten at once.
    with contextlib.nullcontext() if paths.is_remote(cube) else zarr.config.set({"async.concurrency": 1}):
        return resolve_splits(manifest, UsualFrame(faces), seed=seed)
