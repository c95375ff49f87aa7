"""Writing in one step: what a reader sees meanwhile, what a kill leaves, and places that cannot be written."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from analysis.core import paths, storage, switch
from analysis.core.errors import UserError


def put_folder(target: Path, content: str) -> None:
    with storage.replacing(target) as new:
        new.mkdir()
        (new / "a").write_text(content)
        (new / "b").write_text(content)


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def read(target: Path) -> str:
    return (target / "a").read_text()


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    lines = f"import os, sys, signal, time\nfrom pathlib import Path\n{textwrap.dedent(code)}"
    return subprocess.Popen(
        [sys.executable, "-c", lines, *map(str, arguments)], cwd=paths.PROJECT, stdout=subprocess.PIPE
    )


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot let two names change places."""
    monkeypatch.setattr(switch, "_exchange", lambda first, second: False)


def test_a_file_and_a_folder_are_replaced_whole(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with storage.replacing(tmp_path / "deep/file") as new:
            new.write_text(content)
        put_folder(tmp_path / "deep/folder", content)
    assert (tmp_path / "deep/file").read_text() == "new" == read(tmp_path / "deep/folder")
    assert _names(tmp_path / "deep") == ["file", "folder"]


def test_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    put_folder(tmp_path / "folder", "old")
    with pytest.raises(RuntimeError), storage.replacing(tmp_path / "folder") as new:
        new.mkdir()
        raise RuntimeError
    assert read(tmp_path / "folder") == "old"
    assert _names(tmp_path) == ["folder"]


def test_a_folder_takes_the_place_of_a_file_and_a_file_that_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a file")
    put_folder(tmp_path / "x", "folder")
    assert read(tmp_path / "x") == "folder"
    storage.write_whole(tmp_path / "x", b"file")
    assert (tmp_path / "x").read_bytes() == b"file"


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    put_folder(tmp_path / "disk/results", "old")
    (tmp_path / "results").symlink_to(tmp_path / "disk/results")
    put_folder(tmp_path / "results", "new")
    assert (tmp_path / "results").is_symlink()
    assert read(tmp_path / "disk/results") == "new"


def _watch(target: Path, change) -> tuple[int, set[str]]:
    """How often a reader misses the folder while it is changed, and which contents it sees."""
    missing, seen, done = 0, set(), threading.Event()

    def look() -> None:
        nonlocal missing
        while not done.is_set():
            try:
                seen.add(read(switch.settled(target)))
            except FileNotFoundError:
                missing += 1

    reader = threading.Thread(target=look)
    reader.start()
    try:
        change()
    finally:
        done.set()
        reader.join()
    return missing, seen


def test_a_reader_always_finds_the_old_folder_or_the_new_one(tmp_path: Path) -> None:
    put_folder(tmp_path / "x", "0")

    def change() -> None:
        for number in range(1, 40):
            put_folder(tmp_path / "x", str(number))

    missing, seen = _watch(tmp_path / "x", change)
    # A folder that is opened just as it is removed may be gone: that is one look in thousands, not a gap.
    assert missing <= 1
    assert seen <= {str(number) for number in range(40)}


@pytest.mark.usefixtures("no_exchange")
def test_a_file_system_without_exchange_is_served_by_two_renames(tmp_path: Path) -> None:
    for content in ("old", "new"):
        put_folder(tmp_path / "x", content)
    assert read(tmp_path / "x") == "new"
    assert _names(tmp_path) == ["x"]


_KILLED_BETWEEN = """
    from analysis.core import storage, switch
    switch._exchange = lambda first, second: False
    rename = Path.rename
    def first_only(self, target):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = first_only
    with storage.replacing(Path(sys.argv[1])) as new:
        new.mkdir()
        (new / "a").write_text("new")
"""


@pytest.fixture
def killed_between(tmp_path: Path) -> Path:
    """A folder whose new version was to be put in place by two renames, of which the second never came."""
    put_folder(tmp_path / "x", "old")
    assert python(_KILLED_BETWEEN, tmp_path / "x").wait() == -signal.SIGKILL
    assert not (tmp_path / "x").exists()
    return tmp_path / "x"


def test_who_reads_after_a_kill_between_two_renames_finds_the_new_one(killed_between: Path) -> None:
    assert read(switch.settled(killed_between)) == "new"
    assert read(killed_between) == "new"


def test_who_may_not_write_reads_the_new_one_where_it_lies(
    killed_between: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "rename", refused)
    assert read(switch.settled(killed_between)) == "new"
    assert not killed_between.exists()


def test_who_writes_next_clears_what_a_killed_process_left(killed_between: Path) -> None:
    assert switch.settled(killed_between.with_name("other")) == killed_between.with_name("other")
    switch._swept.clear()
    put_folder(killed_between, "newer")
    assert read(killed_between) == "newer"
    assert _names(killed_between.parent) == ["x"]


def test_the_folders_of_living_processes_are_not_cleared(tmp_path: Path) -> None:
    writer = python(
        """
        from analysis.core import storage
        with storage.replacing(Path(sys.argv[1])) as new:
            new.write_text("slow")
            print(flush=True)
            time.sleep(60)
        """,
        tmp_path / "x",
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    switch.clear_leftovers(tmp_path, again=True)
    (left,) = _names(tmp_path)
    assert _names(tmp_path / left) == [".held", "x"]
    writer.kill()
    writer.wait()
    switch.clear_leftovers(tmp_path, again=True)
    assert not _names(tmp_path)


def test_what_is_somebody_elses_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / ".notes-abcdefgh").mkdir()
    (tmp_path / ".notes-abcdefgh/mine.txt").write_text("mine")
    switch.clear_leftovers(tmp_path, again=True)
    assert (tmp_path / ".notes-abcdefgh/mine.txt").exists()


def test_many_may_write_the_same_folder_at_once(tmp_path: Path) -> None:
    code = """
        from analysis.core import storage
        for number in range(25):
            with storage.replacing(Path(sys.argv[1])) as new:
                new.mkdir()
                for name in "ab":
                    (new / name).write_text(sys.argv[2])
    """
    writers = [python(code, tmp_path / "x", name) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert (tmp_path / "x/a").read_text() == (tmp_path / "x/b").read_text()
    assert _names(tmp_path) == ["x"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    storage.write_whole(tmp_path / ("n" * 251 + ".csv"), b"x")
    with pytest.raises(UserError, match="choose a shorter name"):
        storage.write_whole(tmp_path / ("n" * 300), b"x")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "not read-only"),
        (errno.EFBIG, "ulimit -f"),
    ],
)
def test_a_place_that_is_full_or_closed_is_told_in_one_line(tmp_path: Path, code: int, remedy: str) -> None:
    with pytest.raises(UserError, match=f"x cannot be written .*{remedy}"), storage.replacing(tmp_path / "x"):
        raise OSError(code, os.strerror(code))
    assert not _names(tmp_path)


def test_what_cannot_be_read_within_is_not_called_a_problem_of_writing(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), storage.replacing(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/else")


def test_a_place_is_tried_before_the_work(tmp_path: Path) -> None:
    storage.check_writable(tmp_path / "new/folder/x.csv")
    assert not _names(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is in the way"):
        storage.check_writable(tmp_path / "file/x.csv")
    with pytest.raises(UserError, match="cannot be written"):
        storage.check_writable(Path("/proc/x.csv"))


def test_room_that_will_be_needed_is_looked_for_before_the_work(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        storage.check_writable(tmp_path / "x", 50_000)
        with pytest.raises(UserError, match="x cannot be written .*ulimit -f"):
            storage.check_writable(tmp_path / "x", 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_array_that_the_disk_takes_in_part_is_told_like_every_full_disk(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UserError, match="engine cannot be written"), storage.replacing(tmp_path / "engine") as new:
            new.mkdir()
            np.save(new / "array.npy", np.zeros(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not _names(tmp_path)


def test_a_folder_that_cannot_be_copied_whole_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for number in range(3):
        (tmp_path / f"pages/{number}.html").write_bytes(bytes(200_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with (
            pytest.raises(UserError, match=r"site cannot be written \(File too large\)") as error,
            storage.replacing(tmp_path / "site") as new,
        ):
            shutil.copytree(tmp_path / "pages", new)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(str(error.value)) < 200 + len(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_a_file_in_memory_or_a_bucket_appears_whole_in_a_new_folder(tmp_path: Path) -> None:
    target = paths.parse_location(f"memory://{tmp_path.name}/new/folder/x.csv")
    storage.check_writable(target)
    storage.write_whole(target, b"one")
    with storage.whole_file(target) as new:
        new.write_bytes(b"two")
    assert target.read_bytes() == b"two"
    with pytest.raises(RuntimeError), storage.whole_file(target) as new:
        new.write_bytes(b"three")
        raise RuntimeError
    assert target.read_bytes() == b"two"
    assert [each.name for each in target.parent.iterdir()] == ["x.csv"]


def test_a_reader_does_not_wait_where_nothing_is_on_its_way(tmp_path: Path) -> None:
    began = time.monotonic()
    assert switch.settled(tmp_path / "none") == tmp_path / "none"
    assert time.monotonic() - began < 0.5


def test_no_device_or_pipe_is_replaced_not_even_through_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for name, says in (
        ("pipe.csv", "is a device, a pipe or a socket"),
        ("link.csv", "is a device, a pipe or a socket"),
        ("loop.csv", "a link that leads to itself"),
    ):
        for write in (storage.check_writable, lambda place: storage.write_whole(place, b"x")):
            with pytest.raises(UserError, match=says):
                write(tmp_path / name)
    assert (tmp_path / "pipe.csv").is_fifo()


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    storage.check_replaceable(folder, ["run.json"])
    folder.mkdir()
    storage.check_replaceable(folder, ["run.json"])
    (folder / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="holds other files, which would be lost"):
        storage.check_replaceable(folder, ["run.json"])
    with pytest.raises(UserError, match=r"thesis\.txt is a file: name a folder"):
        storage.check_replaceable(folder / "thesis.txt", ["run.json"])
    (folder / "run.json").write_text("")
    storage.check_replaceable(folder, ["run.json"])
