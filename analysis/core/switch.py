"""Puts a new file or folder in the place of an old one in one step, and finds what killed processes left of that.

A new file or folder is made in a *scratch* folder beside its place, ``.NAME-XXXXXXXX``, which holds a lock for as long
as its process lives. Then both change places:

- by one call of the system that exchanges two names, on Linux (``renameat2``) and macOS (``renamex_np``);
- where a file system has no such call, by two renames. A note in the scratch folder, written before, says that they
  have begun: who reads in between, or after a kill in between, finds the new one by it. See `settled`.
"""

import contextlib
import ctypes
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and nothing that may be somebody's is cleared away
    fcntl = None  # type: ignore[assignment]

_HELD = ".held"  # in a scratch folder, locked while its process lives
_NOTE = ".switching"  # in a scratch folder, while two renames are on their way
_SCRATCH = re.compile(r"\.(?P<name>.+)-[a-z0-9_]{8}")
_LONGEST = 200  # bytes of a name that a scratch folder takes over: a name may have 255
_PATIENCE = 1.0  # seconds that a reader waits for the second of two renames
_SELDOM = 1.0  # seconds
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
_AT_FDCWD, _EXCHANGE, _SWAP = -100, 2, 2

_swept: dict[str, float] = {}  # folders that were cleared of leftovers by this process, and when


@contextlib.contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that is removed in the end; leftovers beside it are cleared first."""
    parent = target.parent
    clear_leftovers(parent)
    start = os.fsdecode(os.fsencode(target.name)[:_LONGEST])
    with _locked(parent, exclusive=False):
        folder = Path(tempfile.mkdtemp(prefix=f".{start}-", dir=parent))
        held = os.open(folder / _HELD, os.O_CREAT | os.O_RDWR, 0o644)
        if fcntl:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def put(new: Path, target: Path) -> None:
    """Put what is at ``new``, directly in a folder of `scratch`, in the place of ``target``; both are flushed to disk.

    Raises
    ------
    OSError
        If the system refuses it; ``target`` is then as it was.
    """
    flush(new)
    if not os.path.lexists(target) or not (new.is_dir() or target.is_dir()):
        new.replace(target)
    elif not _exchange(new, target):
        _rename_twice(new, target)
    flush_folder(target.parent)


def _rename_twice(new: Path, target: Path) -> None:
    note, old = new.parent / _NOTE, new.parent / ".old"
    note.touch()
    flush_folder(new.parent)
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if not new.exists() and target.exists():  # a reader that grew tired of waiting has done it
            return
        with contextlib.suppress(OSError):
            old.rename(target)
        raise
    note.unlink()


def settled(target: Path) -> Path:
    """Where ``target`` is read: in its place, or in the scratch folder of one that was killed between two renames.

    Where it can be, what was begun is finished.
    """
    began = time.monotonic()
    while not os.path.lexists(target):
        waiting = [folder / target.name for folder in _scratch_folders(target.parent) if (folder / _NOTE).exists()]
        waiting = [path for path in waiting if _original(path.parent) == target.name and path.exists()]
        if not waiting:
            # None is there, or the second rename came between two looks.
            return target
        if time.monotonic() - began < _PATIENCE:
            time.sleep(0.01)
            continue
        try:
            waiting[0].rename(target)
        except FileNotFoundError:
            continue
        except OSError:
            return target if os.path.lexists(target) else waiting[0]
    return target


def clear_leftovers(parent: Path, *, again: bool = False) -> None:
    """Remove the scratch folders of killed processes in a folder, after finishing what they had begun.

    At most once a second for each folder, unless ``again`` says otherwise: who writes thousands of files looks seldom.
    """
    key, now = str(parent), time.monotonic()
    if fcntl is None or (now - _swept.get(key, -_SELDOM) < _SELDOM and not again):
        return
    _swept[key] = now
    for folder in list(_scratch_folders(parent)):
        if (folder / _NOTE).exists():
            settled(parent / _original(folder))
    with _locked(parent, exclusive=True) as alone:
        for folder in list(_scratch_folders(parent)) if alone else ():
            if (folder / _HELD).exists() and not _is_held(folder):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # killed before it had locked anything; what is not empty stays


def _scratch_folders(parent: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _SCRATCH.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _original(folder: Path) -> str:
    """Name of what is made in a scratch folder; only the first `_LONGEST` bytes of it are in the folder's own."""
    match = _SCRATCH.fullmatch(folder.name)
    assert match
    start = match["name"]
    names = (path.name for path in folder.iterdir() if not path.name.startswith(".") or path.name == start)
    return next((name for name in names if name.startswith(start)), start)


def _is_held(folder: Path) -> bool:
    try:
        held = os.open(folder / _HELD, os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(held)
    return False


@contextlib.contextmanager
def _locked(folder: Path, *, exclusive: bool) -> Iterator[bool]:
    """Hold a folder's lock, which who makes scratch folders shares and who clears has alone; yields whether it is."""
    if fcntl is None:
        yield False
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(opened)


def _exchange(first: Path, second: Path) -> bool:
    """Let two names change places at once; False where the system or the file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, _SWAP)
    else:
        return False
    if failed:
        code = ctypes.get_errno()
        if code in _NOT_SUPPORTED:
            return False
        raise OSError(code, os.strerror(code), str(second))
    return True


def flush(path: Path) -> None:
    """Have a file, or a folder and all below it, written to the disk itself."""
    if not path.is_dir():
        _sync(path)
        return
    for folder, _, files in os.walk(path):
        for name in files:
            _sync(Path(folder, name))
        flush_folder(Path(folder))


def flush_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk itself."""
    if os.name != "nt":
        _sync(folder)


def _sync(path: Path) -> None:
    try:
        opened = os.open(path, os.O_RDONLY)
    except OSError:  # may be written but not read: what can be done is done
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EBADF):
            raise
    finally:
        os.close(opened)
