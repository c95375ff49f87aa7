"""Files below one location: a zip's, a folder's, or those in a bucket. Knows nothing of what is in the files.

A store may be sent to another process: only its location travels, and a zip's directory is read once per process.
"""

import os
import re
import stat
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import compute as pc
from upath import UPath

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.paths import Location

# A zip that is far away is read in blocks, of which the next one is on its way while one is read: 64 MB at most.
_BLOCK, _BLOCKS = 4 << 20, 16


# Pattern of RE2, for paths in a store.
IMAGE = r"(?i)\.(?:jpe?g|png|webp)$"


class Store(Protocol):
    """Files below one location."""

    path: Location

    def entries(self) -> pa.Table:
        """``source_path``, ``bytes`` and ``token`` of every file that is not hidden, in no order."""

    def read(self, name: str) -> bytes:
        """Content of one file."""


def open_store(path: Location) -> Store:
    """Open the zip, folder or bucket's folder at ``path``."""
    if not path.is_dir():
        return Zip(path)
    return Folder(path) if isinstance(path, Path) else RemoteFolder(path)


class Zip:
    """A zip archive, opened once and on first use (the directory of 200,000 files takes a second to read)."""

    def __init__(self, path: Location) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._archive: zipfile.ZipFile | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _zip_of_process, (self.path, _mark(self.path))

    def _open(self) -> zipfile.ZipFile:
        with self._lock:
            if self._archive is None:
                try:
                    with storage.access(self.path):
                        self._archive = zipfile.ZipFile(_seekable(self.path))
                except zipfile.BadZipFile as error:
                    raise UserError(
                        f"{self.path} is not a whole zip archive ({error}): fetch or copy it again"
                    ) from None
                except OSError as error:
                    raise UserError(f"{self.path} cannot be read: {error.strerror or error}") from None
            return self._archive

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is the CRC-32.

        Raises
        ------
        UserError
            If the archive is damaged, encrypted, or has entries that point outside of it.
        """
        files = []
        for info in self._open().infolist():
            name = info.filename
            if name[0] in "/\\" or name[1:2] == ":" or (".." in name and ".." in re.split(r"[/\\]", name)):
                raise UserError(f"{self.path} is refused: its entry {name!r} points outside the archive")
            if info.flag_bits & 1:
                raise UserError(f"{self.path} is encrypted: unpack it and give the folder instead")
            if name[-1] != "/" and not _hidden(name):
                files.append((name, info.file_size, f"{info.CRC:08x}"))
        return _entries(self.path, files)

    def read(self, name: str) -> bytes:
        """Content of one file; may be called from many threads."""
        archive = self._open()
        # zipfile locks each read of the shared file, but not its count of open members.
        with self._lock:
            member = archive.open(name)
        try:
            return member.read()
        finally:
            with self._lock:
                member.close()


class Folder:
    """A folder and all below it; links to other folders are not followed."""

    def __init__(self, path: Path) -> None:
        self.path: Location = path

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is the time of change and the size."""
        return _entries(self.path, list(self._walk(str(self.path), "")))

    def _walk(self, folder: str, prefix: str) -> Iterator[tuple[str, int, str]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _hidden(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(entry.path, f"{prefix}{entry.name}/")
                    continue
                try:
                    facts = entry.stat()
                except OSError:  # a link to nowhere
                    continue
                if stat.S_ISREG(facts.st_mode):
                    yield f"{prefix}{entry.name}", facts.st_size, f"{facts.st_mtime_ns}-{facts.st_size}"

    def read(self, name: str) -> bytes:
        """Content of one file."""
        return (self.path / name).read_bytes()


class RemoteFolder:
    """What lies below a URL that fsspec understands, such as s3://bucket/faces."""

    def __init__(self, path: UPath) -> None:
        self.path: Location = path
        self._files, self._root = path.fs, path.path.rstrip("/")

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is what the service changes with the content, its ETag or its time."""
        files = []
        with storage.access(self.path):
            listed = self._files.find(self._root, detail=True)
        for whole, facts in listed.items():
            name = whole[len(self._root) :].lstrip("/")
            changed = next(
                (facts[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if key in facts), ""
            )
            if name and not _hidden(name):
                files.append((name, int(facts["size"] or 0), f"{changed}-{facts['size']}".replace('"', "")))
        return _entries(self.path, files)

    def read(self, name: str) -> bytes:
        """Content of one file."""
        return (self.path / name).read_bytes()


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name


def _entries(path: Location, files: Sequence[tuple[str, int, str]]) -> pa.Table:
    names, sizes, tokens = zip(*files, strict=True) if files else ((), (), ())
    try:
        return pa.table(
            {
                "source_path": pa.array(names, pa.string()),
                "bytes": pa.array(sizes, pa.int64()),
                "token": pa.array(tokens, pa.string()),
            }
        )
    except UnicodeEncodeError:
        raise UserError(f"a file name in {path} is not UTF-8: rename it") from None


def _seekable(path: Location) -> Any:
    """What zipfile reads from: the path itself, or a file that asks a service for the ranges it needs."""
    if isinstance(path, Path):
        return path
    return path.fs.open(
        path.path, "rb", block_size=_BLOCK, cache_type="background", cache_options={"maxblocks": _BLOCKS}
    )


def _mark(path: Location) -> str:
    """Something that changes when the file at ``path`` is replaced."""
    if isinstance(path, Path):
        facts = path.stat()
        return f"{facts.st_mtime_ns}-{facts.st_size}"
    return str(path.fs.ukey(path.path))


@lru_cache(maxsize=4)
def _zip_of_process(path: Location, mark: str) -> Zip:
    """Return the one archive that all tasks of this process read; ``mark`` tells it from a file that it replaced."""
    return Zip(path)


def matching(entries: pa.Table, pattern: str) -> pa.Table:
    """Those of a store's entries whose path a pattern of RE2 fits."""
    return entries.filter(pc.match_substring_regex(entries["source_path"], pattern))


def names_matching(entries: pa.Table, pattern: str) -> list[str]:
    """Paths that a pattern of RE2 fits, sorted."""
    return sorted(matching(entries, pattern)["source_path"].to_pylist())
