"""Source -> manifest (Parquet) and face cube (Zarr): decode, validate, align, hash, split.

Knows sources and pixels; knows nothing of what is studied later. Every later step reads only what this one writes to
``data/NAME``: ``manifest.parquet`` (a row an image), ``faces.zarr`` (``faces``, uint8, dims image, y, x, channel, in
the manifest's order) and ``ingest.json`` (the data's fingerprint and what was done).
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Literal

import cv2
import dask
import imagehash
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from PIL import Image
from tqdm.dask import TqdmCallback

from analysis import alignment, paths
from analysis.errors import UserError
from analysis.photo import PhotoError, decode_photo
from analysis.sources import Source, open_source
from analysis.splits import resolve_splits

PART = 256  # images a task, and a chunk of the cube: 7.4 MB
_FORMAT = 2  # raised when what a manifest holds changes, so that an older one is made anew


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
        If the data set has not been ingested or the manifest is malformed.
    """
    path = paths.data_folder(name) / "manifest.parquet"
    if not path.exists():
        raise UserError(f"data set {name!r} has no manifest: run `meanface ingest {name}` first")
    try:
        manifest = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: run `meanface ingest {name}` again") from error
    missing = {"image_id", "label", "split", "status", "hash"} - set(manifest.columns)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}: run `meanface ingest {name}` again")
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
    if not path.exists():
        raise UserError(f"data set {name!r} has no face cube: run `meanface ingest {name}` first")
    return xr.open_zarr(path, consolidated=False)["faces"]


def load_facts(name: str) -> dict[str, Any]:
    """Read ``ingest.json``: ``fingerprint``, ``images``, ``align``, ``conflicts`` and more."""
    path = paths.data_folder(name) / "ingest.json"
    if not path.exists():
        raise UserError(f"data set {name!r} is not ingested: run `meanface ingest {name}` first")
    return json.loads(path.read_text(encoding="utf-8"))


def ingest(
    name: str, *, align: Literal["detect", "source"] = "detect", seed: int = 0, progress: bool = True
) -> dict[str, Any]:
    """Bring a fetched data set into a manifest and a face cube.

    Runs on Dask's threads in parts of 256 images. Each finished part is kept until all are done, so that a run that
    was killed continues where it stopped; nothing of an earlier ingest is touched before the new one is complete.

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
        If the data set was not fetched, or ``align="source"`` is asked for images that are not aligned.
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
    facts_path = folder / "ingest.json"
    if facts_path.exists() and json.loads(facts_path.read_text("utf-8"))["configuration"] == configuration:
        return load_facts(name)

    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]
    work = folder / f".ingest-{digest}"
    for stale in folder.glob(".ingest-*"):
        if stale != work:
            shutil.rmtree(stale)
    records = _ingest_parts(source, work, align, progress)
    manifest, conflicts = _manifest(source, records, work / "faces.zarr", seed)

    fingerprint = hashlib.sha256(
        pd.util.hash_pandas_object(
            manifest[["image_id", "hash", "label", "split", "status"]].astype("string"), index=False
        )
        .to_numpy()
        .tobytes()
        + digest.encode()
    ).hexdigest()
    facts = {
        "dataset": name,
        "fingerprint": fingerprint,
        "images": len(manifest),
        "status": {str(key): int(value) for key, value in manifest["status"].value_counts().items()},
        "conflicts": conflicts,
        "configuration": configuration,
    }
    facts_path.unlink(missing_ok=True)  # its presence vouches for the two files that are replaced now
    with paths.replacing(folder / "faces.zarr") as new:
        (work / "faces.zarr").rename(new)
    with paths.replacing(folder / "manifest.parquet") as new:
        manifest.to_parquet(new, index=False)
    with paths.replacing(facts_path) as new:
        new.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    shutil.rmtree(work)
    return facts


def _ingest_parts(source: Source, work: Path, align: str, progress: bool) -> pd.DataFrame:
    """Fill the cube in ``work`` part by part and return one record an image."""
    images = source.images
    shape = (len(images), alignment.FRAME_HEIGHT, alignment.FRAME_WIDTH, 3)
    cube = work / "faces.zarr"
    if not cube.exists():
        work.mkdir(parents=True, exist_ok=True)
        with paths.replacing(cube) as new:
            group = zarr.open_group(new, mode="w", zarr_format=3)
            group.create_array(
                "faces",
                shape=shape,
                chunks=(PART, *shape[1:]),
                dtype="uint8",
                dimension_names=("image", "y", "x", "channel"),
            )
    faces = zarr.open_array(cube / "faces", mode="r+")

    def part(start: int) -> None:
        target = work / f"part-{start:09d}.parquet"
        if target.exists():
            return
        rows = images.iloc[start : start + PART]
        block = np.zeros((len(rows), *shape[1:]), dtype=np.uint8)
        records = [_record(source, path, align, block[i]) for i, path in enumerate(rows["source_path"])]
        faces[start : start + len(rows)] = block
        with paths.replacing(target) as new:
            pd.DataFrame(records).to_parquet(new, index=False)

    starts = range(0, len(images), PART)
    tasks = [dask.delayed(part)(start) for start in starts]
    with TqdmCallback(desc=f"Ingesting {source.name} in parts of {PART}", disable=not progress, unit="part"):
        dask.compute(*tasks, scheduler="threads")
    return pd.concat([pd.read_parquet(work / f"part-{start:09d}.parquet") for start in starts], ignore_index=True)


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
    luma = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
    return record | {
        "status": "ok",
        "brightness": float(luma.mean() / 255),
        "contrast": float(luma.std() / 255),
        "sharpness": float(cv2.Laplacian(luma, cv2.CV_32F).var()),
        "phash": str(imagehash.phash(Image.fromarray(luma))),
    }


def _manifest(source: Source, records: pd.DataFrame, cube: Path, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    manifest = pd.concat([source.images.reset_index(drop=True), records], axis=1)
    manifest = manifest.drop(columns=["token", "bytes"])
    faces = zarr.open_array(cube / "faces", mode="r")
    return resolve_splits(manifest, faces, seed=seed)
