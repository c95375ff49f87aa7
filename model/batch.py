"""Scores the photos in files and folders, on this machine or on a cluster; the tables have one row per face.

Photos are listed one after the other, cut into parts and scored with a few parts in progress, so that memory does not
grow with their number. ::

    table = predict_paths(["portraits"], Predictor.load())
    predict_to("s3://bucket/scores.parquet", ["s3://bucket/photos"], Predictor.load())
"""

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
from dask.system import cpu_count
from pyarrow import compute as pc
from tqdm import tqdm

from analysis.core import compute, paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.spreadsheet import MARK, as_csv
from analysis.core.words import printable
from analysis.data import kinds
from analysis.data.archives import RemoteFolder
from analysis.data.photo import PhotoError
from analysis.data.walk import LeftOut, Walk
from model.faces import Crop
from model.predict import Predictor
from model.predictions import Counts, Report, as_frame, as_table, check_output, count, rescue

LARGEST = 400 << 20  # bytes of a file that are read: 50 megapixels of 16 bits, not compressed, take 300 MB

# A part ends where the checksum of a photo's name says so, and not after a fixed number: a photo that is added changes
# the part that it comes to lie in, and leaves those behind it as they are.
_LEAST, _MOST, _ON_AVERAGE = 64, 512, 128
_AHEAD = 2  # parts on their way besides the one that is waited for


@dataclass(frozen=True)
class Photo:
    """A photo that was found.

    Attributes
    ----------
    place
        Path or URL, which other processes can open, too.
    name
        Name in tables.
    version
        Text that changes when the file does.
    """

    place: str
    name: str
    version: str


def find_photos(given: Iterable[str | Path], left_out: LeftOut | None = None) -> Iterator[Photo]:
    """Photos among files and folders; a file that is named is taken whatever its name.

    Parameters
    ----------
    given
        Files and folders, paths or URLs; folders are searched to any depth, see `analysis.data.walk`.
    left_out
        Counts what is left out.

    Yields
    ------
    Photo
        In the order given, folders sorted.

    Raises
    ------
    UserError
        If a path does not exist or cannot be read.
    """
    walk = Walk() if left_out is None else Walk(left_out)
    for path in given:
        place = place_of(path)
        with storage.access(place):
            if not place.exists():
                raise UserError(f"{printable(str(path))} does not exist: give photos or folders of photos")
            if not place.is_dir():
                yield _photo(place, str(place))
            elif isinstance(place, Path):
                yield from _photos_in(place, walk)
            else:
                yield from _photos_far_away(place, walk.left_out)


def place_of(given: str | Path) -> Location:
    """Location of a photo, folder or report that a user names, as a path or URL.

    Raises
    ------
    UserError
        If it is empty, which would be the working folder, or a URL that cannot be read.
    """
    return paths.parse_location(given) if "://" in str(given) or not str(given).strip() else Path(given)


def _photo(place: Location, name: str) -> Photo:
    facts = place.stat()
    where = os.path.abspath(place) if isinstance(place, Path) else str(place)  # noqa: PTH100 - a link stays one
    return Photo(where, paths.escaped(name), f"{facts.st_mtime}-{facts.st_size}")


def _photos_in(folder: Path, walk: Walk) -> Iterator[Photo]:
    # Strings, since a million of them are joined.
    where = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118
    prefix = "" if str(folder) == "." else os.path.join(folder, "")  # noqa: PTH118
    try:
        for file in walk.photos(folder):
            yield Photo(where + file.name, paths.escaped(prefix + file.name), f"{file.changed}-{file.bytes}")
    except OSError as error:
        raise UserError(f"{printable(str(folder))} cannot be read: {error.strerror or error}") from None


def _photos_far_away(folder: Any, left_out: LeftOut) -> Iterator[Photo]:
    store = RemoteFolder(folder)
    entries = store.entries()
    for name in entries.filter(pc.invert(entries["photo"]))["source_path"].to_pylist():
        left_out.add("file that is not a photo", "files that are not photos", name)
    photos = entries.filter(entries["photo"]).sort_by("source_path")
    left_out.update(store.left_out)
    base = f"{str(folder).rstrip('/')}/"
    for batch in photos.to_batches():
        for name, token in zip(batch["source_path"], batch["token"], strict=True):
            yield Photo(f"{base}{name}", f"{base}{name}", str(token))


def cut(photos: Iterable[Photo]) -> Iterator[tuple[str, list[Photo]]]:
    """Cut photos into parts, each with a name that follows from its photos and their versions."""
    part: list[Photo] = []
    for photo in photos:
        part.append(photo)
        ends = zlib.crc32(photo.name.rpartition("/")[2].encode()) % _ON_AVERAGE == 0
        if len(part) >= _MOST or (ends and len(part) >= _LEAST):
            yield _name(part), part
            part = []
    if part:
        yield _name(part), part


def _name(part: list[Photo]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for photo in part:
        digest.update(f"{photo.place}\0{photo.name}\0{photo.version}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def score(photo: Photo, predictor: Predictor, crop: Crop) -> list[dict[str, object]]:
    """Rows of one photo: one for each face, or one that says why there is none.

    Raises
    ------
    UserError
        If the service that holds the photo cannot be reached, which says nothing of the photo.
    """
    try:
        faces = predictor.predict_photo(_read(photo.place), crop=crop)
    except PhotoError as error:
        return [{"file": photo.name, "error": str(error)}]
    except OSError as error:
        return [{"file": photo.name, "error": f"cannot be read: {error.strerror or error}"}]
    return [{"file": photo.name, **asdict(face)} for face in faces]


def _read(place: str) -> bytes:
    location = place_of(place)
    if isinstance(location, Path):
        data = _start(location)
    else:
        with storage.access(location):
            data = _start(location)
    if len(data) > LARGEST:
        raise PhotoError(f"the file is over {LARGEST >> 20} MB: send a smaller one")
    return data


def _start(location: Location) -> bytes:
    with location.open("rb") as file:
        return bytes(file.read(LARGEST + 1))


Parts = Iterable[tuple[str, list[Photo]]]


def _scored(parts: Parts, predictor: Predictor, crop: Crop) -> Iterator[tuple[str, pa.Table]]:
    """Score parts, on the cluster of `analysis.core.compute.connected` or on all of this machine's cores."""
    if compute.on_cluster():
        model = predictor.content
        yield from compute.stream(_score_part, parts, shared={"model": model, "crop": crop})
        return
    with ThreadPoolExecutor(cpu_count(), thread_name_prefix="predict") as pool:
        waiting: deque[tuple[str, list[Future[list[dict[str, object]]]]]] = deque()
        try:
            for name, part in parts:
                waiting.append((name, [pool.submit(score, photo, predictor, crop) for photo in part]))
                if len(waiting) > _AHEAD:
                    yield _collected(*waiting.popleft())
            while waiting:
                yield _collected(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collected(name: str, rows: list[Future[list[dict[str, object]]]]) -> tuple[str, pa.Table]:
    return name, as_table(row for photo in rows for row in photo.result())


def _score_part(part: tuple[str, list[Photo]], *, model: tuple[str, bytes], crop: Crop) -> tuple[str, pa.Table]:
    """Score a part on a worker of a cluster."""
    predictor = _predictor_of_process(*model)
    return part[0], as_table(row for photo in part[1] for row in score(photo, predictor, crop))


@lru_cache(maxsize=1)
def _predictor_of_process(card: str, content: bytes) -> Predictor:
    return Predictor.from_content(card, content)


def count_photos(given: Iterable[str | Path]) -> tuple[int, LeftOut]:
    """Number of photos among files and folders, and what is left out.

    Raises
    ------
    UserError
        If a path does not exist or no photo is found.
    """
    left_out = LeftOut()
    total = sum(1 for _ in find_photos(given, left_out))
    if not total:
        raise UserError(f"no photo found: give {kinds.names()} files, or folders that hold some")
    return total, left_out


def predict_paths(
    given: Iterable[str | Path], predictor: Predictor, *, crop: Crop = "detect", progress: int | None = None
) -> pd.DataFrame:
    """Predict every face of every photo.

    Parameters
    ----------
    given
        Files and folders; see `find_photos`.
    predictor
        Does the work; photos are decoded and scored on all cores.
    crop
        See `Predictor.predict_photo`.
    progress
        Number of photos, for a progress bar on stderr; None shows none.

    Returns
    -------
    pandas.DataFrame
        One row per face, in the order of the photos: ``file, face, x, y, width, height`` (pixels), ``label``,
        ``p_male`` in [0, 1], ``turned`` (see `FacePrediction`) and ``error``; a file that cannot be scored has one row
        with its error alone.

    Raises
    ------
    UserError
        If a path does not exist or a service cannot be reached.
    """
    tables = list(_predicted(given, predictor, crop, progress))
    return as_frame(pa.concat_tables(tables) if tables else as_table([]))


def _predicted(
    given: Iterable[str | Path], predictor: Predictor, crop: Crop, progress: int | None
) -> Generator[pa.Table, None, None]:
    """Rows of one part after the other, in the order of the photos."""
    order: deque[str] = deque()
    scored: dict[str, pa.Table] = {}

    def parts() -> Iterator[tuple[str, list[Photo]]]:
        for name, part in cut(find_photos(given)):
            order.append(name)
            yield name, part

    with _bar(progress) as bar:
        for name, table in _scored(parts(), predictor, crop):
            scored[name] = table
            bar.update(count(table).photos)
            while order and order[0] in scored:
                first = order.popleft()
                yield scored[first] if first in order else scored.pop(first)


def predict_on(
    stream: TextIO,
    given: Iterable[str | Path],
    predictor: Predictor,
    *,
    crop: Crop = "detect",
    excel: bool = False,
    progress: int | None = None,
) -> Counts:
    """Predict photos and write the rows as CSV as soon as they are there.

    Parameters
    ----------
    stream
        Such as ``sys.stdout``.
    given, predictor, crop, progress
        See `predict_paths`.
    excel
        Whether to begin with a byte order mark, which Excel needs.

    Returns
    -------
    Counts

    Raises
    ------
    UserError
        If a path does not exist, a service cannot be reached, or the stream cannot be written to: what was scored and
        not written is then kept in a file that the message names.
    """
    counts = Counts()
    table, text = as_table([]), (MARK if excel else "") + as_csv(as_frame(as_table([])))
    tables = _predicted(given, predictor, crop, progress)
    try:
        while True:
            stream.write(text)  # the header before any work: a full disk is seen at once
            stream.flush()
            counts = counts + count(table)
            table = next(tables, None)
            if table is None:
                return counts
            text = as_csv(as_frame(table), header=False)
    except BrokenPipeError:  # who reads has had enough
        raise
    except OSError as error:
        kept = rescue(table) if len(table) else None
        where = f": {count(table).photos:,} photos that were scored but not written are kept in {kept}" if kept else ""
        raise UserError(f"the output cannot be written ({error.strerror or error}){where}") from error
    finally:
        tables.close()


def predict_to(
    output: str | Path,
    given: Iterable[str | Path],
    predictor: Predictor,
    *,
    crop: Crop = "detect",
    excel: bool = False,
    progress: int | None = None,
) -> Counts:
    """Predict photos into a file; a call that was killed goes on where it stopped when it is made again.

    Parameters
    ----------
    output
        A path or URL that ends in .csv, .parquet or .jsonl; its columns are those of `predict_paths`.
    given, predictor, crop, progress
        See `predict_paths`.
    excel
        Whether a CSV begins with a byte order mark, which Excel needs.

    Returns
    -------
    Counts

    Raises
    ------
    UserError
        If a path does not exist, a service cannot be reached, or the file cannot be written: as far as that can be
        known before the work, else with the place where what was scored is kept.
    """
    place = place_of(output)
    check_output(place, excel=excel)
    report = Report(place, {"crop": crop, "model": predictor.card.as_json()}, excel=excel)
    order: list[str] = []

    def missing() -> Iterator[tuple[str, list[Photo]]]:
        for name, part in cut(find_photos(given)):
            order.append(name)
            if report.has(name):
                bar.update(len(part))
            else:
                yield name, part

    with report.collecting(), _bar(progress) as bar:
        for name, table in _scored(missing(), predictor, crop):
            report.add(name, table)
            bar.update(count(table).photos)
        return report.finish(order)


def _bar(total: int | None) -> tqdm:
    return tqdm(total=total, desc="Predicting", unit="photo", disable=total is None)
