"""What pages were executed to, kept so that a page that was touched is executed alone.

A page is executed again if its text changes, or anything that all pages are made from: results, figures, packages. The
embedded renderer keeps executed pages in the user's cache folder. Quarto has a folder of its own, ``_freeze``, which
knows only the text of pages; `forget` empties it where results or figures have changed.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import platformdirs

from analysis.core import paths, storage

# Files of the project that a renderer needs.
SOURCES = ("_quarto.yml", "CITATION.cff", "site", "tools/assets.py", "tools/finish.py")
QUARTO = "_freeze"  # Quarto's own folder, beside _quarto.yml
_DRAWN_BY = ("analysis", "dashboard", "model")  # packages that the pages import or document
_PACKAGES = ("bokeh", "great-tables", "griffelib", "holoviews", "hvplot", "smalldocs")  # whose version changes a page
_STAMP = "meanface.txt"  # in Quarto's folder: what it was executed from
_KEPT = 3  # states of results and figures whose pages are kept


def fingerprint(results: Path, *, pages: bool = True) -> str:
    """Digest of everything that the site is made from, but for the weights, which it does not show.

    Parameters
    ----------
    results
        Folder of the run.
    pages
        Whether to count the text and the looks of the pages, too.
    """
    digest = hashlib.sha256()
    roots = [results, *(paths.PROJECT / name for name in SOURCES)]
    found = [(root, sorted(root.rglob("*")) if root.is_dir() else [root]) for root in roots]
    code = [file for package in _DRAWN_BY for file in (paths.PACKAGES / package).rglob("*.py*")]
    found.append((paths.PACKAGES, sorted(file for file in code if file.suffix in {".py", ".pyi"})))
    for root, files in found:
        for file in files:
            ignored = {"__pycache__", "bokeh", "predictor"} & set(file.parts) or file.suffix in {".onnx", ".keras"}
            of_pages = file.suffix == ".qmd" or "assets" in file.parts  # what cells do not look at
            if file.is_file() and not ignored and (pages or not of_pages):
                digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest() + "".join(f" {name} {version(name)}" for name in _PACKAGES)


class Frozen:
    """Executed pages of one state of results, figures and assets.

    Parameters
    ----------
    results
        Folder of the run.
    made
        Files that were made for the pages before they are executed, such as the predictor's: whether they are there
        changes a page.
    """

    def __init__(self, results: Path, made: Iterable[Path] = ()) -> None:
        names = " ".join(sorted(f"{file.parent.name}/{file.name} {file.stat().st_size}" for file in made))
        state = f"{fingerprint(results, pages=False)} {sys.version} {names}"
        self.folder = _cache() / hashlib.sha256(state.encode()).hexdigest()[:24]

    def _file(self, page: Path) -> Path:
        text = f"{page.name}\0{page.read_text('utf-8')}"
        return self.folder / f"{page.stem}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.md"

    def executed(self, page: Path) -> str | None:
        """What a page was executed to; None if it was not, or was changed since."""
        try:
            return self._file(page).read_text("utf-8")
        except OSError:
            return None

    def keep(self, page: Path, executed: str) -> None:
        """Keep what a page was executed to. A cache that cannot be written is done without."""
        try:
            target = self._file(page)
            target.parent.mkdir(parents=True, exist_ok=True)
            with storage.replacing(target) as new:
                new.write_text(executed, encoding="utf-8")
        except OSError:
            return

    def tidy(self) -> None:
        """Forget the pages of states that are long gone."""
        states = sorted(_cache().glob("*/"), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in [state for state in states if state != self.folder][_KEPT - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("meanface", appauthor=False)) / "report"


def forget(project: Path, results: Path) -> None:
    """Empty Quarto's folder of executed pages if it was made from other results or figures.

    Parameters
    ----------
    project
        Folder with ``_quarto.yml``.
    results
        Folder of the run.
    """
    stamp = project / QUARTO / _STAMP
    now = fingerprint(results, pages=False)
    if not stamp.is_file() or stamp.read_text("utf-8") != now:
        shutil.rmtree(stamp.parent, ignore_errors=True)
        stamp.parent.mkdir(parents=True)
        stamp.write_text(now, encoding="utf-8")
