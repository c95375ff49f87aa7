"""The examples that the report shows, run as they stand against a server on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from analysis import paths
from analysis.sources import demo_source
from dashboard.server import create_app
from model.predict import Predictor

EXAMPLES = paths.PROJECT / "site" / "examples"
COMMANDS = {"predict.sh": ["bash"], "predict.py": [sys.executable], "predict.mjs": ["node"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the published model on a free port."""
    site = tmp_path_factory.mktemp("site")
    results = paths.PROJECT / "results"
    app = create_app(results, site, Predictor.load(results / "model"))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started and time.monotonic() < end:
        time.sleep(0.05)
    assert server.started
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="module")
def composite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with zipfile.ZipFile(demo_source()) as archive:
        name = next(name for name in archive.namelist() if "/Test/Female/" in name)
        photo = tmp_path_factory.mktemp("photos") / "composite.jpg"
        photo.write_bytes(archive.read(name))
    return photo


def run(name: str, photo: Path, address: str) -> subprocess.CompletedProcess[str]:
    command = COMMANDS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(
        [*command, str(EXAMPLES / name), str(photo)],
        env=os.environ | {"MEANFACE_URL": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_example_tells_the_label_of_a_face(name: str, composite: Path, address: str) -> None:
    done = run(name, composite, address)
    assert done.returncode == 0, done.stderr
    assert "female" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_example_fails_and_says_why_where_there_is_no_photo(name: str, tmp_path: Path, address: str) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("not a photo")
    done = run(name, bad, address)
    assert done.returncode != 0
    assert "not a photo that can be read" in done.stdout + done.stderr


def test_every_example_is_run_here() -> None:
    assert {file.name for file in EXAMPLES.iterdir()} == set(COMMANDS)
