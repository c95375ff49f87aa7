"""Training does the same on every backend of Keras that is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("tensorflow", "jax")), reason="two backends are needed"
    ),
    pytest.mark.slow,
]

TRAIN = """
import json, sys
import numpy as np
from analysis.data.dataset import Dataset
from analysis.results import Run
from model.predict import Predictor
from model.training.architecture import Architecture
from model.training.train import Training, train
small = Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1))
name, *start = sys.argv[1:]
alike = {"epochs": 1, "batch_size": 64, "sizes": (1.0,), "learning_rate": 0.001, "architecture": small}
alike |= {"balance": 0.0, "auxiliary": 0}
training = Training(**alike, start=tuple(start))
run = Run.open(name)
history = train([Dataset.open("demo")], run, training)
faces = np.random.default_rng(0).integers(0, 256, (16, 109, 89, 3), np.uint8)
logits = Predictor.load(run.folder / "model").logits(faces)
print(json.dumps({"history": history.to_dict("records"), "logits": logits.tolist()}))
"""


def trained(backend: str, home: Path, *names: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *names],
        env=os.environ | {"MEANFACE_HOME": str(home), "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_training_on_jax_agrees_with_one_on_tensorflow(demo: Path) -> None:
    trained("tensorflow", demo, "backends")  # backends draw other initial weights: both begin with these
    one, other = trained("tensorflow", demo, "by-tensorflow", "backends"), trained("jax", demo, "by-jax", "backends")
    for name in ("loss", "val_loss", "learning_rate"):
        assert one["history"][0][name] == pytest.approx(other["history"][0][name], rel=0.01)
    np.testing.assert_allclose(one["logits"], other["logits"], atol=0.05)  # 8 bits round what differs a little
