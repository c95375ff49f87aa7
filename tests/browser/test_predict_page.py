"""The Predict page of the report, which runs the model in the browser, beside the server's API."""

import base64
import csv
import io
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image

from analysis.data.sources import demo_source

pytestmark = pytest.mark.browser

PREDICT = """async (packed) => {
    const { predict } = await import(new URL("assets/predict.mjs", location));
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return (await predict(new Blob([bytes]))).faces;
}"""


def composites(count: int) -> list[bytes]:
    with zipfile.ZipFile(demo_source()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        return [archive.read(name) for name in names[:: len(names) // count]][:count]


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def photos() -> dict[str, bytes]:
    """Composites as they are, turned, tilted, on transparent ground, many in one photo, and small in a large one."""
    files = composites(8)
    faces = [Image.open(io.BytesIO(file)).convert("RGB") for file in files]
    group = Image.new("RGB", (1500, 900), (140, 130, 120))
    large = Image.new("RGB", (2600, 1900), (90, 100, 110))
    for place, face in enumerate(faces):
        width = 190 + 15 * place
        group.paste(face.resize((width, width * 218 // 178)), (20 + 370 * (place % 4), 30 + 450 * (place // 4)))
        large.paste(face.resize((110, 135)), (80 + 640 * (place % 4), 150 + 900 * (place // 4)))
    clear = Image.new("RGBA", (400, 400))
    clear.paste(faces[3], (110, 90))
    made = {f"composite {number}": file for number, file in enumerate(files[:4])}
    made |= {f"turned by {angle}": encoded(faces[1].rotate(angle, expand=True)) for angle in (90, 180, 270)}
    made |= {"tilted": encoded(faces[2].rotate(20, fillcolor=(120, 110, 100)))}
    made |= {"clear": encoded(clear), "group": encoded(group), "large": encoded(large, "JPEG")}
    made |= {
        "strip": encoded(Image.new("RGB", (2000, 30), "grey")),
        "upright strip": encoded(Image.new("RGB", (20, 1000), "grey")),
    }
    return made | {"group turned": encoded(group.rotate(90, expand=True))}


@pytest.fixture
def predictor(page, server):
    page.goto(f"{server}/site/predict.html")
    page.get_by_role("heading", level=1).wait_for()
    if not page.locator("#predictor").count():
        pytest.skip("rendered without npm")
    page.locator("#predictor[data-ready]").wait_for()
    return page


@pytest.mark.parametrize("page", [1280], indirect=True)
def test_browser_and_server_see_the_same_faces_and_say_the_same(predictor, server, complaints):
    from playwright.sync_api import Error

    for name, photo in photos().items():
        answer = httpx.post(f"{server}/api/v1/predict", files={"file": (name, photo)}, timeout=60).json()
        expected = answer["results"][0]["faces"]
        if not expected:
            with pytest.raises(Error, match="no face found"):
                predictor.evaluate(PREDICT, base64.b64encode(photo).decode())
            continue
        found = predictor.evaluate(PREDICT, base64.b64encode(photo).decode())
        assert len(found) == len(expected), name
        for ours, theirs in zip(found, expected, strict=True):
            assert ours["turned"] == theirs["turned"], name
            assert all(abs(ours[side] - theirs[side]) <= 1 for side in ("x", "y", "width", "height")), name
            assert abs(ours["p_male"] - theirs["p_male"]) < 0.01, (name, ours, theirs)
    assert complaints == []


@pytest.mark.parametrize("page", [1280], indirect=True)
def test_composites_have_the_same_probability_in_the_browser_and_on_the_server(predictor, server):
    apart = []
    for photo in composites(80):
        theirs = httpx.post(f"{server}/api/v1/predict", files={"file": photo}, timeout=60).json()["results"][0]["faces"]
        ours = predictor.evaluate(PREDICT, base64.b64encode(photo).decode())
        apart.append(abs(ours[0]["p_male"] - theirs[0]["p_male"]))
    apart.sort()
    assert apart[len(apart) // 2] < 0.0005  # most have the same pixels; 8 bits make much of a few that differ by one
    assert apart[-3] < 0.01 and apart[-1] < 0.03


def test_a_sample_is_predicted_here_and_reported(predictor, server, complaints, tmp_path: Path):
    sent: list[str] = []
    predictor.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    predictor.locator(".predictor-samples button").first.click()
    predictor.locator(".prediction .score").wait_for()
    predictor.locator("#predictor input").set_input_files(
        [{"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"not a photo"}]
    )
    predictor.get_by_text("this file is not a picture").wait_for()
    with predictor.expect_download() as download:
        predictor.get_by_role("button", name="Report as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        good, broken = csv.DictReader(file)
    assert good["file"] == "composite-female-1.webp" and 0 <= float(good["p_male"]) <= 1 and not good["error"]
    assert broken["file"] == "broken.jpg" and "choose a photo" in broken["error"]
    known = tuple(f"GET {server}/site/{part}/" for part in ("assets/predictor", "pictures"))  # the model and the sample
    assert sent and all(request.startswith((*known, "GET blob:", "GET data:")) for request in sent)
    assert predictor.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")
    assert complaints == []


def test_what_is_wrong_with_a_file_and_that_a_photo_was_turned_is_said(predictor, complaints):
    photo = encoded(Image.open(io.BytesIO(composites(1)[0])).convert("RGB").rotate(90, expand=True))
    png = Image.new("RGB", (16, 16))
    huge = bytearray(encoded(png))
    huge[16:24] = (20_000).to_bytes(4) * 2
    files = {
        "turned.png": (photo, "the photo was turned by 90° to bring the face upright"),
        "iphone.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "cannot read HEIC pictures: save the photo as JPEG"),
        "scan.tif": (encoded(png, "TIFF"), "cannot read TIFF pictures"),
        "huge.png": (bytes(huge), "too large, 400 megapixels: choose one of up to 52"),
        "cut.jpg": (composites(1)[0][:300], "the JPEG file is damaged or cut short"),
    }
    for name, (content, said) in files.items():
        given = {"name": name, "mimeType": "", "buffer": content}
        predictor.locator("#predictor input").set_input_files([given])
        shown = predictor.locator(".prediction").filter(has_text=name)
        shown.get_by_text(said).wait_for(timeout=20_000)
    assert complaints == []
