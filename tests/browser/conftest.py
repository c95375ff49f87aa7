"""The real server in a process of its own, and a Chromium that tells of everything that goes wrong."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analysis.core import paths

START = 300  # seconds; the first start renders the report


def chromium() -> str | None:
    """Where Chromium is, or None."""
    return os.environ.get("CHROMIUM") or next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of `meanface serve` over the published results."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with started(lambda port: ["-m", "meanface", "serve", "--port", port], log) as address:
        yield address


@contextlib.contextmanager
def started(command: Callable[[str], list[str]], log: Path) -> Iterator[str]:
    """Address of a server that Python runs in a process of its own, with what ``command`` gives for a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, *command(str(port))], cwd=paths.PROJECT, stdout=written, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended: {log.read_text()}"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no answer from {address} in {START} s: {log.read_text()}")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; missing, it is a failure on CI and a skip elsewhere."""
    path = chromium()
    if path is None:
        message = "Chromium is missing: install it or set CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@pytest.fixture
def complaints() -> list[str]:
    """What went wrong in the pages of this test; must stay empty."""
    return []


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(request, browser, server, complaints):
    """A page as wide as a desktop's or a phone's that notes errors, failures and requests that leave the machine."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(60_000)

    def console(message):
        if message.type == "error":
            complaints.append(f"console: {message.text}")

    def answered(response):
        if response.status >= 400:
            complaints.append(f"HTTP {response.status}: {response.url}")

    def asked(sent):
        if not sent.url.startswith((server, "data:", "blob:")):
            complaints.append(f"leaves the machine: {sent.url}")

    opened.on("console", console)
    opened.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    opened.on("response", answered)
    opened.on("request", asked)
    yield opened
    context.close()
