"""How files and folders are written and removed, on disk or in a bucket: whole or not at all.

Knows locations; knows nothing of what is in the files.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upath import UPath

from analysis.core.errors import UserError
from analysis.core.paths import Location


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and move it there when the block ends without an error.

    Works for files and for folders, so that a reader never sees half of either and an error leaves the old one.

    Parameters
    ----------
    target
        Final path; its parent folders are made.

    Yields
    ------
    pathlib.Path
        Path that does not exist yet; the block creates a file or a folder there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    new, old = scratch / target.name, scratch / f"{target.name}.old"
    try:
        yield new
        if target.is_dir():
            target.rename(old)  # a folder cannot be renamed onto another one
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
        target.write_bytes(data)  # an object appears when its last byte has arrived
        return
    with replacing(target) as new:
        new.write_bytes(data)


def remove(folder: Location) -> None:
    """Remove a folder and all below it, where there is one."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)


def put_folder(source: Location, target: Location) -> None:
    """Put a whole folder in the place of another one; both lie on disk, or both at one service.

    On disk it is renamed. A service knows no renaming: there it is copied, so that whoever is killed half-way still has
    the source to begin again from.
    """
    if isinstance(source, Path) and isinstance(target, Path):
        with replacing(target) as new:
            source.rename(new)
        return
    remove(target)
    assert isinstance(source, UPath) and isinstance(target, UPath)
    source.fs.copy(source.path.rstrip("/") + "/", target.path.rstrip("/") + "/", recursive=True)


def zarr_store(folder: Location) -> Any:
    """What Zarr and xarray open a store at ``folder`` by."""
    if isinstance(folder, Path):
        return folder
    from zarr.storage import FsspecStore  # noqa: PLC0415 - who reads other results does without Zarr

    return FsspecStore.from_url(str(folder), storage_options=dict(folder.storage_options))
