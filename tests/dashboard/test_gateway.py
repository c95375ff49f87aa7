"""What a request passes on its way: prefixes, hosts, origins, headers, slow clients; and what is told of it."""

import base64
import hashlib
import html
import json
import logging
import re
import socket
import time
from urllib.parse import urljoin

import httpx
import pytest
from fakes import FEMALE, FakePredictor
from starlette.websockets import WebSocketDisconnect

from dashboard.gateway.headers import with_policy
from dashboard.gateway.hosts import host_name
from dashboard.gateway.telemetry import configure_logging

PREDICT = "/api/v1/predict"
PAGES = ("/explore", "/explore/faces", "/explore/predict", "/explore/api")
GETS = ("/", *PAGES, "/explore/theme.css", "/api/docs", "/api/openapi.json", "/api/v1/model", "/healthz", "/livez")


def form(content=FEMALE):
    return {"file": ("photo.png", content, "image/png")}


def addresses(page):
    """Addresses that a page links to or loads, except those in it."""
    found = re.findall(r"""(?:src|href)="([^"#][^"]*)"|url: '([^']+)'""", html.unescape(page))
    return [address for pair in found for address in pair if address and not address.startswith("data:")]


@pytest.mark.parametrize("cut", [True, False], ids=["the proxy cuts the prefix off", "the proxy leaves the prefix"])
@pytest.mark.parametrize("way", ["option", "header"])
def test_everything_stays_below_the_prefix(make_client, site, way, cut):
    (site / "folder").mkdir(exist_ok=True)
    (site / "folder" / "index.html").write_text("<!doctype html>inside")
    opened = make_client(allow_host="*", root_path="/meanface" if way == "option" else "")
    headers = {"x-forwarded-prefix": "/meanface", "accept": "text/html"} if way == "header" else {"accept": "text/html"}

    def get(path, **options):
        return opened.get(path if cut else f"/meanface{path}", headers=headers, **options)

    for path in (*PAGES, "/api/docs", "/nowhere"):
        page = get(path)
        assert page.status_code == (404 if path == "/nowhere" else 200)
        for address in addresses(page.text):
            whole = urljoin(f"/meanface{path}", address)
            assert whole.startswith("/meanface/"), (path, address)
            if path != "/nowhere":
                assert get(whole.removeprefix("/meanface")).status_code == 200, (path, address)
    moved = get("/folder", follow_redirects=False)
    assert moved.headers["location"].endswith("/meanface/folder/")
    assert get("/api/openapi.json").json()["servers"] == [{"url": "/meanface"}]
    assert (
        "/meanface/api/docs"
        in opened.get("/meanface/api/v1/nowhere", headers={"x-forwarded-prefix": "/meanface"}).json()["detail"]
    )
    assert opened.post(PREDICT if cut else f"/meanface{PREDICT}", files=form(), headers=headers).status_code == 200


@pytest.mark.parametrize("cut", [True, False])
def test_sessions_open_below_a_prefix(make_client, cut):
    opened = make_client(allow_host="*", root_path="/meanface")
    path = "/explore/faces" if cut else "/meanface/explore/faces"
    token = re.search(r'"token":"([^"]+)"', opened.get(path).text)[1]
    with opened.websocket_connect(
        f"{path}/ws", subprotocols=["bokeh", token], headers={"origin": "http://testserver"}
    ) as line:
        assert "ACK" in line.receive_text()


def test_the_prefix_alone_leads_to_the_page_below_it(make_client):
    opened = make_client(root_path="/meanface", allow_host="*")
    moved = opened.get("/meanface?x=1", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/meanface/?x=1")


@pytest.mark.parametrize(
    "prefix", ['/"><script>', "//elsewhere.example", "https://elsewhere.example", "/a b", "meanface"]
)
def test_a_prefix_that_is_no_path_is_ignored(make_client, prefix):
    opened = make_client(allow_host="*")
    answer = opened.get("/api/openapi.json", headers={"x-forwarded-prefix": prefix})
    assert "servers" not in answer.json()
    assert opened.get("/nowhere", headers={"x-forwarded-prefix": prefix, "accept": "text/html"}).text.count('="/') == 2


def test_only_trusted_proxies_are_believed(make_client):
    said = {"x-forwarded-prefix": "/elsewhere", "x-forwarded-for": "192.0.2.7"}
    opened = make_client(allow_host="*", trusted_proxy="192.0.2.0/24")  # the client is 127.0.0.1
    assert "servers" not in opened.get("/api/openapi.json", headers=said).json()


HOSTS = [
    ("localhost", "localhost"),
    ("localhost:5006", "localhost"),
    ("EXAMPLE.org.:80", "example.org"),
    ("127.0.0.1:80", "127.0.0.1"),
    ("[::1]:5006", "[::1]"),
    ("localhost:", "localhost"),
    ("", None),
    (":80", None),
    ("a b", None),
    ("a/b", None),
    ("user@a", None),
    ("a,b", None),
    ("a:b", None),
    ("a:99999", None),
    ("[::1", None),
    ("[::1]x", None),
    ("[12345::]", None),
    ("a\\b", None),
    ("ä.example", None),
    ("<script>", None),
]


@pytest.mark.parametrize(("header", "name"), HOSTS)
def test_a_host_is_read_or_known_to_be_malformed(header, name):
    assert host_name(header) == name


def test_a_head_without_end_is_cut_off(live):
    line = b"X-Filler: " + bytes(b"a" * 1000) + b"\r\n"
    with socket.create_connection((live.host, live.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + 60 * line + b"Connection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection((live.host, live.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + 70 * line)
        said = b""
        while part := connection.recv(65536):
            said += part
    assert said.startswith(b"HTTP/1.1 400 ") and b"over 64 KB" in said


def test_a_malformed_or_missing_host_is_answered_400(live):
    for host in ("a b", "[::1", "a/../b", "a:99999", "", "x\r\nHost: y"):
        with socket.create_connection((live.host, live.port), timeout=30) as line:
            line.sendall(f"GET /folder HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 400 "), host
        assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "localhost:5006", 200),  # listens on 127.0.0.1
        ({}, "[::1]", 200),
        ({}, "elsewhere.example", 400),
        ({"allow_origin": "proxy.example:8443"}, "proxy.example", 200),
        ({"host": "0.0.0.0"}, "elsewhere.example", 200),
        ({"host": "0.0.0.0", "allow_host": "a.example"}, "A.example.:80", 200),
        ({"host": "0.0.0.0", "allow_host": "a.example"}, "b.example", 400),
        ({"host": "0.0.0.0", "allow_host": "*.a.example"}, "b.a.example", 200),
        ({"host": "0.0.0.0", "allow_host": "*.a.example"}, "a.example", 400),
        ({"host": "0.0.0.0", "allow_host": "*.a.example"}, "ba.example", 400),
        ({"allow_host": "*"}, "elsewhere.example", 200),
    ],
)
def test_only_allowed_hosts_are_answered(make_client, settings, host, status):
    answer = make_client(**settings).get("/api/v1/model", headers={"host": host})
    assert answer.status_code == status
    if status == 400:
        assert "--allow-host" in answer.json()["detail"]


def test_what_looks_after_the_server_may_use_its_address(make_client):
    opened = make_client(allow_host="a.example")
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert opened.get(path, headers={"host": "10.0.0.7:5006"}).status_code == 200


def test_a_session_of_another_host_is_refused(make_client):
    opened = make_client(allow_host="a.example")
    with (
        pytest.raises(WebSocketDisconnect),
        opened.websocket_connect("/explore/ws", headers={"host": "b.example", "origin": "http://b.example"}),
    ):
        pass


@pytest.mark.parametrize("path", GETS)
def test_whatever_answers_get_answers_head_without_a_body(client, path):
    got, headed = client.get(path), client.head(path)
    assert headed.status_code == got.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-type"] == got.headers["content-type"]


def test_head_opens_no_session(client):
    contexts = client.app.state.explorer._applications
    before = [len(context._sessions) for context in contexts.values()]
    for path in PAGES:
        assert "content-length" not in client.head(path).headers  # of a page that was not made
    assert [len(context._sessions) for context in contexts.values()] == before
    assert client.head(PREDICT).status_code == 405


def test_a_page_is_not_made_for_an_address_of_too_many_parts(client):
    answer = client.get(f"{PAGES[0]}?{'a=1&' * 1500}")
    assert answer.status_code == 414 and "more than 200 parts" in answer.json()["detail"]


def test_no_answer_names_the_server_or_its_version(live):
    for path in ("/", "/livez", "/nowhere"):
        assert "server" not in httpx.get(f"{live.url}{path}", trust_env=False).headers


CORS = {"origin": "https://pages.example", "access-control-request-method": "POST"}


def test_other_sites_cannot_read_the_api_unless_they_are_named(client, make_client):
    assert "access-control-allow-origin" not in client.get("/api/v1/model", headers=CORS).headers
    assert "access-control-allow-origin" not in client.options(PREDICT, headers=CORS).headers
    opened = make_client(allow_host="*", cors_origin="https://pages.example", api_key=f"a:{'0' * 64}")
    asked = opened.options(PREDICT, headers={**CORS, "access-control-request-headers": "x-api-key"})
    assert asked.status_code == 200
    for answer in (asked, opened.get("/api/v1/model", headers=CORS), opened.post(PREDICT, headers=CORS)):
        assert answer.headers["access-control-allow-origin"] == "https://pages.example"
    elsewhere = opened.get("/api/v1/model", headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in elsewhere.headers
    assert "access-control-allow-origin" not in opened.get("/explore", headers=CORS).headers


def test_a_page_runs_its_own_scripts_and_no_others(client):
    page = client.get("/explore")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert "'unsafe-inline'" not in policy["script-src"] and "http" not in policy["script-src"]
    scripts = re.findall(r"<script(?![^>]* src=)[^>]*>(.*?)</script>", page.text, re.DOTALL)
    assert scripts
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy["script-src"]
    assert policy["default-src"] == "'self'" and policy["object-src"] == "'none'"
    assert "'sha256-" not in with_policy(b'<script src="x.js"></script>')[1]
    assert "default-src 'none'" in client.get("/api/v1/model").headers["content-security-policy"]


def test_what_a_button_does_runs_if_it_stands_in_its_tag_and_only_then():
    tag = b'<a class="x" onclick="go(&quot;a&quot;); return false;">'
    digest = base64.b64encode(hashlib.sha256(b'go("a"); return false;').digest()).decode()
    assert f"'unsafe-hashes' 'sha256-{digest}'" in with_policy(tag)[1]
    assert "unsafe-hashes" not in with_policy(b"<script>'<a onclick=\"go()\">'</script>")[1]


def test_the_loader_of_modules_is_told_a_nonce_that_no_other_answer_has(client):
    pages = [client.get("/explore") for _ in range(2)]
    nonces = [re.search(r'<script type="esms-options" nonce="([^"]+)">', page.text)[1] for page in pages]
    assert nonces[0] != nonces[1]
    for page, nonce in zip(pages, nonces, strict=True):
        assert f"'nonce-{nonce}'" in page.headers["content-security-policy"]
    assert "nonce" not in client.get("/").headers["content-security-policy"]


def test_a_page_that_was_not_modified_keeps_its_policy(client):
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"if-none-match": tag})
    assert again.status_code == 304
    assert "content-security-policy" not in again.headers


@pytest.mark.parametrize(
    "query",
    [
        "bokeh-absolute-url=https://elsewhere.example/explore/faces",
        "x=1&bokeh%2Dabsolute-url=https://elsewhere.example",
        "BOKEH_absolute_url=https://elsewhere.example",
    ],
)
def test_an_address_cannot_say_where_scripts_come_from(client, query):
    assert "elsewhere.example" not in client.get(f"/explore/faces?{query}").text


def test_an_address_cannot_choose_a_session(client):
    for name in ("bokeh_session_id", "bokeh-session-id"):
        client.get(f"/explore?{name}=known")
    assert "known" not in client.app.state.explorer._applications["/explore"]._sessions


def test_a_token_that_this_server_did_not_sign_opens_nothing(client, caplog):
    forged = base64.urlsafe_b64encode(json.dumps({"session_id": "x", "session_expiry": 1e11}).encode()).decode()
    for given in (forged.rstrip("="), "garbage"):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect(
                "/explore/ws", subprotocols=["bokeh", given], headers={"origin": "http://testserver"}
            ),
        ):
            pass
    assert "Traceback" not in caplog.text


def test_requests_have_an_id_that_their_log_lines_carry(client, caplog):
    caplog.set_level(logging.INFO)
    made = client.get("/api/v1/model").headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert client.get("/livez", headers={"x-request-id": "from-a-proxy.7"}).headers["x-request-id"] == "from-a-proxy.7"
    assert client.get("/livez", headers={"x-request-id": "a\tb" * 9}).headers["x-request-id"] != "a\tb" * 9


def test_a_failure_tells_the_client_its_id_and_the_log_the_rest(make_client, monkeypatch, caplog):
    def fail(self, crops):
        raise RuntimeError("inner detail")

    monkeypatch.setattr(FakePredictor, "predict_crops", fail)
    answer = make_client(allow_host="*").post(PREDICT, files=form())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "inner detail" not in answer.text and "inner detail" in caplog.text


def test_json_logs_have_one_object_a_line_and_nothing_of_a_photo(make_client, capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logging("info", "json")
        opened = make_client(allow_host="*")
        opened.post(
            PREDICT, files={"file": ("my-secret-name.png", FEMALE, "image/png")}, headers={"x-request-id": "q1"}
        )
        opened.get("/livez")  # routine: not logged
        opened.get("/a%0Ab?secret=1")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        root.handlers[:], root.level = before
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", PREDICT, 200),
        ("GET", "/a%0Ab", 404),
    ]
    assert lines[0]["request_id"] == "q1" and lines[0]["level"] == "INFO" and lines[0]["milliseconds"] > 0
    assert "secret" not in json.dumps(lines)


def test_metrics_count_requests_and_photos_without_saying_what_was_in_them(make_client):
    opened = make_client(allow_host="*")
    opened.post(PREDICT, files=[("file", ("a.png", FEMALE)), ("file", ("b.png", b"no photo"))])
    opened.get("/nowhere/at/all")
    opened.request("BREW", "/livez")
    told = opened.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    for line in (
        f'meanface_requests_total{{method="POST",route="{PREDICT}",status="200"}} 1.0',
        'meanface_requests_total{method="GET",route="report",status="404"} 1.0',
        'meanface_requests_total{method="other",route="/livez",status="405"} 1.0',
        "meanface_photos_total 1.0",
        "meanface_photos_refused_total 1.0",
        "meanface_photos_waiting 0.0",
        "meanface_ready 1.0",
    ):
        assert line in told.text.splitlines()
    assert not re.search("male|female|nowhere|BREW|png", told.text)


def read_answer(line):
    answer = b""
    while part := line.recv(65536):
        answer += part
    return answer


def test_a_connection_without_a_request_is_closed(serve):
    live = serve(read_seconds=0.5)
    for began in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        with socket.create_connection((live.host, live.port), timeout=30) as line:
            line.sendall(began)
            since = time.monotonic()
            assert read_answer(line) == b""
            assert time.monotonic() - since < 20


def test_a_client_that_sends_its_head_byte_by_byte_is_closed(serve):
    live = serve(read_seconds=0.5)
    with socket.create_connection((live.host, live.port), timeout=30) as line, pytest.raises(ConnectionError):
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        until = time.monotonic() + 30
        while time.monotonic() < until:
            line.sendall(b"X: y\r\n")
            time.sleep(0.1)


def test_a_body_that_pauses_is_answered_408(serve):
    live = serve(read_seconds=0.5)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with socket.create_connection((live.host, live.port), timeout=30) as line:
        line.sendall(f"{head}Content-Length: 1000\r\n\r\n--b\r\n".encode())
        answer = read_answer(line)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer and b"connection: close" in answer.lower()


def test_an_open_page_is_kept_however_quiet_it_is(serve):
    from websockets.sync.client import connect

    live = serve(read_seconds=0.3)
    page = httpx.get(f"{live.url}/explore", trust_env=False, timeout=60).text
    token = re.search(r'"token":"([^"]+)"', page)[1]
    address = f"ws://{live.host}:{live.port}/explore/ws"
    with connect(address, subprotocols=["bokeh", token], origin=live.url, proxy=None) as line:
        assert "ACK" in line.recv()
        time.sleep(1)
        assert line.ping().wait(20)


def test_what_is_not_http_is_answered_with_problem_details(live):
    with socket.create_connection((live.host, live.port), timeout=30) as line:
        line.sendall(b"hello\r\n\r\n")
        answer = read_answer(line)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in answer


def test_an_answer_comes_in_one_piece(live):
    with socket.create_connection((live.host, live.port), timeout=30) as line:
        for method in ("GET", "HEAD", "GET"):
            line.sendall(f"{method} /livez HTTP/1.1\r\nHost: {live.host}\r\n\r\n".encode())
            head, _, body = line.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and body == (b"" if method == "HEAD" else b'{"status":"ok"}')


def test_a_client_that_asks_before_it_sends_a_body_is_told_to_go_on(live):
    with socket.create_connection((live.host, live.port), timeout=30) as line:
        line.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: {live.host}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            "Content-Length: 7\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"--b--\r\n")
        assert read_answer(line).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_is_refused_before_it_has_sent_its_photo_can_read_why(serve):
    live = serve(api_key=f"a:{'0' * 64}")
    for _ in range(3):
        answer = httpx.post(f"{live.url}{PREDICT}", files=form(bytes(3 * 2**20)), trust_env=False, timeout=60)
        assert answer.status_code == 401
