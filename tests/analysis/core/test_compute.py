"""Work in processes: the same files as by threads, and what happens to a process that is killed or left alone.

Each test forks from an interpreter of its own, as the tests' own has threads.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.core import compute
from analysis.data import ingest as module
from analysis.data.ingest import ingest, load_manifest
from analysis.data.sources import demo_source, register

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")

INGEST = """
from analysis.core import compute
from analysis.data import ingest
ingest.PART = 16
compute._CORES = 2
assert compute._forkable()
real = compute._in_processes
compute._in_processes = lambda *args: (print("processes"), real(*args))[1]
ingest.ingest("faces", align="source", progress=False)
"""

WORK = """
import os, signal, sys, time
from pathlib import Path
from analysis.core import compute
from analysis.core.errors import UserError

FOLDER = Path(sys.argv[1])

def note(item):
    (FOLDER / f"{item}-{os.getpid()}").touch()
    if item == 9 and sys.argv[2] == "killed" and os.getpid() != STARTED:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 9 and sys.argv[2] == "error":
        raise UserError("nine is refused")
    if sys.argv[2] == "slow":
        time.sleep(0.2)

STARTED = os.getpid()
compute._CORES = 2
compute.run(note, range(100), description="Counting", unit="part", progress=True, processes=True)
"""


def begin(code: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def done_items(folder: Path) -> list[int]:
    return sorted(int(each.name.split("-")[0]) for each in folder.iterdir())


def running(folder: Path) -> set[int]:
    """Processes that worked and have not ended."""
    return {each for each in (int(file.name.split("-")[1]) for file in folder.iterdir()) if command_of(each)}


def command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()  # empty of one that ended and was not waited for
    except OSError:
        return b""


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_processes_write_the_same_files_as_threads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(demo_source(), "faces")
    child = begin(INGEST)
    assert child.communicate(timeout=100) == ("processes\n", "")
    folder = home / "data/faces"
    files = {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    assert len(files) == 2 + 25 + 3  # the cube's descriptions and chunks; source.json, the manifest and ingest.json
    manifest = load_manifest("faces")

    (folder / "ingest.json").unlink()
    monkeypatch.setattr(module, "PART", 16)
    monkeypatch.setattr(compute, "_forkable", lambda: False)
    ingest("faces", align="source", progress=False)
    assert {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()} == files
    assert (manifest["status"] == "ok").all()


def test_threads_do_what_a_killed_process_left(tmp_path: Path) -> None:
    child = begin(WORK, tmp_path, "killed")
    _, told = child.communicate(timeout=60)
    assert child.returncode == 0
    assert set(done_items(tmp_path)) == set(range(100))
    assert "was killed: threads do what is left" in told


def test_error_of_a_process_ends_the_work(tmp_path: Path) -> None:
    child = begin(WORK, tmp_path, "error")
    _, told = child.communicate(timeout=60)
    assert told.rstrip().endswith("analysis.core.errors.UserError: nine is refused")
    assert len(done_items(tmp_path)) < 100
    assert not running(tmp_path)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(tmp_path: Path, by: signal.Signals) -> None:
    child = begin(WORK, tmp_path, "slow")
    wait_until(lambda: len(list(tmp_path.iterdir())) >= 4)
    if by == signal.SIGINT:
        os.killpg(child.pid, by)  # as a terminal does
    else:
        child.send_signal(by)
    _, told = child.communicate(timeout=60)
    wait_until(lambda: not running(tmp_path))
    assert len(done_items(tmp_path)) < 100
    assert told.count("Traceback") == (1 if by == signal.SIGINT else 0)
