"""Composite faces: averages of a face and its nearest neighbours, which look like portraits but show no real person.

The repository ships them as its demo data set, since it contains no photo of a person.
"""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, LABELS, MIN_FACES
from analysis.data.dataset import Dataset

MEMBERS = 24  # faces in a composite; never fewer than `MIN_FACES`
COMPONENTS = 160
PER_LABEL = {"train": 140, "validation": 30, "test": 30}
_SIZE = (178, 218)  # width and height of a CelebA image
_QUALITY = 88


def compose(dataset: Dataset, target: Path, *, seed: int = 0) -> pd.DataFrame:
    """Make a data set of composites and write it as a zip with the layout of Kaggle's archive.

    Each composite averages one face and its nearest neighbours of the same label and split, no two of the same
    person, in the space of the first principal components. Attributes are those that most of its members have.
    As no face is in two splits, no composite shares a face with one of another split.

    Parameters
    ----------
    dataset
        Data set with identities, labels and splits.
    target
        Path of the zip file.
    seed
        Random seed.

    Returns
    -------
    pandas.DataFrame
        ``image_id, label, split`` and attributes of each composite.

    Raises
    ------
    UserError
        If the data set has no identities, too few people for a composite, or the file cannot be written.
    """
    storage.check_writable(target)
    manifest = dataset.manifest
    if "identity" not in manifest or manifest["identity"].isna().all():
        raise UserError(f"{dataset.name!r} has no identities: composites need members who are different people")
    rows = np.flatnonzero(dataset.usable & manifest["identity"].notna().to_numpy())
    faces = dataset.faces
    rng = np.random.default_rng(seed)
    space = similarity_space(faces, rows, seed)
    records, images = [], []
    jobs = [(label, split) for split in PER_LABEL for label in LABELS]
    for label, split in tqdm(jobs, desc="Composing", unit="group"):
        wanted = (manifest["label"].iloc[rows] == label) & (manifest["split"].iloc[rows] == split)
        inside = np.flatnonzero(wanted.to_numpy())
        for members in nearest_members(space[inside], manifest["identity"].iloc[rows[inside]], PER_LABEL[split], rng):
            chosen = rows[inside[members]]
            mean = faces.isel(image=np.sort(chosen)).to_numpy().astype(np.float32).mean(axis=0)
            images.append(cv2.resize(mean, _SIZE, interpolation=cv2.INTER_CUBIC).clip(0, 255).round().astype("uint8"))
            attributes = {
                attribute: bool(manifest[attribute].iloc[chosen].astype(float).mean() > 0.5)
                for attribute in CELEBA_ATTRIBUTES
                if attribute in manifest
            }
            records.append({"label": label, "split": split, **attributes})
    table = pd.DataFrame(records)
    table.insert(0, "image_id", [f"{number:06d}.jpg" for number in range(1, len(table) + 1)])
    with storage.replacing(target) as new:
        _write(new, table, images)
    return table


def similarity_space(faces: xr.DataArray, rows: np.ndarray, seed: int) -> np.ndarray:
    """Principal components of faces at half size, a space in which similar faces are close.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    rows
        Rows of ``faces`` to place in the space.
    seed
        Random seed of the decomposition.

    Returns
    -------
    numpy.ndarray
        float32 (row, component).
    """
    pixels = faces[rows].to_numpy()
    half = np.stack([cv2.resize(face, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for face in pixels])
    count = min(COMPONENTS, len(rows) - 1)
    return PCA(count, svd_solver="randomized", random_state=seed).fit_transform(
        half.reshape(len(rows), -1).astype(np.float32)
    )


def nearest_members(space: np.ndarray, identity: pd.Series, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Members of composites: a seed face first, then its nearest neighbours of other people.

    Parameters
    ----------
    space
        float (face, component), from `similarity_space`.
    identity
        Identity of each face.
    count
        Number of composites.
    rng
        Random generator of the seed faces.

    Returns
    -------
    list of numpy.ndarray
        16 to 24 rows of ``space`` for each composite.

    Raises
    ------
    UserError
        If there are too few people.
    """
    if identity.nunique() < MEMBERS:
        raise UserError(f"a composite needs {MEMBERS} people of one label and split: ingest more images")
    people = identity.to_numpy()
    neighbours = NearestNeighbors(n_neighbors=min(len(space), 4 * MEMBERS)).fit(space)
    # Seed faces in random order, those that are members already last: composites differ as much as the data allows.
    used = np.zeros(len(space), dtype=int)
    composites = []
    for _ in range(count):
        seeds = np.flatnonzero(used == used.min())
        start = int(rng.choice(seeds))
        order = neighbours.kneighbors(space[start : start + 1], return_distance=False)[0]
        _, first = np.unique(people[order], return_index=True)
        members = order[np.sort(first)][:MEMBERS]
        if len(members) < MIN_FACES:
            raise UserError("too few different people among the nearest faces: ingest more images")
        used[members] += 1
        composites.append(members)
    return composites


def _write(path: Path, table: pd.DataFrame, images: list[np.ndarray]) -> None:
    folders = {"train": "Train", "validation": "Validation", "test": "Test"}
    attributes = table.drop(columns=["split"]).copy()
    attributes["Male"] = attributes.pop("label") == "male"
    attributes[attributes.columns[1:]] = attributes[attributes.columns[1:]].astype(int) * 2 - 1
    partition = pd.DataFrame({"image_id": table["image_id"], "partition": table["split"].map(list(folders).index)})
    identity = "".join(f"{image_id} {number}\n" for number, image_id in enumerate(table["image_id"], start=1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, data: bytes | str) -> None:
            # A fixed date: the same composites give the same file.
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)

        for row, image in zip(table.itertuples(), images, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=_QUALITY)
            add(f"Dataset/{folders[row.split]}/{row.label.title()}/{row.image_id}", buffer.getvalue())
        add("list_attr_celeba.csv", attributes.to_csv(index=False))
        add("list_eval_partition.csv", partition.to_csv(index=False))
        add("identity_CelebA.txt", identity)
