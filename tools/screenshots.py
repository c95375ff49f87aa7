"""Take the README's picture, docs/screenshot.png: the report's home page beside sample faces on the predict page.

The sample faces are composites and show no real person.

Needs the published results, Playwright (``pip install -e .[dev]``) and a Chromium on the PATH or in CHROMIUM::

    python tools/screenshots.py
"""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
TARGET = PROJECT / "docs" / "screenshot.png"
SIZE = {"width": 1100, "height": 1250}
GAP = 24  # pixels between the two pages
START = 300  # seconds; the first start renders the report


def main() -> None:
    """Start the server, take the picture, stop the server."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is missing: install it or set CHROMIUM")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "meanface", "serve", "--port", str(port)], cwd=PROJECT)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", server)
        take(f"http://127.0.0.1:{port}", chromium)
    finally:
        server.terminate()
        server.wait(timeout=30)
    print(TARGET.relative_to(PROJECT))


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers with success."""
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit(f"no answer from {address}")


def take(address: str, chromium: str) -> None:
    """Open the two pages, predict the sample faces, and save both pages side by side."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(120_000)
        page.goto(f"{address}/site/index.html")
        page.locator("figure canvas").first.wait_for()
        page.wait_for_timeout(2000)
        report = page.screenshot()
        page.goto(f"{address}/explore/predict")
        page.locator("#shell").wait_for(state="detached")
        page.get_by_text("Score all samples").click()
        page.get_by_text("Report as CSV").wait_for()
        page.get_by_text(re.compile(r"Scored \d")).wait_for(state="detached")
        page.wait_for_timeout(1500)
        predict = page.screenshot()
        browser.close()
    pages = [Image.open(io.BytesIO(screenshot)) for screenshot in (report, predict)]
    both = Image.new("RGB", (2 * SIZE["width"] + GAP, SIZE["height"]), "#8a8894")
    for number, screenshot in enumerate(pages):
        both.paste(screenshot, (number * (SIZE["width"] + GAP), 0))
    TARGET.parent.mkdir(exist_ok=True)
    both.resize((both.width * 2 // 3, both.height * 2 // 3), Image.Resampling.LANCZOS).quantize(256).save(TARGET)


if __name__ == "__main__":
    main()
