"""Layouts of data sets that are recognised by the names of folders and files, and near misses of them.

The layouts, below any other folders:

- *folders*: ``male/`` and ``female/`` (or man/woman, men/women, m/f, in any case), alone or with ``train/``,
  ``val/`` and ``test/`` (or training, valid, validation, dev, testing) above or within them;
- *kaggle*: the same with CelebA's file names, ``NNNNNN.jpg``, and with splits: CelebA's frame and tables;
- *celeba*: ``NNNNNN.jpg`` in one folder, or in one for each split, with labels from CelebA's attribute file;
- *utkface*: ``AGE_GENDER_RACE_DATE.jpg`` or ``....jpg.chip.jpg``, where GENDER 0 is male and 1 is female.

A source that nearly has a layout, such as a folder ``femle`` beside ``male``, is refused with a message that says what
was found and what is expected.
"""

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Literal

import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc

from analysis.core.errors import UserError
from analysis.core.schema import RACES
from analysis.core.words import printable, quoted
from analysis.data.label_table import LABELS, SPLITS

Kind = Literal["kaggle", "folders", "celeba", "utkface", "table"]

UTKFACE_LABELS = ("male", "female")  # by code: the opposite of CelebA's Male

EXPECTED = (
    "expected folders male and female (or men and women, m and f), with or without train, validation and test; "
    "img_align_celeba/NNNNNN.jpg with list_attr_celeba.csv; UTKFace's AGE_GENDER_RACE_DATE.jpg; or any images with a "
    "labels.csv that has the columns file and label"
)

# Patterns of RE2, for names of files.
_UTKFACE = r"(?:^|/)(?P<age>\d{1,3})_(?P<label>[01])_(?P<race>[0-4])_\d{8,}[^/\d][^/]*$"
_NUMBER = r"(?:^|/)\d{6}\.[^/.]+$"
_OLDEST = 116  # years, in UTKFace
_ALIKE = 0.75  # of difflib's ratio: names closer to a known one count as typing errors
_SHOWN = 4  # folders that a message lists


@dataclass(frozen=True)
class Place:
    """Label ("female", "male" or None) and split (or None) of an image, from the names of its folders."""

    label: str | None
    split: str | None


def recognise(paths: pa.ChunkedArray, where: str, *, tables: bool = False) -> Kind:
    """Return the layout that image files follow.

    Parameters
    ----------
    paths
        Paths of all images, with slashes.
    where
        Name of the source in messages.
    tables
        Whether the user gives CelebA's tables for these images.

    Raises
    ------
    UserError
        If they follow no layout, or nearly follow one; the message says what was found and what is expected.
    """
    images = len(paths)
    folders = Counter(_folders(paths).to_pylist())
    if 2 * _count(paths, _UTKFACE) > images:
        return "utkface"
    places = _places(folders, where)
    labelled = pa.array([folder for folder, place in places.items() if place.label])
    if len(labelled):
        numbered = _count(paths.filter(pc.is_in(_folders(paths), labelled)), _NUMBER)
        with_split = any(place.split for place in places.values())
        images_labelled = sum(folders[folder] for folder in labelled.to_pylist())
        is_celeba = 10 * numbered >= 9 * images_labelled and (with_split or tables)
        return "kaggle" if is_celeba else "folders"
    if 2 * _count(paths, _NUMBER) > images:
        _check_celeba(folders, where)
        return "celeba"
    raise UserError(
        f"{where} has no known layout: it holds {_listed(folders)}, such as {quoted(paths[0].as_py())}; {EXPECTED}"
    )


def columns(files: pa.Table, kind: Kind, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Labels, splits, identities and so on from the paths of images.

    Parameters
    ----------
    files
        ``source_path``, ``bytes`` and ``token`` of all images, sorted.
    kind
        Result of `recognise`.
    where
        Name of the source in messages.

    Returns
    -------
    images : pandas.DataFrame
        One row per image that follows the layout: ``image_id``, ``label``, ``split``, ``identity``, ``age``, ``race``,
        ``source_path``, ``bytes``, ``token``.
    kept_out : list of str
        Paths of the other images.
    """
    paths = files["source_path"]
    unknown = pd.Series([pd.NA] * len(paths), dtype="string")
    label, split, age, race = unknown.astype("str"), unknown, unknown.astype("Int64"), unknown
    if kind == "utkface":
        parts = pc.extract_regex(paths, _UTKFACE)
        years = pc.cast(pc.struct_field(parts, "age"), pa.int64())
        fits = pc.fill_null(pc.and_(pc.greater_equal(years, 1), pc.less_equal(years, _OLDEST)), False)
        label = _field(parts, "label").map(dict(zip("01", UTKFACE_LABELS, strict=True))).astype("str")
        race = _field(parts, "race").map(dict(zip("01234", RACES, strict=True))).astype("string")
        age = _field(parts, "age").astype("Int64")
    else:
        numbered = pc.match_substring_regex(paths, _NUMBER)
        folders = _folders(paths)
        places = _places(Counter((folders.filter(numbered) if kind == "celeba" else folders).to_pylist()), where)
        of_folder = folders.to_pandas().astype("str")
        label = of_folder.map({folder: place.label for folder, place in places.items()}).astype("str")
        split = of_folder.map({folder: place.split for folder, place in places.items()}).astype("string")
        fits = numbered if kind == "celeba" else pa.array(label.notna().to_numpy())
    images = pd.DataFrame(
        {
            "image_id": pc.replace_substring_regex(paths, r"^.*/", "").to_pandas().astype("str"),
            "label": label,
            "split": split,
            "identity": unknown.astype("Int64"),
            "age": age,
            "race": race,
            "source_path": paths.to_pandas().astype("str"),
            "bytes": files["bytes"].to_pandas(),
            "token": files["token"].to_pandas().astype("str"),
        }
    )
    kept = fits.to_numpy(zero_copy_only=False)
    return images[kept].reset_index(drop=True), images.loc[~kept, "source_path"].tolist()


def _field(parts: pa.ChunkedArray, name: str) -> pd.Series:
    return pc.struct_field(parts, name).to_pandas().astype("str")


def _count(paths: pa.ChunkedArray, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(paths, pattern)).as_py() or 0)


def _folders(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring_regex(paths, r"/?[^/]*$", "")


def _places(folders: Counter[str], where: str) -> dict[str, Place]:
    """Label and split of the images in each folder.

    The split is the nearest folder named like one. A name that is the same for all images and not next to the folder
    of the label says nothing about the split, as in ``test/faces/male``.
    """
    children = _children(folders)
    places = {}
    touching = False
    for folder in folders:
        labels, splits = _words(folder, children)
        if len(set(labels.values())) > 1:
            raise UserError(f"{where} has folders of both labels within each other ({quoted(folder)}): {EXPECTED}")
        places[folder] = Place(next(iter(labels.values()), None), splits[max(splits)] if splits else None)
        touching |= any(abs(label - split) == 1 for label in labels for split in splits)
    labelled = {folder: place for folder, place in places.items() if place.label}
    if len({place.split for place in (labelled or places).values()}) == 1 and not touching:
        places = labelled = {folder: Place(place.label, None) for folder, place in places.items()}
    _check_labels({folder for folder in labelled if places[folder].label}, children, folders, where)
    _check_splits(labelled or places, folders, where)
    return places


def _children(folders: Counter[str]) -> dict[str, set[str]]:
    """Names of the folders in each folder; only folders that hold images, at any depth."""
    children: dict[str, set[str]] = {}
    for folder in folders:
        path = PurePosixPath(folder)
        for ancestor in (path, *path.parents):
            if ancestor.name:
                children.setdefault(str(ancestor.parent), set()).add(ancestor.name)
    return children


def _words(folder: str, children: dict[str, set[str]]) -> tuple[dict[int, str], dict[int, str]]:
    """Labels and splits among the names of the folders of a path, by depth."""
    labels, splits = {}, {}
    path = PurePosixPath(folder)
    for depth, name in enumerate(path.parts):
        word = _word(name)
        parent = str(PurePosixPath(*path.parts[:depth]))
        # Single letters are labels only without other letters beside them: folders a, b, c ... are not labels.
        if word in LABELS and (len(word) > 1 or {_word(child) for child in children[parent]} <= {"m", "f"}):
            labels[depth] = LABELS[word]
        elif word in SPLITS:
            splits[depth] = SPLITS[word]
    return labels, splits


def _word(name: str) -> str:
    return name.strip().lower()


def _check_labels(labelled: set[str], children: dict[str, set[str]], folders: Counter[str], where: str) -> None:
    """Refuse a folder of one label beside folders that are not labels: the name of the other label is unknown."""
    for inner in {_label_folder(folder) for folder in labelled}:
        beside = children[str(inner.parent)]
        known = {name: LABELS[_word(name)] for name in beside if _word(name) in LABELS}
        strange = sorted(name for name in beside if name not in known and _word(name) not in SPLITS)
        if strange and len(set(known.values())) == 1:
            name = (_near(strange, LABELS) or strange)[0]
            at = inner.parent / name
            images = sum(count for folder, count in folders.items() if PurePosixPath(folder).is_relative_to(at))
            raise UserError(
                f"{where} has the folder {quoted(name)} ({images:,} images) beside {quoted(inner.name)}, which "
                f"is neither label: {EXPECTED}"
            )


def _label_folder(folder: str) -> PurePosixPath:
    path = PurePosixPath(folder)
    return next(ancestor for ancestor in (path, *path.parents) if _word(ancestor.name) in LABELS)


def _check_splits(places: dict[str, Place], folders: Counter[str], where: str) -> None:
    """Refuse a source of which only a part is in splits."""
    without = [folder for folder, place in places.items() if place.split is None]
    if without and len(without) < len(places):
        images = sum(folders[folder] for folder in without)
        splits = ", ".join(sorted({place.split for place in places.values() if place.split}))
        raise UserError(
            f"{where} has images in splits ({splits}), but {images:,} in none ({quoted(without[0] or '.')}): "
            "give all a split (train, training, val, valid, validation, dev, test), or none"
        )


def _check_celeba(folders: Counter[str], where: str) -> None:
    """Refuse folders that resemble folders of splits and labels if CelebA's table would label their files."""
    for parent, names in _children(folders).items():
        beside = sorted(names)
        in_split = any(_word(part) in SPLITS for part in PurePosixPath(parent).parts)
        if (
            len(beside) > 1
            and not any(_word(name) in SPLITS for name in beside)
            and (in_split or len(_near(beside, LABELS)) > 1)
        ):
            listed = ", ".join(map(quoted, beside[:_SHOWN]))
            raise UserError(
                f"{where} has the folders {listed} in {quoted(parent)}, which are neither labels nor splits: {EXPECTED}"
            )


def _near(names: list[str], words: dict[str, str]) -> list[str]:
    return [name for name in names if get_close_matches(_word(name), words, 1, _ALIKE)]


def _listed(folders: Counter[str]) -> str:
    """Images by folder, as in "40 images in train/a, 20 in train/b and 3 other folders"."""
    most = folders.most_common(_SHOWN)
    parts = [f"{count:,} in {printable(name) or 'its top folder'}" for name, count in most]
    parts[0] = parts[0].replace(" in ", " images in ", 1)
    rest = len(folders) - len(most)
    return ", ".join(parts) + (f" and {rest:,} other folders" if rest else "")
