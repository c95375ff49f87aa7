"""`meanface serve`: its options, what it says of mistakes, and that it ends cleanly."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from typer.testing import CliRunner

from analysis.core.errors import UserError
from dashboard.commands import app, check_free
from dashboard.settings import Settings


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def never_rendered(monkeypatch):
    monkeypatch.setattr("analysis.report.render.is_stale", lambda results, site: False)


def serve(*arguments, **environment):
    """Run the command up to the point where it would listen for ever."""
    return CliRunner().invoke(app, list(arguments), env=environment, catch_exceptions=True)


@pytest.mark.parametrize("given", ["", "abc", "0", "65536", "-1", "80.5", "²"])
def test_a_bad_port_is_refused_in_one_line(given):
    refused = serve("--port", given)
    assert refused.exit_code == 2
    assert "--port" in refused.output and "Traceback" not in refused.output


@pytest.mark.parametrize("given", ["abc", "0", "65536", "-1", "80.5", "²"])
def test_a_bad_port_in_the_environment_is_refused_in_one_line(given, monkeypatch):
    monkeypatch.setenv("PORT", given)
    with pytest.raises(UserError, match="set PORT or --port") as refused:
        Settings.read(port=None)
    assert "\n" not in str(refused.value)


def test_settings_come_from_options_then_the_environment_then_defaults(monkeypatch):
    for name in ("HOST", "PORT", "ALLOW_ORIGIN", "SHUTDOWN_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    assert Settings.read(host=None) == Settings(host="127.0.0.1", port=5006, allow_origin=(), shutdown_seconds=1)
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setenv("HOST", "")  # as if it were not set
    monkeypatch.setenv("ALLOW_ORIGIN", "a.example b.example:8443")
    assert Settings.read() == Settings(host="127.0.0.1", port=8000, allow_origin=("a.example", "b.example:8443"))
    assert Settings.read(port=9000, allow_origin=["*"]).port == 9000


def test_a_port_in_use_is_refused_before_anything_slow_is_done():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="in use"):
            check_free("127.0.0.1", taken.getsockname()[1])


def test_a_host_of_another_machine_is_refused():
    with pytest.raises(UserError, match="cannot listen"):
        check_free("192.0.2.1", free_port())


def test_a_port_can_be_taken_again_right_after_a_server_left_it():
    port = free_port()
    check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


def test_host_and_port_come_from_the_environment(results, site, never_rendered, monkeypatch):
    started = {}
    monkeypatch.setattr(
        "dashboard.commands._run", lambda app, settings: started.update(host=settings.host, port=settings.port)
    )
    monkeypatch.setattr("dashboard.server.create_app", lambda *args, **options: started.update(options))
    port = str(free_port())
    where = ("--results", str(results.folder), "--site", str(site))
    answer = serve(*where, HOST="0.0.0.0", PORT=port, ALLOW_ORIGIN="a.example b.example:8443")
    assert answer.exit_code == 0, answer.output
    given = {"host": "0.0.0.0", "port": int(port), "allowed_origins": ("a.example", "b.example:8443")}
    assert {name: started[name] for name in given} == given
    for path in ("/", "/explore", "/api/docs"):
        assert f"http://localhost:{port}{path}\n" in answer.output


def test_a_bad_port_in_the_environment_is_a_mistake_of_the_user():
    assert isinstance(serve(PORT="http").exception, UserError)


def test_without_a_published_run_it_says_how_to_make_one(tmp_path):
    refused = serve("--results", str(tmp_path), "--port", str(free_port())).exception
    assert isinstance(refused, UserError)
    assert "publish" in str(refused)


@pytest.mark.parametrize("stale", [True, False])
def test_the_report_is_rendered_only_if_it_is_stale(results, tmp_path, monkeypatch, stale):
    rendered = []
    monkeypatch.setattr("analysis.report.render.is_stale", lambda results, site: stale)
    monkeypatch.setattr("analysis.report.render.render", lambda results, site: rendered.append((results, site)))
    monkeypatch.setattr("dashboard.commands._run", lambda app, settings: None)
    answer = serve("--results", str(results.folder), "--site", str(tmp_path), "--port", str(free_port()))
    assert answer.exit_code == 0, answer.output
    assert rendered == ([(results.folder, tmp_path)] if stale else [])
    assert ("Rendering" in answer.output) is stale


def test_ctrl_c_ends_it_with_exit_code_0_and_no_traceback(results, site):
    port = free_port()
    code = (
        "import sys, pathlib, analysis.report.render as report; report.is_stale = lambda *given: False;"
        "import meanface; sys.argv = ['meanface', 'serve', *sys.argv[1:]]; meanface.main()"
    )
    where = ["--results", str(results.folder), "--site", str(site), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in {"HOST", "PORT", "ALLOW_ORIGIN"}},
    )
    try:
        wait_until_served(f"http://127.0.0.1:{port}/explore", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert f"http://127.0.0.1:{port}/api/docs" in out


def wait_until_served(url, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(process.stderr.read())
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")
