"""Predictions as tables and as files, and a report that is written part by part and survives a kill."""

import contextlib
import importlib.metadata
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.spreadsheet import MARK, as_csv
from model.predict import FacePrediction

COLUMNS = ("file", *(field.name for field in fields(FacePrediction)), "error")
ENDINGS = (".csv", ".parquet", ".jsonl")

_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
_TYPES = {field.name: _DTYPES[field.type] for field in fields(FacePrediction)}  # type: ignore[index]
_EMPTY = pd.DataFrame({name: pd.Series(dtype=_TYPES.get(name, "string")) for name in COLUMNS})
SCHEMA = pa.Schema.from_pandas(_EMPTY, preserve_index=False)  # of a part and of a Parquet report

_FORMAT = 2  # raised when what a part holds changes
_ROW = 160  # bytes that a row takes in a report, at least, so that a full disk is seen before the work


def as_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Predictions as an Arrow table with `SCHEMA`; what a row lacks is missing."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Predictions as a data frame with `COLUMNS`, whole numbers as Int64."""
    return table.to_pandas()


@dataclass(frozen=True)
class Counts:
    """How much was predicted.

    Attributes
    ----------
    photos
        Files that were looked at.
    scored
        Those of them in which a face was found.
    faces
        Faces that were predicted.
    """

    photos: int = 0
    scored: int = 0
    faces: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.photos + other.photos, self.scored + other.scored, self.faces + other.faces)


def count(table: pa.Table) -> Counts:
    """Count the photos and faces of one part."""
    failed = len(table) - table["error"].null_count
    scored = len(table["file"].filter(table["error"].is_null()).unique())
    return Counts(photos=scored + failed, scored=scored, faces=len(table) - table["p_male"].null_count)


def check_output(output: Location, photos: int = 0, *, excel: bool = False) -> None:
    """Refuse a report that could not be written, before any work is done.

    Raises
    ------
    UserError
        If the ending is none of .csv, .parquet and .jsonl, ``excel`` is asked of another than .csv, the path is a
        folder, or nothing, or not as much as so many photos take, can be written there.
    """
    if output.suffix.lower() not in ENDINGS:
        raise UserError(f"--output {output}: end it in .csv, .parquet or .jsonl")
    if excel and output.suffix.lower() != ".csv":
        raise UserError(f"--excel is for CSV: end --output {output} in .csv, or leave it out")
    with storage.access(output):
        if output.is_dir():
            raise UserError(f"--output {output} is a folder: name a file")
    storage.check_writable(output, (1 << 16) + _ROW * photos)


class Report:
    """A file of predictions, CSV, Parquet or JSON Lines, that is collected part by part.

    The parts lie beside it, in the folder ``OUTPUT.part``, as Parquet files of their own. Whoever is killed finds them
    there and goes on with the parts that are missing; when all are there, they become the report in one step.

    Parameters
    ----------
    output
        The file, on disk or in a bucket.
    made_from
        All that a row depends on besides its photo; parts that were made from something else are dropped.
    excel
        Whether a CSV begins with a byte order mark.
    """

    def __init__(self, output: Location, made_from: dict[str, Any], *, excel: bool = False) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.part")
        self._made_from = json.loads(
            json.dumps({**made_from, "format": _FORMAT, "meanface": importlib.metadata.version("meanface")})
        )
        self._excel = excel
        self._kept: dict[str, Counts] = {}

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect parts inside the block: those of an earlier call that fit are there already; see `has`.

        Raises
        ------
        UserError
            If another process collects the same report.
        """
        note = self.folder / "made-from.json"
        with _alone(self.folder):
            with storage.access(self.folder):
                if not note.exists() or _read_note(note) != self._made_from:
                    _empty(self.folder)
                    storage.write_whole(note, json.dumps(self._made_from, indent=1).encode())
                for path in self.folder.glob("*.parquet"):
                    if counts := _counts_of(path):
                        self._kept[path.stem] = counts
            yield

    @property
    def kept(self) -> Counts:
        """What the parts hold that are there."""
        return sum(self._kept.values(), Counts())

    def has(self, part: str) -> bool:
        """Whether a part is there."""
        return part in self._kept

    def add(self, part: str, table: pa.Table) -> None:
        """Keep a part.

        Raises
        ------
        UserError
            If it cannot be written; the message says where what was scored is kept.
        """
        counts = count(table)
        facts = {"photos": counts.photos, "scored": counts.scored, "faces": counts.faces}
        content = io.BytesIO()
        parquet.write_table(
            table.replace_schema_metadata({**table.schema.metadata, "counts": json.dumps(facts)}), content
        )
        try:
            with storage.access(self.folder):
                storage.write_whole(self.folder / f"{part}.parquet", content.getvalue())
        except (UserError, OSError) as error:
            raise self._interrupted(error, table) from error
        self._kept[part] = counts

    def finish(self, parts: Iterable[str]) -> Counts:
        """Make the report of parts, in their order, and remove the parts.

        Raises
        ------
        UserError
            If it cannot be written; the message says where what was scored is kept.
        """
        total = Counts()
        try:
            with storage.whole_file(self.output) as new, _writer(new, excel=self._excel) as write:
                for part in parts:
                    write(self._read(part))
                    total += self._kept[part]
        except (UserError, OSError) as error:
            raise self._interrupted(error, None) from error
        with storage.access(self.folder):
            storage.remove(self.folder)
        return total

    def _read(self, part: str) -> pa.Table:
        path = self.folder / f"{part}.parquet"
        try:
            with storage.access(path):
                return parquet.read_table(io.BytesIO(path.read_bytes())).replace_schema_metadata(SCHEMA.metadata)
        except (FileNotFoundError, pa.ArrowException) as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise UserError(f"{path} is damaged or gone") from error

    def _interrupted(self, error: Exception, rest: pa.Table | None) -> UserError:
        kept = self.kept.photos
        where = f"what was scored, {kept:,} photos, is kept in {self.folder}" if kept else "nothing was scored before"
        if rest is not None and (rescued := rescue(rest)):
            where += f", the last {count(rest).photos:,} in {rescued}"
        reason = str(error) if isinstance(error, UserError) else f"{self.output} cannot be written ({error})"
        return UserError(f"{reason}; {where}: the same command goes on from there")


def rescue(table: pa.Table) -> Path | None:
    """Keep rows that can be written nowhere else in the folder for temporary files; None if that is full, too."""
    try:
        handle, name = tempfile.mkstemp(prefix="meanface-predictions-", suffix=".parquet")
        with os.fdopen(handle, "wb") as file:
            parquet.write_table(table, file)
    except OSError:
        return None
    return Path(name)


@contextlib.contextmanager
def _writer(path: Path, *, excel: bool) -> Iterator[Any]:
    """Yield a function that appends a part to a file, in the format that its ending says."""
    if path.suffix.lower() == ".parquet":
        with parquet.ParquetWriter(path, SCHEMA) as writer:
            yield writer.write_table
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".jsonl":
            yield lambda part: file.write(
                as_frame(part).to_json(orient="records", lines=True, force_ascii=False, double_precision=15)
            )
            return
        file.write((MARK if excel else "") + as_csv(_EMPTY))
        yield lambda part: file.write(as_csv(as_frame(part), header=False))


def _read_note(note: Location) -> Any:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _counts_of(path: Location) -> Counts | None:
    """What a part holds; None if it is damaged."""
    try:
        facts = parquet.read_metadata(io.BytesIO(path.read_bytes())).metadata[b"counts"]
        return Counts(**json.loads(facts))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        return None


def _empty(folder: Location) -> None:
    """Remove what is in a folder, but not its lock."""
    if folder.exists():
        for path in folder.iterdir():
            if path.name != _LOCK:
                path.unlink() if path.is_file() else storage.remove(path)


_LOCK = ".lock"


@contextlib.contextmanager
def _alone(folder: Location) -> Iterator[None]:
    """Hold a lock in a folder on this machine's disk; a bucket has none."""
    if not isinstance(folder, Path) or os.name == "nt":
        yield
        return
    import fcntl  # noqa: PLC0415 - Windows has none

    with storage.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another `meanface predict` writes to {folder}: wait for it, or choose another --output"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
