"""Writes and removes files and folders, on disk or in a bucket, whole or not at all."""

import contextlib
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from upath import UPath

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from analysis.core import switch
from analysis.core.errors import UserError
from analysis.core.paths import Location

_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"}  # protocols of services without folders


_RESERVED = 1 << 20  # bytes that are reserved to see whether they can be; some file systems write them all

# What the system says where something cannot be written, and what helps.
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some of your quota, or choose another place",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or choose another place",
    errno.EROFS: "choose a place that is not read-only",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.ENOTDIR: "a file is in the way of a folder: choose another place",
    errno.EEXIST: "a file is in the way of a folder: choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EBUSY: "it is a mount point: choose a folder within it, or mount one around it",
    errno.EXDEV: "it is part of a container's image: choose another folder, or mount one around it",
}


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and put what is there in its place when the block ends without an error.

    Works for files and for folders, in one step: a reader sees the old one or the new one, whole, also if the machine
    fails; an error leaves the old one. See `analysis.core.switch`.

    Parameters
    ----------
    target
        Final path; its parent folders are made.

    Yields
    ------
    pathlib.Path
        Path that does not exist yet; the block creates a file or a folder there.

    Raises
    ------
    UserError
        If the disk is full or read-only, a quota is used up, the place may not be written to, or it is a device or a
        pipe.
    """
    target = _place_of(target)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with switch.scratch(target) as scratch:
            new = scratch / target.name
            yield new
            switch.put(new, target)


def _place_of(target: Path) -> Path:
    """Where a file or folder lies, beyond links; not in the place of a device or a pipe, which a file would replace."""
    place = target
    if os.path.islink(target):  # noqa: PTH114 - Path's own raises where a name is too long
        place = Path(os.path.realpath(target))  # Path.resolve() raises on a loop in some versions of Python
        if os.path.islink(place):  # noqa: PTH114
            raise UserError(f"{target} is a link that leads to itself: choose another place")
    with writing(target):
        if place.exists() and not place.is_file() and not place.is_dir():
            raise UserError(f"{target} is a device, a pipe or a socket: name a file or a folder")
    return place


def check_replaceable(folder: Path, parts: Iterable[str]) -> None:
    """Refuse a place for a whole folder where something else is, which would be lost.

    Parameters
    ----------
    folder
        Folder that will be replaced.
    parts
        Files of which one, at least, is in each folder of its kind.

    Raises
    ------
    UserError
        If it is a file, or a folder that holds something, but none of those files.
    """
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: name a folder")
        if folder.is_dir() and any(folder.iterdir()) and not any((folder / part).exists() for part in parts):
            raise UserError(f"{folder} holds other files, which would be lost: name a new or an empty folder")


@contextlib.contextmanager
def writing(target: Location) -> Iterator[None]:
    """Turn what the system says of a full, read-only or forbidden place into an error of one line.

    Raises
    ------
    UserError
        It names ``target``, the reason and what helps.
    """
    try:
        yield
    except OSError as caught:
        error = _with_number(caught)
        if error.errno not in _REMEDIES or (error.errno in (errno.EACCES, errno.EPERM) and not _is_at(error, target)):
            raise
        raise UserError(f"{target} cannot be written ({error.strerror}): {_REMEDIES[error.errno]}") from caught


def _with_number(error: OSError) -> OSError:
    """Number an error of the system that carries none: of many files that were copied, or of an array in part."""
    if error.errno is not None:
        return error
    number = None
    if named := re.search(r"\[Errno (\d+)\]", str(error)):  # of the first one, says `shutil.Error`
        number = int(named[1])
    elif re.search(r"\d+ requested and \d+ written", str(error)):  # says NumPy
        number = errno.ENOSPC
    return error if number is None else OSError(number, os.strerror(number))


def _is_at(error: OSError, target: Location) -> bool:
    """Whether an error is about a path on the way to, or beside, a target: a block may read files elsewhere."""
    named = next((str(name) for name in (error.filename2, error.filename) if isinstance(name, str | Path)), None)
    return named is None or named.startswith(str(target.parent)) or str(target).startswith(named)


def check_writable(target: Location, size: int = 1 << 16) -> None:
    """Refuse a place that cannot be written to, before any work is done.

    Parameters
    ----------
    target
        File or folder that will be written; it need not exist.
    size
        Bytes that will be needed at least; they are reserved for a moment.

    Raises
    ------
    UserError
        If it is not possible to write there, or not that much.
    """
    if not isinstance(target, Path):
        trial = target.parent / f".{target.name}.trial"
        with access(target), _in_a_bucket(target):
            make_parent(trial)
            trial.write_bytes(b"")
            trial.unlink()
        return
    place = _place_of(target)
    with writing(place):
        folder = next(parent for parent in place.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        try:
            trial_file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is opened apart to tell its errors
        except OSError as error:
            if error.errno in _REMEDIES:
                raise OSError(error.errno, error.strerror, str(folder)) from error  # not of the file for the trial
            raise UserError(f"{target} cannot be written ({error.strerror}): choose another place") from error
        with trial_file:
            _reserve(trial_file.fileno(), folder, size)


def _reserve(file: int, folder: Path, size: int) -> None:
    """Take blocks from the disk and from the quota; of more than a megabyte, ask only whether they are there."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    if resource and -1 < resource.getrlimit(resource.RLIMIT_FSIZE)[0] < size:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(folder))
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, min(size, _RESERVED))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # a file system that cannot reserve
                raise


def remedy(error: OSError) -> str | None:
    """What a user can do about an error of the system, in one line; None if it is not of a known kind."""
    if error.errno not in _REMEDIES:
        return None
    where = error.filename2 or error.filename
    return f"{f'{os.fsdecode(where)}: ' if where else ''}{error.strerror}: {_REMEDIES[error.errno]}"


@contextlib.contextmanager
def access(location: Location) -> Iterator[None]:
    """Turn what fails while a remote file or folder is accessed into an error of one line.

    Errors about missing files, or on this machine's disk, pass unchanged.

    Raises
    ------
    UserError
        If the service cannot be reached, refuses access, or fails.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except _failures() as error:
        if isinstance(location, Path):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{location} cannot be reached ({reason}): check its name, the network and the service's settings, "
            "such as AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID"
        ) from error


@contextlib.contextmanager
def _in_a_bucket(target: UPath) -> Iterator[None]:
    """Say that a place that is written to is missing: of a bucket nothing but itself can be."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{target} cannot be written ({' '.join(str(error).split())}): make {target.protocol}://{target.drive} "
            "first, or choose another place"
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """What file systems raise besides OSError, of the packages that are in use."""
    names = (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
    )
    return OSError, *(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)


def write_whole(target: Location, data: bytes) -> None:
    """Write a file that a reader sees whole or not at all, and that an error leaves as it was."""
    if not isinstance(target, Path):
        with _in_a_bucket(target):
            make_parent(target)
            target.write_bytes(data)  # an object appears when its last byte has arrived
        return
    with replacing(target) as new:
        new.write_bytes(data)


@contextlib.contextmanager
def whole_file(target: Location) -> Iterator[Path]:
    """Like `replacing`, for one file that may lie in a bucket: made on this machine's disk, it is sent when whole.

    Yields
    ------
    pathlib.Path
        Path that does not exist yet; the block creates a file there.
    """
    if isinstance(target, Path):
        with replacing(target) as new:
            yield new
        return
    with tempfile.TemporaryDirectory(prefix="meanface-") as folder:
        new = Path(folder) / target.name
        with writing(new):
            yield new
        with access(target), _in_a_bucket(target):
            make_parent(target)
            target.fs.put_file(str(new), target.path)


def make_parent(target: UPath) -> None:
    """Make the folder that a remote file lies in, where the service has folders; a bucket's are only parts of names."""
    protocols = {target.fs.protocol} if isinstance(target.fs.protocol, str) else set(target.fs.protocol)
    if not protocols & _BUCKETS:
        target.fs.makedirs(target.parent.path, exist_ok=True)


def remove(folder: Location) -> None:
    """Remove a folder and everything below it, if it exists."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)


def put_folder(source: Location, target: Location) -> None:
    """Replace a folder by another one; both are on disk, or both in the same bucket.

    On disk the new one is renamed. In a bucket it is copied, so that after a kill the source is still complete.
    """
    if isinstance(source, Path) and isinstance(target, Path):
        with replacing(target) as new:
            source.rename(new)
        return
    remove(target)
    assert isinstance(source, UPath) and isinstance(target, UPath)
    make_parent(target)
    source.fs.copy(source.path.rstrip("/") + "/", target.path.rstrip("/") + "/", recursive=True)


def zarr_store(folder: Location) -> Any:
    """The store at ``folder``, for Zarr and xarray."""
    if isinstance(folder, Path):
        return folder
    from zarr.storage import FsspecStore  # noqa: PLC0415 - Zarr is slow to import and not always needed

    return FsspecStore.from_url(str(folder), storage_options=dict(folder.storage_options))
