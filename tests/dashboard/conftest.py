"""The app over a synthetic run and a predictor without a network."""

import pytest
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
