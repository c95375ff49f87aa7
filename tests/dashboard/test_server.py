"""One process: report, explorer and API side by side, and sessions that end."""

import contextlib
import hashlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fakes import FEMALE, FakePredictor
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

import dashboard
from analysis.results import Results

PAGES = (
    "/explore",
    "/explore/data",
    "/explore/faces",
    "/explore/hypothesis",
    "/explore/metrics",
    "/explore/predict",
    "/explore/api",
)
BROWSER = {"accept": "text/html"}
OWN = {"origin": "http://testserver"}


def token(client, path="/explore"):
    return re.search(r'"token":"([^"]+)"', client.get(path).text)[1]


def test_the_report_is_at_the_root(client):
    assert "the report" in client.get("/").text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_explorer_is_served_and_loads_from_this_server_alone(client, path):
    page = client.get(path)
    assert page.status_code == 200
    assert 'data-theme-managed="true"' in page.text  # it is in the frame
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', page.text)
    assert loaded
    assert not [url for url in loaded if url.startswith(("http:", "https:", "//"))]


def test_every_page_links_the_theme_once_under_a_name_that_changes_with_it(client):
    address = dashboard.parts.theme_css()
    assert client.get("/explore").text.count(f'<link rel="stylesheet" href="{address}">') == 1
    assert client.get("/explore/faces").text.count(f'<link rel="stylesheet" href="../{address}">') == 1
    theme = client.get(f"/{address}")
    assert theme.headers["content-type"].startswith("text/css")
    assert "immutable" in theme.headers["cache-control"]
    assert hashlib.sha256(theme.content).hexdigest().startswith(address.split("?")[1])


def test_a_result_that_cannot_be_read_is_logged_and_a_missing_one_is_not(tmp_path, monkeypatch, caplog):
    def fail(artifact, run):
        raise ValueError("not a table")

    from dashboard import server

    monkeypatch.setattr(type(Results.groups), "read", fail)
    server._read(Results(tmp_path))
    assert "cannot read groups" in caplog.text and "not a table" in caplog.text
    assert "cannot read metrics" not in caplog.text


def test_results_are_read_ahead_of_the_first_visitor(results):
    from dashboard import server

    fresh = Results(results.folder)
    server._read(fresh)
    assert {"metrics", "study", "groups", "average_faces"} <= set(vars(fresh))


def test_a_page_that_is_nowhere_says_so_to_people_and_programs(client, site):
    for_people = client.get("/nowhere", headers=BROWSER)
    assert for_people.status_code == 404
    assert "Nothing is here" in for_people.text
    assert 'href="/explore"' in client.get("/site/deeper/nowhere.html", headers=BROWSER).text
    assert client.get("/nowhere", headers={"accept": "application/json"}).json()["status"] == 404
    (site / "404.html").write_text('<a href="/">the page of a static host</a>')
    assert "Nothing is here" in client.get("/explore/nowhere", headers={"accept": "*/*"}).text
    assert 'href="/explore"' in client.get("/static/nowhere.js", headers=BROWSER).text
    for program in ("/api/nowhere", "/predict/nowhere", "/metrics/nowhere"):
        assert client.get(program, headers=BROWSER).headers["content-type"] == "application/problem+json"


def test_a_page_that_is_nowhere_leads_on_below_a_prefix(make_client):
    client = make_client(root_path="/below", allow_host="*")
    for missing in ("/nowhere", "/below/explore/nowhere", "/static/nowhere.js"):
        assert 'href="/below/explore"' in client.get(missing, headers=BROWSER).text
    assert "/below/api/docs lists" in client.get("/api/nowhere").json()["detail"]


@pytest.mark.parametrize(
    ("guess", "page"),
    [
        ("/explore/", "/explore"),
        ("/explore/every-face", "/explore"),
        ("/explore/Every-Face/?label=male", "/explore?label=male"),
        ("/explore/Data/", "/explore/data"),
        ("/explore/metrics.html", "/explore/metrics"),
        ("/explore/METRICS/?view=groups", "/explore/metrics?view=groups"),
    ],
)
def test_a_guessed_address_of_a_page_of_the_explorer_leads_to_it(client, guess, page):
    answer = client.get(guess, headers=BROWSER, follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].removeprefix("http://testserver") == page


@pytest.mark.parametrize("nowhere", ["/explore/nowhere", "/explore/data/more", "/explore//nowhere", "/exploredata"])
def test_an_address_of_no_page_of_the_explorer_is_not_found(client, nowhere):
    answer = client.get(nowhere, headers=BROWSER)
    assert answer.status_code == 404
    assert 'href="/explore"' in answer.text


def test_explorer_and_api_work_before_the_report_is_rendered(results, tmp_path):
    opened = TestClient(dashboard.create_app(results.folder, tmp_path / "later", FakePredictor()))
    assert opened.get("/").status_code == 404
    assert opened.get("/explore").status_code == 200
    assert opened.get("/healthz").status_code == 200


def test_the_model_is_loaded_when_the_app_starts(results, site, monkeypatch):
    monkeypatch.setattr("dashboard.server.Predictor.load", lambda folder, threads: FakePredictor())
    with TestClient(dashboard.create_app(results.folder, site)) as opened:
        opened.app.state.loading.result()
        assert opened.get("/healthz").status_code == 200


def test_a_missing_model_is_told_in_one_line(tmp_path, site):
    with TestClient(dashboard.create_app(tmp_path, site)) as opened:
        opened.app.state.loading.result()
        assert "meanface" in opened.get("/healthz").json()["detail"]


def test_a_page_that_fails_shows_no_stack_trace(results, site, monkeypatch, caplog):
    def fail(shared):
        raise RuntimeError("inner detail")

    monkeypatch.setattr(dashboard.pages.DataPage, "serve", fail)
    opened = TestClient(dashboard.create_app(results.folder, site, FakePredictor()))
    page = opened.get("/explore/data")
    assert page.status_code == 200
    assert "Traceback" not in page.text
    assert "inner detail" in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "antigravity/x/y/z",  # not loaded, and never to be
        "this/x/y/z",
        "os/path/_css/x",
        "sys/modules/_css/x",
        "dashboard.server/FastAPI/_css/x",
        "panel.widgets/Button/_css/nowhere.css",
        "panel.widgets/Button/__module__/x",
        "panel.widgets/Button",
        "panel.widgets/Button/css/../../config.py",
        "",
        "/",
    ],
)
@pytest.mark.parametrize("prefix", ["", "/meanface"])
def test_an_address_that_is_no_component_is_not_found_and_imports_nothing(client, address, prefix):
    loaded = set(sys.modules)
    answer = client.get(f"{prefix}/components/{address}", headers={"x-forwarded-prefix": prefix})
    assert answer.status_code == 404
    assert not {"antigravity", "this"} & (set(sys.modules) - loaded)


def test_a_file_that_a_component_lists_is_served(client):
    from panel.template import BootstrapTemplate

    (listed, *_) = BootstrapTemplate._css
    address = f"/components/{BootstrapTemplate.__module__}/BootstrapTemplate/_css/{listed.name}"
    assert client.get(address).headers["content-type"].startswith("text/css")


def test_a_session_ends_when_its_browser_leaves(client):
    contexts = client.app.state.explorer._applications
    known = set(contexts["/explore"]._sessions)
    given = token(client)
    (session,) = [held for name, held in contexts["/explore"]._sessions.items() if name not in known]
    with client.websocket_connect("/explore/ws", subprotocols=["bokeh", given], headers=dict(OWN)) as socket:
        assert "ACK" in socket.receive_text()
        assert session.connection_count == 1
    assert session.connection_count == 0


@pytest.mark.parametrize(
    ("cookie", "dark"), [("", False), ("meanface-theme=light", False), ("meanface-theme=dark", True)]
)
def test_a_session_is_as_dark_as_its_browser_before_anything_is_drawn(client, cookie, dark):
    import panel as pn
    from panel.io.state import set_curdoc

    contexts = client.app.state.explorer._applications
    known = set(contexts["/explore"]._sessions)
    given = token(client)
    (session,) = [held for name, held in contexts["/explore"]._sessions.items() if name not in known]
    headers = {**OWN, "cookie": cookie} if cookie else dict(OWN)
    with client.websocket_connect("/explore/ws", subprotocols=["bokeh", given], headers=headers) as socket:
        assert "ACK" in socket.receive_text()
        themes = [model.dark_theme for model in session.document.models if "dark_theme" in model.properties()]
        with set_curdoc(session.document):
            later = pn.config.theme
    assert len(themes) > 5
    assert set(themes) == {dark}
    assert later == ("dark" if dark else "default")  # of components that are made later


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://testserver", True),
        (None, False),
        ("http://proxy.example", True),
        ("https://elsewhere.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_only_pages_of_this_server_and_named_origins_open_sessions(make_client, origin, let_in):
    opened = make_client(allow_host="*", allow_origin="proxy.example")
    headers = {"origin": origin} if origin else {}
    given = token(opened)

    def connect():
        with opened.websocket_connect("/explore/ws", subprotocols=["bokeh", given], headers=headers) as socket:
            assert "ACK" in socket.receive_text()

    if let_in:
        connect()
    else:
        with pytest.raises(WebSocketDisconnect):
            connect()


def test_what_a_browser_sent_before_it_left_is_dropped(client, caplog):
    from bokeh.protocol import Protocol

    question = Protocol().create("PULL-DOC-REQ")
    explorer = client.app.state.explorer
    with client.websocket_connect("/explore/ws", subprotocols=["bokeh", token(client)], headers=dict(OWN)) as socket:
        head, *_ = (socket.receive_text() for _ in range(3))
        assert "ACK" in head
        for leaves in (False, True):
            if leaves:
                (connection,) = explorer._clients
                client.portal.call(connection.detach_session)
            for part in (question.header_json, question.metadata_json, question.content_json):
                socket.send_text(part)
            if not leaves:
                assert "PULL-DOC-REPLY" in socket.receive_text()
    assert [record for record in caplog.records if record.name.startswith("bokeh")] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bokeh_fastapi.handler", "Unhandled exception receiving a message: %r: %r"),
        ("bokeh.server.protocol_handler", "error handling message\n message: %r \n error: %r"),
    ],
)
def test_a_message_that_cannot_be_handled_is_logged_without_its_content(caplog, monkeypatch, name, message):
    from dashboard import sessions

    sessions.install()
    monkeypatch.setattr(logging.getLogger("bokeh"), "propagate", True)
    logging.getLogger(name).error(message, b"bytes of a photo", ValueError("x"))
    assert message.splitlines()[0].split(":")[0] in caplog.text
    assert "bytes of a photo" not in caplog.text


def test_pages_and_scripts_are_compressed_for_those_who_take_it(client, site):
    (site / "long.html").write_text("<!doctype html>" + "a long page " * 500)
    packed = client.get("/long.html", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    plain = client.get("/long.html", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == packed.text
    assert client.get("/explore", headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_a_part_of_a_file_is_sent_as_it_is(client, site):
    (site / "film.bin").write_bytes(bytes(range(256)) * 64)
    part = client.get("/film.bin", headers={"range": "bytes=0-4095", "accept-encoding": "gzip"})
    assert part.status_code == 206
    assert "content-encoding" not in part.headers
    assert len(part.content) == 4096


@pytest.mark.parametrize("path", ["/", "/explore", "/api/docs", "/api/v1/model", "/api/nowhere", "/nowhere"])
def test_every_answer_forbids_guessed_types_and_frames_of_other_sites(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"


SERVED_AS_A_COMMAND = """
import pathlib, sys
from fakes import FakePredictor
from dashboard.commands import _run
from dashboard.server import create_app
from dashboard.settings import Settings

results, site, port = sys.argv[1:]
app = create_app(pathlib.Path(results), pathlib.Path(site), FakePredictor())
_run(app, Settings(host="127.0.0.1", port=int(port), shutdown_seconds=120))
"""


@contextlib.contextmanager
def served(code: str, results: Results, site: Path, **pipes: int) -> Iterator[tuple[subprocess.Popen, str]]:
    """A process that runs ``code`` and its address, once it answers there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(results.folder), str(site), str(port)],
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **pipes,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{base}/livez", trust_env=False, timeout=60)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < until, "the server does not start"
                time.sleep(0.2)
        yield process, base
    finally:
        process.kill()


def test_ctrl_c_ends_the_server_while_an_explorer_page_is_open(results, site):
    with served(SERVED_AS_A_COMMAND, results, site, stderr=subprocess.PIPE) as (process, base):
        page = f"{base}/explore"
        given = re.search(r'"token":"([^"]+)"', httpx.get(page, timeout=60, trust_env=False).text)[1]
        with connect(
            page.replace("http", "ws", 1) + "/ws", subprotocols=["bokeh", given], origin=base, proxy=None
        ) as opened:
            assert "ACK" in opened.recv()
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=100)
            took = time.monotonic() - asked
    assert process.returncode == 0
    assert "Traceback" not in said
    assert took < 60  # two seconds on an idle machine; waiting for the session would take 120


SLOW_SERVER = """
import pathlib, sys, time
from fakes import FakePredictor
from dashboard.commands import _run
from dashboard.server import create_app
from dashboard.settings import Settings

class Slow(FakePredictor):
    def predict_crops(self, crops):
        print("begun", flush=True)
        time.sleep(3)
        return super().predict_crops(crops)

results, site, port = sys.argv[1:]
settings = Settings(host="127.0.0.1", port=int(port))
_run(create_app(pathlib.Path(results), pathlib.Path(site), Slow(), settings), settings)
"""


def test_a_server_that_is_stopped_answers_what_it_has_accepted(results, site):
    with served(SLOW_SERVER, results, site, stdout=subprocess.PIPE) as (process, base):
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(
                httpx.post, f"{base}/predict", files={"file": ("a.png", FEMALE)}, trust_env=False, timeout=60
            )
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGTERM)
            assert answer.result().json() == {"gender": "female"}
        process.communicate(timeout=60)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{base}/livez", trust_env=False)
