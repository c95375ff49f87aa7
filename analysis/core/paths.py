"""Paths of data, runs, results and the site, on disk or in a bucket.

What is shipped (pages, the published run, ``_quarto.yml``) is read from `PROJECT`: the root of a checkout or, once
installed from a wheel, the package data beside the code. What is produced (``data/``, ``runs/``, ``results/``,
``_site/``) lies below `home`, which is never inside an installed package: ``MEANFACE_HOME`` where that is set, else
the checkout, else the user's data folder. Data sets alone may lie elsewhere: ``MEANFACE_DATA`` names another folder
or a URL that fsspec understands, such as ``s3://bucket/data``.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote

import fsspec
from platformdirs import user_data_path
from upath import UPath

from analysis.core import switch
from analysis.core.errors import UserError

Location = Path | UPath  # on this machine's disk, or wherever a URL points; both have pathlib's methods

PACKAGES = Path(__file__).resolve().parent.parent.parent  # holds analysis/, model/ and dashboard/
_PACKAGE_DATA = PACKAGES / "analysis" / "_shipped"  # only in a wheel; pyproject.toml puts it there
INSTALLED = _PACKAGE_DATA.is_dir()  # from a wheel; an editable install works on its checkout
PROJECT = _PACKAGE_DATA if INSTALLED else PACKAGES


def home() -> Path:
    """Folder that holds ``data/``, ``runs/``, ``results/`` and ``_site/``; see the module's docstring."""
    if named := os.environ.get("MEANFACE_HOME"):
        folder = parse_location(named) if "://" in named else Path(named)
        if not isinstance(folder, Path):
            raise UserError(
                f"MEANFACE_HOME is {named}, but runs lie on this machine: data sets alone may lie elsewhere"
            )
        return folder.absolute()  # workers may run in another folder
    return user_data_path("meanface", appauthor=False) if INSTALLED else PROJECT


def parse_location(text: str | Path) -> Location:
    """Turn what a user writes, a path or a URL, into a location that can be read.

    Raises
    ------
    UserError
        If no package that is installed understands the URL, or it, or the path, names nothing.
    """
    protocol, found, rest = str(text).partition("://")
    if not str(text).strip():
        raise UserError("a path is empty: give a path, or a URL such as s3://BUCKET/...")
    if not found:
        return _real(_expanded(Path(text)))
    if protocol.lower() in ("file", "local"):
        return _local(rest)
    if not rest.strip("/"):
        raise UserError(f"{text} names nothing: give {protocol}://BUCKET/..., or a path")
    try:
        fsspec.get_filesystem_class(protocol)
        # Other processes write there, too: a listing that is kept would hide what they wrote.
        return UPath(text, use_listings_cache=False)
    except ImportError as error:
        remedy = "pip install 'meanface[s3]'" if protocol.lower() in ("s3", "s3a") else "install that one"
        raise UserError(f"{text} needs a package that is not installed ({error}): {remedy}") from None
    except ValueError:
        raise UserError(f"{text} cannot be read, {protocol}:// is not known: give a path or s3://BUCKET/...") from None


def escaped(name: str) -> str:
    """Write a path as text that every table and file can hold: bytes of it that are no UTF-8 become ``\\xe9``."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).replace(b"\\", b"\\x5c").decode("utf-8", "backslashreplace")
    return name


def unescaped(name: str) -> str:
    """Return the path that `escaped` was given, as the file system knows it; "" where it escaped nothing."""
    whole = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), name.encode())
    path = os.fsdecode(whole)
    return path if escaped(path) == name else ""


def _local(path: str) -> Path:
    """What a file:// URL means; a percent sign may stand for itself, as fsspec takes it, or encode a character."""
    path = path.removeprefix("localhost") if path.startswith("localhost/") else path
    plain, decoded = _expanded(Path(path)), _expanded(Path(unquote(path)))
    return _real(decoded if decoded.exists() and not plain.exists() else plain)


def _real(path: Path) -> Path:
    """A path beyond links, or one of a loop of links, which Path.resolve() refuses in some versions of Python."""
    return Path(os.path.realpath(path))


def _expanded(path: Path) -> Path:
    """A path with the home folder in place of ``~``; of a user whom nobody knows it is the name of a folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def is_remote(location: Location) -> bool:
    """Whether a file or folder is not on this machine's disk."""
    return not isinstance(location, Path)


def data_folder(name: str) -> Location:
    """Folder of the data set called ``name``; below ``MEANFACE_DATA`` where that is set.

    Raises
    ------
    UserError
        If ``MEANFACE_DATA`` is a URL that no package that is installed understands.
    """
    if named := os.environ.get("MEANFACE_DATA"):
        return parse_location(named) / name
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

    ``MEANFACE_RESULTS`` names another one, for the pages while `analysis.report.render` draws them. A home that never
    had a published run falls back on the one that the project ships.

    Raises
    ------
    UserError
        If the home's own published run has lost its ``run.json``: it is not replaced by another one without a word.
    """
    if named := os.environ.get("MEANFACE_RESULTS"):
        return Path(named)
    own = switch.settled(home() / "results")
    shipped = PROJECT / "results"
    if (own / "run.json").exists() or own == shipped:
        return own
    if own.is_dir() and any(own.iterdir()):
        raise UserError(
            f"{own} has lost its run.json: publish a run again with `meanface publish RUN`, or remove the folder to go "
            "back to the run that is shipped"
        )
    return shipped


def unpublished_runs() -> list[str]:
    """Names of the runs of a home, where the run that is shipped answers in their place since none is published."""
    runs = home() / "runs"
    if results_folder() == home() / "results" or "MEANFACE_RESULTS" in os.environ or not runs.is_dir():
        return []
    return sorted(run.name for run in runs.iterdir() if (run / "model" / "model.json").exists())


def site_folder() -> Path:
    """The rendered report."""
    return home() / "_site"
