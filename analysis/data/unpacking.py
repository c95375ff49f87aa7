"""Finds the archive with the images, and unpacks archives that cannot be read in place: compressed or nested ones.

Unpacked archives stay in ``data/NAME/unpacked`` as long as the note on the data set names them.
"""

import hashlib
import io
import json
import lzma
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa
from pyarrow import compute as pc

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.words import printable
from analysis.data import contents
from analysis.data.archives import ARCHIVE, Folder, RemoteFolder, Store, first_bytes, mark, names_matching, open_store
from analysis.data.celeba_tables import METADATA_ZIP
from analysis.data.layouts import EXPECTED

_DEPTH = 3  # archives within archives
_FOLDER = "unpacked"
_CHUNK = 1 << 20  # bytes that are copied at a time


def open_images(path: Location, folder: Location) -> list[tuple[Store, pa.Table]]:
    """Open what holds the images: ``path``, or the one archive in it, which may be in an archive itself.

    Parameters
    ----------
    path
        Archive or folder, on disk or in a bucket.
    folder
        The data set's own, where what must be unpacked is put.

    Returns
    -------
    list of (Store, pyarrow.Table)
        What was opened and its entries, see `Store.entries`: the images are in the last one, which the others hold.

    Raises
    ------
    UserError
        If nothing is there, it is damaged, holds no image, or several archives of images.
    """
    with storage.access(path):
        if not path.exists():
            raise UserError(f"nothing is at {path}: give a zip or tar archive or a folder of faces")
        if not path.is_dir() and not path.is_file():  # a pipe would be waited for without end
            raise UserError(f"{path} is no file and no folder: give a zip or tar archive or a folder of faces")
        if not path.is_dir() and contents.compression(first_bytes(path)):
            path = _unpacked(path, path.name, partial(path.open, "rb"), folder)
        store = open_store(path)
        opened = [(store, store.entries())]
        while not pc.any(opened[-1][1]["photo"]).as_py() and (inner := names_matching(opened[-1][1], ARCHIVE)):
            if len(opened) > _DEPTH:
                raise UserError(
                    f"{path} holds archives in archives, more than {_DEPTH} deep: unpack it, give the folder"
                )
            opened.append(_open_inner(opened[-1][0], inner, folder))
    return opened


def _open_inner(store: Store, names: list[str], folder: Location) -> tuple[Store, pa.Table]:
    """Open the one archive, of those in a store without photos, that has photos or archives in it."""
    images, packed = [], []
    for name in (name for name in names if not re.search(METADATA_ZIP, name)):
        if isinstance(store, Folder | RemoteFolder) and not contents.compression(first_bytes(store.path / name)):
            inner = open_store(store.path / name)
            entries = inner.entries()
            if _holds_images(entries):
                images.append((name, inner, entries))
        else:
            packed.append(name)
    if len(images) + len(packed) > 1:
        listed = ", ".join(printable(name) for name in (*(name for name, _, _ in images), *packed))
        raise UserError(f"{store.path} holds several archives of images ({listed}): give one of them")
    for name in packed:
        file = store.path / name if isinstance(store, Folder | RemoteFolder) else store.path
        inner = open_store(_unpacked(file, name, partial(store.open, name), folder))
        try:
            images.append((name, inner, inner.entries()))
        except UserError as error:  # it is unpacked for a moment only, so that its place there says nothing
            raise UserError(str(error).replace(str(inner.path), _place(file, name), 1)) from None
    if not images or not _holds_images(images[0][2]):
        raise UserError(f"{store.path} holds no images (it holds {printable(names[0])}): {EXPECTED}")
    return images[0][1:]


def _holds_images(entries: pa.Table) -> bool:
    return bool(pc.any(entries["photo"]).as_py() or names_matching(entries, ARCHIVE))


def _place(file: Location, name: str) -> str:
    """Where an archive called ``name`` is, which is ``file`` or lies in it."""
    return str(file) if file.name == PurePosixPath(name).name else f"{file}/{name}"


def _unpacked(file: Location, name: str, opened: Callable[[], Any], folder: Location) -> Location:
    """Unpack an archive called ``name``, which is ``file`` or lies in it, unless that was done; returns where."""
    digest = hashlib.sha256("\0".join((str(file), name, mark(file))).encode("utf-8", "surrogateescape"))
    stem = re.sub(r"(?i)\.(?:gz|bz2|xz|zst|lz4)$", "", re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(name).name))
    stem = re.sub(r"(?i)\.t(?:gz|bz2?|xz|zst)$", ".tar", stem)
    target = folder / _FOLDER / f"{digest.hexdigest()[:12]}-{stem[-80:]}"
    with storage.access(target):
        if not target.exists():
            with opened() as archive:
                unpack(archive, _place(file, name), target)
    return target


def clear_unpacked(note: Location) -> None:
    """Remove what was unpacked for a data set and is not what its note names."""
    folder = note.parent / _FOLDER
    with storage.access(folder):
        if not folder.exists():
            return
        facts = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {"images": "", "metadata": []}
        for stale in [path for path in folder.iterdir() if str(path) not in (facts["images"], *facts["metadata"])]:
            stale.unlink() if stale.is_file() else storage.remove(stale)
        for empty in (folder, folder.parent):
            if isinstance(empty, Path) and not any(empty.iterdir()):
                empty.rmdir()


def unpack(file: IO[bytes], where: str, target: Location) -> None:
    """Write an archive to where files can be read out of it in any order.

    Parameters
    ----------
    file
        The archive, which is read from its beginning to its end.
    where
        What to call it in messages.
    target
        Written whole or not at all: the archive, no longer compressed if it is a tar archive.

    Raises
    ------
    UserError
        If it is damaged or no archive, or the disk is too full.
    """
    where = printable(where)
    try:
        with storage.whole_file(target) as new, new.open("wb") as out:
            start = _take(file, contents.START)
            whole = _Whole(start, file)
            if method := contents.compression(start):
                _decompress(whole, method, out, where)
            elif contents.is_zip(start) or contents.is_tar(start):
                shutil.copyfileobj(whole, out, _CHUNK)
            else:
                raise UserError(f"{where} {contents.mistaken(start) or 'is not an archive that can be read'}")
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{where} is damaged or cut short ({reason}): fetch or copy it again") from None


def _decompress(file: Any, method: str, out: IO[bytes], where: str) -> None:
    with lzma.open(file) if method == "xz" else pa.CompressedInputStream(file, method) as plain:
        start = _take(plain, contents.START)
        if not contents.is_tar(start):
            raise UserError(f"{where} is compressed by {method}, but holds no tar archive: unpack it, give the folder")
        out.write(start)
        while chunk := plain.read(_CHUNK):
            out.write(chunk)


def _take(file: Any, size: int) -> bytes:
    """The first bytes of a file, fewer where it has no more; one read may give less than it is asked for."""
    taken = b""
    while len(taken) < size and (more := file.read(size - len(taken))):
        taken += more
    return taken


class _Whole(io.RawIOBase):
    """A file whose first bytes were taken already."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._start:
            given, self._start = self._start[:size], self._start[size:] if size >= 0 else b""
            return given
        return self._rest.read(size)
