"""Matrices of faces that may be larger than memory: written by rows, read by columns.

A test of thousands of pixels needs all people, but few pixels at a time. The numbers are therefore kept on disk, in a
file without a name that vanishes with the process, in blocks of a few rows and a few columns. Whatever reads columns
takes such a matrix or an array of NumPy alike.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from analysis.core import storage

WIDTH = 1024
"""Columns that are read at a time: of 12,000 people they take 49 MB."""
_ROWS = 1024


class Columns(Protocol):
    """What a test reads: a matrix, some of its rows or averages of them, or an array of NumPy."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of rows and of columns."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray: ...


class Matrix:
    """A matrix of float32 numbers on disk.

    Parameters
    ----------
    columns
        Number of columns.
    folder
        Folder of this machine's disk; default: that of temporary files.
    """

    def __init__(self, columns: int, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        with storage.writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".matrix-")  # noqa: SIM115 - as long as this
        self._columns = columns
        self._parts: list[slice] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of columns."""
        return len(self), self._columns

    def __len__(self) -> int:
        return self._parts[-1].stop if self._parts else 0

    def append(self, rows: np.ndarray) -> None:
        """Write further rows, float32 (row, column), at the end.

        Raises
        ------
        UserError
            If the disk is full.
        """
        for block in np.array_split(rows, range(_ROWS, len(rows), _ROWS)):
            with storage.writing(self._folder):
                self._file.seek(4 * len(self) * self._columns)
                for start in range(0, self._columns, WIDTH):
                    self._file.write(np.ascontiguousarray(block[:, start : start + WIDTH], dtype=np.float32).data)
                self._file.flush()
            self._parts.append(slice(len(self), len(self) + len(block)))

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        """All rows of some columns: float32 (row, column), a copy."""
        every, columns = key
        start, stop, _ = columns.indices(self._columns)
        first = start // WIDTH
        found = [self._read(number) for number in range(first, -(-stop // WIDTH))]
        joined = found[0] if len(found) == 1 else np.concatenate(found or [np.empty((len(self), 0), np.float32)], 1)
        return joined[every, start - first * WIDTH : stop - first * WIDTH]

    def _read(self, number: int) -> np.ndarray:
        """A block of columns."""
        start = number * WIDTH
        block = np.empty((len(self), min(WIDTH, self._columns - start)), dtype=np.float32)
        for part in self._parts:
            self._file.seek(4 * (part.start * self._columns + start * (part.stop - part.start)))
            self._file.readinto(block[part].data)
        return block

    def rows(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks of rows, float32 (row, column), and which rows they are."""
        for part in self._parts:
            self._file.seek(4 * part.start * self._columns)
            count = part.stop - part.start
            whole = np.fromfile(self._file, np.float32, count * self._columns)
            ends = [count * end for end in range(WIDTH, self._columns, WIDTH)]
            yield part, np.concatenate([block.reshape(count, -1) for block in np.split(whole, ends)], axis=1)


class Rows:
    """Some rows of a matrix, or averages of them, computed as they are read.

    Parameters
    ----------
    of
        The matrix.
    chosen
        Which rows: bool (row,), or their numbers.
    group
        int (chosen row,), from 0 on: rows of one number are averaged; None for the rows as they are.
    """

    def __init__(self, of: Columns, chosen: np.ndarray, group: np.ndarray | None = None) -> None:
        self._of, self._chosen, self._group = of, chosen, group
        count = int(chosen.sum()) if chosen.dtype == bool else len(chosen)
        self.shape = (count if group is None else int(group.max()) + 1, of.shape[1])
        if group is not None:
            self._sum = csr_array((np.ones(count, np.float32), (group, np.arange(count))), shape=(len(self), count))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        """All rows of some columns: float32 (row, column), a copy."""
        every, columns = key
        block = self._of[:, columns][self._chosen]
        if self._group is None:
            return block[every]
        return ((self._sum @ block) / np.bincount(self._group)[:, None].astype(np.float32))[every]


def row_blocks(matrix: Matrix | np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows, float32 (row, column), and which rows they are."""
    if isinstance(matrix, Matrix):
        yield from matrix.rows()
    else:
        for start in range(0, len(matrix), _ROWS):
            part = slice(start, min(start + _ROWS, len(matrix)))
            yield part, matrix[part]
