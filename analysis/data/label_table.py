"""A table of labels beside the images: the general layout, for data sets that are neither CelebA nor UTKFace.

``labels.csv`` or ``labels.parquet`` has one row per image: ``file`` (path relative to the table) and ``label``, and
optionally ``split``, ``identity``, ``age`` and ``race``. Every further column is kept under its own name; of these,
``celeba_id`` is the image of CelebA from which a picture was cut, and adds that image's attributes.
"""

import io
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.data import texts

# Of RE2; with the names that a download, a copy or an export leaves: label.csv, labels (1).csv, labels.tsv.
PATTERN = r"(?i)(?:^|/)labels?(?:[ _-]*\(\d+\))?\.(?:csv|tsv|txt|parquet)$"
PLAIN_NAME = re.compile(r"(?i)(?:^|/)labels\.(?:csv|parquet)$")
EXPECTED = "a labels.csv (or .parquet) with the columns file and label"
KNOWN = ("file", "label", "split", "identity", "age", "race")
LABELS = {
    **dict.fromkeys(("female", "females", "woman", "women", "f"), "female"),
    **dict.fromkeys(("male", "males", "man", "men", "m"), "male"),
}
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
# Columns that ingest and evaluation write; every other column of a manifest comes from the source.
RESERVED = {
    *("image_id", "dataset", "source_path", "bytes", "token", "celeba_identity"),
    *("width", "height", "brightness", "contrast", "sharpness", "hash", "phash", "near_duplicate_of"),
    *("aligned_by", "status", "reason", "logit", "p_male", "confidence", "decision", "age_band"),
}
_OLDEST = 120  # years
_MISSING = ("nan", "na", "n/a", "none", "null", "<na>")  # as programs write it
_CODED = "; write codes out as words, since data sets disagree about which label is 0 and which is 1"


@dataclass(frozen=True)
class LabelTable:
    """A checked table of labels.

    Attributes
    ----------
    rows
        One row per image: ``source_path`` (path inside the source), ``label`` ("female" or "male"), ``split``
        ("train", "validation", "test" or <NA>), ``identity`` (Int64), ``age`` (Int64, years), ``race`` (string), then
        the further columns: boolean if all values are 0 and 1, -1 and 1 or true and false, float64 if all are
        numbers, else string. Empty cells are <NA>.
    further
        Names of the further columns.
    """

    rows: pd.DataFrame
    further: tuple[str, ...]


def has_labels(path: str, content: bytes) -> bool:
    """Whether a file is a table with the two necessary columns."""
    try:
        return {"file", "label"} <= set(_read(path, content).columns)
    except UserError:
        return False


def read_label_table(path: str, content: bytes) -> LabelTable:
    """Check a table of labels.

    Parameters
    ----------
    path
        Path of the table inside the source; paths in it are relative to its folder.
    content
        The file's bytes: Parquet, or text separated by commas, semicolons, tabs or bars, in UTF-8 or UTF-16.

    Returns
    -------
    LabelTable

    Raises
    ------
    UserError
        If the table cannot be read, lacks a column, names a file twice, or has an unexpected value; the message
        names the row and the accepted values.
    """
    table = _read(path, content)
    if missing := {"file", "label"} - set(table.columns):
        raise UserError(
            f"{path} has no column {' and no column '.join(sorted(missing))} (it has {', '.join(table.columns)}): "
            f"expected {', '.join(KNOWN)}, of which file and label are needed"
        )
    if taken := sorted(RESERVED & set(table.columns)):
        raise UserError(f"{path} has a column {taken[0]!r}, a name that meanface uses itself: rename the column")
    if len(nameless := _text(table, "file").fillna("").loc[lambda names: names == ""]):
        raise _refuse(path, "file", nameless, "the path of an image")
    folder = posixpath.dirname(path)
    # A backslash is Windows' slash, unless it is part of an escaped byte of a name that is not UTF-8.
    files = table["file"].str.strip().str.replace(r"\\(?!x[89a-f][0-9a-f])", "/", regex=True)
    paths = pd.Series([posixpath.normpath(posixpath.join(folder, name)) for name in files], dtype="str")
    if (twice := paths.duplicated()).any():
        raise UserError(f"{path} lists {files[twice].iloc[0]!r} twice: expected one row for each image")
    split = _translated(path, table, "split", SPLITS, empty=True)
    if split.isna().any() and split.notna().any():
        raise UserError(f"{path} gives some images a split and others none: give every image one, or none")
    rows = pd.DataFrame(
        {
            "source_path": paths,
            "label": _translated(path, table, "label", LABELS).astype("str"),
            "split": split,
            "identity": _identities(table),
            "age": _ages(path, table),
            "race": _text(table, "race"),
        }
    )
    further = tuple(name for name in table.columns if name not in KNOWN)
    return LabelTable(rows.assign(**{name: _further(_text(table, name)) for name in further}), further)


def _read(path: str, content: bytes) -> pd.DataFrame:
    """All columns as text, known names in lower case."""
    try:
        if path.lower().endswith(".parquet"):
            table = pd.read_parquet(io.BytesIO(content))
            table = (table.reset_index() if any(table.index.names) else table).astype("string").fillna("")
        else:
            text = texts.as_utf8(path, content).lstrip(b"\n")
            first, _, rest = text.partition(b"\n")
            if first.lower().startswith(b"sep="):  # which Excel writes
                text, first = rest, rest.partition(b"\n")[0]
            separator = texts.separator(first.decode())
            # Without a header: pandas would rename a column that occurs twice.
            lines = pd.read_csv(io.BytesIO(text), sep=separator, dtype="string", keep_default_na=False, header=None)
            table = lines.iloc[1:].reset_index(drop=True).set_axis(lines.iloc[0].tolist(), axis=1)
    except (ValueError, OSError) as error:  # UnicodeDecodeError, Arrow's and pandas' parser errors are ValueErrors
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): expected {EXPECTED}") from None
    names = [str(name).strip() for name in table.columns]
    table.columns = [name.lower() if name.lower() in KNOWN else name for name in names]
    if table.columns.duplicated().any():
        raise UserError(f"{path} has the column {table.columns[table.columns.duplicated()][0]!r} twice: keep one")
    return table


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    """A column without spaces around its values; <NA> where one is missing, or the whole column."""
    if column not in table:
        return pd.Series(pd.NA, index=table.index, dtype="string")
    text = table[column].astype("string").str.strip()
    missing = ("",) if column in ("file", "label") else ("", *_MISSING)
    return text.mask(text.str.lower().isin(missing))


def _refuse(path: str, column: str, bad: pd.Series, expected: str) -> UserError:
    row = int(bad.index[0])
    return UserError(f"{path}, row {row + 2}: {column} is {bad.iloc[0]!r}, expected {expected}")


def _translated(
    path: str, table: pd.DataFrame, column: str, meanings: dict[str, str], *, empty: bool = False
) -> pd.Series:
    text = _text(table, column).fillna("")
    result = text.str.lower().map(meanings).astype("string")
    bad = text[result.isna() & ~((text == "") & empty)]
    if len(bad):
        accepted = " or ".join(
            f"{value} ({', '.join(word for word in meanings if meanings[word] == value != word)})"
            for value in dict.fromkeys(meanings.values())
        )
        raise _refuse(path, column, bad, accepted + (_CODED if column == "label" and _is_code(bad.iloc[0]) else ""))
    return result


def _is_code(text: str) -> bool:
    """Whether a value is a number or a truth value in place of a word."""
    return text.lower() in ("true", "false") or not pd.isna(pd.to_numeric(text, errors="coerce"))


def _identities(table: pd.DataFrame) -> pd.Series:
    """Number of each person: the table's own if all are whole numbers, else their place in the alphabet."""
    names = _text(table, "identity")
    known = names.dropna()
    if known.str.fullmatch(r"\d{1,18}").all():
        return names.astype("Int64")
    codes = pd.Categorical(names, categories=sorted(known.unique())).codes.astype(np.int64)
    return pd.Series(pd.arrays.IntegerArray(codes, codes < 0), index=table.index)


def _ages(path: str, table: pd.DataFrame) -> pd.Series:
    text = _text(table, "age")
    age = pd.to_numeric(text, errors="coerce").astype("Float64")
    bad = text[text.notna() & ~age.between(0, _OLDEST).fillna(False).astype(bool)]
    if len(bad):
        raise _refuse(path, "age", bad, f"years from 0 to {_OLDEST}")
    return pd.Series(np.floor(age.to_numpy(np.float64, na_value=np.nan)), index=table.index).astype("Int64")


def _further(text: pd.Series) -> pd.Series:
    values = set(text.dropna().str.lower())
    for yes, no in (("1", "0"), ("1", "-1"), ("true", "false")):
        if values and values <= {yes, no}:
            return (text.str.lower() == yes).astype("boolean").mask(text.isna())
    number = pd.to_numeric(text, errors="coerce")
    if values and number.notna().eq(text.notna()).all():
        return number.astype("Float64")
    return text


def celeba_ids(rows: pd.DataFrame, further: Sequence[str]) -> pd.Series | None:
    """CelebA's image of each row, string with <NA>; None if the table does not have it."""
    return rows["celeba_id"].astype("string") if "celeba_id" in further else None
