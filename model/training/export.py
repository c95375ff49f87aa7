"""Trained network -> the small serving file and its card."""

import contextlib
import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from analysis.core.schema import LABELS
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.results.artifacts import CARD
from analysis.results.records import Band, Card, CardInput
from model.predict import open_session, session_logits
from model.training.quantise import quantise

FILE = "model.onnx"
NETWORK = "model.keras"  # what a run keeps of the served network for later trainings
TOLERANCE = 1e-3  # largest difference between a logit of the float file and of Keras, relative to those above 1
LOSS = 0.005  # largest share of right answers that 8 bits may cost


def export(
    network: keras.Model,
    folder: Path,
    *,
    run: str,
    calibration: np.ndarray,
    validation: np.ndarray,
    male: np.ndarray,
) -> Card:
    """Write ``model.onnx`` and ``model.json``, and check that the file answers as the network does.

    The file has 8 bits where these cost at most half a point of accuracy on the validation split, else it is float.

    Parameters
    ----------
    network
        float32 (n, height, width, 3) in [0, 255] -> logits (n, 1).
    folder
        Where the two files go.
    run
        Name of the run, for the card.
    calibration
        uint8 (m, height, width, 3), training faces: what ranges the 8 bits must cover.
    validation
        uint8 (n, height, width, 3), faces that were not trained on.
    male
        bool (n,): their labels.

    Returns
    -------
    Card
        The card, not yet calibrated: temperature 1 and an empty band, until the run is evaluated. ``bits`` of the
        weights, and ``accuracy_lost`` in [-1, 1], the share of right answers on the validation split that the float
        file has and the file of 8 bits has not.

    Raises
    ------
    RuntimeError
        If a logit of the float file differs from Keras' by more than 1e-3, or than a thousandth of it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        full, small = Path(scratch) / "float.onnx", Path(scratch) / "8-bit.onnx"
        _write_float(network, full)
        quantise(full, small, calibration)
        lost = _share_right(full, validation, male) - _share_right(small, validation, male)
        path = folder / FILE
        shutil.copyfile(small if lost <= LOSS else full, path)
    height, width = network.input_shape[1:3]
    card = Card(
        file=FILE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bits=8 if lost <= LOSS else 32,
        accuracy_lost=lost,
        input=CardInput(height=height, width=width, frame=(FRAME_HEIGHT, FRAME_WIDTH)),
        parameters=network.count_params(),
        temperature=1.0,
        band=Band(low=0.5, high=0.5),
        labels=list(LABELS),
        run=run,
    )
    CARD.write(card, folder)
    return card


def can_export() -> bool:
    """Whether TensorFlow is here, which Keras writes serving files with."""
    return importlib.util.find_spec("tensorflow") is not None


def _write_float(network: keras.Model, path: Path) -> None:
    """Write a float file and check it on noise; Keras converts through TensorFlow, whatever its backend."""
    if keras.backend.backend() != "tensorflow":
        _write_float_by_tensorflow(network, path)
        return
    probe = np.random.default_rng(0).integers(0, 256, (32, *network.input_shape[1:]), np.uint8)
    expected = network.predict(probe.astype(np.float32), verbose=0)  # also what Keras wants before it exports
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network.export(path, format="onnx", verbose=False)
    scale = np.maximum(1, np.abs(expected[:, 0]))
    difference = float((np.abs(session_logits(open_session(path), probe) - expected[:, 0]) / scale).max())
    if difference > TOLERANCE:
        raise RuntimeError(f"{path} differs from the network by {difference:.2g} in a logit: check the converter")


def _write_float_by_tensorflow(network: keras.Model, path: Path) -> None:
    saved = path.with_suffix(".keras")
    network.save(saved)
    code = "import sys, keras; from model.training import export; "
    code += "export._write_float(keras.saving.load_model(sys.argv[1]), export.Path(sys.argv[2]))"
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, saved, path], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{path} could not be written: {done.stderr.strip().splitlines()[-1:]}")


def _share_right(path: Path, pictures: np.ndarray, male: np.ndarray) -> float:
    return float(((session_logits(open_session(path), pictures) >= 0) == male).mean())
