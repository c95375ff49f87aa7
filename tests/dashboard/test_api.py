"""The API: what it answers, what it refuses, and that photos leave no trace."""

import contextlib
import io
import itertools
import logging
import select
import socket
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import httpx
import photos
import pytest
from fakes import FEMALE, MALE, NO_FACE, UNCERTAIN, FakePredictor, photo
from fastapi.testclient import TestClient
from PIL import Image

from analysis.core.paths import PROJECT
from analysis.data.detection import SMALLEST
from analysis.data.photo import MIN_SIDE
from analysis.data.sources import demo_source
from analysis.results import published
from analysis.results.records import Card
from dashboard import uploads
from dashboard.uploads import MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_FILES, Upload

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
        "turned": 0, "small": False,
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


def test_a_compressed_body_is_refused_as_one(client):
    packed = client.post(PREDICT, files=files(FEMALE), headers={"Content-Encoding": "gzip"})
    assert_problem(packed, 415, "Content-Encoding gzip: send it as it is")
    assert packed.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('filename="a b.png"', "a b.png"),
        ("filename*=UTF-8''na%C3%AFve%20%E2%82%AC.png", "naïve €.png"),
        ("filename=\"plain.png\"; filename*=UTF-8''na%C3%AFve.png", "naïve.png"),
        ("filename*=iso-8859-1'en'%A3.png; filename=plain.png", "£.png"),
        ("filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("filename*=UTF-8''%FF.png", "\\xff.png"),
        ("filename*=nonsense''a; filename=plain.png", "plain.png"),
        ("filename*0*=UTF-8''a%C3; filename*1*=%A9.png", "aé.png"),
        ('filename*0="lo"; filename*1="ng.png"', "long.png"),
        ('filename="a*0=b.png"', "a*0=b.png"),
        ('filename="a*b.png"', "a*b.png"),
        ('filename="é.png"', "é.png"),
        ('filename="C:\\\\photos\\\\me.png"', "me.png"),
        ("filename=b\udce9.png", "b\\xe9.png"),
    ],
)
def test_an_answer_names_the_file_as_its_client_did(client, disposition, name):
    head = f"--b\r\nContent-Disposition: form-data; name=file; {disposition}\r\n\r\n".encode("utf-8", "surrogateescape")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    body = client.post(PREDICT, content=head + FEMALE + b"\r\n--b--\r\n", headers=headers).json()
    assert body["results"][0]["file"] == name


@pytest.mark.parametrize("body", [b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=file", b"hello"])
def test_a_broken_form_is_refused(client, body):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert_problem(client.post(PREDICT, content=body, headers=headers), 400)


def test_a_form_without_a_boundary_is_refused(client):
    answer = client.post(PREDICT, content=b"x", headers={"content-type": "multipart/form-data"})
    assert_problem(answer, 400, "boundary")


def test_a_form_with_an_endless_boundary_is_refused(client):
    headers = {"content-type": f"multipart/form-data; boundary={5000 * 'b'}"}
    assert_problem(client.post(PREDICT, content=b"", headers=headers), 400, "boundary is too long")


def test_a_body_over_the_limit_is_refused_while_it_is_read(client, monkeypatch):
    monkeypatch.setattr("dashboard.uploads.MAX_BODY_BYTES", 1000)
    assert_problem(client.post(PREDICT, files=files(b"x" * 2000)), 413, "request is over")


FORM_HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b"--b\r\nContent-Disposition: form-data; name=file; filename=my-secret-name.png\r\n\r\n"


def send_in_chunks(live, chunks, length=None):
    """Send a form's body as fast as it is taken; count the bytes and give back what was answered."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    head = FORM_HEAD + f"Connection: close\r\n{framing}\r\n\r\n"
    sent, answered, pending = 0, b"", head.encode()
    with socket.create_connection((live.host, live.port), timeout=30) as line:
        line.setblocking(False)
        chunks = iter(chunks)
        with contextlib.suppress(ConnectionError):  # closed after the answer
            while pending and not select.select([line], [line], [], 30)[0]:
                took = line.send(pending)
                sent, pending = sent + took, pending[took:]
                if not pending and (chunk := next(chunks, b"")):
                    pending = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        line.settimeout(30)
        with contextlib.suppress(ConnectionError):
            while part := line.recv(65536):
                answered += part
    return sent - len(head), answered


def test_a_body_without_a_length_is_refused_while_it_still_comes(live, monkeypatch):
    monkeypatch.setattr("dashboard.uploads.MAX_BODY_BYTES", 2**20)
    whole = 200 * 2**20
    sent, answered = send_in_chunks(live, itertools.chain([PART], itertools.repeat(bytes(2**16), whole // 2**16)))
    assert sent < whole / 4
    assert b" 413 " in answered.splitlines()[0]
    assert b"request is over" in answered


def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(live):
    sent, answered = send_in_chunks(live, [], length=MAX_BODY_BYTES + 1)
    assert sent == 0
    assert b" 413 " in answered.splitlines()[0]


def test_of_a_file_that_is_too_large_nothing_is_kept():
    upload = Upload("large.png")
    for _ in range(MAX_FILE_BYTES // 2**20 + 5):
        upload.take(bytes(2**20))
        assert len(upload.data) <= MAX_FILE_BYTES
    assert upload.too_large and not upload.data


def test_a_client_that_leaves_in_the_middle_is_no_failure_of_the_server(live, caplog):
    with caplog.at_level(logging.WARNING):
        with socket.create_connection((live.host, live.port), timeout=30) as line:
            line.sendall(f"{FORM_HEAD}Content-Length: 100000\r\n\r\n".encode() + PART)
            time.sleep(0.3)
        time.sleep(0.3)
        assert httpx.get(f"{live.url}/healthz", trust_env=False).status_code == 200
    assert not caplog.records


def test_the_server_answers_others_while_it_predicts(live, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    predict_crops = FakePredictor.predict_crops

    def slow(self, crops):
        begun.set()
        assert go_on.wait(60)
        return predict_crops(self, crops)

    monkeypatch.setattr(FakePredictor, "predict_crops", slow)
    with ThreadPoolExecutor(1) as others, httpx.Client(base_url=live.url, trust_env=False, timeout=60) as asking:
        waiting = others.submit(asking.post, PREDICT, files=files(FEMALE))
        try:
            assert begun.wait(60)
            assert httpx.get(f"{live.url}/healthz", trust_env=False).status_code == 200
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result().status_code == 200


def test_crop_must_be_one_of_the_two(client):
    assert client.post(PREDICT, params={"crop": "none"}, files=files(FEMALE)).status_code == 200
    assert_problem(client.post(PREDICT, params={"crop": "all"}, files=files(FEMALE)), 422, "crop")


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        (PREDICT, "corp=none", "query.corp: is no parameter; known is crop"),
        (PREDICT, "crop=none&crop=detect", "query.crop: is given 2 times"),
        (PREDICT, "crop=none&threshold=", "query.threshold"),
        ("/predict", "crop=none", "query.crop: is no parameter; /predict takes none"),
    ],
)
def test_a_query_parameter_that_is_unknown_or_repeated_is_refused(client, path, query, says):
    assert_problem(client.post(f"{path}?{query}", files=files(FEMALE)), 422, says)


@pytest.mark.parametrize("path", [PREDICT, "/predict"])
@pytest.mark.parametrize("order", [1, -1], ids=["after", "before"])
def test_an_option_in_the_form_is_refused_wherever_it_stands(client, path, order):
    form = [*files(FEMALE), ("crop", (None, "none"))][::order]
    assert_problem(client.post(path, files=form), 422, "form.crop: is no photo")
    assert uploads._held.bytes == 0


def test_legacy_clients_get_the_more_probable_of_two_answers(client):
    assert client.post("/predict", files=files(FEMALE)).json() == {"gender": "female"}
    assert client.post("/predict", files=files(MALE)).json() == {"gender": "male"}
    assert client.post("/predict", files=files(UNCERTAIN)).json() == {"gender": "male"}


def test_unknown_paths_and_methods_are_problems(client):
    assert_problem(client.get("/api/v1/nothing"), 404, "/api/docs")
    assert_problem(client.post("/api/v1/nothing"), 404)
    assert_problem(client.get("/api/v1/predict"), 405, "GET")
    assert_problem(client.get("/predict"), 405, "GET")
    assert_problem(client.post("/api/v1/model"), 405, "POST")
    assert_problem(client.put("/predict"), 405, "PUT")


def test_a_failure_of_the_server_shows_no_stack_trace(client, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("inner detail")

    monkeypatch.setattr(FakePredictor, "predict_crops", fail)
    answer = client.post(PREDICT, files=files(FEMALE))
    assert_problem(answer, 500)
    assert "inner detail" not in answer.text


def test_the_card_tells_what_the_labels_mean(client):
    card = client.get("/api/v1/model").json()
    meaning = card.pop("meaning")
    assert "Perceived gender" in meaning and "CelebA" not in meaning
    assert Card.model_validate(card) == FakePredictor.card


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
        assert client.post(PREDICT, files=[("file", ("my-secret-name.png", FEMALE))]).status_code == 200
        assert client.post(PREDICT, files=[("file", ("my-secret-name.png", b"no"))]).status_code == 422
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert ours
    assert not [record.getMessage() for record in ours if "my-secret-name" in record.getMessage()]


def test_openapi_describes_the_form_and_the_problems(client):
    document = client.get("/api/openapi.json").json()
    predict = document["paths"][PREDICT]["post"]
    form = predict["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["items"]["format"] == "binary"
    assert form["additionalProperties"] is False
    assert (form["properties"]["file"]["minItems"], form["properties"]["file"]["maxItems"]) == (1, MAX_FILES)
    for status in ("400", "401", "408", "413", "415", "422", "429", "503"):
        assert PROBLEM in predict["responses"][status]["content"]
    card = document["components"]["schemas"]["ModelCard"]
    assert set(card["example"]) == set(card["properties"])
    assert all("description" in field or "$ref" in field for field in card["properties"].values())
    assert "perceived" in document["info"]["description"].lower()
    assert set(document["paths"]) == {PREDICT, "/api/v1/model", "/predict", "/healthz", "/livez", "/readyz"}


def test_documentation_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs").text
    assert "http://" not in page
    assert "https://" not in page
    assert client.get("/api/assets/swagger-ui-bundle.js").status_code == 200


@pytest.fixture(scope="module")
def real(results, site):
    """A client of the app with the published model."""
    folder = PROJECT / "results" / "model"
    if not (folder / "model.onnx").exists():
        pytest.skip("no published model: run `meanface publish`")
    from dashboard.server import create_app
    from model.predict import Predictor

    return TestClient(create_app(results.folder, site, Predictor.load(folder, threads=1)))


@pytest.fixture(scope="module")
def portraits():
    """One composite test face of each label, on a canvas with room around it."""
    found = {}
    with zipfile.ZipFile(demo_source()) as archive:
        for name in sorted(archive.namelist()):
            for label in ("female", "male"):
                if f"/test/{label}/" in name.lower() and label not in found:
                    canvas = Image.new("RGB", (320, 400), "lightgrey")
                    canvas.paste(Image.open(archive.open(name)), (70, 90))
                    found[label] = canvas
    return found


def encoded(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_the_published_model_answers_for_faces_of_both_labels(real, portraits):
    body = real.post(PREDICT, files=files(*[encoded(portraits[label]) for label in ("female", "male")])).json()
    assert 0 <= body["results"][0]["faces"][0]["p_male"] < 0.5 < body["results"][1]["faces"][0]["p_male"] <= 1
    for label in ("female", "male"):
        assert real.post("/predict", files=files(encoded(portraits[label]))).json() == {"gender": label}


@pytest.mark.parametrize(("orientation", "turn"), [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180)])
def test_a_photo_held_sideways_is_turned_upright_by_its_exif(real, portraits, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = encoded(portraits["female"], quality=95)
    turned = encoded(portraits["female"].transpose(turn), quality=95, exif=exif)
    first, second = (
        result["faces"][0] for result in real.post(PREDICT, files=files(upright, turned)).json()["results"]
    )
    for side in ("x", "y", "width", "height"):
        assert abs(first[side] - second[side]) <= 3
    assert abs(first["p_male"] - second["p_male"]) < 0.1


@pytest.mark.parametrize(
    ("degrees", "turn"),
    [(90, Image.Transpose.ROTATE_90), (180, Image.Transpose.ROTATE_180), (270, Image.Transpose.ROTATE_270)],
)
def test_a_photo_on_its_side_without_exif_is_scored_as_if_it_stood_upright(real, portraits, degrees, turn):
    upright = encoded(portraits["female"], quality=95)
    lying = encoded(portraits["female"].transpose(turn), quality=95)
    first, second = (result["faces"][0] for result in real.post(PREDICT, files=files(upright, lying)).json()["results"])
    assert (first["turned"], second["turned"]) == (0, degrees)
    assert abs(first["p_male"] - second["p_male"]) < 0.1


def test_the_largest_of_several_faces_comes_first(real, portraits):
    group = Image.new("RGB", (700, 420), "lightgrey")
    group.paste(portraits["female"].resize((200, 250)), (20, 100))
    group.paste(portraits["male"], (340, 10))
    faces = real.post(PREDICT, files=files(encoded(group))).json()["results"][0]["faces"]
    assert [face["face"] for face in faces] == [0, 1]
    assert faces[0]["width"] * faces[0]["height"] > faces[1]["width"] * faces[1]["height"]
    assert faces[0]["x"] > 340 > faces[1]["x"]


def test_a_face_below_the_stated_size_is_answered_and_called_small(real, portraits):
    tiny = encoded(portraits["female"].resize((53, 65)), quality=95)
    (usual,), (small,) = (
        result["faces"]
        for result in real.post(PREDICT, files=files(encoded(portraits["female"]), tiny)).json()["results"]
    )
    assert (usual["small"], small["small"]) == (False, True)
    assert small["width"] < SMALLEST <= usual["width"]


def test_a_face_that_is_too_small_to_be_judged_is_uncertain_whatever_the_network_says(real, portraits):
    band = published().card.band
    sure = 0
    for label, width in itertools.product(("female", "male"), (19, 20, 21)):
        street = Image.new("RGB", (250, 250), (120, 130, 140))
        face = portraits[label].crop((70, 90, 248, 308)).resize((width, width * 5 // 4), Image.Resampling.LANCZOS)
        street.paste(face, (100, 100))
        for face in real.post(PREDICT, files=files(encoded(street, "PNG"))).json()["results"][0]["faces"]:
            assert face["width"] < MIN_SIDE
            assert (face["label"], face["small"]) == ("uncertain", True)
            sure += not band.low < face["p_male"] < band.high
    assert sure > 0


def test_a_jpeg_that_is_cut_short_is_refused_and_says_why(real, portraits):
    whole = encoded(portraits["male"])
    problem = assert_problem(real.post(PREDICT, files=files(whole[: len(whole) // 2])), 422, "cut short")
    assert problem["results"][0]["faces"] == []


def test_a_picture_without_a_face_is_not_guessed(real):
    assert_problem(real.post(PREDICT, files=files(photo(128, size=(200, 200)))), 422, "no face found")
    assert_problem(real.post("/predict", files=files(photo(128, size=(200, 200)))), 422, "no face found")


def test_one_photos_trouble_stays_with_that_photo(real, portraits):
    """Odd EXIF, a bomb, a photo cut short and no photo at all beside one that is fine, in each place."""
    fine = encoded(portraits["female"], quality=90)
    others = [
        photos.progressive_bomb(6000, 6000, 100),
        encoded(Image.new("1", (10_000, 6_000)), "PNG"),
        fine[: len(fine) // 2],
        b"\xff\xd8\xff" + b"\0" * 100,
        b"RIFF\x1a\0\0\0WEBPVP8L",
        photos.encoded(portraits["male"], "WEBP")[:-40],
    ]
    odd = photos.with_exif(fine, photos.exif(1, kind=10, count=1, value=b"\xff\xff\xff\xff\0\0\0\0"))
    answer = real.post(PREDICT, files=files(fine, *others, odd))
    assert answer.status_code == 200
    first, *failed, last = answer.json()["results"]
    assert first["error"] is None and len(first["faces"]) == 1
    assert last["faces"] == first["faces"]
    assert all(result["error"] and not result["faces"] for result in failed)


def test_a_photo_decoded_in_a_process_is_scored_like_one_decoded_here(real, portraits):
    as_jpeg, as_webp = encoded(portraits["male"], quality=95), encoded(portraits["male"], "WEBP", quality=95)
    here, there = (result["faces"] for result in real.post(PREDICT, files=files(as_jpeg, as_webp)).json()["results"])
    assert len(here) == len(there) == 1
    assert abs(here[0]["p_male"] - there[0]["p_male"]) < 0.05


def test_a_file_in_another_field_is_named(client):
    sent = [("file", ("a.png", FEMALE, "image/png")), ("photo", ("b.png", MALE, "image/png"))]
    first, second = client.post(PREDICT, files=sent).json()["results"]
    assert first["faces"] and second["file"] == "b.png"
    assert second["error"] == "left out: send photos in a field named `file`, not `photo`"
    assert_problem(client.post(PREDICT, files=sent[1:]), 400, "`photo`")


def test_uploads_that_are_held_are_bounded_and_given_back(client, monkeypatch):
    monkeypatch.setattr("dashboard.uploads.MAX_HELD_BYTES", 4 * len(FEMALE))
    for _ in range(3):
        assert client.post(PREDICT, files=files(FEMALE, MALE, UNCERTAIN)).status_code == 200
    answer = client.post(PREDICT, files=files(FEMALE + bytes(8 * len(FEMALE))))
    assert_problem(answer, 503, "try again")
    assert answer.headers["retry-after"] == "2"
    assert client.post(PREDICT, files=files(FEMALE)).status_code == 200
