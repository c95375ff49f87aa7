"""Inputs that once did harm, remade from a composite: what the API says of each, and that others are answered."""

import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import archives
import numpy as np
import photos
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from synthetic import write_results

from analysis.core import paths
from analysis.data.sources import open_source, register
from model.predict import Predictor

PORTRAIT = photos.encoded(photos.portrait())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    from dashboard.server import create_app

    folder = tmp_path_factory.mktemp("cases")
    predictor = Predictor.load(paths.PROJECT / "results/model", threads=1)
    app = create_app(write_results(folder / "run").folder, folder / "site", predictor)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def one_colour_webp(width: int, height: int) -> bytes:
    """A lossless WebP of some tens of bytes."""
    return photos.encoded(Image.new("RGB", (width, height), (120, 90, 70)), "WEBP", lossless=True, method=0)


HARMLESS = {
    "a rational of minus one over zero": photos.exif(1, kind=10, count=1, value=struct.pack("<ii", -1, 0)),
    "a resolution that is text": photos.exif(1, tag=0x011A, kind=2, count=4, value=b"72a\0"),
    "a resolution without a value": photos.exif(1, tag=0x011B, kind=5, count=0, value=b""),
    "an unknown type": photos.exif(1, tag=0x0128, kind=99, count=1, value=b"x"),
}


def test_odd_exif_gives_the_score_of_the_photo_without_it(client: TestClient) -> None:
    given = {"without": PORTRAIT} | {name: photos.with_exif(PORTRAIT, block) for name, block in HARMLESS.items()}
    answer = client.post("/api/v1/predict", files=[("file", item) for item in given.items()]).json()
    faces = {result["file"]: result["faces"] for result in answer["results"]}
    assert set(faces) == set(given)
    assert all(found == faces["without"] for found in faces.values()), faces


def test_what_costs_much_is_refused_or_has_no_face_and_the_others_are_scored(client: TestClient) -> None:
    grey = Image.fromarray(np.full((3000, 3000), 0.5, np.float32))
    costly = {
        "small.webp": one_colour_webp(7000, 7000),
        "float.tif": photos.encoded(grey, "TIFF", compression="tiff_adobe_deflate"),
        "scans.jpg": photos.progressive_bomb(7000, 7000, 100),
        "portrait.jpg": PORTRAIT,
    }
    assert len(costly["small.webp"]) < 2000 and len(costly["scans.jpg"]) < 4_000_000
    answer = client.post("/api/v1/predict", files=[("file", item) for item in costly.items()])
    assert answer.status_code == 200
    webp, tiff, scans, portrait = answer.json()["results"]
    assert "too large to decode" in webp["error"] or "no face" in webp["error"]
    assert "no face" in tiff["error"]
    assert "takes too long to decode" in scans["error"]
    assert portrait["error"] is None and len(portrait["faces"]) == 1


def test_nobody_waits_for_a_photo_that_is_slow_to_decode(client: TestClient) -> None:
    slow = photos.progressive_bomb(1900, 1900, 60)
    with ThreadPoolExecutor(2) as others:
        waiting = [others.submit(client.post, "/api/v1/predict", files={"file": slow}) for _ in range(2)]
        times = []
        while not all(each.done() for each in waiting) or not times:
            began = time.monotonic()
            assert client.post("/api/v1/predict", files={"file": PORTRAIT}).status_code == 200
            times.append(time.monotonic() - began)
    assert {each.result().status_code for each in waiting} <= {200, 422}
    assert np.median(times) < 1


SPLITS = {"train": 40, "val": 10, "test": 10}


@pytest.mark.parametrize("slash", ["/", "\\"])
def test_sixty_images_in_three_splits(home: object, tmp_path_factory: pytest.TempPathFactory, slash: str) -> None:
    names = [
        slash.join(["faces", split, label, f"{number}.jpg"])
        for split, count in SPLITS.items()
        for label in ("female", "male")
        for number in range(count // 2)
    ]
    register(archives.write_zip(tmp_path_factory.mktemp("zip") / "faces.zip", names), "faces")
    images = open_source("faces").images
    assert images.groupby("split").size().sort_values().tolist() == [10, 10, 40]
    assert images["label"].value_counts().tolist() == [30, 30]
