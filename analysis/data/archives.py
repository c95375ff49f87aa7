"""Stores: the files in a zip or tar archive, in a folder, or in a bucket.

A store can be sent to another process: only its location is sent, and the directory of an archive is read once per
process. Names have slashes, even if the archive uses backslashes. Bytes of a name that are not UTF-8 are written as
``\\xe9``.
"""

import errno
import io
import os
import posixpath
import re
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
from pyarrow import compute as pc
from upath import UPath

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.core.paths import Location
from analysis.core.words import quoted
from analysis.data import contents
from analysis.data.kinds import START, has_photo_ending, kind_of
from analysis.data.walk import LeftOut, Walk, is_hidden

# An archive that is far away is read in blocks, of which the next one is on its way while one is read: 64 MB at most.
_BLOCK, _BLOCKS = 4 << 20, 16
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}  # that zipfile unpacks
_OTHER_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 97: "WavPack", 98: "PPMd"}
ARCHIVE = r"(?i)\.(?:zip|tar|tgz|tbz2?|txz|tzst|tar\.(?:gz|bz2|xz|zst|lz4))$"  # of RE2; names of archives
# Files that are not photos by their names, and need not be opened to find out.
_NO_PHOTO = re.compile(rf"{ARCHIVE}|\.(?:csv|tsv|txt|md|json|xml|html?|parquet|mat|npy|npz|pdf|py|ya?ml|log|db)$", re.I)

_Entry = tuple[str, int, str, bool]  # name, size, token, and whether it is a photo


class Store(Protocol):
    """Files below one location.

    Attributes
    ----------
    path
        The location.
    left_out
        What `entries` left out.
    """

    path: Location
    left_out: LeftOut

    def entries(self) -> pa.Table:
        """``source_path``, ``bytes``, ``token`` and ``photo`` (bool) of every file that is not hidden, in no order."""

    def read(self, name: str) -> bytes:
        """Content of one file."""

    def open(self, name: str) -> IO[bytes]:
        """One file, to be read from its beginning to its end."""


def open_store(path: Location) -> Store:
    """Open the archive, folder or bucket's folder at ``path``.

    Raises
    ------
    UserError
        If it is a file that cannot be read.
    """
    if path.is_dir():
        return Folder(path) if isinstance(path, Path) else RemoteFolder(path)
    return Tar(path) if contents.is_tar(first_bytes(path)) else Zip(path)


def first_bytes(path: Location) -> bytes:
    """The first bytes of a file, as many as `analysis.data.contents` looks at."""
    try:
        with storage.access(path), path.open("rb") as file:
            return bytes(file.read(contents.START))
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Location, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {error.strerror or error}")


class Zip:
    """A zip archive, opened once and on first use (the directory of 200,000 files takes a second to read)."""

    def __init__(self, path: Location) -> None:
        self.path = path
        self.left_out = LeftOut()
        self._lock = threading.Lock()
        self._archive: zipfile.ZipFile | None = None
        self._renamed: dict[str, zipfile.ZipInfo] = {}  # entries that have another name in the archive, and links

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_process, (Zip, self.path, mark(self.path))

    def _open(self) -> zipfile.ZipFile:
        with self._lock:
            if self._archive is None:
                try:
                    with storage.access(self.path):
                        archive = zipfile.ZipFile(_seekable(self.path))
                except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
                    raise UserError(f"{self.path} {self._what_else(error)}") from None
                except OSError as error:
                    raise _unreadable(self.path, error) from None
                self._renamed = _renamed(archive)
                self._archive = archive
            return self._archive

    def _what_else(self, error: Exception) -> str:
        if isinstance(error, UnicodeDecodeError):
            name = quoted(error.object.decode("utf-8", "surrogateescape"))
            return f"says that its names are UTF-8, which {name} is not: unpack it and give the folder"
        start = first_bytes(self.path)
        if contents.is_zip(start):
            return f"is not a whole zip archive ({error}): fetch or copy it again"
        if found := contents.mistaken(start):
            return found
        return f"is not a zip archive ({error}): give a folder, or a zip or tar archive"

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is the CRC-32.

        Raises
        ------
        UserError
            If the archive is damaged, encrypted, packed by a method that cannot be unpacked, or has entries that point
            outside of it.
        """
        archive = self._open()
        files: dict[str, _Entry] = {}
        for info in archive.infolist():
            name = info.filename.replace("\\", "/")
            _check_inside(self.path, info.filename, name)
            if info.flag_bits & 1:
                raise UserError(f"{self.path} is encrypted: unpack it and give the folder instead")
            if info.is_dir() or name[-1] == "/":
                continue
            if is_hidden(name):
                self.left_out.add("hidden file", "hidden files", name)
                continue
            if _is_link(info) and name not in self._renamed:
                self.left_out.add("link to nowhere", "links to nowhere", name)
                continue
            target = self._renamed.get(name, info)
            if target.compress_type not in _METHODS:
                method = _OTHER_METHODS.get(target.compress_type, f"method {target.compress_type}")
                raise UserError(f"{self.path} is packed by {method}, which cannot be read: unpack it, give the folder")
            files[name] = (name, target.file_size, f"{target.CRC:08x}", self._is_photo(name))
        return _entries(self.path, files.values())

    def _is_photo(self, name: str) -> bool:
        return is_photo(name, partial(self.open, name), remote=paths.is_remote(self.path))

    def read(self, name: str) -> bytes:
        """Content of one file; may be called from many threads."""
        member = self.open(name)
        try:
            return member.read()
        finally:
            with self._lock:
                member.close()

    def open(self, name: str) -> IO[bytes]:
        """See `Store.open`."""
        archive = self._open()
        # zipfile locks each read of the shared file, but not its count of open members.
        with self._lock:
            return archive.open(self._renamed.get(name, name))


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _renamed(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Entries of an archive that have another name here than in the archive, by that name."""
    renamed = {info.filename.replace("\\", "/"): info for info in archive.infolist() if "\\" in info.filename}
    for info in filter(_is_link, archive.infolist()):
        name = info.filename.replace("\\", "/")
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(name), os.fsdecode(archive.read(info))))
        target = renamed.get(aim) or archive.NameToInfo.get(aim)
        if target and not _is_link(target):
            renamed[name] = target
    return renamed


def _check_inside(path: Location, written: str, name: str) -> None:
    if name[:1] in ("/", "") or name[1:2] == ":" or (".." in name and ".." in name.split("/")):
        raise UserError(f"{path} is refused: its entry {quoted(written)} points outside the archive")


class Tar:
    """A tar archive that is not compressed, whose files are read in place; its directory is read on first use."""

    def __init__(self, path: Location) -> None:
        self.path = path
        self.left_out = LeftOut()
        self._lock = threading.Lock()
        self._members: dict[str, tuple[int, int, str]] | None = None  # where each begins, its size and its token

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_process, (Tar, self.path, mark(self.path))

    def _index(self) -> dict[str, tuple[int, int, str]]:
        with self._lock:
            if self._members is None:
                try:
                    with storage.access(self.path), self._file() as file, tarfile.open(fileobj=file, mode="r:") as tar:
                        self._members = self._read_index(tar)
                except tarfile.TarError as error:
                    raise UserError(
                        f"{self.path} is not a whole tar archive ({error}): fetch or copy it again"
                    ) from None
                except OSError as error:
                    raise _unreadable(self.path, error) from None
            return self._members

    def _read_index(self, tar: tarfile.TarFile) -> dict[str, tuple[int, int, str]]:
        members: dict[str, tuple[int, int, str]] = {}
        links: dict[str, str] = {}
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # it keeps all that it has read, a kilobyte each
            name = paths.escaped(member.name.removeprefix("./"))
            _check_inside(self.path, member.name, name or "-")
            if is_hidden(name):
                if not member.isdir():
                    self.left_out.add("hidden file", "hidden files", name)
            elif member.issym() or member.islnk():
                aim = paths.escaped(member.linkname)
                links[name] = posixpath.normpath(
                    posixpath.join(posixpath.dirname(name), aim) if member.issym() else aim
                )
            elif member.isreg() and not member.issparse():
                members[name] = (member.offset_data, member.size, f"{int(member.mtime)}-{member.size}")
            elif not member.isdir():
                self.left_out.add("pipe, socket or device", "pipes, sockets or devices", name)
        # tarfile treats a damaged or missing header as the end.
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"it breaks off after {len(members):,} files")
        for name, aim in links.items():
            if aim in members:
                members[name] = members[aim]
            else:
                self.left_out.add("link to nowhere", "links to nowhere", name)
        return members

    def _file(self) -> Any:
        return self.path.open("rb") if isinstance(self.path, Path) else _seekable(self.path)

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is the time of change and the size.

        Raises
        ------
        UserError
            If the archive is damaged or has entries that point outside of it.
        """
        remote = paths.is_remote(self.path)
        index = self._index()
        return _entries(
            self.path,
            (
                (name, size, token, is_photo(name, partial(self.open, name), remote=remote))
                for name, (_, size, token) in index.items()
            ),
        )

    def read(self, name: str) -> bytes:
        """Content of one file; may be called from many threads.

        Raises
        ------
        KeyError
            If there is no such file.
        OSError
            If the archive ends before the file does.
        """
        begin, size, _ = self._index()[name]
        if not isinstance(self.path, Path):
            data: bytes = self.path.fs.cat_file(self.path.path, start=begin, end=begin + size)
        else:
            with self.path.open("rb") as file:
                file.seek(begin)
                data = file.read(size)
        if len(data) < size:
            raise OSError(errno.EIO, f"{self.path} ends before {name} does")
        return data

    def open(self, name: str) -> IO[bytes]:
        """See `Store.open`."""
        begin, size, _ = self._index()[name]
        return io.BufferedReader(_Part(self._file(), begin, size))


class _Part(io.RawIOBase):
    """A stretch of a file, read as a file of its own."""

    def __init__(self, file: IO[bytes], begin: int, size: int) -> None:
        self._file, self._left = file, size
        file.seek(begin)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class Folder:
    """A folder and all below it, each file once; see `analysis.data.walk`."""

    def __init__(self, path: Path) -> None:
        self.path: Location = path
        self.left_out = LeftOut()

    def entries(self) -> pa.Table:
        """See `Store.entries`; the token is the time of change and the size."""
        walk = Walk()
        self.left_out = walk.left_out
        try:
            return _entries(self.path, self._walked(walk))
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def _walked(self, walk: Walk) -> Iterator[_Entry]:
        for file in walk.files(Path(str(self.path))):
            try:
                photo = is_photo(file.name, partial(io.FileIO, file.path))
            except OSError:
                self.left_out.add("file that cannot be read", "files that cannot be read", file.name)
                continue
            yield paths.escaped(file.name), file.bytes, f"{file.changed}-{file.bytes}", photo

    def read(self, name: str) -> bytes:
        """Content of one file."""
        return self._locate(name).read_bytes()

    def open(self, name: str) -> IO[bytes]:
        """See `Store.open`."""
        return self._locate(name).open("rb")

    def _locate(self, name: str) -> Path:
        path = Path(str(self.path)) / name
        if "\\x" in name and not path.exists() and (own := paths.unescaped(name)):
            return Path(str(self.path)) / own
        return path


class RemoteFolder:
    """What lies below a URL that fsspec understands, such as s3://bucket/faces."""

    def __init__(self, path: UPath) -> None:
        self.path: Location = path
        self.left_out = LeftOut()
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
            if not name:
                continue
            if is_hidden(name):
                self.left_out.add("hidden file", "hidden files", name)
                continue
            photo = is_photo(name, partial(self.open, name), remote=True)
            files.append((name, int(facts["size"] or 0), f"{changed}-{facts['size']}".replace('"', ""), photo))
        return _entries(self.path, files)

    def read(self, name: str) -> bytes:
        """Content of one file."""
        return (self.path / name).read_bytes()

    def open(self, name: str) -> IO[bytes]:
        """See `Store.open`."""
        opened: IO[bytes] = self._files.open(f"{self._root}/{name}", "rb")
        return opened


def is_photo(name: str, opened: Callable[[], IO[bytes]], *, remote: bool = False) -> bool:
    """Whether a file is a photo, by its ending or, where that says nothing, by its first bytes.

    Parameters
    ----------
    name
        Its name.
    opened
        Opens the file; called without arguments.
    remote
        Whether opening needs a request over a network: then only a file without an ending is opened.
    """
    if has_photo_ending(name):
        return True
    if _NO_PHOTO.search(name) or (remote and "." in name.rpartition("/")[2]):
        return False
    try:
        with opened() as file:
            return kind_of(file.read(START)) is not None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return False


def _entries(path: Location, files: Iterable[_Entry]) -> pa.Table:
    names, sizes, tokens, photos = zip(*files, strict=True) if (files := list(files)) else ((), (), (), ())
    table = pa.table(
        {
            "source_path": pa.array(names, pa.string()),
            "bytes": pa.array(sizes, pa.int64()),
            "token": pa.array(tokens, pa.string()),
            "photo": pa.array(photos, pa.bool_()),
        }
    )
    if any("\\x" in name for name in names) and len(set(names)) < len(names):
        counts = pc.value_counts(table["source_path"])
        twice = next(count["values"] for count in counts.to_pylist() if count["counts"] > 1)
        raise UserError(f"{path} holds two files that are written {twice!r}: rename one of them")
    return table


def _seekable(path: Location) -> Any:
    """Input of zipfile: the path itself, or a file that requests the ranges it needs from a service."""
    if isinstance(path, Path):
        return path
    return path.fs.open(
        path.path, "rb", block_size=_BLOCK, cache_type="background", cache_options={"maxblocks": _BLOCKS}
    )


def mark(path: Location) -> str:
    """Text that changes when the file at ``path`` is replaced."""
    if isinstance(path, Path):
        facts = path.stat()
        return f"{facts.st_mtime_ns}-{facts.st_size}"
    return str(path.fs.ukey(path.path))


@lru_cache(maxsize=4)
def _of_process(kind: type[Zip] | type[Tar], path: Location, mark: str) -> Zip | Tar:
    """Return the archive that all tasks of this process share; ``mark`` distinguishes it from a file it replaced."""
    return kind(path)


def matching(entries: pa.Table, pattern: str) -> pa.Table:
    """Entries of a store whose path matches a pattern of RE2."""
    return entries.filter(pc.match_substring_regex(entries["source_path"], pattern))


def names_matching(entries: pa.Table, pattern: str) -> list[str]:
    """Paths that match a pattern of RE2, sorted."""
    return sorted(matching(entries, pattern)["source_path"].to_pylist())
