"""CelebA's tables of attributes, people and splits: where they are, what they contain, and how images are joined.

Copies that other programs have written are read as well: with commas, semicolons, tabs or spaces, in UTF-8 or UTF-16,
with or without the count line, a header, an index, leading zeros or ``.jpg``.
"""

import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.schema import CELEBA_ATTRIBUTES, SPLITS
from analysis.core.words import counted, printable, quoted
from analysis.data import texts
from analysis.data.archives import Store, Tar, Zip, names_matching, open_store
from analysis.data.label_table import SPLITS as SPLIT_NAMES

# Names after a download, a copy or an export: list_attr_celeba (1).txt, list_attr_celeba.csv.txt, Copy of ...
_TABLES = {
    "attributes": r"(?i)(?:^|/)[^/]*list_attr[^/]*\.(?:csv|txt|tsv)$",
    "partition": r"(?i)(?:^|/)[^/]*list_eval_partition[^/]*\.(?:csv|txt|tsv)$",
    "identity": r"(?i)(?:^|/)[^/]*identity_celeba[^/]*\.(?:csv|txt|tsv)$",
}
METADATA_ZIP = r"(?i)metadata.*\.zip$"
_EXPECTED = {
    "attributes": "list_attr_celeba: a column image_id and one for each attribute, Male among them, of 1 and -1",
    "partition": "list_eval_partition: a column image_id and one of 0 (train), 1 (validation) and 2 (test)",
    "identity": "identity_CelebA: a column image_id and one of whole numbers, the same for photos of one person",
}
_ID_NAMES = {"imageid", "image", "imagename", "file", "filename", "filenames", "id", "name", "path", "img", "imgid"}
_SHOWN = 6  # names of columns that a message lists


def is_table(name: str) -> bool:
    """Whether a file has the name of one of CelebA's tables."""
    return _table_of(name) is not None


def _table_of(name: str) -> str | None:
    return next((table for table, pattern in _TABLES.items() if re.search(pattern, name)), None)


def _tables_in(entries: pa.Table) -> dict[str, str]:
    """Path of each of CelebA's tables among ``entries``; the one with the shortest name if there are several."""
    matches = {table: names_matching(entries, pattern) for table, pattern in _TABLES.items()}
    return {table: min(names, key=_strangeness) for table, names in matches.items() if names}


def _strangeness(path: str) -> tuple[int, int, str]:
    return len(path.rpartition("/")[2]), path.count("/"), path


def _archive(path: Location) -> Zip | Tar | None:
    """The archive at ``path``; None if it is a table itself."""
    store = open_store(path) if path.suffix.lower() in (".zip", ".tar") else None
    return store if isinstance(store, Zip | Tar) else None


def containers(given: Sequence[Location]) -> list[Location]:
    """Files and archives of metadata in the paths that the user gave; raises if there are none."""
    tables: list[Location] = []
    for path in given:
        if not path.exists():
            raise UserError(f"nothing is at {path}: give list_attr_celeba.csv, or a folder or zip that holds it")
        if path.is_dir():
            here = [path / name for name in _tables_in(open_store(path).entries()).values()]
        elif archive := _archive(path):
            here = [path] if _tables_in(archive.entries()) else []
        else:
            here = [path] if _table_of(path.name) or _table_of_content(path) else []
        if not here:
            expected = "list_attr_celeba.csv, list_eval_partition.csv or identity_CelebA.txt"
            raise UserError(f"{path} is not one of CelebA's tables: expected {expected}")
        tables += here
    return tables


def _table_of_content(path: Location) -> str | None:
    """Which table a file with another name is, by its columns."""
    with storage.access(path), path.open("rb") as file:
        start = texts.as_utf8(str(path), file.read(1 << 16))
    table = _Text(str(path), start[: start.rfind(b"\n") + 1])
    if "male" in map(_plain, table.names or ()):
        return "attributes"
    values = [fields[-1] for fields in map(table.fields, table.body.decode().split("\n")) if len(fields) == 2]
    if len(values) < 2 or not all(re.fullmatch(r"\d+", value) for value in values):
        return None
    return "partition" if set(values) <= {"0", "1", "2"} else "identity"


def tables_inside(store: Store, entries: pa.Table) -> list[Location]:
    """Files of metadata within the source itself, or zips of them; its archive if that contains them."""
    names = _tables_in(entries).values()
    if isinstance(store, Zip | Tar):
        return [store.path] if names else []
    return [store.path / name for name in names] or _metadata_zips(
        store.path / name for name in names_matching(entries, METADATA_ZIP)
    )


def tables_beside(source: Location) -> list[Location]:
    """Files and zips of metadata in the folder that contains a source."""
    around = source.parent
    names = sorted((path.name for path in around.iterdir() if path.name != source.name), key=_strangeness)
    by_table = {_table_of(name): around / name for name in reversed(names) if (around / name).is_file()}
    tables = [by_table[table] for table in _TABLES if table in by_table]
    return tables or _metadata_zips(around / name for name in names if re.search(METADATA_ZIP, name))


def _metadata_zips(named: Iterable[Location]) -> list[Location]:
    """The files that are zips with CelebA's tables in them."""
    return [path for path in named if _is_zip(path) and _tables_in(Zip(path).entries())]


def _is_zip(path: Location) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return zipfile.is_zipfile(file)


def read_tables(containers: Sequence[Location]) -> dict[str, tuple[str, bytes]]:
    """Name and content of each metadata table; the first of several wins."""
    tables: dict[str, tuple[str, bytes]] = {}
    for path in containers:
        if archive := _archive(path):
            store: Store = archive
            here = _tables_in(store.entries())
        else:
            store, here = open_store(path.parent), {_table_of(path.name) or _table_of_content(path) or "": path.name}
        for table, name in here.items():
            if table not in tables:
                try:
                    with storage.access(path):
                        tables[table] = (f"{path}", store.read(name))
                except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                    raise UserError(f"{name} of {path} cannot be read ({error}): copy it again") from None
    return tables


class _Text:
    """A table as text, split into names of columns and rows.

    Attributes
    ----------
    separator
        Separator of columns.
    names
        Names of the columns, one per value of a row; None without a header.
    body
        The rows, UTF-8, without spaces around the separators.
    """

    def __init__(self, where: str, content: bytes) -> None:
        text = texts.as_utf8(where, content).lstrip(b"\n")
        first, text = _cut_line(text)
        if first.lower().startswith("sep="):  # which Excel writes
            first, text = _cut_line(text)
        if re.fullmatch(r"[\s,;|]*\d+[\s,;|]*", first):  # CelebA's count of rows
            first, text = _cut_line(text)
        second = _cut_line(text)[0]
        self.separator = texts.separator(second or first)
        names, row = self.fields(first), self.fields(second or first)
        self.names: list[str] | None = None
        if not _is_row(names):
            self.names = ["image_id", *names] if len(names) == len(row) - 1 and not _id_column(names) else names
            self.body = self._trimmed(text)
        else:
            self.body = self._trimmed(first.encode() + b"\n" + text)
        self.columns = len(row)

    def fields(self, line: str) -> list[str]:
        """Values of a line."""
        parts = line.split() if self.separator == " " else line.rstrip().split(self.separator)
        return [part.strip().strip('"') for part in parts]

    def _trimmed(self, body: bytes) -> bytes:
        if self.separator == " ":
            body = body.replace(b"\t", b" ")
            while b"  " in body:
                body = body.replace(b"  ", b" ")
            return body.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
        if b" " not in body:
            return body
        mark = re.escape(self.separator.encode())
        return re.sub(rb"(?m)^ +| +$| *(" + mark + rb") *", rb"\1", body)


def _cut_line(text: bytes) -> tuple[str, bytes]:
    line, _, rest = text.partition(b"\n")
    return line.decode(), rest


def _is_row(fields: list[str]) -> bool:
    """Whether a line is a row and not a header: it begins with an image's number, or only numbers follow."""
    numbers = [bool(re.fullmatch(r"[+-]?\d+(?:\.0*)?", field)) for field in fields]
    return len(fields) > 1 and (all(numbers[1:]) or numbers[0] or bool(re.fullmatch(r"\d+\.\w+", fields[0])))


def _plain(name: str) -> str:
    """Letters and digits of a column's name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _id_column(names: Sequence[str]) -> int | None:
    return next((at for at, name in enumerate(names) if _plain(name) in _ID_NAMES), None)


def _parse(table: str, where: str, content: bytes) -> pa.Table:
    """Rows of one of CelebA's tables: ``image_id`` as text, then its columns under CelebA's own names."""
    text = _Text(where, content)
    layout = f"{text.columns} columns, separated by {texts.SEPARATORS[text.separator]}"
    if text.names:
        listed = ", ".join(printable(name) for name in text.names[:_SHOWN])
        layout += f", named {listed}{' ...' if len(text.names) > _SHOWN else ''}"
    own = _own_names(table, text)
    if own is None:
        lacks = "image_id or Male" if table == "attributes" else "image_id and one other column"
        raise UserError(f"the metadata in {where} lacks {lacks} (it has {layout}): expected {_EXPECTED[table]}")
    names = [f"column {i}" for i in range(len(own))]
    try:
        rows = csv.read_csv(
            pa.BufferReader(text.body),
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter=text.separator),
            csv.ConvertOptions(column_types={names[own.index("image_id")]: pa.string()}),
        )
    except (pa.ArrowInvalid, ValueError) as error:
        if not text.body.strip():
            raise UserError(f"the metadata in {where} has no rows: expected one for each image") from None
        reason = printable(str(error).removeprefix("CSV parse error: "))
        raise UserError(
            f"the metadata in {where} cannot be read ({reason}; it has {layout}): expected {_EXPECTED[table]}"
        ) from None
    kept = [(name, column) for name, column in zip(own, names, strict=True) if name]
    return pa.table([rows[column] for _, column in kept], [name for name, _ in kept])


def _own_names(table: str, text: _Text) -> list[str] | None:
    """CelebA's name of each column, "" for columns that do not belong to the table; None if one is missing."""
    if table == "attributes":
        known = {_plain(name): name for name in ("Male", *CELEBA_ATTRIBUTES)}
        own = [known.get(_plain(name), "") for name in text.names or ()]
        at = _id_column(text.names or ())
        at = own.index("") if at is None and "" in own else at
        if at is None or "Male" not in own:
            return None
        own[at] = "image_id"
        return own if len(set(own) - {""}) == len([name for name in own if name]) else None
    own = [""] * text.columns
    at = _id_column(text.names or ()) or 0
    others = [i for i in range(len(own)) if i != at]
    if text.names:  # an index that a program added in front has no name
        others = [i for i in others if i < len(text.names) and _plain(text.names[i])]
    if len(others) != 1:
        return None
    own[at], own[others[0]] = "image_id", {"partition": "split"}.get(table, table)
    return own


def _keys(names: pa.ChunkedArray | pd.Series) -> pa.ChunkedArray | pa.Array:
    """Keys that join images and metadata: names of files without folders, ending and leading zeros."""
    keys = pa.array(names, type=pa.string()) if isinstance(names, pd.Series) else names.cast(pa.string())
    return pc.ascii_ltrim(pc.replace_substring_regex(keys, r"^(?:.*[/\\])?\s+|^.*[/\\]|\.[^.]*$", ""), "0")


def _lookup(where: str, ids: pa.ChunkedArray, wanted: pd.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Row of each image in a table, -1 if it has none."""
    if not len(ids):
        raise UserError(f"the metadata in {where} has no rows: expected one for each image")
    known = _keys(ids)
    if len(pc.unique(known)) < len(known):
        raise UserError(f"the metadata in {where} lists an image twice: expected one row each")
    if isinstance(known, pa.ChunkedArray):
        known = known.combine_chunks()
    rows = pc.fill_null(pc.index_in(_keys(wanted), value_set=known), -1)
    return rows.to_numpy(zero_copy_only=False).astype("int64")


def _codes(where: str, name: str, column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Whole numbers of a column, including those that a program wrote as 1.0 or true."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.round(column))).as_py():
        column = column.cast(pa.int64())
    if not pa.types.is_integer(column.type) or column.null_count:
        other = column.filter(
            pc.invert(pc.match_substring_regex(pc.fill_null(column.cast(pa.string()), ""), r"^[+-]?\d+$"))
        )
        example = printable(str(other[0].as_py() or "")) if len(other) else ""
        raise UserError(
            f"the metadata in {where} holds something other than whole numbers under {name} ({example!r}): "
            "expected CelebA's codes"
        )
    return column.to_numpy().astype("int64")


def join_tables(
    images: pd.DataFrame, kind: str, store: Store, contents: dict[str, tuple[str, bytes]]
) -> tuple[pd.DataFrame | None, pd.DataFrame, list[str]]:
    """Join the metadata tables to the images and to CelebA's attribute table."""
    notes: list[str] = []
    metadata = _attribute_table(*contents["attributes"]) if "attributes" in contents else None
    if metadata is None and kind == "celeba":
        raise UserError(f"{store.path} has no labels: put list_attr_celeba.csv beside it, or name it as metadata")

    for table in [images] if metadata is None else [images, metadata]:
        _add_identity(table, contents)
        if table is metadata or (kind == "celeba" and images["split"].isna().all()):  # folders go first
            _add_split(table, contents)

    if "identity" in contents:
        images.insert(images.columns.get_loc("source_path"), "celeba_identity", images["identity"])
    if metadata is None:
        return None, images, notes
    row = _lookup(contents["attributes"][0], pa.array(metadata["image_id"]), images["image_id"])
    known = row >= 0
    unknown = int((~known).sum())
    official = np.where(known, metadata["label"].to_numpy(dtype=object)[row], None)
    if kind == "celeba":
        if not known.any():
            raise UserError(
                f"the attribute file in {contents['attributes'][0]} has no row for any of the images (it has "
                f"{quoted(metadata['image_id'].iloc[0])}, they are {quoted(images['image_id'].iloc[0])} and the like)"
            )
        if unknown:
            whom = "it" if unknown == 1 else "them"
            notes.append(f"{counted(unknown, 'image')} kept out: the attribute file has no row for {whom}")
        images["label"] = pd.Series(official, dtype="str")
    else:
        against = int((known & (official != images["label"].to_numpy(dtype=object))).sum())
        if against:
            lie = counted(against, "image lies", "images lie")
            notes.append(f"{lie} in a folder that contradicts the attribute file: the folder wins")
        if unknown:
            notes.append(f"{counted(unknown, 'image has', 'images have')} no row in the attribute file")
    names = [name for name in CELEBA_ATTRIBUTES if name in metadata]
    attributes = {name: pd.arrays.BooleanArray(_bools(metadata[name])[row], ~known) for name in names}
    place = images.columns.get_loc("source_path")
    front, back = images.iloc[:, :place], images.iloc[:, place:]
    images = pd.concat([front, pd.DataFrame(attributes, index=images.index), back], axis=1)
    return metadata, images[known].reset_index(drop=True) if kind == "celeba" else images, notes


def celeba_columns(ids: pd.Series, contents: dict[str, tuple[str, bytes]]) -> pd.DataFrame:
    """Columns of the tables for given images: attributes (nullable booleans) and ``celeba_identity`` (Int64).

    Parameters
    ----------
    ids
        File name of CelebA's image for each row, <NA> if it has none.
    contents
        Result of `read_tables`; columns that are missing there are omitted.
    """
    columns = pd.DataFrame({"image_id": ids.fillna("")})
    if "attributes" in contents:
        metadata = _attribute_table(*contents["attributes"])
        row = _lookup(contents["attributes"][0], pa.array(metadata["image_id"]), columns["image_id"])
        for name in (attribute for attribute in CELEBA_ATTRIBUTES if attribute in metadata):
            columns[name] = pd.arrays.BooleanArray(_bools(metadata[name])[row], row < 0)
    _add_identity(columns, contents)
    return columns.drop(columns="image_id").rename(columns={"identity": "celeba_identity"})


def _add_identity(table: pd.DataFrame, contents: dict[str, tuple[str, bytes]]) -> None:
    if "identity" in contents:
        where, content = contents["identity"]
        people = _parse("identity", where, content)
        row = _lookup(where, people["image_id"], table["image_id"])
        table["identity"] = pd.arrays.IntegerArray(_codes(where, "identity", people["identity"])[row], row < 0)


def _add_split(table: pd.DataFrame, contents: dict[str, tuple[str, bytes]]) -> None:
    if "partition" in contents:
        where, content = contents["partition"]
        partition = _parse("partition", where, content)
        code = _codes(where, "partition", _split_codes(partition["split"]))
        if not np.isin(code, (0, 1, 2)).all():
            raise UserError(f"the partition in {where} holds codes other than 0, 1 and 2: expected CelebA's own")
        row = _lookup(where, partition["image_id"], table["image_id"])
        names = pd.array([*SPLITS, None], dtype="string")
        table["split"] = names.take(np.where(row < 0, len(SPLITS), code[row]))


def _split_codes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Codes of splits that a table writes as words: train, val and so on."""
    if not pa.types.is_string(column.type):
        return column
    codes = pd.Series(column.to_pandas()).str.strip().str.lower().map(SPLIT_NAMES).map(SPLITS.index, na_action="ignore")
    return column if codes.isna().any() else pa.chunked_array([pa.array(codes.astype("int64"))])


def _bools(column: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return column.to_numpy(dtype=bool)


def _attribute_table(where: str, content: bytes) -> pd.DataFrame:
    """CelebA's attribute file: ``image_id, label``, the attributes (boolean), ``identity`` and ``split`` (<NA>)."""
    table = _parse("attributes", where, content)
    if not len(table):
        raise UserError(f"the metadata in {where} has no rows: expected one for each image")
    values = {}
    for column in ("Male", *(name for name in CELEBA_ATTRIBUTES if name in table.column_names)):
        codes = _codes(where, column, table[column])
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
