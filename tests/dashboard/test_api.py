"""The API: what it answers, what it refuses, and that photos leave no trace."""

import logging
import tempfile

import pytest
from fakes import FEMALE, MALE, NO_FACE, UNCERTAIN, FakePredictor, photo
from fastapi.testclient import TestClient

from dashboard.uploads import MAX_FILE_BYTES, MAX_FILES

PREDICT = "/api/v1/predict"
PROBLEM = "application/problem+json"


def files(*contents, name="file"):
    return [(name, (f"photo{number}.png", content, "image/png")) for number, content in enumerate(contents)]


def assert_problem(answer, status, said=""):
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] and problem["title"]
    assert said in problem["detail"]
    assert "\n" not in problem["detail"]
    assert "Traceback" not in answer.text
    return problem


def test_every_photo_is_answered_in_order_with_its_faces(client):
    answer = client.post(PREDICT, files=files(FEMALE, MALE, UNCERTAIN))
    assert answer.status_code == 200
    body = answer.json()
    assert body["model"]["run"] == "synthetic"
    assert body["model"]["test_accuracy"] == 0.97
    assert [result["file"] for result in body["results"]] == ["photo0.png", "photo1.png", "photo2.png"]
    assert [result["faces"][0]["label"] for result in body["results"]] == ["female", "male", "uncertain"]
    assert body["results"][0]["faces"][0] == {
        "face": 0, "x": 0, "y": 0, "width": 48, "height": 64, "label": "female", "p_male": 0.16,
    }  # fmt: skip


def test_answers_are_never_cached(client):
    assert client.post(PREDICT, files=files(FEMALE)).headers["cache-control"] == "no-store"
    assert client.post("/predict", files=files(FEMALE)).headers["cache-control"] == "no-store"
    assert client.post(PREDICT, files=files(NO_FACE)).headers["cache-control"] == "no-store"


def test_a_photo_that_fails_beside_one_that_does_not_keeps_the_status_200(client):
    body = client.post(PREDICT, files=files(b"not a photo", FEMALE)).json()
    assert "not a photo" in body["results"][0]["error"]
    assert body["results"][0]["faces"] == []
    assert body["results"][1]["error"] is None


@pytest.mark.parametrize("path", [PREDICT, "/predict"])
@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"not a photo", 422, "not a photo"),
        (b"", 422, "empty"),
        (photo(None, kind="JPEG")[:-400], 422, "damaged"),
        (NO_FACE, 422, "no face found"),
        (b"x" * (MAX_FILE_BYTES + 1), 413, "over 10 MB"),
    ],
    ids=["text", "empty", "truncated", "no face", "too large"],
)
def test_a_photo_that_cannot_be_scored_is_refused_and_says_why(client, path, content, status, said):
    assert_problem(client.post(path, files=files(content)), status, said)


def test_when_no_photo_can_be_scored_each_says_why(client):
    problem = assert_problem(client.post(PREDICT, files=files(b"text", NO_FACE)), 422, "none of the 2 photos")
    assert "not a photo" in problem["results"][0]["error"]
    assert "no face" in problem["results"][1]["error"]


def test_a_file_of_exactly_the_limit_is_not_too_large(client):
    padded = FEMALE + b"\0" * (MAX_FILE_BYTES - len(FEMALE))
    assert client.post(PREDICT, files=files(padded)).status_code == 200


def test_as_many_files_as_allowed_are_taken_and_no_more(client):
    assert len(client.post(PREDICT, files=files(*[FEMALE] * MAX_FILES)).json()["results"]) == MAX_FILES
    assert_problem(client.post(PREDICT, files=files(*[FEMALE] * (MAX_FILES + 1))), 400, "more than 32")


def test_a_form_without_a_photo_says_which_field_is_meant(client):
    assert_problem(client.post(PREDICT, files=files(FEMALE, name="image")), 400, "`file`")
    assert_problem(client.post(PREDICT), 415, "multipart/form-data")
    assert_problem(client.post(PREDICT, json={"file": "x"}), 415, "multipart/form-data")
    assert_problem(client.post("/predict", files=files(FEMALE, FEMALE)), 400, "more than one")


@pytest.mark.parametrize("body", [b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=file", b"hello"])
def test_a_broken_form_is_refused(client, body):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert_problem(client.post(PREDICT, content=body, headers=headers), 400)


def test_a_form_without_a_boundary_is_refused(client):
    answer = client.post(PREDICT, content=b"x", headers={"content-type": "multipart/form-data"})
    assert_problem(answer, 400, "boundary")


def test_a_body_over_the_limit_is_refused_while_it_is_read(client, monkeypatch):
    monkeypatch.setattr("dashboard.uploads.MAX_BODY_BYTES", 1000)
    assert_problem(client.post(PREDICT, files=files(b"x" * 2000)), 413, "request is over")

    read = 0

    def endless():
        nonlocal read
        yield b"--b\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n"
        for _ in range(100):
            read += 1
            yield b"x" * 100

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert_problem(client.post(PREDICT, content=endless(), headers=headers), 413, "request is over")


def test_crop_must_be_one_of_the_two(client):
    assert client.post(PREDICT, params={"crop": "none"}, files=files(FEMALE)).status_code == 200
    assert_problem(client.post(PREDICT, params={"crop": "all"}, files=files(FEMALE)), 422, "crop")


def test_legacy_clients_get_the_more_probable_of_two_answers(client):
    assert client.post("/predict", files=files(FEMALE)).json() == {"gender": "female"}
    assert client.post("/predict", files=files(MALE)).json() == {"gender": "male"}
    assert client.post("/predict", files=files(UNCERTAIN)).json() == {"gender": "male"}


def test_unknown_paths_and_methods_are_problems(client):
    assert_problem(client.get("/api/v1/nothing"), 404, "/api/docs")
    assert_problem(client.get("/api/v1/predict"), 405, "GET")
    assert_problem(client.get("/predict"), 405, "GET")
    assert_problem(client.post("/api/v1/model"), 405, "POST")
    assert_problem(client.put("/predict"), 405, "PUT")


def test_a_failure_of_the_server_shows_no_stack_trace(client, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("inner detail")

    monkeypatch.setattr(FakePredictor, "predict_photo", fail)
    answer = client.post(PREDICT, files=files(FEMALE))
    assert_problem(answer, 500)
    assert "inner detail" not in answer.text


def test_the_card_tells_what_the_labels_mean(client):
    card = client.get("/api/v1/model").json()
    assert card["run"] == "synthetic"
    assert card["band"] == {"low": 0.4, "high": 0.6}
    assert "Perceived gender" in card["meaning"]


def test_health_follows_the_model(client, results, site):
    assert client.get("/healthz").json() == {"status": "ok", "run": "synthetic"}

    from dashboard.server import create_app

    unloaded = TestClient(create_app(results.folder, site))  # without its lifespan nothing is loaded
    assert_problem(unloaded.get("/healthz"), 503, "loading")
    assert_problem(unloaded.post(PREDICT, files=files(FEMALE)), 503)
    assert_problem(unloaded.get("/api/v1/model"), 503)


def test_uploads_stay_in_memory_and_out_of_the_log(client, monkeypatch, caplog):
    def refuse(*args, **options):
        raise AssertionError("an upload went to a temporary file")

    for name in ("SpooledTemporaryFile", "TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", refuse)
    large = FEMALE + b"\0" * (5 * 2**20)  # Starlette's own parser would spool parts over a megabyte
    with caplog.at_level(logging.DEBUG):
        assert client.post(PREDICT, files=[("file", ("my-secret-name.png", large))]).status_code == 200
        assert client.post(PREDICT, files=[("file", ("my-secret-name.png", b"no"))]).status_code == 422
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert ours
    assert not [record.getMessage() for record in ours if "my-secret-name" in record.getMessage()]


def test_openapi_describes_the_form_and_the_problems(client):
    document = client.get("/api/openapi.json").json()
    predict = document["paths"][PREDICT]["post"]
    form = predict["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["items"]["format"] == "binary"
    for status in ("400", "413", "415", "422", "503"):
        assert PROBLEM in predict["responses"][status]["content"]
    assert "perceived" in document["info"]["description"].lower()
    assert set(document["paths"]) == {PREDICT, "/api/v1/model", "/predict", "/healthz"}


def test_documentation_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs").text
    assert "http://" not in page
    assert "https://" not in page
    assert client.get("/api/assets/swagger-ui-bundle.js").status_code == 200
