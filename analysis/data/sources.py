"""Sources of images: an archive or a folder, on disk or in a bucket, with its metadata files; read in place. ::

    register("~/faces/gender.zip", "celeba")         # writes data/celeba/source.json
    register("s3://bucket/faces.zip", "far")         # any URL of fsspec's; read in ranges, not downloaded
    source = open_source("celeba")
    source.images                                    # a table, one row per image
    source.read("Dataset/Train/Female/000001.jpg")   # the file's bytes

Images are in a folder or in a zip or tar archive, which may be in another archive. They have a layout that
`analysis.data.layouts` recognises by the names of folders and files, or a table of labels beside them; see
`analysis.data.label_table`.

CelebA's tables (``list_attr_celeba``, ``list_eval_partition``, ``identity_CelebA``; .csv or .txt) are found inside the
source, beside it (as files, or in a zip whose name contains "metadata"), or at the paths that ``register`` is given.

Compressed tar archives, and archives in archives, are unpacked once, to ``data/NAME/unpacked``.
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
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.words import counted, quoted
from analysis.data.archives import Store, names_matching, open_store
from analysis.data.celeba_tables import (
    celeba_columns,
    containers,
    is_table,
    join_tables,
    read_tables,
    tables_beside,
    tables_inside,
)
from analysis.data.label_table import PATTERN as LABEL_TABLE
from analysis.data.label_table import PLAIN_NAME, LabelTable, celeba_ids, has_labels, read_label_table
from analysis.data.layouts import EXPECTED, Kind, columns, recognise
from analysis.data.unpacking import clear_unpacked, open_images

KAGGLE_DATASET = "ashishjangra27/gender-recognition-200k-images-celeba"
KAGGLE_METADATA = "jessicali9530/celeba-dataset"  # the same images with CelebA's tables, of which those are taken

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
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
        One row per image, sorted by ``source_path``: ``image_id`` (file name; the whole ``source_path`` where the file
        name occurs twice), ``label`` ("female" or "male"), ``split`` ("train", "validation", "test" or <NA>),
        ``identity`` (Int64), ``age`` (Int64, years), ``race`` (string), a nullable boolean column for each attribute
        that the metadata gives, the further columns of a table of labels, ``celeba_identity`` (Int64, where CelebA's
        identity file says so: the same person in every data set that has the column), ``source_path``, ``bytes``
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
            If the bucket that holds the file cannot be reached, which says nothing about the file.
        """
        try:
            with storage.access(self._store.path):
                return self._store.read(source_path)
        except FileNotFoundError as error:
            raise KeyError(source_path) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(f"{source_path} in {self._store.path} is damaged: {error}") from error


def without_tables(source: Source) -> Source:
    """Return a source without tables and notes, which is all that another process needs to read images."""
    return replace(source, images=source.images.iloc[:0], metadata=None, notes=())


def register(path: str | Path, name: str, metadata: Sequence[str | Path] = ()) -> Location:
    """Record where the images of a data set are, after checking that they can be read; nothing is copied.

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
        If the name is not valid, nothing is at a path, a bucket cannot be reached, a zip is damaged, or no layout fits.
    """
    _check_name(name)
    given = paths.parse_location(path)
    note = paths.data_folder(name) / "source.json"
    storage.check_writable(note)
    try:
        facts = _facts(name, note, given, metadata)
    except UserError:
        clear_unpacked(note)
        raise
    with storage.access(note):
        storage.write_whole(note, (json.dumps(facts, indent=2) + "\n").encode())
    clear_unpacked(note)
    return note


def _facts(name: str, note: Location, given: Location, metadata: Sequence[str | Path]) -> dict[str, Any]:
    """Content of the note on a data set; raises if anything is wrong with the data set."""
    *outer, (store, entries) = open_images(given, note.parent)
    kind = _kind_of(store, entries, tables=bool(metadata))
    if kind == "utkface" and metadata:
        raise UserError("UTKFace's file names hold all that is known of its images: omit --metadata")
    tables: list[Location] = []
    if kind == "folders" and metadata:
        raise UserError("CelebA's tables belong to CelebA's images, named NNNNNN.jpg: omit --metadata")
    if kind == "table" and metadata and _celeba_ids_of(store, entries) is None:
        raise UserError("CelebA's tables belong to CelebA's images: omit --metadata, or add a column celeba_id")
    if kind not in ("utkface", "folders"):
        with storage.access(store.path):
            tables = containers([paths.parse_location(path) for path in metadata]) or tables_inside(store, entries)
            for holder, held in reversed(outer):
                tables = tables or tables_inside(holder, held)
            tables = tables or tables_beside(given)
    if kind == "celeba" and not tables and _label_tables(store, entries):
        _label_table(store, entries)  # names are numbers, but the table is not CelebA's: raises what it lacks
    source = _build(name, kind, store, entries, tables)
    facts = {"images": str(store.path), "metadata": [str(path) for path in tables], "kind": kind}
    facts["fingerprint"] = source.fingerprint
    return facts if store.path == given else facts | {"unpacked_from": str(given)}


def how_to_fetch(name: str) -> str:
    """Name the command that brings a data set: "run `meanface fetch PATH --name NAME`"."""
    return f"run `meanface fetch {_FETCH.get(name, f'PATH --name {name}')}`"


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
    again = how_to_fetch(name)
    try:
        with storage.access(note):
            facts = json.loads(note.read_text(encoding="utf-8"))
        images, *tables = (paths.parse_location(text) for text in (facts["images"], *facts["metadata"]))
        kind = facts["kind"]
        again = again.replace("PATH", facts.get("unpacked_from", "PATH"))
    except FileNotFoundError:
        raise UserError(f"no data set is called {name}: {again}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{note} is damaged: {again}") from None
    for file in (images, *tables):
        with storage.access(file):
            if not file.exists():
                raise UserError(f"the data set {name} has lost {file}: put it back, or {again}")
    with storage.access(images):
        store = open_store(images)
        entries = store.entries()
    source = _build(name, kind, store, entries, tables)
    for line in source.notes:
        _log.warning("%s: %s", name, line)
    return source


def fetched_fingerprint(name: str) -> str | None:
    """Fingerprint of a registered data set as it was when it was fetched; None where that is not known."""
    note = paths.data_folder(name) / "source.json"
    with storage.access(note):
        try:
            fingerprint = json.loads(note.read_text(encoding="utf-8")).get("fingerprint")
        except (FileNotFoundError, ValueError, AttributeError):
            return None  # it was ingested elsewhere, or whoever reads the source tells of the damage
    return str(fingerprint) if fingerprint else None


def fetch_kaggle(name: str, dataset: str = KAGGLE_DATASET) -> Location:
    """Download a data set from Kaggle into ``data/NAME/raw`` and register it; an interrupted download is resumed.

    For the standard data set, CelebA's attribute and partition files are downloaded from another one; if that fails, a
    warning is logged and the study has no attributes.

    Parameters
    ----------
    name
        As in `register`.
    dataset
        Kaggle's name of the data set, ``owner/data-set``.

    Returns
    -------
    pathlib.Path or upath.UPath
        As from `register`.

    Raises
    ------
    UserError
        Without the kaggle package, credentials, permission or network; the message says which and what to do.
    """
    from analysis.data import kaggle  # noqa: PLC0415 - serving does without Kaggle's package

    _check_name(name)
    raw = paths.disk_folder(name) / "raw"
    archive = kaggle.download_archive(dataset, raw)
    if dataset == KAGGLE_DATASET:
        for table in ("list_attr_celeba.csv", "list_eval_partition.csv"):
            try:
                kaggle.download_file(KAGGLE_METADATA, table, raw)
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
    path = paths.PACKAGES / "analysis" / "demo-faces.zip"
    if not path.exists():
        raise UserError(f"{path} is missing: install meanface again, or check out the whole repository")
    return path


def default_name(source: str) -> str:
    """Default name of a data set: the name of its file or folder, without the endings of archives."""
    last = re.split(r"[/\\]", source.rstrip("/\\"))[-1]
    last = re.sub(r"(?i)(?:\.(?:zip|tar|gz|bz2|xz|zst|lz4|tgz|tbz2?|txz|tzst))+$", "", last)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{quoted(name)} is not a valid name for a data set: use letters, digits, dots, dashes and underscores, "
            "by --name"
        )


def _label_tables(store: Store, entries: pa.Table) -> list[str]:
    """Files called like a table of labels: first the outermost that is one, of several copies the one with its name."""
    named = sorted(
        names_matching(entries, LABEL_TABLE),
        key=lambda name: (name.count("/"), not PLAIN_NAME.search(name), len(name), name),
    )
    best = next((name for name in named if has_labels(name, store.read(name))), None)
    return named if best is None else [best, *(name for name in named if name != best)]


def _label_table(store: Store, entries: pa.Table) -> tuple[LabelTable, bytes]:
    """The outermost table of labels, checked, and its bytes."""
    names = _label_tables(store, entries)
    if not names:
        raise UserError(f"{store.path} has lost its table of labels: put labels.csv back beside the images")
    content = store.read(names[0])
    return read_label_table(names[0], content), content


def _celeba_ids_of(store: Store, entries: pa.Table) -> pd.Series | None:
    table, _ = _label_table(store, entries)
    return celeba_ids(table.rows, table.further)


def _kind_of(store: Store, entries: pa.Table, *, tables: bool) -> Kind:
    """Return the layout of the image files; a table of labels goes before names of files and folders."""
    images = entries.filter(entries["photo"])
    if not len(images):
        others = entries["source_path"].to_pylist()
        held = f" (it holds {quoted(min(others))})" if others else ""
        raise UserError(f"{store.path} holds no images{held}: {EXPECTED}")
    label_tables = _label_tables(store, entries)
    if label_tables and has_labels(label_tables[0], store.read(label_tables[0])):
        return "table"
    try:
        return recognise(images["source_path"], str(store.path), tables=tables)
    except UserError:
        if label_tables:
            _label_table(store, entries)  # a table is all that there is, and says what it lacks
        raise


def _build(name: str, kind: Kind, store: Store, entries: pa.Table, tables: Sequence[Location]) -> Source:
    """Put images and metadata together."""
    files = entries.filter(entries["photo"]).drop_columns("photo").sort_by("source_path")
    known = read_tables(tables)
    digest = hashlib.sha256()
    metadata = None
    notes: list[str] = []
    if kind == "table":
        labels, content = _label_table(store, entries)
        images, notes = _join_labels(files, labels, known)
        digest.update(content)
    else:
        images, kept_out = columns(files, kind, str(store.path))
        if kept_out:
            example = quoted(kept_out[0])
            paths = "its path does" if len(kept_out) == 1 else "their paths do"
            notes.append(
                f"{counted(len(kept_out), 'image')} kept out: {paths} not follow the layout (such as {example})"
            )
    if kind in ("kaggle", "celeba"):
        metadata, images, more = join_tables(images, kind, store, known)
        notes += more
    if images.empty:
        raise UserError(f"{store.path} holds no images that can be labelled: {EXPECTED}")
    notes += [f"left out: {line}" for line in _left_out(store, entries)]

    facts = files.set_column(1, "bytes", files["bytes"].cast(pa.string()))
    for column in facts.columns:
        digest.update("\n".join(column.to_pylist()).encode() + b"\0")
    for table, (_, content) in sorted(known.items()):
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


def _left_out(store: Store, entries: pa.Table) -> list[str]:
    """What of a source is not used, one line for each reason."""
    others = entries.filter(pc.invert(entries["photo"]))["source_path"].to_pylist()
    for name in others:
        if not is_table(name) and not re.search(LABEL_TABLE, name):
            store.left_out.add("file that is not a photo", "files that are not photos", name)
    return store.left_out.lines()


def _join_labels(
    entries: pa.Table, table: LabelTable, contents: dict[str, tuple[str, bytes]]
) -> tuple[pd.DataFrame, list[str]]:
    """Join images with the table of labels, and with CelebA's attributes where it names CelebA's images."""
    files = entries.to_pandas()
    images = table.rows.merge(files, on="source_path", how="inner").sort_values("source_path", ignore_index=True)
    if images.empty:
        example = repr(table.rows["source_path"].iloc[0]) if len(table.rows) else "no row at all"
        raise UserError(f"the table of labels names no image that is here (it has {example}): paths start at the table")
    notes = []
    if lost := len(table.rows) - len(images):
        gone = table.rows.loc[~table.rows["source_path"].isin(files["source_path"]), "source_path"].iloc[0]
        rows = counted(lost, "row of the table of labels has", "rows of the table of labels have")
        notes.append(f"{rows} no image (such as {gone!r})")
    if unknown := len(files) - len(images):
        other = files.loc[~files["source_path"].isin(table.rows["source_path"]), "source_path"].iloc[0]
        row = "no row for " + ("it" if unknown == 1 else "them")
        notes.append(f"{counted(unknown, 'image')} kept out: the table of labels has {row} (such as {other!r})")
    images.insert(0, "image_id", images["source_path"].str.replace(r"^.*/", "", regex=True).astype("str"))
    ids = celeba_ids(images, table.further)
    if ids is not None:
        columns = celeba_columns(ids, contents)
        images = pd.concat([images, columns[[name for name in columns if name not in images]]], axis=1)
    first = ["image_id", "label", "split", "identity", "age", "race"]
    last = ["source_path", "bytes", "token"]
    between = [name for name in images.columns if name not in (*first, *last)]
    return images[[*first, *between, *last]], notes
