"""Lists the files below folders without repeats, follows links once, and counts what is left out. ::

walk = Walk()
for file in walk.photos(Path("portraits")):
    ...
walk.left_out.lines()    # ["2 hidden folders (such as .thumbnails)", "1 file that is not a photo (such as notes.txt)"]
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import pyarrow as pa
from pyarrow import compute as pc

from analysis.core.words import counted, printable
from analysis.data.kinds import START, has_photo_ending, kind_of

# Files that programs put beside people's photos: previews of a NAS, resource forks of macOS, bins.
_HIDDEN = {
    "__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "recycler", "recycled", "trash",
    "system volume information", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini",
}  # fmt: skip

_CHUNK = 1 << 16  # names per batch
_EXAMPLE = 200  # largest number of characters of a name in messages


def is_hidden(name: str) -> bool:
    """Whether a file or one of its folders is hidden: it begins with a dot, or is a bin, a preview or a resource fork.

    Parameters
    ----------
    name
        A name, or a path with slashes, such as an entry of a zip; of a path that a user gave, only the part below it.
    """
    return any((part[:1] == "." and part not in (".", "..")) or part.lower() in _HIDDEN for part in name.split("/"))


class LeftOut:
    """Counts of what was left out, by reason, with one example of each."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, one: str, many: str, name: str) -> None:
        """Count an item that is left out.

        Parameters
        ----------
        one, many
            Its kind in singular and plural: "file that is not a photo", "files that are not photos".
        name
            Its name, kept as the example if it is the first.
        """
        self.counts[one, many] = self.counts.get((one, many), 0) + 1
        self._examples.setdefault((one, many), name)

    def update(self, other: "LeftOut") -> None:
        """Add the counts of another place."""
        for what, number in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + number
            self._examples.setdefault(what, other._examples[what])

    def lines(self) -> list[str]:
        """One line for each reason, such as "3 files that are not photos (such as notes.txt)"; names are printable."""
        return [
            f"{counted(count, one, many)} ({'' if count == 1 else 'such as '}{_shown(name)})"
            for ((one, many), count), name in zip(self.counts.items(), self._examples.values(), strict=True)
        ]


def _shown(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _EXAMPLE else name[:_EXAMPLE] + "..."


@dataclass(frozen=True)
class File:
    """A file that was found.

    Attributes
    ----------
    path
        Path with which it can be opened.
    name
        Its path below the folder that was walked, with slashes.
    bytes
        Its size.
    changed
        When it was last changed, in nanoseconds.
    """

    path: str
    name: str
    bytes: int
    changed: int


class Walk:
    """Lists folders in order of names, each folder once however many links lead to it.

    A link to something that is listed anyway is left out; one that leads elsewhere is followed, but not upwards. Memory
    grows with the number of folders and of links, and by some 30 bytes for each file of one folder.

    Attributes
    ----------
    left_out
        What was left out so far, in all folders.
    """

    def __init__(self, left_out: LeftOut | None = None) -> None:
        self.left_out = LeftOut() if left_out is None else left_out
        self._roots: set[str] = set()  # folders that were given or that links lead to, as real paths
        self._folders: set[tuple[int, int]] = set()  # device and inode
        self._linked: set[tuple[int, int]] = set()  # of files

    def photos(self, folder: Path) -> Iterator[File]:
        """Files below a folder that are photos by their ending or, where it says nothing, by their first bytes.

        Yields
        ------
        File
            In order of names, folders among them.

        Raises
        ------
        OSError
            If the folder itself cannot be read.
        """
        for file in self.files(folder):
            if has_photo_ending(file.name) or self._has_photo_start(file):
                yield file

    def _has_photo_start(self, file: File) -> bool:
        try:
            with open(file.path, "rb") as opened:  # noqa: PTH123 - a million files: a Path takes longer than opening
                if kind_of(opened.read(START)):
                    return True
        except OSError:
            self.left_out.add("file that cannot be read", "files that cannot be read", file.name)
            return False
        self.left_out.add("file that is not a photo", "files that are not photos", file.name)
        return False

    def files(self, folder: Path) -> Iterator[File]:
        """All files below a folder.

        Yields
        ------
        File
            In order of names, folders among them.

        Raises
        ------
        OSError
            If the folder itself cannot be read.
        """
        base = os.path.join(str(folder), "")  # noqa: PTH118 - see `_has_photo_start`
        if self._seen(os.stat(folder)):  # noqa: PTH116
            self._known(str(folder))
            return
        self._roots.add(os.path.realpath(folder))
        levels = [(base, _sorted_names(str(folder)))]
        while levels:
            above, names = levels[-1]
            own = next(names, None)
            if own is None:
                levels.pop()
                continue
            path = above + own
            name = path[len(base) :].replace(os.sep, "/")
            facts = self._facts(path, own, name)
            if facts is None:
                continue
            if stat.S_ISREG(facts.st_mode):
                yield File(path, name, facts.st_size, facts.st_mtime_ns)
            elif not stat.S_ISDIR(facts.st_mode):
                self.left_out.add("pipe, socket or device", "pipes, sockets or devices", name)
            elif self._seen(facts):
                self._known(name)
            else:
                try:
                    levels.append((path + os.sep, _sorted_names(path)))
                except OSError:
                    self.left_out.add("folder that cannot be read", "folders that cannot be read", name)

    def _seen(self, facts: os.stat_result) -> bool:
        """Whether a folder was met before; also records it as met."""
        identity = facts.st_dev, facts.st_ino
        if identity in self._folders:
            return True
        self._folders.add(identity)
        return False

    def _facts(self, path: str, own: str, name: str) -> os.stat_result | None:
        """Facts about a file or folder from the system; None, with the reason counted, if it is left out."""
        if is_hidden(own) or _is_hidden_on_windows(path):
            what = "folder" if os.path.isdir(path) else "file"  # noqa: PTH112
            self.left_out.add(f"hidden {what}", f"hidden {what}s", name)
            return None
        try:
            facts, target = os.lstat(path), ""
            if stat.S_ISLNK(facts.st_mode):
                facts, target = os.stat(path), os.path.realpath(path)  # noqa: PTH116
        except OSError:  # it is gone, unreadable, or a link to nowhere or to itself
            self.left_out.add("link to nowhere", "links to nowhere", name)
            return None
        if any(root.startswith(target.rstrip(os.sep) + os.sep) for root in self._roots if target):
            self.left_out.add("link that leads back up", "links that lead back up", name)
            return None
        identity = facts.st_dev, facts.st_ino
        if identity in self._linked or (target and self._is_in_a_root(target)):
            self._known(name)
            return None
        if target and stat.S_ISDIR(facts.st_mode):
            self._roots.add(target)
        elif target:
            self._linked.add(identity)
        return facts

    def _is_in_a_root(self, target: str) -> bool:
        """Whether a path is one of the listed folders, or inside one and not in a hidden part of it."""
        path = PurePath(target)
        root = next((parent for parent in (path, *path.parents) if str(parent) in self._roots), None)
        return root is not None and not is_hidden(path.relative_to(root).as_posix())

    def _known(self, name: str) -> None:
        self.left_out.add("link to what is read anyway", "links to what is read anyway", name)


def _sorted_names(folder: str) -> Iterator[str]:
    """Names in a folder, in order; of a large folder they are kept as Arrow does it, in a tenth of the memory."""
    names: list[str] = []
    chunks: list[pa.Array] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) == _CHUNK:
                chunks.append(_as_bytes(names))
                names = []
    if not chunks:
        return iter(sorted(names, key=os.fsencode))
    whole = pa.chunked_array([*chunks, _as_bytes(names)])
    return _decoded(whole.take(pc.sort_indices(whole)))


def _as_bytes(names: list[str]) -> pa.Array:
    return pa.array([os.fsencode(name) for name in names], pa.binary())


def _decoded(names: pa.ChunkedArray) -> Iterator[str]:
    for start in range(0, len(names), _CHUNK):
        yield from map(os.fsdecode, names.slice(start, _CHUNK).to_pylist())


def _is_hidden_on_windows(path: str) -> bool:
    if os.name != "nt":
        return False
    facts = os.lstat(path)
    return bool(getattr(facts, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_HIDDEN", 2))
