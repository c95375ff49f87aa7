"""A real server under broken and the largest photos: no failure, no hang, bounded memory that is given back."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import photos
import pytest
from PIL import Image

from analysis.core import paths

sys.path.append(str(paths.PROJECT / "benchmarks"))
import serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's own count of memory"),
]
Record = Callable[[str, object], None]
REQUESTS = 3000
SECONDS = 70  # a request is given up after 60
LARGEST = 1000  # MB of a server, whatever is sent
KEPT = 120  # MB more than before that may stay


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, int]]:
    with serving.server() as started:
        yield started


def memory(server: int) -> int:
    """Memory of a server and its processes in MB: what they share counts once."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
    family = {server}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    taken = 0
    for pid in family:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            taken += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return taken // 1000


def send(port: int, photo: bytes) -> int:
    """Status of the answer to a photo; an answer that is no success says in one line what is wrong."""
    (request,) = serving.requests_for([photo])
    head, body = request.split(b"\r\n\r\n", 1)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    boundary = {"Content-Type": "multipart/form-data; boundary=b"}
    assert b"boundary=b" in head
    line.request("POST", serving.PATH, body, boundary)
    answer = line.getresponse()
    content = answer.read()
    line.close()
    assert answer.status == 200 or b'"detail"' in content
    return answer.status


def test_thousands_of_broken_photos_are_answered(server: tuple[int, int], record_property: Record) -> None:
    kinds = photos.every_kind(photos.portrait().crop((20, 40, 160, 190)).resize((70, 75)))
    rng = np.random.default_rng(20261126)
    broken = [
        photos.MUTATIONS[number % len(photos.MUTATIONS)](list(kinds.values())[number % len(kinds)], rng)
        for number in range(REQUESTS)
    ]
    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(lambda photo: send(server[0], photo), broken))
    assert set(statuses) <= {200, 413, 422}
    record_property("reliability", {"requests": len(statuses), "failures": statuses.count(500), "hangs": 0})


def test_the_largest_photos_take_bounded_memory_which_is_given_back(
    server: tuple[int, int], record_property: Record
) -> None:
    port, process = server
    shade = np.add.outer(np.arange(6144) // 24 % 256, np.arange(8160) // 32 % 256).astype(np.uint8)
    grey = Image.fromarray(shade)
    float_tiff = photos.encoded(
        Image.fromarray(shade[:, :7000].astype(np.float32)), "TIFF", compression="tiff_adobe_deflate"
    )
    large = [
        photos.encoded(grey, quality=50),
        photos.encoded(grey, "WEBP", method=0, quality=30),
        photos.encoded(grey, "PNG", compress_level=1),
        float_tiff,
        photos.progressive_bomb(5000, 5000, 12),
    ]
    before, most = memory(process), [0]
    with ThreadPoolExecutor(32) as clients:
        asked = [clients.submit(send, port, large[number % len(large)]) for number in range(64)]
        while not all(each.done() for each in asked):
            most.append(memory(process))
            time.sleep(0.05)
    assert {each.result() for each in asked} <= {200, 422, 503}
    assert max(most) < LARGEST
    until = time.monotonic() + 60
    while memory(process) > before + KEPT:
        assert time.monotonic() < until, (before, memory(process))
        time.sleep(0.5)
    record_property("reliability", {"server_memory": max(most)})


def test_the_largest_photo_takes_bounded_memory(tmp_path: Path, record_property: Record) -> None:
    most = max(peak for peak, _ in photos.memory_of_large_photos(tmp_path).values())
    assert most <= 250
    record_property("reliability", {"photo_memory": most})


def test_the_server_keeps_up_with_the_predictor(record_property: Record) -> None:
    """Wide limits: other work of the machine weighs on the figures, which are recorded."""
    found = serving.measure(2.0)
    figures = {
        "photo_ratio": round(found.request_ms / found.predictor_ms, 2),
        "throughput_ratio": round(found.server_rate / found.predictor_rate, 2),
        "crowded_ratio": round(found.crowded_ms / found.usual_ms, 1),
    }
    assert figures["photo_ratio"] < 1.6 and figures["throughput_ratio"] > 0.6 and figures["crowded_ratio"] < 8
    record_property("reliability", figures)
