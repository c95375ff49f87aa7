"""Where things lie on disk. Knows names of folders, nothing of what is in them.

Everything lives below the project's folder, or below ``MEANFACE_HOME`` where that is set (``make demo`` and the
tests use it to work in a scratch folder).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder that holds ``data/``, ``runs/``, ``results/`` and ``_site/``."""
    return Path(os.environ.get("MEANFACE_HOME", PROJECT))


def data_folder(name: str) -> Path:
    """Folder of the data set called ``name``."""
    return home() / "data" / name


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
