"""How much the server costs beside the bare predictor, on the same cores: python benchmarks/serving.py [SECONDS]

Starts `meanface serve` with the published model and sends it photos of 250 x 250 pixels, each with a composite face.
Measures by turns, so that both see the same machine: the time of one photo, with the predictor and over HTTP; photos a
second, of the predictor on every core and of the server with 32 clients; and how long those of 200 clients wait whose
photo is accepted. Clients are bare sockets, but take time of the same cores.
"""

import contextlib
import http.client
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle

import cv2
import joblib
import numpy as np
from predict import photos

from analysis.core import paths
from analysis.report.render import is_stale
from analysis.results import published
from model.predict import Predictor

PATH = "/api/v1/predict"
CLIENTS, CROWD = 32, 200
ROUNDS = 5
RETRY = 1.0  # seconds after which a client that is refused comes back, as Retry-After says
SINGLE = 40  # photos one after the other, in a round
_HEAD = re.compile(rb"HTTP/1\.1 (\d+).*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes
    ----------
    predictor_ms, request_ms
        Median time of one photo, with the predictor and over HTTP.
    predictor_rate, server_rate
        Photos a second on every core, with the predictor and over HTTP from 32 clients.
    usual_ms
        Median time of a request at 32 clients.
    crowded_ms
        99th percentile of the times of what is accepted at 200 clients.
    refused
        Share of the answers to 200 clients that ask them to come back.
    """

    predictor_ms: float
    request_ms: float
    predictor_rate: float
    server_rate: float
    usual_ms: float
    crowded_ms: float
    refused: float


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(*options: str) -> Iterator[tuple[int, int]]:
    """Port and process id of a server of this machine, with the published model."""
    port = free_port()
    command = "from meanface import main; main()"
    if is_stale(published().folder, paths.site_folder()):
        subprocess.run([sys.executable, "-c", command, "report"], check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--host", "127.0.0.1", "--port", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                line.request("GET", "/readyz")
                if line.getresponse().status == 200:
                    break
            if process.poll() is not None:
                raise SystemExit("the server has ended")
            time.sleep(0.2)
        else:
            raise SystemExit("the server does not start")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def requests_for(pictures: list[bytes]) -> list[bytes]:
    made = []
    for picture in pictures:
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        body = part + picture + b"\r\n--b--\r\n"
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


@dataclass
class Answers:
    """Times in seconds of what was accepted, number of refusals and of other answers."""

    times: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0

    def add(self, status: int, seconds: float) -> None:
        if status == 200:
            self.times.append(seconds)
        elif status == 503:
            self.refused += 1
        else:
            self.failed += 1


class Client:
    """Asks again as soon as it is answered, on one connection as long as the server keeps it."""

    def __init__(self, port: int, wanted: Iterator[bytes]) -> None:
        self._port = port
        self._wanted = wanted
        self._answer = b""
        self._since = 0.0
        self.line = self._connected()

    def _connected(self) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def ask(self) -> None:
        self._answer, self._since = b"", time.perf_counter()
        self.line.sendall(next(self._wanted))

    def reconnect(self) -> None:
        self.line.close()
        self.line = self._connected()

    def read(self) -> tuple[int, float, bool] | None:
        """Status and time of an answer that is whole, and whether the connection ends; None while it is not whole."""
        part = self.line.recv(65536)
        if not part:
            raise SystemExit("the server has closed a connection")
        self._answer += part
        head = _HEAD.match(self._answer)
        if head is None or len(self._answer) < head.end() + int(head[2]):
            return None
        return int(head[1]), time.perf_counter() - self._since, b"connection: close" in head[0].lower()


def crowd(port: int, wanted: list[bytes], clients: int, seconds: float) -> Answers:
    """Let clients ask for some seconds, all at once."""
    answers, later = Answers(), list[tuple[float, Client]]()
    with selectors.DefaultSelector() as selector:
        for number in range(clients):
            client = Client(port, cycle(wanted[number % len(wanted) :] + wanted[: number % len(wanted)]))
            selector.register(client.line, selectors.EVENT_READ, client)
            client.ask()
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            while later and later[0][0] <= now:
                later.pop(0)[1].ask()
            for key, _ in selector.select(timeout=0.05):
                client, answer = key.data, key.data.read()
                if answer is None:
                    continue
                status, taken, ends = answer
                answers.add(status, taken)
                if ends:
                    selector.unregister(client.line)
                    client.reconnect()
                    selector.register(client.line, selectors.EVENT_READ, client)
                if status == 503:
                    later.append((time.monotonic() + RETRY, client))
                else:
                    client.ask()
        for key in list(selector.get_map().values()):
            key.data.line.close()
    return answers


def rate(predictor: Predictor, pictures: list[bytes], seconds: float) -> float:
    """Photos a second of the bare predictor, with a thread for each core."""
    end = time.perf_counter() + seconds

    def work(number: int) -> int:
        done = 0
        while time.perf_counter() < end:
            predictor.predict_photo(pictures[(number + done) % len(pictures)])
            done += 1
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        done = sum(pool.map(work, range(joblib.cpu_count())))
    return done / (time.perf_counter() - began)


def measure(seconds: float = 4.0) -> Figures:
    """Measure, in rounds that take several times ``seconds`` each."""
    cv2.setNumThreads(1)
    predictor = Predictor.load(threads=1)
    pictures = photos(20)
    wanted = requests_for(pictures)
    alone: list[float] = []
    single: list[float] = []
    rates: list[tuple[float, float]] = []
    usual = Answers()
    crowded = Answers()
    with server() as (port, _):
        crowd(port, wanted, CLIENTS, seconds)  # warms it up
        rate(predictor, pictures, 1.0)
        for _ in range(ROUNDS):
            client = Client(port, cycle(wanted))
            for number in range(SINGLE):
                began = time.perf_counter()
                predictor.predict_photo(pictures[number % len(pictures)])
                alone.append(time.perf_counter() - began)
                client.ask()
                while (answer := client.read()) is None:
                    pass
                single.append(answer[1])
            client.line.close()
            bare = rate(predictor, pictures, seconds)
            answers = crowd(port, wanted, CLIENTS, seconds)
            rates.append((bare, len(answers.times) / seconds))
            usual.times += answers.times
            usual.failed += answers.failed + answers.refused
        answers = crowd(port, wanted, CROWD, 3 * seconds)
        crowded.times += answers.times
        crowded.refused += answers.refused
        usual.failed += answers.failed
    if usual.failed:
        raise SystemExit(f"{usual.failed} requests were not answered as they should have been")
    ratios = sorted(rates, key=lambda pair: pair[1] / pair[0])
    bare, served = ratios[len(ratios) // 2]
    return Figures(
        predictor_ms=statistics.median(alone) * 1e3,
        request_ms=statistics.median(single) * 1e3,
        predictor_rate=bare,
        server_rate=served,
        usual_ms=statistics.median(usual.times) * 1e3,
        crowded_ms=float(np.percentile(crowded.times, 99)) * 1e3,
        refused=crowded.refused / (crowded.refused + len(crowded.times)),
    )


def main() -> None:
    found = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
    print(f"{'':<44}{'predictor':>10}{'server':>10}{'ratio':>8}")
    for what, bare, served in (
        ("one photo, ms", found.predictor_ms, found.request_ms),
        (f"photos a second ({joblib.cpu_count()} cores; {CLIENTS} clients)", found.predictor_rate, found.server_rate),
    ):
        print(f"{what:<44}{bare:>10.2f}{served:>10.2f}{served / bare:>8.2f}")
    print(
        f"median at {CLIENTS} clients {found.usual_ms:.0f} ms; 99 % of what is accepted at {CROWD} clients within "
        f"{found.crowded_ms:.0f} ms, {found.crowded_ms / found.usual_ms:.1f} times that; "
        f"{100 * found.refused:.0f} % of the answers ask to come back"
    )


if __name__ == "__main__":
    main()
