"""`meanface serve`: its options, what it says of mistakes, and that it ends cleanly."""

import os
import re
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
from dashboard.settings import Settings, environment_names, hash_key


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def never_rendered(monkeypatch):
    monkeypatch.setattr("analysis.report.render.is_stale", lambda results, site: False)


def serve(*arguments, **environment):
    """Run the command up to the point where it would listen for ever."""
    return CliRunner().invoke(app, ["serve", *arguments], env=environment, catch_exceptions=True)


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
    for name in Settings.model_fields:
        for variable in environment_names(name):
            monkeypatch.delenv(variable, raising=False)
    assert Settings.read(host=None) == Settings(host="127.0.0.1", port=5006, allow_origin=(), queue=48)
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setenv("HOST", "")  # as if it were not set
    monkeypatch.setenv("ALLOW_ORIGIN", "a.example b.example:8443")
    assert Settings.read() == Settings(host="127.0.0.1", port=8000, allow_origin=("a.example", "b.example:8443"))
    assert Settings.read(port=9000, allow_origin=["*"]).port == 9000
    assert Settings.read(allow_origin=["https://a.example/", "b.example:8443"]) == Settings.read()
    monkeypatch.setenv("MEANFACE_HOST", "::1")  # before HOST, which shells set, too
    monkeypatch.setenv("MEANFACE_QUEUE", "7")
    assert (Settings.read().host, Settings.read().queue) == ("::1", 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("root_path", "meanface"),
        ("root_path", "/a b"),
        ("root_path", '/"><script>'),
        ("root_path", "/explore/more"),
        ("root_path", "/../up"),
        ("allow_host", "http://example.org/path"),
        ("allow_host", "*."),
        ("rate_limit", "many"),
        ("rate_limit", "0/minute"),
        ("cors_origin", "example.org"),
        ("cors_origin", "https://example.org/path"),
        ("api_key", "secret"),
        ("api_key", f"a:{'0' * 64} a:{'1' * 64}"),
        ("trusted_proxy", "proxy.example"),
        ("queue", "0"),
        ("read_seconds", "0"),
        ("log_format", "xml"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line_that_names_its_variable(name, value, monkeypatch):
    monkeypatch.setenv(f"MEANFACE_{name.upper()}", value)
    with pytest.raises(UserError, match=f"MEANFACE_{name.upper()} or --{name.replace('_', '-')}") as refused:
        Settings.read()
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_host_that_a_shell_has_set_to_something_else_is_named(monkeypatch):
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    refused = serve("--port", str(free_port()), HOST="x86_64-conda-linux-gnu").exception
    assert isinstance(refused, UserError)
    assert "HOST of the environment" in str(refused) and "--host" in str(refused)


def test_the_help_of_serve_and_config_print_every_setting(monkeypatch):
    told = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    monkeypatch.setenv("MEANFACE_QUEUE", "7")
    listed = CliRunner().invoke(app, ["config", "--allow-host", "a.example", "--allow-host", "b.example"]).output
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')} " in told and environment_names(name)[0] in told
        assert f"--{name.replace('_', '-')} " in listed
    assert re.search("--queue +7 +MEANFACE_QUEUE of the environment", listed)
    assert re.search("--allow-host +a.example b.example +--allow-host", listed)
    assert re.search("--sessions +64 +default", listed)


def test_a_variable_that_is_almost_a_setting_is_told(monkeypatch):
    monkeypatch.setenv("MEANFACE_QUEU", "7")
    told = CliRunner().invoke(app, ["config"])
    assert "MEANFACE_QUEU of the environment is no setting: MEANFACE_QUEUE may be meant" in told.stderr
    assert re.search("--queue +48 +default", told.stdout)


def test_a_time_without_end_is_no_setting(monkeypatch):
    monkeypatch.setenv("MEANFACE_DECODE_SECONDS", "inf")
    assert "MEANFACE_DECODE_SECONDS" in str(CliRunner().invoke(app, ["config"]).exception)


def test_a_key_is_shown_once_and_its_hash_is_what_the_server_is_told():
    said = CliRunner().invoke(app, ["key", "newsroom"]).output
    made, told = re.search("alone: (\\S+)", said)[1], re.search("--api-key (\\S+)", said)[1]
    assert told == f"newsroom:{hash_key(made)}"
    assert made not in CliRunner().invoke(app, ["config", "--api-key", told]).output
    assert isinstance(CliRunner().invoke(app, ["key", "no name"]).exception, UserError)


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
    monkeypatch.setattr("dashboard.server.create_app", lambda *args: started.update(origins=args[3].allow_origin))
    monkeypatch.setattr("dashboard.gateway.telemetry.configure_logging", lambda level, form: None)
    port = str(free_port())
    where = ("--results", str(results.folder), "--site", str(site))
    answer = serve(*where, HOST="0.0.0.0", PORT=port, ALLOW_ORIGIN="a.example b.example:8443")
    assert answer.exit_code == 0, answer.output
    assert started == {"host": "0.0.0.0", "port": int(port), "origins": ("a.example", "b.example:8443")}
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
    monkeypatch.setattr("dashboard.gateway.telemetry.configure_logging", lambda level, form: None)
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
