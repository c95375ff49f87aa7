"""Speed, size and accuracy of the network in several runtimes: python benchmarks/runtimes.py [DATASET]

Exports the published network for ONNX Runtime, LiteRT and OpenCV, as float and quantised to 8 bits. Prints the
milliseconds per face on one core, faces per second in batches on two, file size, largest difference of a logit from
that of Keras, and accuracy, with ratios of the times to those of the file that is served. Faces are the demo
composites, or the test split of an ingested data set; 8-bit files are calibrated on its train split.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from analysis.data.dataset import Dataset
from analysis.data.ingest import ingest
from analysis.data.sources import demo_source, register
from analysis.results import Run, published
from model.predict import open_session, session_logits, window
from model.training.examples import Faces, load_split
from model.training.export import NETWORK
from model.training.quantise import CALIBRATION, quantise

Logits = Callable[[np.ndarray], np.ndarray]
BATCH, REPEATS = 64, 60


def faces(arguments: list[str]) -> tuple[Faces, Faces]:
    """Faces to calibrate on, and faces to measure on."""
    if arguments:
        given = [Dataset.open(arguments[0])]
        return load_split(given, "train"), load_split(given, "test")
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEANFACE_HOME"] = home
        register(demo_source(), "demo")
        ingest("demo", progress=False)
        demo = [Dataset.open("demo")]
        splits = load_split(demo, "train"), load_split(demo, "test")
    del os.environ["MEANFACE_HOME"]
    return splits


def litert(network: keras.Model, target: Path, pictures: np.ndarray | None) -> None:
    # By a SavedModel: from_keras_model of TensorFlow 2.21 needs Keras 2.
    with tempfile.TemporaryDirectory() as saved:
        network.export(saved, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        if pictures is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
        target.write_bytes(converter.convert())


def onnx_runtime(file: Path, threads: int) -> Logits:
    session = open_session(file, threads)
    return lambda pictures: session_logits(session, pictures)


def litert_runtime(file: Path, threads: int) -> Logits:
    interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=threads)
    given, got = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    shape: list[tuple[int, ...]] = []

    def logits(pictures: np.ndarray) -> np.ndarray:
        if shape != [pictures.shape]:
            shape[:] = [pictures.shape]
            interpreter.resize_tensor_input(given, pictures.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given, pictures)
        interpreter.invoke()
        return interpreter.get_tensor(got)[:, 0]

    return logits


def opencv_runtime(file: Path, threads: int) -> Logits:
    network = cv2.dnn.readNetFromONNX(str(file))

    def logits(pictures: np.ndarray) -> np.ndarray:
        cv2.setNumThreads(threads)
        network.setInput(pictures)
        return network.forward()[:, 0].copy()

    return logits


def keras_runtime(network: keras.Model) -> Logits:
    return lambda pictures: network.predict(pictures, batch_size=BATCH, verbose=0)[:, 0]


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats + 3):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times[3:])


def in_batches(logits: Logits, pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([logits(pictures[start : start + BATCH]) for start in range(0, len(pictures), BATCH)])


def measured(
    file: Path, make: Callable[[Path, int], Logits], pictures: np.ndarray, male: np.ndarray, expected: np.ndarray
) -> dict[str, float]:
    one, two = make(file, 1), make(file, 2)
    logits = in_batches(two, pictures)
    face, batch = pictures[:1], pictures[:BATCH]
    return {
        "ms a face": milliseconds(lambda: one(face), REPEATS),
        "faces/s": len(batch) / milliseconds(lambda: two(batch), REPEATS // 3) * 1e3,
        "KB": file.stat().st_size / 1e3,
        "max |d logit|": float(np.abs(logits - expected).max()),
        "accuracy %": 100 * float(((logits > 0) == male).mean()),
    }


def main() -> None:
    folder = published().model_folder
    name = published().run.run
    places = [place / NETWORK for place in (folder, Run.open(name).folder / "model")]  # large weights are not published
    if not (found := [place for place in places if place.exists()]):
        sys.exit(f"no float weights of {name}: run `meanface train --recipe published` first")
    network = keras.saving.load_model(found[0])
    height, width = network.input_shape[1:3]
    calibration, test = faces(sys.argv[1:])
    seen = window(calibration.pixels, height, width).astype(np.float32)
    chosen = np.random.default_rng(0).choice(len(seen), min(CALIBRATION, len(seen)), replace=False)
    pictures, male = window(test.pixels, height, width).astype(np.float32), test.male > 0
    expected = keras_runtime(network)(pictures)
    rows: dict[str, dict[str, float]] = {}
    failed = []
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(None):
        served, full, small = folder / "model.onnx", Path(scratch) / "float.onnx", Path(scratch) / "8-bit.onnx"
        light, light8 = Path(scratch) / "float.tflite", Path(scratch) / "8-bit.tflite"
        with contextlib.redirect_stdout(None):
            network.export(full, format="onnx", verbose=False)
            quantise(full, small, seen)
            litert(network, light, None)
            litert(network, light8, seen[chosen])
        kinds: dict[str, tuple[Path, Callable[[Path, int], Logits]]] = {
            "served": (served, onnx_runtime),
            "ONNX Runtime, 8 bits": (small, onnx_runtime),
            "ONNX Runtime, float": (full, onnx_runtime),
            "LiteRT, 8 bits": (light8, litert_runtime),
            "LiteRT, float": (light, litert_runtime),
            "OpenCV DNN, float": (full, opencv_runtime),
        }
        for kind, (file, make) in kinds.items():
            try:
                rows[kind] = measured(file, make, pictures, male, expected)
            except cv2.error as error:  # OpenCV does not support all operations
                failed.append(f"{kind}: cannot run it ({error.func}: {' '.join(error.err.split())[:100]})")
    table = pd.DataFrame(rows).T.astype(float)
    first = table.iloc[0]
    table.insert(1, "ratio", table["ms a face"] / first["ms a face"])
    table.insert(3, "ratio ", table["faces/s"] / first["faces/s"])
    keras_accuracy = 100 * float(((expected > 0) == male).mean())
    print(f"{len(pictures):,} faces; Keras: {keras_accuracy:.2f} % right; {published().run.run}, the published run")
    print(
        table.round(
            {"ms a face": 2, "ratio": 2, "faces/s": 0, "ratio ": 2, "KB": 0, "max |d logit|": 5, "accuracy %": 2}
        ).to_string()
    )
    for line in failed:
        print(line)


if __name__ == "__main__":
    main()
