"""Where images come from: a zip or a folder, on disk or in a bucket, and the metadata files that belong to it.

Knows the layouts of CelebA's copies and of UTKFace and what their file names and tables mean; knows nothing of pixels,
and copies nothing: a registered source is read in place. ::

    register("~/faces/gender.zip", "celeba")         # writes data/celeba/source.json
    register("s3://bucket/faces.zip", "far")         # any URL of fsspec's; read in ranges, not downloaded
    source = open_source("celeba")
    source.images                                    # a table, one row an image
    source.read("Dataset/Train/Female/000001.jpg")   # the file's bytes

Layouts, in a zip or a folder, below any other folders:

- *kaggle*: ``{Train,Validation,Test}/{Male,Female}/NNNNNN.jpg``, the archive's own split and label;
- *celeba*: ``img_align_celeba/NNNNNN.jpg``, where CelebA's attribute file gives the label;
- *utkface*: ``AGE_GENDER_RACE_DATE.jpg`` or ``....jpg.chip.jpg``, where GENDER 0 is male and 1 is female;
- *table*: any names, with a table of labels beside them; see `analysis.label_table`.

CelebA's tables (``list_attr_celeba``, ``list_eval_partition``, ``identity_CelebA``; .csv or .txt) are found inside the
source, beside it (as files, or in a zip whose name contains "metadata"), or where ``register`` is told.
"""

import hashlib
import json
import logging
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv

from analysis import paths
from analysis.errors import UserError
from analysis.label_table import PATTERN as LABEL_TABLE
from analysis.label_table import LabelTable, celeba_ids, has_labels, read_label_table
from analysis.paths import Location
from analysis.stores import Place, Store, Zip, ZipPart, open_store

Kind = Literal["kaggle", "celeba", "utkface", "table"]

KAGGLE_DATASET = "ashishjangra27/gender-recognition-200k-images-celeba"
KAGGLE_METADATA = "jessicali9530/celeba-dataset"  # the same images with CelebA's tables, of which those are taken

# CelebA's own names and order; its fortieth attribute, Male, is the label.
CELEBA_ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
UTKFACE_RACES = ("White", "Black", "Asian", "Indian", "Other")  # by code
UTKFACE_LABELS = ("male", "female")  # by code: the other way round than CelebA's Male
OFFICIAL_SPLITS = ("train", "validation", "test")  # by code of list_eval_partition

EXPECTED = (
    "expected {Train,Validation,Test}/{Male,Female}/NNNNNN.jpg, img_align_celeba/NNNNNN.jpg with list_attr_celeba.csv, "
    "UTKFace's AGE_GENDER_RACE_DATE.jpg, or any images with a labels.csv that has the columns file and label"
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Patterns of RE2, for paths inside a source.
_IMAGE = r"(?i)\.(?:jpe?g|png|webp)$"
_LAYOUTS: dict[Kind, str] = {
    "kaggle": r"(?i)(?:^|/)(?P<split>train|validation|test)/(?P<label>male|female)/[^/]+$",
    "utkface": r"(?:^|/)(?P<age>\d{1,3})_(?P<label>[01])_(?P<race>[0-4])_\d{8,}[^/\d][^/]*$",
    "celeba": r"(?:^|/)(?P<number>\d{6})\.[^/.]+$",
}
_TABLES = {
    "attributes": r"(?i)(?:^|/)list_attr_celeba\.(?:csv|txt)$",
    "partition": r"(?i)(?:^|/)list_eval_partition\.(?:csv|txt)$",
    "identity": r"(?i)(?:^|/)identity_celeba\.(?:csv|txt)$",
}
_FETCH = {"demo": "demo", "celeba": "kaggle --name celeba"}  # how the data sets with a known origin are brought

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A registered data set as it lies on disk.

    Attributes
    ----------
    name
        Name of the data set.
    kind
        Layout it was recognised by.
    aligned
        Whether faces already lie in CelebA's frame.
    images
        One row an image, sorted by ``source_path``: ``image_id`` (file name; the whole ``source_path`` where the file
        name occurs twice), ``label`` ("female" or "male"), ``split`` ("train", "validation", "test" or <NA>),
        ``identity`` (Int64), ``age`` (Int64, years), ``race`` (string), a nullable boolean column for each attribute
        that the metadata gives, the further columns of a table of labels, ``celeba_identity`` (Int64, where CelebA's
        identity file tells it: the same person in every data set that has the column), ``source_path``, ``bytes``
        (int64) and ``token`` (changes with the content: CRC-32 in a zip, modification time and size in a folder). What
        is not known is <NA>.
    metadata
        All rows of CelebA's attribute file, whether their image is here or not: ``image_id``, ``label``, the
        attributes, ``identity`` and ``split`` (CelebA's official one). None without an attribute file.
    fingerprint
        SHA-256 (hexadecimal) of the images' paths, sizes and tokens and of the metadata files.
    notes
        What a reader should know of this source, one line each: files kept out, labels that contradict each other.
    """

    name: str
    kind: Kind
    aligned: bool
    images: pd.DataFrame
    metadata: pd.DataFrame | None
    fingerprint: str
    notes: tuple[str, ...]
    _store: Store = field(repr=False)

    def read(self, source_path: str) -> bytes:
        """Content of one image file; may be called from many threads.

        Raises
        ------
        KeyError
            If the source has no such file.
        OSError
            If the file cannot be read, or a zip's entry is damaged.
        UserError
            If the bucket that holds the file cannot be reached: that tells nothing of the file.
        """
        try:
            with paths.reaching(self._store.path):
                return self._store.read(source_path)
        except FileNotFoundError as error:
            raise KeyError(source_path) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(f"{source_path} in {self._store.path} is damaged: {error}") from error

    @property
    def remote(self) -> bool:
        """Whether the images are not on this machine's disk."""
        return paths.is_remote(self._store.path)

    def places(self, source_paths: Sequence[str]) -> dict[str, Place]:
        """Where images lie in a zip on disk, for `at`; empty where that helps nobody."""
        return self._store.places(source_paths) if isinstance(self._store, Zip) else {}

    def at(self, places: dict[str, Place]) -> "Source":
        """Return the source as one that reads the images at ``places`` without a zip's directory."""
        return replace(self, _store=ZipPart(self._store, places)) if isinstance(self._store, Zip) and places else self


def without_tables(source: Source) -> Source:
    """Return what another process needs to read images: a source with neither its tables nor its notes."""
    return replace(source, images=source.images.iloc[:0], metadata=None, notes=())


def register(path: str | Path, name: str, metadata: Sequence[str | Path] = ()) -> Location:
    """Note where the images of a data set lie, after a look that they can be read; nothing is copied.

    Parameters
    ----------
    path
        Zip archive or folder in one of the known layouts, or a folder that holds one such zip; a path, or a URL that
        fsspec understands.
    name
        What to call the data set: letters, digits, dots, dashes and underscores.
    metadata
        CelebA's tables, or folders or zips that hold them, where they are neither inside ``path`` nor beside it.

    Returns
    -------
    pathlib.Path or upath.UPath
        The note, ``data/NAME/source.json``.

    Raises
    ------
    UserError
        If the name is no name, nothing is at a path, a bucket cannot be reached, a zip is damaged, or no layout fits.
    """
    _check_name(name)
    place = paths.locate(path)
    with paths.reaching(place):
        store, entries = _locate(place)
    kind = _kind_of(store, entries)
    if kind == "utkface" and metadata:
        raise UserError("UTKFace tells all it knows in its file names: leave the metadata away")
    tables: list[Location] = []
    if kind == "table" and metadata and _celeba_ids_of(store, entries) is None:
        raise UserError("CelebA's tables belong to CelebA's images: leave them away, or add a column celeba_id")
    if kind != "utkface":
        with paths.reaching(place):
            tables = _containers([paths.locate(each) for each in metadata]) or _inside(store, entries) or _beside(store)
    _build(name, kind, store, entries, tables)  # raises what there is to say against it
    note = paths.data_folder(name) / "source.json"
    facts = {"images": str(store.path), "metadata": [str(each) for each in tables], "kind": kind}
    with paths.reaching(note):
        paths.write_whole(note, (json.dumps(facts, indent=2) + "\n").encode())
    return note


def open_source(name: str) -> Source:
    """Open a registered data set; notes on it are logged as warnings and kept in ``Source.notes``.

    Raises
    ------
    UserError
        If no data set has this name, its images or metadata have gone or changed their layout, or a bucket cannot be
        reached.
    """
    _check_name(name)
    note = paths.data_folder(name) / "source.json"
    again = f"run `meanface fetch {_FETCH.get(name, f'PATH --name {name}')}`"
    try:
        with paths.reaching(note):
            facts = json.loads(note.read_text(encoding="utf-8"))
        places, kind = [paths.locate(each) for each in (facts["images"], *facts["metadata"])], facts["kind"]
    except FileNotFoundError:
        raise UserError(f"no data set is called {name}: {again}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{note} is damaged: {again}") from None
    for each in places:
        with paths.reaching(each):
            if not each.exists():
                raise UserError(f"the data set {name} has lost {each}: put it back, or {again}")
    with paths.reaching(places[0]):
        store = open_store(places[0])
        entries = store.entries()
    source = _build(name, kind, store, entries, places[1:])
    for line in source.notes:
        _log.warning("%s: %s", name, line)
    return source


def fetch_kaggle(name: str, dataset: str = KAGGLE_DATASET) -> Location:
    """Download a data set from Kaggle into ``data/NAME/raw`` and register it; a download that was cut is gone on with.

    With the standard data set come CelebA's attribute and partition files, from another data set; without them a
    warning is logged and the study does without attributes.

    Parameters
    ----------
    name
        What to call the data set.
    dataset
        Kaggle's name for it, ``owner/data-set``.

    Returns
    -------
    pathlib.Path or upath.UPath
        The note, ``data/NAME/source.json``.

    Raises
    ------
    UserError
        Without the kaggle package, credentials, permission or network; the message says which and what to do.
    """
    from analysis import kaggle_download  # noqa: PLC0415 - serving does without Kaggle's package

    _check_name(name)
    raw = paths.disk_folder(name) / "raw"
    archive = kaggle_download.download_archive(dataset, raw)
    if dataset == KAGGLE_DATASET:
        for table in ("list_attr_celeba.csv", "list_eval_partition.csv"):
            try:
                kaggle_download.download_file(KAGGLE_METADATA, table, raw)
            except UserError as error:
                _log.warning("%s: without %s (%s)", name, table, error)
    return register(archive, name)


def demo_source() -> Path:
    """Return the shipped demo faces, a zip in the Kaggle layout: composites, no photo of a person.

    Raises
    ------
    UserError
        If this installation lacks the file.
    """
    path = paths.PROJECT / "analysis" / "demo-faces.zip"
    if not path.exists():
        raise UserError(f"{path} is missing: install meanface again, or check out the whole repository")
    return path


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for a data set: use letters, digits, dots, dashes and underscores")


def _matching(entries: pa.Table, pattern: str) -> pa.Table:
    return entries.filter(pc.match_substring_regex(entries["source_path"], pattern))


def _names(entries: pa.Table, pattern: str) -> list[str]:
    return sorted(_matching(entries, pattern)["source_path"].to_pylist())


def _locate(path: Location) -> tuple[Store, pa.Table]:
    """Return the zip or the folder that holds the images, ``path`` or the one zip of images in it, and its files."""
    if not path.exists():
        raise UserError(f"nothing is at {path}: give a zip archive or a folder of faces")
    store = open_store(path)
    entries = store.entries()
    if isinstance(store, Zip) or len(_matching(entries, _IMAGE)):
        return store, entries
    archives = [Zip(path / name) for name in _names(entries, r"(?i)\.zip$")]
    found = [(each, each.entries()) for each in archives]
    found = [(each, inside) for each, inside in found if len(_matching(inside, _IMAGE))]
    if len(found) > 1:
        names = ", ".join(each.path.name for each, _ in found)
        raise UserError(f"{path} holds several archives of images ({names}): give one of them")
    if not found:
        raise UserError(f"{path} holds no images: {EXPECTED}")
    return found[0]


def _label_tables(entries: pa.Table) -> list[str]:
    """Tables of labels, the outermost first."""
    return sorted(_names(entries, LABEL_TABLE), key=lambda name: (name.count("/"), name))


def _label_table(store: Store, entries: pa.Table) -> tuple[LabelTable, bytes]:
    """The outermost table of labels, checked, and its bytes."""
    names = _label_tables(entries)
    if not names:
        raise UserError(f"{store.path} has lost its table of labels: put labels.csv back beside the images")
    content = store.read(names[0])
    return read_label_table(names[0], content), content


def _celeba_ids_of(store: Store, entries: pa.Table) -> pd.Series | None:
    table, _ = _label_table(store, entries)
    return celeba_ids(table.rows, table.further)


def _kind_of(store: Store, entries: pa.Table) -> Kind:
    """Return the layout that most of the image files follow; a table of labels goes before names of files."""
    images = _matching(entries, _IMAGE)
    if not len(images):
        raise UserError(f"{store.path} holds no images: {EXPECTED}")
    tables = _label_tables(entries)
    if tables and has_labels(tables[0], store.read(tables[0])):
        return "table"
    fits = {kind: len(_matching(images, pattern)) for kind, pattern in _LAYOUTS.items()}
    kind = max(fits, key=lambda each: fits[each])  # the Kaggle layout's files are named as CelebA's: it comes first
    if not fits[kind] and tables:
        _label_table(store, entries)  # a table is all that there is, and says what it lacks
    if not fits[kind]:
        example = images["source_path"][0].as_py()
        raise UserError(f"{store.path} has no layout that is known here (it holds {example!r}): {EXPECTED}")
    return kind


def _tables_in(entries: pa.Table) -> dict[str, str]:
    """Path of each of CelebA's tables among ``entries``; the first in the alphabet of several."""
    found = {table: _names(entries, pattern) for table, pattern in _TABLES.items()}
    return {table: names[0] for table, names in found.items() if names}


def _table_of(path: Location) -> str | None:
    return next((table for table, pattern in _TABLES.items() if re.search(pattern, path.name)), None)


def _containers(given: Sequence[Location]) -> list[Location]:
    """Files and zips of metadata among what the user named; raises where there is none."""
    found: list[Location] = []
    for path in given:
        if not path.exists():
            raise UserError(f"nothing is at {path}: give list_attr_celeba.csv, or a folder or zip that holds it")
        if path.is_dir():
            here = [path / name for name in _tables_in(open_store(path).entries()).values()]
        elif path.suffix.lower() == ".zip":
            here = [path] if _tables_in(Zip(path).entries()) else []
        else:
            here = [path] if _table_of(path) else []
        if not here:
            expected = "list_attr_celeba.csv, list_eval_partition.csv or identity_CelebA.txt"
            raise UserError(f"{path} is no metadata of CelebA: expected {expected}")
        found += here
    return found


def _inside(store: Store, entries: pa.Table) -> list[Location]:
    names = _tables_in(entries).values()
    if isinstance(store, Zip):
        return [store.path] if names else []
    return [store.path / name for name in names]


def _beside(store: Store) -> list[Location]:
    around = store.path.parent
    names = sorted(each.name for each in around.iterdir() if each.name != store.path.name)
    files = [around / name for name in names if _table_of(around / name)]
    zips = [around / name for name in names if re.search(r"(?i)metadata.*\.zip$", name)]
    found = [each for each in files if each.is_file()]
    return found or [each for each in zips if _is_zip(each) and _tables_in(Zip(each).entries())]


def _is_zip(path: Location) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return zipfile.is_zipfile(file)


def _build(name: str, kind: Kind, store: Store, entries: pa.Table, tables: Sequence[Location]) -> Source:
    """Put images and metadata together."""
    found = _matching(entries, _IMAGE).sort_by("source_path")
    contents = _read_tables(tables)
    digest = hashlib.sha256()
    metadata = None
    notes: list[str] = []
    if kind == "table":
        labels, content = _label_table(store, entries)
        images, notes = _join_labels(found, labels, contents)
        digest.update(content)
    else:
        images, kept_out = _rows(found, kind)
        if kept_out:
            example = kept_out[0]
            notes.append(f"{len(kept_out)} images kept out: their names do not follow the layout (such as {example!r})")
    if kind in ("kaggle", "celeba"):
        metadata, images, more = _join(images, kind, store, contents)
        notes += more
    if images.empty:
        raise UserError(f"{store.path} holds no images that can be labelled: {EXPECTED}")

    facts = found.set_column(1, "bytes", found["bytes"].cast(pa.string()))
    for column in facts.columns:
        digest.update("\n".join(column.to_pylist()).encode() + b"\0")
    for table, (_, content) in sorted(contents.items()):
        digest.update(table.encode() + hashlib.sha256(content).digest())

    twice = images["image_id"].duplicated(keep=False)
    if twice.any():
        images["image_id"] = images["image_id"].mask(twice, images["source_path"])
        notes.append(f"{int(twice.sum())} images share their file name with another: they go by their whole path")
    return Source(
        name=name,
        kind=kind,
        aligned=kind in ("kaggle", "celeba"),
        images=images.reset_index(drop=True),
        metadata=metadata,
        fingerprint=digest.hexdigest(),
        notes=tuple(notes),
        _store=store,
    )


def _rows(found: pa.Table, kind: Kind) -> tuple[pd.DataFrame, list[str]]:
    """What paths alone tell of the images: the columns of ``Source.images``, and the paths that do not fit."""
    parts = pc.extract_regex(found["source_path"], _LAYOUTS[kind])
    fits = pc.is_valid(parts)
    if kind == "utkface":
        age = pc.cast(pc.struct_field(parts, "age"), pa.int64())
        fits = pc.and_(fits, pc.fill_null(pc.and_(pc.greater_equal(age, 1), pc.less_equal(age, 116)), False))
    kept_out = found.filter(pc.invert(fits))["source_path"].to_pylist()
    found, parts = found.filter(fits), parts.filter(fits)
    path = found["source_path"].to_pandas().astype("str")

    def part(field: str) -> pd.Series:
        return pc.utf8_lower(pc.struct_field(parts, field)).to_pandas().astype("str")

    unknown = pd.Series([pd.NA] * len(path), dtype="string")
    label, split, age_, race = unknown.astype("str"), unknown, unknown.astype("Int64"), unknown
    if kind == "kaggle":
        label, split = part("label"), part("split").astype("string")
    if kind == "utkface":
        label = part("label").map(dict(zip("01", UTKFACE_LABELS, strict=True))).astype("str")
        race = part("race").map(dict(zip("01234", UTKFACE_RACES, strict=True))).astype("string")
        age_ = part("age").astype("Int64")
    images = pd.DataFrame(
        {
            "image_id": pc.replace_substring_regex(found["source_path"], r"^.*/", "").to_pandas().astype("str"),
            "label": label,
            "split": split,
            "identity": unknown.astype("Int64"),
            "age": age_,
            "race": race,
            "source_path": path,
            "bytes": found["bytes"].to_pandas(),
            "token": found["token"].to_pandas().astype("str"),
        }
    )
    return images, kept_out


def _join_labels(
    found: pa.Table, table: LabelTable, contents: dict[str, tuple[str, bytes]]
) -> tuple[pd.DataFrame, list[str]]:
    """Give images what the table of labels says, and CelebA's attributes to those that name CelebA's image."""
    files = found.to_pandas()
    images = table.rows.merge(files, on="source_path", how="inner").sort_values("source_path", ignore_index=True)
    notes = []
    if lost := len(table.rows) - len(images):
        gone = table.rows.loc[~table.rows["source_path"].isin(files["source_path"]), "source_path"].iloc[0]
        notes.append(f"{lost} rows of the table of labels have no image (such as {gone!r})")
    if unknown := len(files) - len(images):
        other = files.loc[~files["source_path"].isin(table.rows["source_path"]), "source_path"].iloc[0]
        notes.append(f"{unknown} images kept out: the table of labels has no row for them (such as {other!r})")
    images.insert(0, "image_id", images["source_path"].str.replace(r"^.*/", "", regex=True).astype("str"))
    ids = celeba_ids(images, table.further)
    if ids is not None and "attributes" in contents:
        metadata = _attribute_table(*contents["attributes"])
        row = _lookup(contents["attributes"][0], pa.array(metadata["image_id"]), ids.fillna(""))
        for name in (each for each in CELEBA_ATTRIBUTES if each in metadata and each not in images):
            images[name] = pd.arrays.BooleanArray(_bools(metadata[name])[row], row < 0)
    if ids is not None:
        people = pd.DataFrame({"image_id": ids.fillna("")})
        _add_identity(people, contents)
        if "identity" in people:
            images["celeba_identity"] = people["identity"]
    first = ["image_id", "label", "split", "identity", "age", "race"]
    last = ["source_path", "bytes", "token"]
    between = [name for name in images.columns if name not in (*first, *last)]
    return images[[*first, *between, *last]], notes


def _read_tables(containers: Sequence[Location]) -> dict[str, tuple[str, bytes]]:
    """Name and content of each metadata table; the first of several wins."""
    tables: dict[str, tuple[str, bytes]] = {}
    for path in containers:
        if path.suffix.lower() == ".zip":
            store: Store = Zip(path)
            here = _tables_in(store.entries())
        else:
            store, here = open_store(path.parent), {_table_of(path) or "": path.name}
        for table, name in here.items():
            if table not in tables:
                try:
                    with paths.reaching(path):
                        tables[table] = (f"{path}", store.read(name))
                except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                    raise UserError(f"{name} of {path} cannot be read ({error}): copy it again") from None
    return tables


def _parse(where: str, content: bytes, columns: Sequence[str] | None) -> pa.Table:
    """Rows of a comma- or space-separated table whose first column is the image id.

    ``columns`` names those of a table that may come without a header; None takes the names from the header, which
    in CelebA's .txt is the second line, after a count, and lacks the image id.
    """
    content = content.replace(b"\r", b"")
    first = content[: content.find(b"\n")] if b"\n" in content else content
    try:
        if b"," in first:
            headless = columns is not None and re.search(_IMAGE, first.split(b",")[0].decode())
            options = csv.ReadOptions(column_names=list(columns) if columns and headless else None)
            table = csv.read_csv(pa.BufferReader(content), options)
            return table if columns is None else table.rename_columns(list(columns))
        while b"  " in content:
            content = content.replace(b"  ", b" ")
        content = content.replace(b" \n", b"\n")
        if columns is None:
            _, header, content = content.split(b"\n", 2)
            columns = ["image_id", *header.decode().split()]
        options = csv.ReadOptions(column_names=list(columns))
        return csv.read_csv(pa.BufferReader(content), options, csv.ParseOptions(delimiter=" "))
    except (pa.ArrowInvalid, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"the metadata in {where} cannot be read ({reason}): expected CelebA's own table") from None


def _keys(names: pa.ChunkedArray | pd.Series) -> pa.ChunkedArray | pa.Array:
    """File names without their ending: what images and metadata are joined by."""
    names = pa.array(names, type=pa.string()) if isinstance(names, pd.Series) else names.cast(pa.string())
    return pc.replace_substring_regex(names, r"\.[^.]*$", "")


def _lookup(where: str, ids: pa.ChunkedArray, wanted: pd.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Row of each wanted image in a table, -1 where there is none."""
    if not len(ids):
        raise UserError(f"the metadata in {where} has no rows: expected one for each image")
    known = _keys(ids)
    if len(pc.unique(known)) < len(known):
        raise UserError(f"the metadata in {where} lists an image twice: expected one row each")
    if isinstance(known, pa.ChunkedArray):
        known = known.combine_chunks()
    rows = pc.fill_null(pc.index_in(_keys(wanted), value_set=known), -1)
    return rows.to_numpy(zero_copy_only=False).astype("int64")


def _codes(where: str, column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    if not pa.types.is_integer(column.type) or column.null_count:
        raise UserError(f"the metadata in {where} holds something other than whole numbers: expected CelebA's codes")
    return column.to_numpy().astype("int64")


def _join(
    images: pd.DataFrame, kind: Kind, store: Store, contents: dict[str, tuple[str, bytes]]
) -> tuple[pd.DataFrame | None, pd.DataFrame, list[str]]:
    """Give images, and CelebA's attribute table, what the metadata tables say."""
    notes: list[str] = []
    metadata = _attribute_table(*contents["attributes"]) if "attributes" in contents else None
    if metadata is None and kind == "celeba":
        raise UserError(f"{store.path} has no labels: put list_attr_celeba.csv beside it, or name it as metadata")

    for each in [images] if metadata is None else [images, metadata]:
        _add_identity(each, contents)
        if each is metadata or kind == "celeba":  # the Kaggle archive's own split wins
            _add_split(each, contents)

    if "identity" in contents:
        images.insert(images.columns.get_loc("source_path"), "celeba_identity", images["identity"])
    if metadata is None:
        return None, images, notes
    row = _lookup(contents["attributes"][0], pa.array(metadata["image_id"]), images["image_id"])
    known = row >= 0
    told = np.where(known, metadata["label"].to_numpy(dtype=object)[row], None)
    if kind == "celeba":
        if not known.all():
            notes.append(f"{int((~known).sum())} images kept out: the attribute file has no row for them")
        images["label"] = pd.Series(told, dtype="str")
    else:
        against = int((known & (told != images["label"].to_numpy(dtype=object))).sum())
        if against:
            notes.append(f"{against} images lie in a folder that contradicts the attribute file: the folder wins")
        if not known.all():
            notes.append(f"{int((~known).sum())} images have no row in the attribute file")
    attributes = [each for each in CELEBA_ATTRIBUTES if each in metadata]
    given = {each: pd.arrays.BooleanArray(_bools(metadata[each])[row], ~known) for each in attributes}
    place = images.columns.get_loc("source_path")
    front, back = images.iloc[:, :place], images.iloc[:, place:]
    images = pd.concat([front, pd.DataFrame(given, index=images.index), back], axis=1)
    return metadata, images[known].reset_index(drop=True) if kind == "celeba" else images, notes


def _add_identity(table: pd.DataFrame, contents: dict[str, tuple[str, bytes]]) -> None:
    if "identity" in contents:
        where, content = contents["identity"]
        people = _parse(where, content, ["image_id", "identity"])
        row = _lookup(where, people["image_id"], table["image_id"])
        table["identity"] = pd.arrays.IntegerArray(_codes(where, people["identity"])[row], row < 0)


def _add_split(table: pd.DataFrame, contents: dict[str, tuple[str, bytes]]) -> None:
    if "partition" in contents:
        where, content = contents["partition"]
        partition = _parse(where, content, ["image_id", "split"])
        code = _codes(where, partition["split"])
        if not np.isin(code, (0, 1, 2)).all():
            raise UserError(f"the partition in {where} holds codes other than 0, 1 and 2: expected CelebA's own")
        row = _lookup(where, partition["image_id"], table["image_id"])
        names = pd.array([*OFFICIAL_SPLITS, None], dtype="string")
        table["split"] = names.take(np.where(row < 0, len(OFFICIAL_SPLITS), code[row]))


def _bools(column: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return column.to_numpy(dtype=bool)


def _attribute_table(where: str, content: bytes) -> pd.DataFrame:
    """CelebA's attribute file: ``image_id, label``, the attributes (boolean), ``identity`` and ``split`` (<NA>)."""
    table = _parse(where, content, None)
    if "image_id" not in table.column_names or "Male" not in table.column_names or not len(table):
        raise UserError(f"the attribute file in {where} lacks image_id or Male: expected list_attr_celeba.csv")
    values = {}
    for column in ("Male", *(each for each in CELEBA_ATTRIBUTES if each in table.column_names)):
        codes = _codes(where, table[column])
        if not np.isin(codes, (-1, 0, 1)).all():
            raise UserError(f"the attribute file in {where} holds codes other than 1 and -1 under {column}")
        values[column] = codes == 1
    male = values.pop("Male")
    rows = len(table)
    known = np.zeros(rows, dtype=bool)
    return pd.DataFrame(
        {
            "image_id": table["image_id"].to_pandas().astype("str"),
            "label": pd.Series(np.where(male, "male", "female"), dtype="str"),
            **{name: pd.arrays.BooleanArray(column, known) for name, column in values.items()},
            "identity": pd.array([None] * rows, dtype="Int64"),
            "split": pd.array([None] * rows, dtype="string"),
        }
    )
