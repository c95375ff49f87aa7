"""The app over a synthetic run and a predictor without a network."""

import contextlib
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


@pytest.fixture
def make_client(results, site):
    """Function that opens the app with settings of its own, for a client of this machine."""
    from dashboard.server import create_app
    from dashboard.settings import Settings

    def make(predictor=None, **settings):
        app = create_app(results.folder, site, predictor or FakePredictor(), Settings(**settings))
        return TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 50000))

    return make


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
    with serving(results, site) as server:
        yield server


@pytest.fixture
def serve(results, site):
    """Function that serves the app with settings of its own for the time of a test."""
    with contextlib.ExitStack() as stack:
        yield lambda predictor=None, **settings: stack.enter_context(serving(results, site, predictor, **settings))


@contextlib.contextmanager
def serving(results, site, predictor=None, **settings):
    from dashboard.server import configure, create_app
    from dashboard.settings import Settings

    chosen = Settings(**{"allow_host": "*", **settings})
    config = configure(create_app(results.folder, site, predictor or FakePredictor(), chosen), chosen)
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server does not start"
        time.sleep(0.02)
    yield Live(*server.servers[0].sockets[0].getsockname()[:2])
    server.should_exit = server.force_exit = True
    thread.join(timeout=10)
