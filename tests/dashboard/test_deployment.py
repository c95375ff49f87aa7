"""Deployment as it is shipped: nginx with its configuration before two replicas, and the container's own command."""

import contextlib
import getpass
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from string import Template

import httpx
import photos
import pytest
from fakes import FEMALE, FakePredictor
from websockets.sync.client import connect

from analysis.core import paths
from analysis.report.freeze import fingerprint
from analysis.report.render import _STAMP

PREDICT = "/api/v1/predict"
DEPLOY = paths.PROJECT

pytestmark = pytest.mark.slow
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


@contextlib.contextmanager
def nginx(folder: Path, first: str, second: str, prefix: str):
    """Run nginx with the shipped configuration; its address."""
    port = free_port()
    template = Template((DEPLOY / "deploy/nginx.conf.template").read_text())
    # As envsubst does: variables of nginx itself stay.
    inside = template.safe_substitute(LISTEN=f"127.0.0.1:{port}", FIRST=first, SECOND=second, PREFIX=prefix)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{inside}\n}}\n"
    )
    command = ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log", "-g", "daemon off;"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}{prefix}/livez", process, 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def metric(replica, name):
    told = httpx.get(f"{replica.url}/metrics", trust_env=False).text
    return float(re.search(rf"^{name} (.+)$", told, re.MULTILINE)[1])


@needs_nginx
@pytest.mark.parametrize("prefix", ["", "/meanface"])
def test_nginx_serves_all_from_two_replicas(serve, tmp_path, prefix):
    replicas = [serve(FakePredictor()) for _ in range(2)]
    with nginx(tmp_path, *(f"{each.host}:{each.port}" for each in replicas), prefix) as base:
        with httpx.Client(base_url=base + prefix, trust_env=False, timeout=60) as client:
            for path in (
                "/",
                "/explore",
                "/explore/faces",
                "/api/docs",
                "/api/openapi.json",
                "/api/v1/model",
                "/healthz",
            ):
                answer = client.get(path)
                assert answer.status_code == 200, path
                assert "nginx/" not in answer.headers["server"]
            for _ in range(8):
                answer = client.post(PREDICT, files={"file": ("a.png", FEMALE)})
                assert answer.json()["results"][0]["faces"][0]["label"] == "female"
            assert client.post("/predict", files={"file": ("a.png", FEMALE)}).json() == {"gender": "female"}
            large = b"\xff\xd8\xff" + bytes(9 << 20)
            assert client.post(PREDICT, files={"file": ("a.jpg", large)}).status_code == 422
            assert client.get("/metrics").status_code == 404
            if prefix:
                assert client.get("/api/openapi.json").json()["servers"] == [{"url": prefix}]
                assert httpx.get(f"{base}{prefix}", trust_env=False).headers["location"].endswith(f"{prefix}/")
                assert httpx.get(f"{base}/livez", trust_env=False).status_code == 404
        # The API is stateless: both replicas answer. Sessions of one address are all with one of them.
        assert all(metric(each, "meanface_photos_total") > 0 for each in replicas)
        assert sorted(metric(each, "meanface_sessions") for each in replicas) == [0, 2]
        page = httpx.get(f"{base}{prefix}/explore/faces", trust_env=False, timeout=60)
        token = re.search(r'"token":"([^"]+)"', page.text)[1]
        with connect(
            f"{base.replace('http', 'ws')}{prefix}/explore/faces/ws",
            subprotocols=["bokeh", token],
            origin=base,
            proxy=None,
        ) as line:
            assert "ACK" in line.recv()
    assert not [file for file in (tmp_path / "client_body").rglob("*") if file.is_file()]  # no photo on a disk


def container_command():
    """The command of the Dockerfile, and its environment."""
    text = (DEPLOY / "Dockerfile").read_text()
    command = json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1])
    assert json.loads(re.search(r"^    CMD (\[.*\])$", text, re.MULTILINE)[1])[0] == "python"
    assert command[0] == "meanface"
    return command


def procfile_command():
    """What Heroku runs: the shell puts its port in."""
    line = (DEPLOY / "Procfile").read_text().removeprefix("web: ").strip()
    assert line in (DEPLOY / "heroku.yml").read_text()
    return ["sh", "-c", f"exec {line}"]


@pytest.fixture
def home(tmp_path, results):
    """A home as the image has it: with a report that is not stale."""
    folder = tmp_path / "home"
    shutil.copytree(results.folder, folder / "results")
    (folder / "results/model").mkdir(exist_ok=True)
    for name in ("model.json", "model.onnx"):
        shutil.copy(paths.PROJECT / "results/model" / name, folder / "results/model" / name)
    (folder / "_site").mkdir()
    (folder / "_site/index.html").write_text("<!doctype html><title>the report</title>")
    (folder / "_site" / _STAMP).write_text(json.dumps({"fingerprint": fingerprint(folder / "results")}))
    return folder


def check_served(base, process):
    wait_for(f"{base}/readyz", process)
    assert "the report" in httpx.get(f"{base}/", trust_env=False).text
    assert httpx.get(f"{base}/explore", trust_env=False, timeout=60).status_code == 200
    for kind in ("JPEG", "WEBP"):  # in the server's own process, and in another
        answer = httpx.post(
            f"{base}{PREDICT}", files={"file": photos.encoded(photos.portrait(), kind)}, trust_env=False, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"][0]["faces"]) == 1


def test_the_procfile_serves_at_the_port_that_it_is_given(home, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "meanface").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m meanface "$@"\n')
    (tools / "meanface").chmod(0o755)
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(paths.PACKAGES),
        "MEANFACE_HOME": str(home),
        "PORT": str(port),
    }
    process = subprocess.Popen(
        procfile_command(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        check_served(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        assert process.wait(60) in (0, -15)


# A root of its own in which nothing can be written but a folder for temporary files, entered as nobody, like the
# container. Python may lie where others may not look (/root): of that folder, it alone is shown.
READ_ONLY = """
set -e
new=$1; home=$2; python=$3; closed=$4; shift 4
mount --make-rprivate /
mount --bind / $new
mount -o remount,ro,bind $new
mount --rbind /proc $new/proc
mount --rbind /dev $new/dev
mount -t tmpfs -o mode=1777 tmpfs $new/mnt
mkdir $new/mnt/home
mount --bind $home $new/mnt/home
mount -o remount,ro,bind $new/mnt/home
if [ -n "$closed" ]; then
    mount -t tmpfs -o mode=755 tmpfs $new$closed
    mkdir -p $new$python
    mount --bind $python $new$python
fi
exec chroot --userspec=65534:65534 $new "$@"
"""


def closed_above(folder: Path) -> str:
    """The uppermost folder above one that others may not enter, or ""."""
    return next((str(each) for each in reversed(folder.parents) if not each.stat().st_mode & 1), "")


def can_unshare():
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(mount, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="another user in a read-only tree needs root and mount namespaces")
def test_the_containers_command_runs_as_another_user_where_nothing_can_be_written(home, tmp_path):
    port = free_port()
    new = tmp_path / "new"
    new.mkdir()
    for each in (*home.rglob("*"), home):  # pytest's folders are for one user alone
        if each.stat().st_mode & 0o005 != 0o005:
            each.chmod(each.stat().st_mode | (0o055 if each.is_dir() else 0o044))
    inside = Path(sys.base_prefix).resolve()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(paths.PACKAGES),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MEANFACE_HOME": "/mnt/home",
        "HOME": "/mnt",
        "TMPDIR": "/mnt",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", *container_command()]
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", new, home, inside, closed_above(inside), *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        check_served(f"http://127.0.0.1:{port}", process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\s+65534\s+65534", status, re.MULTILINE)
        assert not [file for file in home.rglob("*") if file.is_dir() and file.name == "__pycache__"]
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert '"level": "INFO"' in said and "Traceback" not in said  # the log is JSON, a line for each request
