"""What is let in: keys, rates, places in the queue, room for uploads and for sessions; and what is given up."""

import contextlib
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fakes import FEMALE, MALE, FakePredictor
from starlette.websockets import WebSocketDisconnect

from dashboard.admission import address
from dashboard.settings import hash_key

PREDICT = "/api/v1/predict"
OWN = {"origin": "http://testserver"}


def form(content=FEMALE):
    return {"file": ("photo.png", content, "image/png")}


def keys(**named):
    return tuple(f"{name}:{hash_key(key)}" for name, key in named.items())


class Slow(FakePredictor):
    """A predictor that waits until it is told to go on."""

    def __init__(self):
        self.go_on = threading.Event()

    def predict_crops(self, crops):
        assert self.go_on.wait(60)
        return super().predict_crops(crops)


@pytest.mark.parametrize("path", [PREDICT, "/predict"])
def test_with_keys_only_those_who_have_one_predict(make_client, path):
    opened = make_client(allow_host="*", api_key=keys(a="first", b="second"))
    for headers in ({"x-api-key": "second"}, {"authorization": "Bearer first"}, {"authorization": "bearer first"}):
        assert opened.post(path, files=form(), headers=headers).status_code == 200
    for headers in ({}, {"x-api-key": "third"}, {"authorization": "Basic first"}, {"x-api-key": hash_key("first")}):
        refused = opened.post(path, files=form(), headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "X-API-Key" in refused.json()["detail"]
    assert opened.get("/api/v1/model").status_code == 200


def test_the_schema_says_whether_a_key_is_needed(client, make_client):
    assert "securitySchemes" not in client.get("/api/openapi.json").json()["components"]
    described = make_client(allow_host="*", api_key=keys(a="first")).get("/api/openapi.json").json()
    assert set(described["components"]["securitySchemes"]) == {"key", "bearer"}
    assert described["paths"][PREDICT]["post"]["security"]
    assert "security" not in described["paths"]["/api/v1/model"]["get"]


def test_rates_are_limited_by_key_and_by_address(make_client):
    opened = make_client(allow_host="*", rate_limit="2/minute", trusted_proxy="*")
    for _ in range(2):
        assert opened.post(PREDICT, files=form()).status_code == 200
    refused = opened.post(PREDICT, files=form())
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert "2 per 1 minute" in refused.json()["detail"]
    assert opened.post(PREDICT, files=form(), headers={"x-forwarded-for": "192.0.2.7"}).status_code == 200
    assert opened.get("/api/v1/model").status_code == 200
    assert 'meanface_refused_total{reason="rate"} 1.0' in opened.get("/metrics").text

    keyed = make_client(allow_host="*", rate_limit="2/minute", api_key=keys(a="first", b="second"))
    answers = [keyed.post(PREDICT, files=form(), headers={"x-api-key": key}) for key in ("first", "first", "second")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert keyed.post(PREDICT, files=form(), headers={"x-api-key": "first"}).status_code == 429
    guesses = [keyed.post(PREDICT, headers={"x-api-key": str(number)}).status_code for number in range(4)]
    assert guesses == [401, 401, 429, 429]


def test_pages_of_the_explorer_are_limited_by_address(make_client):
    opened = make_client(allow_host="*", rate_limit="1/minute")
    assert opened.get("/explore").status_code == 200
    assert opened.get("/explore").status_code == 429
    assert opened.post(PREDICT, files=form()).status_code == 200  # counted by itself


@pytest.mark.parametrize(
    ("host", "told_apart_as"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("testclient", "testclient")],
)
def test_a_client_is_its_address_or_its_household(host, told_apart_as):
    assert address({"client": (host, 1)}) == told_apart_as


def test_what_does_not_fit_the_queue_is_refused_at_once_and_the_rest_is_answered(serve):
    predictor = Slow()
    live = serve(predictor, queue=3)
    with httpx.Client(base_url=live.url, trust_env=False, timeout=60) as asking, ThreadPoolExecutor(3) as others:
        accepted = [others.submit(asking.post, PREDICT, files=form()) for _ in range(3)]
        try:
            until = time.monotonic() + 60
            while "meanface_photos_waiting 3.0" not in asking.get("/metrics").text:
                assert time.monotonic() < until
            began = time.monotonic()
            refused = asking.post(PREDICT, files=form())
            assert time.monotonic() - began < 5
            assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
            assert "busy" in refused.json()["detail"]
            assert asking.get("/readyz").status_code == 200  # busy is not broken
        finally:
            predictor.go_on.set()
        assert [each.result().status_code for each in accepted] == [200] * 3
        assert asking.post(PREDICT, files=form()).status_code == 200


def test_further_photos_of_a_request_wait_for_their_turn(serve):
    live = serve(queue=1)
    many = [("file", (f"{number}.png", FEMALE, "image/png")) for number in range(6)]
    with httpx.Client(base_url=live.url, trust_env=False, timeout=60) as asking, ThreadPoolExecutor(4) as others:
        answers = [each.result() for each in [others.submit(asking.post, PREDICT, files=many) for _ in range(4)]]
    assert {answer.status_code for answer in answers} <= {200, 503}
    taken = [answer.json()["results"] for answer in answers if answer.status_code == 200]
    assert taken
    assert all(result["error"] is None for results in taken for result in results)


def test_a_request_that_takes_too_long_is_given_up(serve):
    predictor = Slow()
    live = serve(predictor, request_seconds=0.5)
    try:
        answer = httpx.post(f"{live.url}{PREDICT}", files=form(), trust_env=False, timeout=60)
    finally:
        predictor.go_on.set()
    assert answer.status_code == 503
    assert "longer than 0.5 seconds" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_uploads_that_dawdle_are_bounded_and_let_go(serve, monkeypatch):
    monkeypatch.setattr("dashboard.uploads.MAX_HELD_BYTES", 12 * 2**20)
    live = serve(read_seconds=30)
    part = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n"
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            line = stack.enter_context(socket.create_connection((live.host, live.port), timeout=30))
            line.sendall(f"{head}Content-Length: {9 * 2**20}\r\n\r\n".encode() + part + bytes(7 * 2**20))
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    monkeypatch.setattr("dashboard.uploads.MAX_HELD_BYTES", 2**20)  # none of what was held is counted any more
    until = time.monotonic() + 30
    while httpx.post(f"{live.url}{PREDICT}", files=form(), trust_env=False, timeout=60).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.1)


def token(page):
    return re.search(r'"token":"([^"]+)"', page.text)[1]


def test_only_so_many_pages_are_open_and_one_that_was_left_makes_room(make_client, monkeypatch):
    with make_client(allow_host="*", sessions=2) as opened:
        given = [token(opened.get("/explore/api")) for _ in range(2)]
        refused = opened.get("/explore/predict")
        assert refused.status_code == 503
        assert "2 pages" in refused.json()["detail"] and int(refused.headers["retry-after"]) > 0
        with opened.websocket_connect("/explore/api/ws", subprotocols=["bokeh", given[1]], headers=dict(OWN)) as line:
            assert "ACK" in line.receive_text()
            monkeypatch.setattr("dashboard.sessions._CROWDED_SECONDS", 0)
            assert opened.get("/explore/predict").status_code == 200  # the first page was never opened
            assert "meanface_sessions 2.0" in opened.get("/metrics").text
        with (
            pytest.raises(WebSocketDisconnect),
            opened.websocket_connect("/explore/api/ws", subprotocols=["bokeh", given[0]], headers=dict(OWN)),
        ):
            pass


def test_a_page_that_is_slow_to_open_its_session_finds_it(make_client):
    with make_client(allow_host="*") as opened:
        given = token(opened.get("/explore/api"))
        explorer = opened.app.state.explorer
        (session,) = explorer._applications["/explore/api"].sessions
        session._last_unsubscribe_time -= 60_000  # milliseconds, as if the browser had taken a minute
        opened.portal.call(explorer._cleanup_sessions)
        with opened.websocket_connect("/explore/api/ws", subprotocols=["bokeh", given], headers=dict(OWN)) as line:
            assert "ACK" in line.receive_text()


def test_a_session_that_was_left_is_given_up_soon(make_client, monkeypatch):
    monkeypatch.setattr("dashboard.sessions._LEFT_SECONDS", 0)
    with make_client(allow_host="*") as opened:
        given = token(opened.get("/explore/api"))
        with opened.websocket_connect("/explore/api/ws", subprotocols=["bokeh", given], headers=dict(OWN)) as line:
            assert "ACK" in line.receive_text()
        explorer = opened.app.state.explorer
        until = time.monotonic() + 30
        while explorer._applications["/explore/api"]._sessions:
            assert time.monotonic() < until
            opened.portal.call(explorer._cleanup_sessions)
            time.sleep(0.05)


def test_too_many_pages_at_a_time_are_refused(make_client, monkeypatch):
    monkeypatch.setattr("dashboard.sessions._WAITING", 0)
    refused = make_client(allow_host="*").get("/explore")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"


def test_a_page_is_not_cached_since_it_holds_the_key_of_its_session(client):
    assert client.get("/explore").headers["cache-control"] == "no-store"


def test_neither_headers_nor_cookies_of_a_visitor_are_in_the_page(client):
    import base64
    import zlib

    given = client.get("/explore/api", headers={"authorization": "Bearer of-a-proxy", "cookie": "sso=secret"}).text
    payload = re.search(r'"token":"([^"]+)"', given)[1].split(".")[0]
    data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    packed = re.search(rb'"__bk__zlib_": "([^"]+)"', data)
    whole = data + (zlib.decompress(base64.urlsafe_b64decode(packed[1] + b"===")) if packed else b"")
    assert b"of-a-proxy" not in whole and b"secret" not in whole


def test_photos_of_one_request_are_answered_beside_a_full_queue_of_none(client):
    answer = client.post(PREDICT, files=[("file", ("a.png", FEMALE)), ("file", ("b.png", MALE))])
    assert [result["faces"][0]["label"] for result in answer.json()["results"]] == ["female", "male"]
