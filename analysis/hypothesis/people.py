"""Faces as rows of colour values, one row per photo or per person: the input of every test of the hypothesis.

Colours are CIELAB, in which equal distances look about equally different: L* is lightness in [0, 100], a* runs from
green to red and b* from blue to yellow, both about -100 to 100.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.errors import UserError
from analysis.core.people import person_names
from analysis.core.schema import LABELS
from analysis.data.cube import blocks
from analysis.hypothesis.matrix import Columns, Matrix, Rows

CHANNELS = ("L", "a", "b")
MOST_PEOPLE = 12_000  # more than CelebA has; a larger data set is sampled, so that the test takes minutes, not hours
MOST_PHOTOS = 24_000
_AT_ONCE = 1 << 28  # bytes of the people who are averaged in one pass over the faces


def lab(faces: np.ndarray) -> np.ndarray:
    """Convert faces to CIELAB.

    Parameters
    ----------
    faces
        uint8 (n, y, x, 3), RGB.

    Returns
    -------
    numpy.ndarray
        float32 (n, 3, y, x): L* in [0, 100], a*, b*.
    """
    n, height, width = faces.shape[:3]
    strip = faces.reshape(n * height, width, 3).astype(np.float32) / 255
    colours = cv2.cvtColor(strip, cv2.COLOR_RGB2LAB).reshape(n, height, width, 3)
    return np.ascontiguousarray(np.moveaxis(colours, -1, 1))


@dataclass(frozen=True)
class People:
    """One image per person.

    Attributes
    ----------
    images
        float32 (person, channel * pixel), on disk or an array: mean CIELAB colours of the person's photos.
    male
        bool (person,): the person's label.
    shape
        (y, x) of an image.
    mixed
        Number of people left out because their photos have both labels.
    left_out
        Number of people left out because there are more than `MOST_PEOPLE`.
    """

    images: Columns
    male: np.ndarray
    shape: tuple[int, int]
    mixed: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Photos:
    """Photos at half size, with their rows of the manifest.

    Attributes
    ----------
    images
        float32 (photo, channel * pixel), on disk or an array: CIELAB colours.
    table
        The manifest's rows of these photos, with ``person`` (a number) and ``kept``: whether all photos of the person
        have the same label.
    shape
        (y, x) of an image.
    """

    images: Matrix | np.ndarray
    table: pd.DataFrame
    shape: tuple[int, int]

    @property
    def male(self) -> np.ndarray:
        """Bool (photo,): the photo's label."""
        return (self.table["label"] == "male").to_numpy()

    def one_per_person(self, rng: np.random.Generator) -> np.ndarray:
        """Draw one photo of each person whose photos all have the same label: sorted row numbers."""
        shuffled = rng.permutation(np.flatnonzero(self.table["kept"]))
        _, first = np.unique(self.table["person"].to_numpy()[shuffled], return_index=True)
        return np.sort(shuffled[first])

    def by_person(self, rows: np.ndarray | None = None) -> People:
        """Average the photos of each person, in all rows or in some; people with both labels are left out.

        Raises
        ------
        UserError
            If a label has fewer than two people.
        """
        chosen = self.table["kept"].to_numpy() & (True if rows is None else rows)
        codes, _ = pd.factorize(self.table.loc[chosen, "person"])
        male = pd.Series(self.male[chosen]).groupby(codes).first().to_numpy(dtype=bool)
        check_labels(male)
        if len(male) == chosen.sum():  # one photo per person: nothing to average
            return People(Rows(self.images, chosen), male, self.shape)
        return People(Rows(self.images, chosen, codes), male, self.shape)


def check_labels(male: np.ndarray) -> None:
    """Refuse a subset that is too small for a comparison.

    Raises
    ------
    UserError
        If it is empty, has a single person, or fewer than two people of a label.
    """
    if len(male) == 0:
        raise UserError("the subset is empty: choose one that holds faces of both labels")
    if len(male) == 1:
        raise UserError("the subset holds a single person: the test needs at least two people of each label")
    counts = {"female": int((~male).sum()), "male": int(male.sum())}
    for label, count in counts.items():
        if count < 2:
            who = "nobody is" if count == 0 else "a single person is"
            raise UserError(
                f"{who} labelled {label}: the test needs at least two people of each label, choose a larger subset"
            )


def usable_photos(manifest: pd.DataFrame) -> pd.DataFrame:
    """Usable rows of a manifest.

    Parameters
    ----------
    manifest
        As in `average_by_person`.

    Returns
    -------
    pandas.DataFrame
        The rows of status "ok", with ``row`` (position in the manifest), ``person`` (text) and ``kept``: whether all
        photos of the person have the same label.

    Raises
    ------
    UserError
        If a column is missing or a label is unknown.
    """
    missing = {"image_id", "label", "status"} - set(manifest.columns)
    if missing:
        raise UserError(f"the manifest lacks {', '.join(sorted(missing))}: run `meanface ingest` again")
    unknown = sorted(set(manifest["label"].dropna().astype(str)) - set(LABELS))
    if unknown:
        raise UserError(f"the manifest has the label {unknown[0]!r}, expected female or male: ingest again")
    used = manifest.reset_index(drop=True)
    used = used[used["status"] == "ok"].assign(row=lambda rows: rows.index)
    used["person"] = person_names(used)
    used["kept"] = used.groupby("person")["label"].transform("nunique") == 1
    return used


def sample_photos(used: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of at most `MOST_PHOTOS` photos: one of each person first, then others at random.

    Parameters
    ----------
    used
        From `usable_photos`.
    rng
        Random generator of the sample.
    """
    if len(used) <= MOST_PHOTOS:
        return used
    shuffled = used.iloc[rng.permutation(len(used))]
    first = ~shuffled["person"].duplicated()
    return pd.concat([shuffled[first], shuffled[~first]]).head(MOST_PHOTOS).sort_values("row")


def average_by_person(
    faces: xr.DataArray,
    manifest: pd.DataFrame,
    *,
    rng: np.random.Generator | None = None,
    scratch: Path | None = None,
    progress: bool = False,
) -> People:
    """Average the photos of each person, as many people at a time as fit into memory.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel).
    manifest
        Rows as in ``faces``, with ``label``, ``status`` and, where known, ``identity``; an image without an identity
        counts as a person of its own.
    rng
        Random generator of the sample, where there are more than `MOST_PEOPLE`; default: one seeded with 0.
    scratch
        Folder for the averages, which are kept on disk; default: that of temporary files.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    People

    Raises
    ------
    UserError
        If a label has fewer than two people or the manifest is malformed.
    """
    used = usable_photos(manifest)
    mixed = used.loc[~used["kept"], "person"].nunique()
    used = used[used["kept"]]
    names = used["person"].unique()
    if len(names) > MOST_PEOPLE:
        drawn = (rng or np.random.default_rng(0)).choice(len(names), MOST_PEOPLE, replace=False)
        used = used[used["person"].isin(names[np.sort(drawn)])]
    elif mixed and not len(names):
        raise UserError("everybody has photos of both labels: check the identities, or leave them out")
    codes, kept = pd.factorize(used["person"])
    male = (used["label"] == "male").groupby(codes).first().to_numpy(dtype=bool)
    check_labels(male)
    of_row = np.full(len(manifest), -1)
    of_row[used["row"]] = codes
    height, width = faces.shape[1:3]
    values = len(CHANNELS) * height * width
    images = Matrix(values, scratch)
    count = np.bincount(codes, minlength=len(kept)).astype(np.float32)[:, None]
    step = max(1, _AT_ONCE // (4 * values))
    for first in range(0, len(kept), step):
        total = np.zeros((min(step, len(kept) - first), values), dtype=np.float32)
        here = (of_row >= first) & (of_row < first + step)
        for start, block in blocks(faces, "Averaging people" if progress else None, here):
            chosen = here[start : start + len(block)]
            people = of_row[start : start + len(block)][chosen] - first
            np.add.at(total, people, lab(block[chosen]).reshape(len(people), -1))
        total /= count[first : first + step]
        images.append(total)
    return People(images, male, (height, width), int(mixed), len(names) - len(kept))


def read_photos(
    faces: xr.DataArray,
    manifest: pd.DataFrame,
    *,
    rng: np.random.Generator,
    scratch: Path | None = None,
    progress: bool = False,
) -> Photos:
    """Read photos at half size.

    Of more than `MOST_PHOTOS` a sample is read: one photo of each person first, then others at random.

    Parameters
    ----------
    faces, manifest, scratch, progress
        As in `average_by_person`.
    rng
        Random generator of the sample.

    Returns
    -------
    Photos

    Raises
    ------
    UserError
        If no image is usable or the manifest is malformed.
    """
    used = usable_photos(manifest)
    if used.empty:
        raise UserError("the subset is empty: no image of the manifest is usable")
    used = sample_photos(used, rng)
    height, width = (size // 2 for size in faces.shape[1:3])
    images = Matrix(len(CHANNELS) * height * width, scratch)
    wanted = np.zeros(len(manifest), dtype=bool)
    wanted[used["row"]] = True
    for start, block in blocks(faces, "Reading photos" if progress else None, wanted):
        colours = lab(block[wanted[start : start + len(block)]])
        small = np.empty((len(colours), len(CHANNELS), height, width), dtype=np.float32)
        for large, into in zip(colours.reshape(-1, *colours.shape[2:]), small.reshape(-1, height, width), strict=True):
            cv2.resize(large, (width, height), dst=into, interpolation=cv2.INTER_AREA)
        images.append(small.reshape(len(small), -1))
    codes, _ = pd.factorize(used["person"])
    table = used.assign(person=codes).drop(columns="row").reset_index(drop=True)
    return Photos(images, table, (height, width))
