"""Fetching from Kaggle, against a server on this machine that speaks the endpoints Kaggle's package calls."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.data.sources import KAGGLE_DATASET, fetch_kaggle, open_source

SECRET = "s3cret-f0r-tests-0nly"
IMAGE = 2_000_000  # bytes: the package writes chunks of a megabyte, so that a cut is seen only beyond the first
CHUNK = 1_048_576
TABLES = {
    "list_attr_celeba.csv": b"image_id,Male,Smiling\n000001.jpg,-1,1\n000002.jpg,1,-1\n",
    "list_eval_partition.csv": b"image_id,partition\n000001.jpg,0\n000002.jpg,0\n",
}


def archive_bytes() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Dataset/Train/Female/000001.jpg", os.urandom(IMAGE))
        archive.writestr("Dataset/Test/Male/000002.jpg", os.urandom(IMAGE))
    return content.getvalue()


class Kaggle(ThreadingHTTPServer):
    """The two services of Kaggle's API that a download needs, and the storage that it sends the client on to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.archive = archive_bytes()
        self.refuse: int | None = None  # status for every request of a data set
        self.storage_refuses = False
        self.tables = True
        self.cut_after: int | None = None  # bytes of the archive after which the connection is cut, once
        self.stall_after: int | None = None  # bytes after which the connection hangs, once
        self.over = threading.Event()
        self.ranges: list[str | None] = []  # Range header of every request for the archive
        self.storage_credentials: list[str | None] = []
        self.credentials: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Kaggle

    def log_message(self, *_: object) -> None:
        pass

    def _json(self, status: int, facts: dict[str, Any]) -> None:
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.credentials.append(self.headers["Authorization"])
        if self.path.endswith("/IntrospectToken"):
            known = request["token"] == SECRET
            self._json(200, {"active": known, "username": "someone"} if known else {"active": False})
        elif self.server.refuse:
            self._json(self.server.refuse, {"code": self.server.refuse, "message": f"no {SECRET}"})
        elif request.get("fileName") and not self.server.tables:
            self._json(404, {"code": 404, "message": "no such file"})
        else:
            name = request.get("fileName") or "archive.zip"
            self.send_response(302)
            # Another host, as Kaggle's storage is: the client must not send its credentials there.
            self.send_header("Location", f"http://localhost:{self.server.server_port}/storage/{name}?signature=5166")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        body = self.server.archive if name == "archive.zip" else TABLES[name]
        begin, found = 0, re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
        if found and self.headers["If-Range"] in (None, '"v1"'):
            begin = int(found[1])
        if self.server.storage_refuses:
            self.send_error(403)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"v1"')
        self.send_header("Last-Modified", "Wed, 01 May 2024 10:00:00 GMT")
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        end = len(body)
        if name == "archive.zip":
            self.server.storage_credentials.append(self.headers["Authorization"])
            self.server.ranges.append(self.headers["Range"])
            if self.server.cut_after is not None:
                end, self.server.cut_after = self.server.cut_after, None
            if self.server.stall_after is not None:
                end, self.server.stall_after = self.server.stall_after, None
                self.wfile.write(body[begin:end])
                self.wfile.flush()
                self.server.over.wait(60)
                return
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[begin:end])
        self.close_connection = True


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kaggle]:
    """A running server that the package takes for Kaggle, and a home without credentials."""
    for name in [each for each in os.environ if each.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))
    (tmp_path / "person" / ".kaggle").mkdir(parents=True)
    from kaggle.api import kaggle_api_extended as extended
    from kagglesdk import kaggle_env

    # The package reads where its configuration lies when it is first imported.
    monkeypatch.setattr(extended.KaggleApi, "config", str(tmp_path / "person" / ".kaggle" / "kaggle.json"))
    # Its pauses between attempts, not everyone's.
    monkeypatch.setattr(extended, "time", SimpleNamespace(**vars(time) | {"sleep": lambda seconds: None}))
    server = Kaggle()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def key(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)


def raw_files() -> list[str]:
    return sorted(each.name for each in (paths.data_folder("celeba") / "raw").iterdir())


@pytest.mark.usefixtures("key")
def test_the_archive_and_its_tables_are_fetched_and_registered(kaggle: Kaggle) -> None:
    note = fetch_kaggle("celeba")
    assert note == paths.data_folder("celeba") / "source.json"
    assert raw_files() == [
        "gender-recognition-200k-images-celeba.zip",
        "list_attr_celeba.csv",
        "list_eval_partition.csv",
    ]
    source = open_source("celeba")
    assert list(source.images["label"]) == ["male", "female"]
    assert list(source.images["Smiling"]) == [False, True]
    assert kaggle.storage_credentials == [None]


@pytest.mark.usefixtures("key")
def test_what_is_there_is_not_fetched_again(kaggle: Kaggle) -> None:
    fetch_kaggle("celeba")
    asked = len(kaggle.credentials)
    fetch_kaggle("celeba")
    assert len(kaggle.credentials) == asked


@pytest.mark.usefixtures("key")
def test_without_the_tables_there_is_a_warning_and_a_data_set(kaggle: Kaggle, caplog: pytest.LogCaptureFixture) -> None:
    kaggle.tables = False
    fetch_kaggle("celeba")
    assert "without list_attr_celeba.csv" in caplog.text
    assert open_source("celeba").metadata is None


@pytest.mark.usefixtures("key")
def test_a_cut_connection_is_resumed_where_it_stopped(kaggle: Kaggle) -> None:
    kaggle.cut_after = 3_000_000
    fetch_kaggle("celeba")
    assert kaggle.ranges == [None, f"bytes={2 * CHUNK}-"]
    assert len(open_source("celeba").read("Dataset/Test/Male/000002.jpg")) == IMAGE


SCRIPT = """
import sys
from kagglesdk import kaggle_env
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = sys.argv[1]
from analysis.data.sources import fetch_kaggle
fetch_kaggle("celeba")
"""


@pytest.mark.usefixtures("key")
def test_a_killed_download_is_gone_on_with_by_the_next_call(kaggle: Kaggle) -> None:
    kaggle.stall_after = 3_000_000
    address = f"http://127.0.0.1:{kaggle.server_port}"
    begun = subprocess.Popen([sys.executable, "-c", SCRIPT, address], stderr=subprocess.DEVNULL, cwd=paths.PROJECT)
    part = paths.data_folder("celeba") / "raw" / "gender-recognition-200k-images-celeba.zip.part"
    deadline = time.monotonic() + 60
    while sum(each.stat().st_size for each in part.glob("*.zip")) < 2 * CHUNK and time.monotonic() < deadline:
        time.sleep(0.05)
    begun.kill()
    begun.wait()
    fetch_kaggle("celeba")
    # The package opens the whole file, sees that it is the one it began with, and asks for the rest.
    assert kaggle.ranges == [None, None, f"bytes={2 * CHUNK}-"]
    assert (
        paths.data_folder("celeba") / "raw" / "gender-recognition-200k-images-celeba.zip"
    ).read_bytes() == kaggle.archive
    assert not part.exists()


def test_without_credentials_it_says_where_to_get_them(kaggle: Kaggle, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"Create New Token.*kaggle\.json.*chmod 600.*KAGGLE_USERNAME") as error:
        fetch_kaggle("celeba")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().out == ""
    assert kaggle.credentials == []


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "refuses the credentials"), (403, "accept its terms"), (404, "has no data set"), (500, "status 500")],
)
@pytest.mark.usefixtures("key")
def test_a_refusal_is_one_line_without_secrets(
    kaggle: Kaggle, status: int, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    kaggle.refuse = status
    with pytest.raises(UserError, match=says) as error:
        fetch_kaggle("celeba")
    captured = capfd.readouterr()
    assert SECRET not in str(error.value) + captured.out + captured.err
    assert "\n" not in str(error.value)


def test_a_token_alone_is_enough_and_a_wrong_one_is_refused(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
    with pytest.raises(UserError, match="refuses the token in KAGGLE_API_TOKEN, it is wrong or has expired"):
        fetch_kaggle("celeba")
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    fetch_kaggle("celeba")
    assert kaggle.credentials[-1] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is a folder"),
        (b" \n", "is empty"),
        (b"\xef\xbb\xbf" + SECRET.encode(), "begins with a byte order mark"),
        (SECRET.encode("utf-16"), "is UTF-16"),
        (b"two\nlines", "holds something other than a token"),
        (b'{"username": "someone"}', "holds what belongs in kaggle.json"),
    ],
)
def test_a_file_of_a_token_without_one_is_named(
    kaggle: Kaggle, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "person" / ".kaggle" / "access_token"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(UserError, match=f"access_token {says}"):
        fetch_kaggle("celeba")
    assert kaggle.credentials == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KAGGLE_API_TOKEN", f"{SECRET}\n", "KAGGLE_API_TOKEN holds something other than a token"),
        ("KAGGLE_API_TOKEN", "tök€n", "KAGGLE_API_TOKEN holds something other than a token"),
        ("KAGGLE_API_TOKEN", "  ", "KAGGLE_API_TOKEN is blank"),
        ("KAGGLE_API_TOKEN", "~/missing", "names ~/missing, and nothing is there"),
        ("KAGGLE_API_TOKEN", "a" * 5000, "has 5,000 characters"),
        ("KAGGLE_USERNAME", "some one", "KAGGLE_USERNAME holds a space"),
        ("KAGGLE_USERNAME", "someone", "KAGGLE_USERNAME is set, but KAGGLE_KEY is not"),
    ],
)
def test_a_variable_that_holds_no_credentials_is_named(
    kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=says):
        fetch_kaggle("celeba")
    assert kaggle.credentials == []


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(kaggle: Kaggle, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "person" / ".kaggle" / "kaggle.json")
    with pytest.raises(UserError, match=r"kaggle\.json is no file"):
        fetch_kaggle("celeba")


def test_a_refused_token_is_told_where_a_key_works(
    kaggle: Kaggle, key: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
    fetch_kaggle("celeba")
    assert [line for line in caplog.messages if "refuses the token in KAGGLE_API_TOKEN" in line]


@pytest.mark.usefixtures("key")
def test_a_damaged_archive_of_an_earlier_call_is_fetched_anew(kaggle: Kaggle) -> None:
    raw = paths.data_folder("celeba") / "raw"
    raw.mkdir(parents=True)
    (raw / f"{KAGGLE_DATASET.split('/')[1]}.zip").write_bytes(kaggle.archive[:1000])
    fetch_kaggle("celeba")
    assert len(open_source("celeba").images) == 2


@pytest.mark.usefixtures("key")
def test_the_refusal_of_the_storage_is_not_kaggles(kaggle: Kaggle) -> None:
    kaggle.storage_refuses = True
    with pytest.raises(UserError, match="the storage that Kaggle names answered with status 403"):
        fetch_kaggle("celeba")


def test_the_key_file_is_enough(kaggle: Kaggle, tmp_path: Path) -> None:
    file = tmp_path / "person" / ".kaggle" / "kaggle.json"
    file.write_text(json.dumps({"username": "someone", "key": SECRET}))
    file.chmod(0o600)
    fetch_kaggle("celeba")
    assert (paths.data_folder("celeba") / "source.json").exists()


@pytest.mark.parametrize("place", ["KAGGLE_API_TOKEN names", "access_token", "access_token.txt"])
def test_a_token_that_is_refused_is_named_by_its_place_alone(
    kaggle: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / "person" / ".kaggle"
    file = folder / (place if "names" not in place else "elsewhere")
    file.write_text("wr0ng-token")
    if "names" in place:
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(file))
    with pytest.raises(UserError, match=f"refuses the token in .*{place}") as error:
        fetch_kaggle("celeba")
    assert str(file) in str(error.value) and "wr0ng" not in str(error.value)


def test_a_key_that_is_refused_is_named_by_its_place(
    kaggle: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.refuse = 401
    file = tmp_path / "person" / ".kaggle" / "kaggle.json"
    file.write_text(json.dumps({"username": "someone", "key": SECRET}))
    with pytest.raises(UserError, match=rf"refuses the credentials in {file} \(401\)") as error:
        fetch_kaggle("celeba")
    assert SECRET not in str(error.value)
    monkeypatch.setenv("KAGGLE_USERNAME", "another")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    with pytest.raises(UserError, match=r"refuses the credentials in KAGGLE_USERNAME and KAGGLE_KEY \(401\)"):
        fetch_kaggle("celeba")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is a folder, where Kaggle's file"),
        ("[1, 2]", "holds a list, where user name and key belong"),
        ('"text"', "holds a single value"),
        ('{"username": "someone", "ke', "is damaged or cut short"),
        ("", "is empty"),
        ("\ufeff{}", "begins with a byte order mark"),
        ('{"username": "someone", "key": "k\\n"}', "holds something under key that is none"),
        ("KGAT_0123", "holds a token alone"),
        ("{}", "lacks username and key"),
        ('{"username": "someone"}', "lacks key"),
    ],
)
def test_what_lies_in_the_place_of_the_key_file_is_told(
    kaggle: Kaggle, tmp_path: Path, content: str | None, says: str
) -> None:
    file = tmp_path / "person" / ".kaggle" / "kaggle.json"
    file.mkdir() if content is None else file.write_text(content)
    with pytest.raises(UserError, match=rf"kaggle\.json {says}.*Create New Token") as error:
        fetch_kaggle("celeba")
    assert "\n" not in str(error.value)
    assert kaggle.credentials == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("kaggle.json", '{"username": "someone"}'),
        ("kaggle.json", '{"username": "someone", "key": 7}'),
        ("access_token.txt", ""),
        ("", ""),
    ],
)
def test_a_token_works_beside_credentials_that_are_not_used(
    kaggle: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: str
) -> None:
    folder = tmp_path / "person" / ".kaggle"
    if file:
        (folder / file).write_text(content)
    else:
        monkeypatch.setenv("KAGGLE_USERNAME", "some one")
    (folder / "access_token").write_text(SECRET)
    fetch_kaggle("celeba")
    assert kaggle.credentials[-1] == f"Bearer {SECRET}"


@pytest.mark.usefixtures("key")
def test_credentials_stay_out_of_the_output_even_when_the_package_is_verbose(
    kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from kaggle.api.kaggle_api_extended import KaggleApi

    monkeypatch.setattr(KaggleApi, "args", ["--verbose"])  # what VERBOSE=1 in the environment sets
    fetch_kaggle("celeba")
    captured = capfd.readouterr()
    sent = kaggle.credentials[-1]
    assert sent is not None
    for hidden in (SECRET, sent.split()[-1], "signature"):
        assert hidden not in captured.out + captured.err


@pytest.mark.usefixtures("key")
def test_without_a_network_it_says_so(kaggle: Kaggle) -> None:
    kaggle.shutdown()
    kaggle.server_close()
    with pytest.raises(UserError, match="cannot be reached"):
        fetch_kaggle("celeba")


@pytest.mark.usefixtures("key")
def test_an_archive_that_is_no_zip_is_refused_and_thrown_away(kaggle: Kaggle) -> None:
    kaggle.archive = b"<html>maintenance</html>"
    with pytest.raises(UserError, match="sent for .* is a web page"):
        fetch_kaggle("celeba")
    assert raw_files() == []


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    with pytest.raises(UserError, match=r'pip install "meanface\[train\]"'):
        fetch_kaggle("celeba")


def test_a_data_set_without_an_owner_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="owner/data-set"):
        fetch_kaggle("celeba", KAGGLE_DATASET.split("/")[1])
