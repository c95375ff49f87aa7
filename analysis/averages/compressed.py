"""The quick engine: average faces of any subset from a few hundred numbers per face.

Its files are written by `analysis.averages.fit` and mapped from disk, so that it needs hardly any memory. With a face
``x`` (a vector of pixels), the mean face ``m`` and components ``v``::

    x         is about  m + sum_k a_k v_k           a: coefficients of the face
    (x - m)²  is about  s + sum_k b_k w_k           b: coefficients of its squared distance from the mean

Both are linear, so the mean of the coefficients gives the coefficients of the mean: the average of a subset and its
variance, ``mean((x - m)²) - (mean(x) - m)²``, need only the sums of its faces' coefficients, which are 8-bit integers.
The residuals of single faces average out over many; for a subset smaller than ``exact_below`` the faces themselves are
read.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from analysis.averages.base import Average, check_size
from analysis.core.errors import UserError

if TYPE_CHECKING:  # a data set brings pandas and xarray, which a small process does without
    from analysis.data.dataset import Dataset

ZERO = 128  # the 8-bit code of the coefficient 0
_WINDOW = 1 << 24  # bytes mapped at a time, so that what was read does not stay in the process
_ROWS = 4096  # rows summed at a time; they stay in the processor's cache, and their sum fits into an int32
_READ = 256  # faces read at a time; the sum of their squares fits into an int32


def average_folder(dataset: "Dataset") -> Path:
    """Folder of the quick engine of a data set; on this machine's disk, since its files are mapped into memory."""
    return dataset.disk_folder / "average"


def open_engine(dataset: "Dataset") -> "CompressedEngine":
    """Open the quick engine of a data set.

    Raises
    ------
    UserError
        If it does not exist, is damaged or was made from another version of the data set, or if the data set is not
        ingested.
    """
    folder, name = average_folder(dataset), dataset.name
    if not (folder / "engine.json").exists():
        raise UserError(f"{name!r} has no components: run `meanface study {name}` first")
    try:
        engine = CompressedEngine(folder)
    except (OSError, ValueError, TypeError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"the components of {name!r} in {folder} are damaged ({reason}): run `meanface study {name}` again"
        ) from error
    if engine.facts.fingerprint != dataset.fingerprint:
        raise UserError(f"the components of {name!r} are from an older ingest: run `meanface study {name}` again")
    return engine


@dataclass(frozen=True)
class Facts:
    """Content of ``engine.json``.

    Attributes
    ----------
    dataset, fingerprint
        The ingested data set that was compressed.
    images
        Number of rows, as in the manifest.
    height, width
        Size of a face in pixels.
    mean_components, spread_components
        Number of components of faces, and of their squared distance from the mean.
    exact_below
        Number of faces below which a subset is read instead of estimated.
    residual
        Root mean square of the difference between a face and its components, in grey levels (0 to 255).
    seed
        Random seed of the fit.
    """

    dataset: str
    fingerprint: str
    images: int
    height: int
    width: int
    mean_components: int
    spread_components: int
    exact_below: int
    residual: float
    seed: int

    @property
    def components(self) -> int:
        """Codes per face."""
        return self.mean_components + self.spread_components

    @property
    def values(self) -> int:
        """Values per face: pixels times channels."""
        return self.height * self.width * 3

    def write(self, folder: Path) -> None:
        """Write ``engine.json``."""
        (folder / "engine.json").write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


class CompressedEngine:
    """Averages coefficients instead of pixels.

    Parameters
    ----------
    folder
        Folder with ``engine.json``, ``codes.u8`` (image, component), ``pixels.u8`` (image, value), ``basis.f32``
        (component, value), ``centre.npy`` (2, value), ``scale.npy`` (component) and ``totals.npy`` (component).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts(**json.loads((folder / "engine.json").read_text(encoding="utf-8")))
        self._centre = np.load(folder / "centre.npy")
        self._scale = np.load(folder / "scale.npy")
        self._totals = np.load(folder / "totals.npy")
        sizes = {
            "codes.u8": self.facts.images * self.facts.components,
            "pixels.u8": self.facts.images * self.facts.values,
            "basis.f32": 4 * self.facts.components * self.facts.values,
        }
        for name, size in sizes.items():
            if (size_found := (folder / name).stat().st_size) != size:
                raise ValueError(f"{name} has {size_found:,} bytes instead of {size:,}")

    def average(self, rows: np.ndarray) -> Average:
        """Average the faces of a subset; see `analysis.averages.base.Engine`."""
        count = int(np.count_nonzero(rows))
        check_size(count, least=2)
        if count < self.facts.exact_below:
            mean, variance = self._read(np.flatnonzero(rows))
        else:
            mean, variance = self._estimate(rows, count)
        shape = (self.facts.height, self.facts.width, 3)
        spread = np.sqrt(np.maximum(variance, 0) * (count / (count - 1)))
        return Average(
            (mean.clip(0, 255) / 255).astype(np.float32).reshape(shape),
            (spread / 255).astype(np.float32).reshape(shape),
            count,
        )

    def _estimate(self, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance in grey levels (0 to 255) from coefficients."""
        mean_of_codes = self._sum(rows, count) / count - ZERO
        coefficients = (mean_of_codes * self._scale).astype(np.float32)
        split = self.facts.mean_components
        mean, square = self._centre.copy()
        step = _WINDOW // (4 * self.facts.values)
        for into, first, last in ((mean, 0, split), (square, split, len(coefficients))):
            for start in range(first, last, step):
                part = slice(start, min(start + step, last))
                into[:] += coefficients[part] @ self._map("basis.f32", part, self.facts.values, np.float32)
        return mean, square - (mean - self._centre[0]) ** 2

    def _sum(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Sums of codes over a subset, int64 (component,); for more than half of the faces, by way of the others."""
        if 2 * count > len(rows):
            return self._totals - self._sum(~rows, len(rows) - count)
        width = self.facts.components
        total = np.zeros(width, dtype=np.int64)
        window = max(1, _WINDOW // (width * _ROWS)) * _ROWS
        for start in range(0, len(rows), window):
            codes = self._map("codes.u8", slice(start, min(start + window, len(rows))), width, np.uint8)
            for first in range(0, len(codes), _ROWS):
                inside = np.flatnonzero(rows[start + first : start + min(first + _ROWS, len(codes))])
                if len(inside):
                    # OpenCV sums bytes along columns several times faster than NumPy.
                    part = np.take(codes[first : first + _ROWS], inside, axis=0)
                    total += cv2.reduce(part, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        return total

    def _read(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance in grey levels (0 to 255) from the faces themselves."""
        total, squares = np.zeros((2, self.facts.values), dtype=np.int64)
        faces = np.empty((min(_READ, len(chosen)), self.facts.values), np.uint8)
        # Read, not mapped: with each mapped face the system would map its neighbours and keep them.
        with (self.folder / "pixels.u8").open("rb") as file:
            for start in range(0, len(chosen), _READ):
                part = faces[: len(chosen[start : start + _READ])]
                for face, row in zip(part, chosen[start : start + _READ], strict=True):
                    file.seek(int(row) * self.facts.values)
                    if file.readinto(face) != face.size:
                        name = self.facts.dataset
                        raise UserError(f"the faces of {name!r} are cut short: run `meanface study {name}` again")
                total += cv2.reduce(part, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
                squares += cv2.reduce(part, 0, cv2.REDUCE_SUM2, dtype=cv2.CV_32S)[0]
        mean = total / len(chosen)
        return mean, squares / len(chosen) - mean**2

    def _map(self, name: str, rows: slice, width: int, dtype: type[np.generic]) -> np.ndarray:
        """Map some rows of a raw matrix of a given width for reading."""
        item = np.dtype(dtype).itemsize
        shape = (rows.stop - rows.start, width)
        return np.memmap(self.folder / name, dtype, "r", offset=rows.start * width * item, shape=shape)
