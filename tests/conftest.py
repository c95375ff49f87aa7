"""Fixtures that many tests share: a scratch home, and the demo faces ingested once."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Fixtures that train, evaluate, study, render or start servers for some five seconds or more.
SLOW_FIXTURES = {"evaluated", "pages", "server", "studied", "trained", "workers"}

HEAVY = {"bokeh", "holoviews", "keras", "panel", "panel_material_ui", "tensorflow"}  # some seconds each
_collected = pytest.StashKey[set[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which of the heavy packages tests have imported merely by being found."""
    session.config.stash[_collected] = HEAVY & sys.modules.keys()


@pytest.fixture
def imported_by_collecting(pytestconfig: pytest.Config) -> set[str]:
    """Heavy packages that were imported when the tests were collected."""
    return pytestconfig.stash[_collected]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a slow fixture: whichever of them runs first pays for it."""
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Let SIGINT end the processes that tests start, also where it is ignored here.

    A shell script's background jobs (`make test &`) ignore it, and so would their children.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: data, runs and results of the test lie here."""
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the demo faces are ingested; read only."""
    folder = tmp_path_factory.mktemp("demo-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(folder))
        from analysis.data.ingest import ingest
        from analysis.data.sources import demo_source, register

        register(demo_source(), "demo")
        ingest("demo", progress=False)
    return folder


@pytest.fixture
def demo(demo_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`demo_home` as the home of this test."""
    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    return demo_home


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
