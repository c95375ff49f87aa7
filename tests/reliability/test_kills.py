"""kill -9 at a moment drawn by chance, then the same command again: the same result, and nothing left behind.

The commands run one after the other on the demo faces, each from what the one before it left. A chain of kills (a
command that was killed is started again and killed again) ends with one run that nobody disturbs; whatever it gives
must be what a run gives that was never disturbed.
"""

import base64
import gzip
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.core import paths
from analysis.core.zarr_zip import read_zarr_zip
from analysis.data.sources import demo_source
from model.predict import open_session, session_logits

KILLS = 10
CHAIN = {
    "fetch": 1,
    "ingest": 2,
    "landmarks": 2,
    "study": 5,
    "train": 5,
    "evaluate": 5,
    "publish": 1,
    "report": 5,
    "predict": 2,
}
SEED = 20261126
PICTURES = np.random.default_rng(SEED).integers(0, 256, (16, 40, 40, 3)).astype(np.uint8)
# When something was made and how long it took; and how often the test faces were looked at, which a run that was killed
# once all was written has done, too.
VOLATILE = {"created", "evaluations", "seconds", "finished", "started", "modified", "mtime", "mtime_ns", "fetched"}
# Of what Bokeh draws: counted by the process that renders, which after a kill has fewer pages to render.
_IDS = re.compile(r"\bp\d{4,}\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torture,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("tensorflow", "ai_edge_litert")),
        reason="training or landmarks are not installed",
    ),
]


class Machine:
    """A home, and commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder.parent / "faces.tar.gz"
        self.photos = folder.parent / "photos"
        self.done: set[str] = set()

    def arguments(self, command: str) -> list[str]:
        more = {
            "fetch": [str(self.archive), "--name", "demo"],
            "ingest": ["demo"],
            "landmarks": ["demo"],
            "study": ["demo", "--permutations", "100"],
            "train": ["demo", "--epochs", "3"],
            "evaluate": ["demo"],
            "publish": ["demo", "--without-recipe"],
            "report": [],
            "predict": [str(self.photos), "--crop", "none", "--output", str(self.folder / "out.parquet")],
        }
        return [command, *more[command]]

    def start(self, command: str) -> subprocess.Popen:
        script = Path(__file__).with_name("small_command.py")
        return subprocess.Popen(
            [sys.executable, script, *self.arguments(command)],
            env={**os.environ, "MEANFACE_HOME": str(self.folder), "PYTHONPATH": str(paths.PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> float:
        """Run a command to its end; seconds that it took."""
        began = time.monotonic()
        process = self.start(command)
        said, _ = process.communicate(timeout=1200)
        assert process.returncode == 0, f"{command}: {said[-2000:]}"
        self.done.add(command)
        return time.monotonic() - began

    def prepare(self, command: str) -> None:
        """Run what comes before a command, unless that was done."""
        for earlier in list(CHAIN)[: list(CHAIN).index(command)]:
            if earlier not in self.done:
                self.run(earlier)

    def kill(self, command: str, after: float) -> bool:
        """Kill a command after some seconds; False if it had ended before."""
        process = self.start(command)
        try:
            said, _ = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        assert process.returncode == 0, f"{command}: {said[-2000:]}"
        return False


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("kills")
    with zipfile.ZipFile(demo_source()) as demo:
        demo.extractall(folder / "photos")
    with tarfile.open(folder / "faces.tar.gz", "w:gz") as archive:  # must be unpacked as it is fetched
        archive.add(folder / "photos", arcname=".")
    made = Machine(folder / "home")
    made.folder.mkdir()
    return made


@pytest.mark.parametrize("command", CHAIN)
def test_a_killed_command_that_is_run_again_gives_the_same(
    machine: Machine, command: str, record_property: Callable[[str, object], None]
) -> None:
    machine.prepare(command)
    before, expected = machine.folder.with_name(f"before-{command}"), machine.folder.with_name(f"after-{command}")
    shutil.copytree(machine.folder, before, symlinks=True)
    seconds = machine.run(command)
    shutil.copytree(machine.folder, expected, symlinks=True)
    rng = np.random.default_rng([SEED, *command.encode()])
    kills = 0
    try:
        while kills < KILLS:
            shutil.rmtree(machine.folder)
            shutil.copytree(before, machine.folder, symlinks=True)
            for _ in range(CHAIN[command]):
                kills += machine.kill(command, float(rng.uniform(0.15, 0.95)) * seconds)
            seconds = min(seconds, machine.run(command))
            assert_same(machine.folder, expected)
    finally:  # the next command starts from what it should find
        shutil.rmtree(machine.folder)
        shutil.copytree(expected, machine.folder, symlinks=True)
    record_property("reliability", {"kills": {command: kills}})


def assert_same(home: Path, expected: Path) -> None:
    """Compare two homes file by file: what was left behind shows as a file too many."""
    ours, theirs = files(home), files(expected)
    assert sorted(ours) == sorted(theirs)
    for name in theirs:
        compare(ours[name], theirs[name])


def files(home: Path) -> dict[str, Path]:
    """Files of a home, but not the logs of TensorBoard, which are named by the time, and of no result."""
    return {
        str(path.relative_to(home)): path
        for path in home.rglob("*")
        if path.is_file() and "logs" not in path.relative_to(home).parts
    }


def compare(ours: Path, theirs: Path) -> None:
    """Compare files by what is in them, numbers to four digits: threads add in any order."""
    if ours.read_bytes() == theirs.read_bytes():
        return
    if theirs.suffix == ".json":
        assert settled(json.loads(ours.read_text())) == settled(json.loads(theirs.read_text())), ours
    elif theirs.suffix == ".parquet":
        left, right = (
            table.drop(columns=[name for name in table if name in VOLATILE])
            for table in (pd.read_parquet(ours), pd.read_parquet(theirs))
        )
        pd.testing.assert_frame_equal(left, right, rtol=1e-3, atol=1e-3, obj=str(ours))
    elif theirs.name.endswith(".zarr.zip"):
        left, right = read_zarr_zip(ours), read_zarr_zip(theirs)
        assert list(left) == list(right)
        for name in right:
            if right[name].dtype.kind == "f":
                np.testing.assert_allclose(left[name], right[name], rtol=1e-2, atol=1e-2, err_msg=str(ours))
            elif right[name].dtype.kind in "iu":
                assert np.abs(left[name].astype(float) - right[name].astype(float)).mean() < 1, ours
    elif theirs.suffix == ".onnx":
        left, right = (session_logits(open_session(file), PICTURES) for file in (ours, theirs))
        np.testing.assert_allclose(left, right, atol=0.02, err_msg=str(ours))
    elif theirs.suffix == ".keras":  # the same weights as the serving file has, in a zip with times in it
        assert abs(ours.stat().st_size - theirs.stat().st_size) < 4096, ours
    elif theirs.suffix == ".js":
        assert drawn(ours.read_text()) == drawn(theirs.read_text()), ours
    elif theirs.suffix == ".html":
        assert abs(ours.stat().st_size - theirs.stat().st_size) < 0.05 * theirs.stat().st_size + 2000, ours
    else:
        assert ours.stat().st_size == theirs.stat().st_size, ours


def drawn(script: str) -> str:
    """What a figure's script draws, unpacked if it is packed, without Bokeh's numbers."""
    packed = re.search(r'"(H4sI[^"]+)"', script)
    text = script if packed is None else gzip.decompress(base64.b64decode(packed[1])).decode()
    return _IDS.sub("", text)


def settled(value: object) -> object:
    """A JSON value without what is of a time, and with rounded numbers."""
    if isinstance(value, dict):
        return {key: settled(each) for key, each in value.items() if key not in VOLATILE and "sha256" not in key}
    if isinstance(value, list):
        return [settled(each) for each in value]
    return round(value, 2) if isinstance(value, float) else value
