"""The app over a synthetic run and a predictor without a network."""

import threading
import time
from dataclasses import dataclass

import pytest
import uvicorn
from fakes import FakePredictor
from fastapi.testclient import TestClient
from synthetic import write_results

from analysis.results import Results
from dashboard.scoring import Scorer


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Results:
    return write_results(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>the report</title>")
    return folder


@pytest.fixture
def scorer():
    ready = Scorer(FakePredictor)
    ready.load()
    return ready


@pytest.fixture(scope="session")
def app(results, site):
    from dashboard.server import create_app

    return create_app(results.folder, site, FakePredictor())


@pytest.fixture(scope="session")
def client(app):
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@dataclass
class Live:
    """A server that listens on a port of its own."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@pytest.fixture(scope="session")
def live(results, site):
    """The app behind a real uvicorn: sockets, chunks and threads as in service."""
    from dashboard.server import create_app

    server = uvicorn.Server(
        uvicorn.Config(create_app(results.folder, site, FakePredictor()), port=0, log_level="warning", log_config=None)
    )
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server does not start"
        time.sleep(0.02)
    yield Live(*server.servers[0].sockets[0].getsockname()[:2])
    server.should_exit = server.force_exit = True
    thread.join(timeout=10)
