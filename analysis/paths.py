"""Where things lie, on disk or in a bucket. Knows names of folders, nothing of what is in them.

Everything lives below the project's folder, or below ``MEANFACE_HOME`` where that is set (``make demo`` and the
tests use it to work in a scratch folder). Data sets alone may lie elsewhere: ``MEANFACE_DATA`` names another folder or
a URL that fsspec understands, such as ``s3://bucket/data``.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from upath import UPath

from analysis.errors import UserError

Location = Path | UPath  # on this machine's disk, or wherever a URL points; both have pathlib's methods

PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder that holds ``data/``, ``runs/``, ``results/`` and ``_site/``."""
    return Path(os.environ.get("MEANFACE_HOME", PROJECT)).absolute()  # workers may run in another folder


def locate(text: str | Path) -> Location:
    """Turn what a user writes, a path or a URL, into a place that can be read.

    Raises
    ------
    UserError
        If no package that is installed understands the URL.
    """
    if "://" not in str(text):
        return Path(text).expanduser().resolve()
    protocol = str(text).split("://", 1)[0]
    try:
        fsspec.get_filesystem_class(protocol)
        # Other processes write there, too: a listing that is kept would hide what they wrote.
        return UPath(text, use_listings_cache=False)
    except ImportError as error:
        raise UserError(f"{text} needs a package that is not installed ({error}): pip install 'meanface[s3]'") from None
    except ValueError:
        raise UserError(f"{text} cannot be read, {protocol}:// is not known: give a path or s3://BUCKET/...") from None


def is_remote(place: Location) -> bool:
    """Whether a place is not on this machine's disk."""
    return not isinstance(place, Path)


def data_folder(name: str) -> Location:
    """Folder of the data set called ``name``; below ``MEANFACE_DATA`` where that is set.

    Raises
    ------
    UserError
        If ``MEANFACE_DATA`` is a URL that no package that is installed understands.
    """
    if named := os.environ.get("MEANFACE_DATA"):
        return locate(named) / name
    return home() / "data" / name


def disk_folder(name: str) -> Path:
    """Folder for what a data set needs on this machine: downloads, and files that are mapped into memory."""
    folder = data_folder(name)
    return folder if isinstance(folder, Path) else home() / "data" / name


def run_folder(run: str) -> Path:
    """Folder of the run called ``run``."""
    return home() / "runs" / run


def results_folder() -> Path:
    """The published run: what the report, the explorer and the API read.

    ``MEANFACE_RESULTS`` names another one, for the pages while `analysis.report.render` draws them. A home without
    a published run of its own falls back on the one that the project ships.
    """
    if named := os.environ.get("MEANFACE_RESULTS"):
        return Path(named)
    own = home() / "results"
    return own if (own / "run.json").exists() else PROJECT / "results"


def site_folder() -> Path:
    """The rendered report."""
    return home() / "_site"


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
def reaching(place: Location) -> Iterator[None]:
    """Tell in one line what failed on the way to a place that is not on this machine.

    Errors that tell of a missing file or of a place on disk pass unchanged.

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
        if isinstance(place, Path):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{place} cannot be reached ({reason}): check its name, the network and the service's settings, "
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
