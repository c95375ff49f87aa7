"""Trained network -> the small serving file and its card. Knows Keras and ONNX; knows nothing of data."""

import contextlib
import hashlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime

from analysis.alignment import FRAME_HEIGHT, FRAME_WIDTH

FILE = "model.onnx"
TOLERANCE = 1e-3  # largest difference between a logit of the serving file and of Keras


def export(network: keras.Model, folder: Path, *, height: int, width: int, run: str) -> dict[str, Any]:
    """Write ``model.onnx`` and ``model.json``, and check that the file answers as the network does.

    Parameters
    ----------
    network
        float32 (n, height, width, 3) in [0, 255] -> logits (n, 1).
    folder
        Where the two files go.
    height, width
        Input in pixels.
    run
        Name of the run, for the card.

    Returns
    -------
    dict
        The card, not yet calibrated: temperature 1 and an empty band, until the run is evaluated.

    Raises
    ------
    RuntimeError
        If a logit of the file differs from Keras' by more than 1e-3.
    """
    path = folder / FILE
    probe = np.random.default_rng(0).uniform(0, 255, (32, height, width, 3)).astype(np.float32)
    expected = network.predict(probe, verbose=0)  # also what Keras wants of a network before it is exported
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    served = session.run(None, {session.get_inputs()[0].name: probe})[0]
    difference = float(np.abs(served - expected).max())
    if difference > TOLERANCE:
        raise RuntimeError(f"{path} differs from the network by {difference:.2g} in a logit: check the converter")
    card = {
        "file": FILE,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": {"height": height, "width": width, "frame": [FRAME_HEIGHT, FRAME_WIDTH]},
        "parameters": network.count_params(),
        "temperature": 1.0,
        "band": {"low": 0.5, "high": 0.5},
        "labels": ["female", "male"],
        "run": run,
    }
    (folder / "model.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
    return card
