"""Kinds of stored files: tables (Parquet), arrays (zipped Zarr), records (JSON) and others, checked, written and read.

`analysis.results.artifacts` declares which files there are and what is in them.
"""

import json
import shutil
import types
import typing
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Generic, Literal, Self, TypeVar, overload

import pandas as pd
import xarray as xr
from pandas.api import types as dtypes
from pydantic import BaseModel, ValidationError

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.zarr_zip import read_zarr_zip, write_zarr_zip
from analysis.results.records import Record

T = TypeVar("T")
R = TypeVar("R", bound=Record)
Dtype = Literal["string", "integer", "float", "boolean"]
Publication = Literal["always", "where present", "never", "stays"]

_LEVEL = 19  # of zstd, which is slow to write and as quick to read

_FITS = {
    # A column of floats may have whole numbers only. A column without any value has no type to check.
    "string": lambda column: dtypes.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype),
    "integer": dtypes.is_integer_dtype,
    "float": lambda column: dtypes.is_numeric_dtype(column) and not dtypes.is_bool_dtype(column),
    "boolean": dtypes.is_bool_dtype,
}


@dataclass(frozen=True)
class Artifact(ABC, Generic[T]):
    """A file of a run.

    As an attribute of a class with a ``folder``, it reads the file of that run on first access.

    Attributes
    ----------
    path
        Path of the file in the run's folder.
    made_by
        Command that writes it.
    meaning
        Its content, in one sentence.
    published
        Whether a published run has it; "stays" is of the service, not of a run, and is kept when another is published.
    """

    path: str
    made_by: str
    meaning: str
    published: Publication = "always"

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "_attribute", name)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Any, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> Self | T:
        if instance is None:
            return self
        value = self.read(instance.folder)
        instance.__dict__[self._attribute] = value  # type: ignore[attr-defined]  # from now on found before this
        return value

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return PurePosixPath(self.path).name

    def read(self, run: Path) -> T:
        """Read the file of a run.

        Parameters
        ----------
        run
            The run's folder.

        Raises
        ------
        UserError
            If the file is missing, damaged, or of another version.
        """
        return self.read_file(run / self.path)

    def read_file(self, path: Path) -> T:
        """Read a file of this kind at any path; see `read`."""
        if not path.exists():
            raise UserError(f"{path} is missing: {self._remedy}")
        try:
            value = self._load(path)
            self.check(value)
        except Exception as error:  # of a damaged file, each library raises what its own depths raise
            raise UserError(f"{path} cannot be read ({_reason(error)}): {self._remedy}") from error
        return value

    def write(self, value: T, folder: Path) -> None:
        """Check a value and write it atomically: readers see the old file or the new one.

        Parameters
        ----------
        value
            Content of the file.
        folder
            Folder of the file itself, not of the run.

        Raises
        ------
        ValueError
            If the value does not match the declaration.
        """
        self.check(value)
        with storage.replacing(folder / self.name) as new:
            self._save(value, new)

    @abstractmethod
    def check(self, value: T) -> None:
        """Raise ValueError if a value does not match the declaration."""

    @abstractmethod
    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Name, type, unit and meaning of each part of the file."""

    @abstractmethod
    def _load(self, path: Path) -> T: ...

    @abstractmethod
    def _save(self, value: T, path: Path) -> None: ...

    @property
    def _remedy(self) -> str:
        return f"run `{self.made_by}`, then `meanface publish RUN` if the run is published"


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        Name of the column.
    dtype
        Type of its values; any column may have missing values.
    meaning
        Its meaning.
    unit
        Unit, if it has numbers.
    optional
        Whether files of older runs may lack it.
    """

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""
    optional: bool = False

    def but(self, meaning: str) -> "Column":
        """The same column with another meaning."""
        return Column(self.name, self.dtype, meaning, self.unit, self.optional)


@dataclass(frozen=True)
class Table(Artifact[pd.DataFrame]):
    """A Parquet file.

    Attributes
    ----------
    columns
        Its columns, in any order.
    further
        Meaning of any further columns; if empty, none are allowed.
    compression
        How columns are compressed.
    """

    columns: tuple[Column, ...] = ()
    further: str = ""
    compression: Literal["snappy", "zstd"] = "snappy"

    def check(self, value: pd.DataFrame) -> None:
        """Raise ValueError if a column is missing, of another type, or not declared."""
        for column in self.columns:
            if column.name not in value:
                if not column.optional:
                    raise ValueError(f"{self.name} lacks the column {column.name!r}")
            elif not (value[column.name].isna().all() or _FITS[column.dtype](value[column.name])):
                raise ValueError(
                    f"column {column.name!r} of {self.name} is {value[column.name].dtype}, not {column.dtype}"
                )
        undeclared = [str(name) for name in value.columns if name not in {column.name for column in self.columns}]
        if undeclared and not self.further:
            raise ValueError(f"{self.name} has the undeclared column {undeclared[0]!r}")

    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Name, type, unit and meaning of each column."""
        for column in self.columns:
            yield column.name, column.dtype, column.unit, column.meaning + " (newer runs)" * column.optional
        if self.further:
            yield "…", "", "", self.further

    def _load(self, path: Path) -> pd.DataFrame:
        return pd.read_parquet(path, page_checksum_verification=True)

    def _save(self, value: pd.DataFrame, path: Path) -> None:
        level = {"compression_level": _LEVEL} if self.compression == "zstd" else {}
        value.to_parquet(path, index=False, compression=self.compression, write_page_checksum=True, **level)


@dataclass(frozen=True)
class Variable:
    """A variable or coordinate of a set of arrays.

    Attributes
    ----------
    name
        Name of the variable.
    dims
        Names of its dimensions.
    meaning
        Its meaning.
    unit
        Unit, if it has numbers.
    """

    name: str
    dims: tuple[str, ...]
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Arrays(Artifact[xr.Dataset]):
    """A Zarr store in a zip file.

    Attributes
    ----------
    variables
        Its variables, coordinates included.
    """

    variables: tuple[Variable, ...] = ()

    def check(self, value: xr.Dataset) -> None:
        """Raise ValueError if a variable is missing, has other dimensions, or is not declared."""
        for variable in self.variables:
            if variable.name not in value.variables:
                raise ValueError(f"{self.name} lacks the variable {variable.name!r}")
            if value[variable.name].dims != variable.dims:
                raise ValueError(
                    f"variable {variable.name!r} of {self.name} is over {value[variable.name].dims}, "
                    f"not {variable.dims}"
                )
        undeclared = [str(name) for name in value.variables if name not in {each.name for each in self.variables}]
        if undeclared:
            raise ValueError(f"{self.name} has the undeclared variable {undeclared[0]!r}")

    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Name, dimensions, unit and meaning of each variable."""
        for variable in self.variables:
            yield variable.name, f"({', '.join(variable.dims)})", variable.unit, variable.meaning

    def _load(self, path: Path) -> xr.Dataset:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a zip file")
        return read_zarr_zip(path)

    def _save(self, value: xr.Dataset, path: Path) -> None:
        write_zarr_zip(value, path)


@dataclass(frozen=True)
class Json(Artifact[R], Generic[R]):
    """A JSON file.

    Attributes
    ----------
    record
        Type of its content.
    """

    record: type[R] = None  # type: ignore[assignment]  # always given; fields before it have defaults

    def check(self, value: R) -> None:
        """Raise ValueError if a value is of another type; a record checks its own fields."""
        if not isinstance(value, self.record):
            raise ValueError(f"{self.name} must be a {self.record.__name__}, not a {type(value).__name__}")

    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Key, type and meaning of each field; ``*`` stands for any key."""
        return _fields(self.record, "", {})

    def _load(self, path: Path) -> R:
        return self.record.model_validate_json(path.read_text(encoding="utf-8"))

    def _save(self, value: R, path: Path) -> None:
        path.write_text(json.dumps(value.as_json(), indent=1, allow_nan=False), encoding="utf-8")


def _fields(
    record: type[BaseModel], prefix: str, described: dict[type[BaseModel], str]
) -> Iterator[tuple[str, str, str, str]]:
    """Fields of a record; those of a nested record are described where it first occurs."""
    for name, field in record.model_fields.items():
        inner, path = _record_within(field.annotation)
        key = prefix + (field.alias or name) + (path if inner else "")
        meaning = field.description or ""
        if inner is None:
            yield key, _type_name(field.annotation), "", meaning
        elif inner in described:
            yield key, "object", "", f"{meaning} Fields as in `{described[inner]}`."
        else:
            described[inner] = key
            yield from _fields(inner, f"{key}.", described)


def _record_within(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The record that a type contains, and the path to it: ``.*`` for each mapping and list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (dict, list):
        record, path = _record_within(inner[-1])
        return record, ".*" + path
    if origin in (typing.Union, types.UnionType):
        return next(((record, path) for record, path in map(_record_within, inner) if record), (None, ""))
    return None, ""


def _type_name(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if option is type(None) else _type_name(option) for option in inner)
    if origin is Literal:
        return " or ".join(f'"{option}"' for option in inner)
    if origin is dict:
        return f"object of {_type_name(inner[-1])}"
    if origin in (list, tuple):
        return f"list of {_type_name(inner[0])}"
    return {int: "integer", float: "float", str: "string", bool: "boolean"}.get(annotation, "value")


@dataclass(frozen=True)
class Binary(Artifact[Path]):
    """A file of another format; its value is its path.

    Attributes
    ----------
    largest
        Size in bytes above which it is not published; None for no limit.
    """

    largest: int | None = None

    def check(self, value: Path) -> None:
        """Raise ValueError if there is no such file."""
        if not value.is_file():
            raise ValueError(f"there is no file {value}")

    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Nothing: the format itself defines the content."""
        return iter(())

    def _load(self, path: Path) -> Path:
        return path

    def _save(self, value: Path, path: Path) -> None:
        shutil.copyfile(value, path)
