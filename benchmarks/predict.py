"""Time and memory of a prediction: python benchmarks/predict.py

Prints the median time of each step of an upload (decode, detect, align, network), measured in the same run, and its
share of the whole; the throughput of the network in batches against one face at a time; and the start-up time and peak
memory of a process that only predicts, relative to its limit of 300 MB. Uses the shipped model and the composite demo
faces, placed on a 250 x 250 canvas like a photo from a phone's contact list.
"""

import io
import json
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable

import cv2
import numpy as np
from memory import peak_memory
from PIL import Image

from analysis.data.alignment import align_face
from analysis.data.detection import detect_faces
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source
from model.predict import Predictor

REPEATS = 60
MEMORY = 300  # limit in MB for the peak memory of a process that predicts


def photos(count: int) -> list[bytes]:
    with zipfile.ZipFile(demo_source()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:count]
        faces = [decode_photo(archive.read(name)) for name in names]
    made = []
    for face in faces:
        canvas = np.full((250, 250, 3), 127, np.uint8)
        canvas[16:234, 36:214] = face
        buffer = io.BytesIO()
        Image.fromarray(canvas).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def milliseconds(work: Callable[[int], object], repeats: int = REPEATS) -> float:
    times = []
    for i in range(repeats + 5):
        began = time.perf_counter()
        work(i)
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times[5:])


def alone() -> None:
    """Load the model and predict, and print the loading time in seconds and the peak memory in MB as JSON."""
    began = time.perf_counter()
    predictor = Predictor.load(threads=1)
    loading = time.perf_counter() - began
    for photo in photos(5):
        predictor.predict_photo(photo)
    predictor.predict_faces(np.zeros((640, 109, 89, 3), np.uint8))
    print(json.dumps({"loading": loading, "peak": peak_memory()}))


def process() -> dict[str, float]:
    """Run a process that only predicts: ``whole`` (seconds from start to end), ``loading`` (seconds), ``peak`` (MB)."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--alone"], capture_output=True, text=True, check=True)
    return {"whole": time.perf_counter() - began} | json.loads(done.stdout)


def main() -> None:
    cv2.setNumThreads(1)
    runs = [process() for _ in range(3)]
    predictor = Predictor.load(threads=1)
    data = photos(REPEATS + 5)
    decoded = [decode_photo(photo) for photo in data]
    found = [detect_faces(each)[0] for each in decoded]
    crops = np.stack([align_face(image, face.landmarks) for image, face in zip(decoded, found, strict=True)])
    whole = milliseconds(lambda i: predictor.predict_photo(data[i]))
    steps = {
        "decode": milliseconds(lambda i: decode_photo(data[i])),
        "detect": milliseconds(lambda i: detect_faces(decoded[i])),
        "align": milliseconds(lambda i: align_face(decoded[i], found[i].landmarks)),
        "network, one aligned face": milliseconds(lambda i: predictor.predict_faces(crops[i : i + 1])),
    }
    print(f"one thread; medians of {REPEATS}")
    print(f"{'250 x 250 photo, end to end':<28}{whole:7.2f} ms  1.00")
    for name, value in steps.items():
        print(f"{name:<28}{value:7.2f} ms  {value / whole:.2f}")
    both = Predictor.load(threads=2)
    many = np.concatenate([crops] * 16)
    batch = len(many) / (milliseconds(lambda _: both.predict_faces(many), repeats=5) / 1e3)
    single = 1e3 / steps["network, one aligned face"]
    print(f"{'batches on two threads':<28}{batch:7.0f} faces a second, {batch / single:.2f} times one at a time")
    loading, whole, peak = (statistics.median(run[name] for run in runs) for name in ("loading", "whole", "peak"))
    print(
        f"{'a process of its own':<28}{whole:7.2f} s   loads the model in {loading:.2f} s, {loading / whole:.2f} of it"
    )
    print(f"{'its peak memory':<28}{peak:7.0f} MB  {peak / MEMORY:.2f} of {MEMORY} MB")


if __name__ == "__main__":
    if "--alone" in sys.argv[1:]:
        alone()
    else:
        main()
