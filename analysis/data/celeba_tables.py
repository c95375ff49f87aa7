"""CelebA's tables of attributes, people and splits: where they lie, what they say, and how images are given it.

Knows the tables' names, columns and codes; knows nothing of pixels or of the layouts that images lie in.
"""

import re
import zipfile
import zlib
from collections.abc import Sequence
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
from analysis.data.archives import IMAGE, Store, Zip, names_matching, open_store

_TABLES = {
    "attributes": r"(?i)(?:^|/)list_attr_celeba\.(?:csv|txt)$",
    "partition": r"(?i)(?:^|/)list_eval_partition\.(?:csv|txt)$",
    "identity": r"(?i)(?:^|/)identity_celeba\.(?:csv|txt)$",
}


def _tables_in(entries: pa.Table) -> dict[str, str]:
    """Path of each of CelebA's tables among ``entries``; the first in the alphabet of several."""
    matches = {table: names_matching(entries, pattern) for table, pattern in _TABLES.items()}
    return {table: names[0] for table, names in matches.items() if names}


def _table_of(path: Location) -> str | None:
    return next((table for table, pattern in _TABLES.items() if re.search(pattern, path.name)), None)


def containers(given: Sequence[Location]) -> list[Location]:
    """Files and zips of metadata among what the user named; raises where there is none."""
    tables: list[Location] = []
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
            raise UserError(f"{path} is not a table of CelebA's: expected {expected}")
        tables += here
    return tables


def tables_inside(store: Store, entries: pa.Table) -> list[Location]:
    """Files of metadata within the source itself; its zip, where that holds them."""
    names = _tables_in(entries).values()
    if isinstance(store, Zip):
        return [store.path] if names else []
    return [store.path / name for name in names]


def tables_beside(store: Store) -> list[Location]:
    """Files and zips of metadata in the folder that the source lies in."""
    around = store.path.parent
    names = sorted(each.name for each in around.iterdir() if each.name != store.path.name)
    files = [around / name for name in names if _table_of(around / name)]
    zips = [around / name for name in names if re.search(r"(?i)metadata.*\.zip$", name)]
    tables = [each for each in files if each.is_file()]
    return tables or [each for each in zips if _is_zip(each) and _tables_in(Zip(each).entries())]


def _is_zip(path: Location) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return zipfile.is_zipfile(file)


def read_tables(containers: Sequence[Location]) -> dict[str, tuple[str, bytes]]:
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
                    with storage.access(path):
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
            headless = columns is not None and re.search(IMAGE, first.split(b",")[0].decode())
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


def join_tables(
    images: pd.DataFrame, kind: str, store: Store, contents: dict[str, tuple[str, bytes]]
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
    official = np.where(known, metadata["label"].to_numpy(dtype=object)[row], None)
    if kind == "celeba":
        if not known.all():
            notes.append(f"{int((~known).sum())} images kept out: the attribute file has no row for them")
        images["label"] = pd.Series(official, dtype="str")
    else:
        against = int((known & (official != images["label"].to_numpy(dtype=object))).sum())
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


def celeba_columns(ids: pd.Series, contents: dict[str, tuple[str, bytes]]) -> pd.DataFrame:
    """What the tables say of CelebA's images by name: attributes (nullable booleans) and ``celeba_identity`` (Int64).

    Parameters
    ----------
    ids
        File name of CelebA's image for each row, <NA> where there is none.
    contents
        As from `read_tables`; what they lack is left out.
    """
    columns = pd.DataFrame({"image_id": ids.fillna("")})
    if "attributes" in contents:
        metadata = _attribute_table(*contents["attributes"])
        row = _lookup(contents["attributes"][0], pa.array(metadata["image_id"]), columns["image_id"])
        for name in (each for each in CELEBA_ATTRIBUTES if each in metadata):
            columns[name] = pd.arrays.BooleanArray(_bools(metadata[name])[row], row < 0)
    _add_identity(columns, contents)
    return columns.drop(columns="image_id").rename(columns={"identity": "celeba_identity"})


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
        names = pd.array([*SPLITS, None], dtype="string")
        table["split"] = names.take(np.where(row < 0, len(SPLITS), code[row]))


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
