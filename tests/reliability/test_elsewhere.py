"""What others do meanwhile: clients that vanish, a disk that is full, two that publish at once."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import archives
import httpx
import pytest
import uvicorn
from synthetic import write_results

from analysis.core import paths
from analysis.results import Run
from dashboard import uploads
from dashboard.settings import Settings
from model.predict import Predictor

sys.path.append(str(paths.PROJECT / "benchmarks"))
import serving

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server in this process, with the published model."""
    from dashboard.server import configure, create_app

    folder = tmp_path_factory.mktemp("server")
    settings = Settings(allow_host="*", read_seconds=5, port=serving.free_port())
    predictor = Predictor.load(paths.PROJECT / "results/model", threads=1)
    app = create_app(write_results(folder / "run").folder, folder / "site", predictor, settings)
    server = uvicorn.Server(configure(app, settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.02)
    yield settings.port
    server.should_exit = True
    thread.join(timeout=60)


def vanish(port: int, request: bytes, chance: random.Random) -> None:
    """Send a part of a request, or all of it, and be gone: with a farewell or, as when a cable is pulled, without."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        if chance.random() < 0.5:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sent = len(request) if chance.random() < 0.4 else chance.randrange(1, len(request))
        line.sendall(request[:sent])
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.02)


def vanishing(port: int, clients: int, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20261126)
    requests = serving.requests_for(serving.photos(4))
    large = serving.requests_for([serving.photos(1)[0] + bytes(600_000)])
    for number in range(clients):
        vanish(port, chance.choice(requests + large), chance)
        if number % 25 == 0:
            assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False, timeout=30).status_code == 200
    until = time.monotonic() + 60
    while (
        "meanface_photos_waiting 0.0"
        not in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=30).text
        or uploads._held.bytes
    ):
        assert time.monotonic() < until, "photos of clients that are gone are still held"
        time.sleep(0.1)
    answers = serving.crowd(port, requests, 4, 0.5)
    assert answers.times and not answers.failed
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_clients_that_vanish_leave_nothing(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    vanishing(port, 60, capfd)


@pytest.mark.slow
@pytest.mark.torture
def test_thousands_of_clients_that_vanish_leave_nothing(
    port: int, capfd: pytest.CaptureFixture[str], record_property: Record
) -> None:
    vanishing(port, 2000, capfd)
    record_property("reliability", {"requests": 2000, "failures": 0, "hangs": 0})


def command(home: Path, *arguments: str, room: int = 0) -> subprocess.CompletedProcess:
    """Run a command, on a disk on which no file can be longer than ``room`` bytes."""
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))" if room else ""
    code = f"import resource, sys\n{limit}\nfrom meanface import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            **os.environ,
            "MEANFACE_HOME": str(home),
            "PYTHONPATH": str(paths.PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def full(home: Path, *arguments: str, room: int) -> None:
    """Run a command on a full disk: one line, exit code 2, no leftovers; then with room: done."""
    before = sorted(path for path in home.rglob("*") if path.is_file())
    failed = command(home, *arguments, room=room)
    assert failed.returncode == 2, failed.stderr
    (said,) = [line for line in failed.stderr.splitlines() if line.startswith("meanface: ")]
    assert "Traceback" not in failed.stderr
    assert "too large" in said.lower() or "space" in said or "written" in said
    assert set(before) <= {path for path in home.rglob("*") if path.is_file()}
    again = command(home, *arguments)
    assert again.returncode == 0, again.stderr


def home_with_archive(folder: Path, photos: int) -> tuple[Path, Path]:
    archive = archives.write_zip(folder / "faces.zip", [])
    names = [f"train/{label}/{number}.jpg" for label in ("female", "male") for number in range(photos)]
    inner = archives.write_zip(folder / "inner.zip", names)
    archive = archives.write_zip(folder / "faces.zip", [], **{"inner.zip": inner.read_bytes()})
    home = folder / "home"
    home.mkdir()
    return home, archive


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_costs_no_data_set(tmp_path: Path) -> None:
    home, archive = home_with_archive(tmp_path, 8)
    full(home, "fetch", str(archive), "--name", "faces", room=5_000)
    full(home, "ingest", "faces", room=5_000)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_leaves_the_published_run(home: Path) -> None:
    for name in ("old", "new"):
        publishable(home, name)
    assert command(home, "publish", "old", "--without-recipe").returncode == 0
    failed = command(home, "publish", "new", "--without-recipe", room=10_000)
    assert failed.returncode == 2 and "Traceback" not in failed.stderr
    assert json.loads((home / "results/run.json").read_text())["run"] == "old"
    assert command(home, "publish", "new", "--without-recipe").returncode == 0
    assert json.loads((home / "results/run.json").read_text())["run"] == "new"
    assert leftovers(home) == []


def publishable(home: Path, name: str) -> None:
    """A whole run of a name, with a serving file of its own."""
    import hashlib

    folder = home / "runs" / name
    write_results(folder)
    (folder / "model/peers.parquet").unlink(missing_ok=True)  # measured with another file
    content = name.encode() * 100
    (folder / "model/model.onnx").write_bytes(content)
    for file in ("run.json", "model/model.json"):
        record = json.loads((folder / file).read_text())
        record |= {"run": name} | ({"sha256": hashlib.sha256(content).hexdigest()} if "sha256" in record else {})
        (folder / file).write_text(json.dumps(record))


def leftovers(home: Path) -> list[str]:
    return [path.name for path in home.iterdir() if path.name not in ("data", "runs", "results")]


def publish_in_turns(home: Path, times: int) -> int:
    """Let two processes publish two runs again and again while this one reads; how often it read."""
    code = """
        import sys
        from pathlib import Path
        from analysis.results import Run
        from analysis.results.publish import publish
        for _ in range(int(sys.argv[3])):
            publish(Run.open(sys.argv[1]), Path(sys.argv[2]), without_recipe=True)
    """
    target = home / "results"
    environment = {**os.environ, "MEANFACE_HOME": str(home), "PYTHONPATH": str(paths.PROJECT)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), name, str(target), str(times)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("old", "new")
    ]
    read = 0
    while any(writer.poll() is None for writer in writers):
        handle = os.open(target, os.O_RDONLY)  # one folder, whatever its name leads to next
        try:
            names = [json.loads(_read(handle, file))["run"] for file in ("run.json", "model/model.json")]
            content = _read(handle, "model/model.onnx")
        except FileNotFoundError:
            continue  # the folder was replaced and is being removed; its name leads to another one already
        finally:
            os.close(handle)
        assert names[0] == names[1] and content == names[0].encode() * 100
        read += 1
    for writer in writers:
        _, said = writer.communicate()
        assert writer.returncode == 0, said
    return read


def _read(folder: int, file: str) -> bytes:
    with open(os.open(file, os.O_RDONLY, dir_fd=folder), "rb") as opened:  # noqa: PTH123 - relative to an open folder
        return opened.read()


@pytest.mark.slow
def test_two_that_publish_at_once_leave_one_whole_run(home: Path) -> None:
    for name in ("old", "new"):
        publishable(home, name)
    from analysis.results.publish import publish

    publish(Run.open("old"), home / "results", without_recipe=True)
    assert publish_in_turns(home, 3) > 0
    assert leftovers(home) == []


@pytest.mark.slow
@pytest.mark.torture
def test_hundreds_of_publishes_at_once_leave_one_whole_run(home: Path) -> None:
    for name in ("old", "new"):
        publishable(home, name)
    from analysis.results.publish import publish

    publish(Run.open("old"), home / "results", without_recipe=True)
    assert publish_in_turns(home, 100) > 100
    assert leftovers(home) == []
