"""The serving file: float or 8 bits, and what is checked before either is written."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from model.predict import Predictor

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")


@pytest.fixture(scope="module")
def network() -> Any:
    """A network with answers on both sides: it tells bright pictures from dark ones."""
    import keras

    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, activation="relu", kernel_initializer=keras.initializers.RandomUniform(0, 0.2, 1))(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(1, kernel_initializer="ones")(x)
    network = keras.Model(inputs, outputs)
    middle = float(network.predict(np.full((1, 24, 24, 3), 127, np.float32), verbose=0)[0, 0])
    network.layers[-1].set_weights([np.ones((6, 1)), np.array([-middle])])
    return network


@pytest.fixture(scope="module")
def faces() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    male = np.arange(80) % 2 > 0
    light = np.where(male, 170, 85)[:, None, None, None]
    return np.clip(rng.normal(light, 20, (80, 24, 24, 3)), 0, 255).astype(np.uint8), male


@pytest.mark.slow
def test_file_of_8_bits_answers_as_the_network(network: Any, faces: tuple, tmp_path: Path) -> None:
    from model.training.export import CARD, export

    pictures, male = faces
    card = export(network, tmp_path, run="tiny", calibration=pictures, validation=pictures, male=male)
    assert CARD.read_file(tmp_path / "model.json") == card
    assert (card.bits, card.accuracy_lost) == (8, 0.0)
    types = {each.type for each in onnxruntime.InferenceSession(tmp_path / "model.onnx").get_inputs()}
    assert types == {"tensor(float)"}
    assert b"QuantizeLinear" in (tmp_path / "model.onnx").read_bytes()
    noise = np.random.default_rng(1).integers(0, 256, (400, 24, 24, 3), np.uint8)
    assert len(np.unique(Predictor.load(tmp_path).window_logits(noise))) > 256  # the last layer is in float
    wanted = network.predict(pictures.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(Predictor.load(tmp_path).window_logits(pictures), wanted, atol=0.05 * np.ptp(wanted))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.json", "model.onnx"]


@pytest.mark.slow
def test_8_bits_that_cost_accuracy_are_not_served(
    network: Any, faces: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training import export as module

    pictures, male = faces
    quantise = module.quantise

    def spoilt(source: Path, target: Path, calibration: np.ndarray) -> None:
        quantise(source, target, calibration // 8)  # ranges that cover dark pictures alone

    monkeypatch.setattr(module, "quantise", spoilt)
    card = module.export(network, tmp_path, run="tiny", calibration=pictures, validation=pictures, male=male)
    assert card.bits == 32 and card.accuracy_lost > module.LOSS
    assert b"QuantizeLinear" not in (tmp_path / "model.onnx").read_bytes()
    wanted = network.predict(pictures.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(Predictor.load(tmp_path).window_logits(pictures), wanted, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"height": 48, "width": 40, "body": "mobilefacenet", "filters": (8,) * 7, "blocks": (1,) * 5, "enlarged": 1.2},
        {"height": 40, "width": 40, "body": "dlib", "filters": (32, 64), "blocks": (3, 1), "enlarged": 1.95},
        {"height": 40, "width": 40, "body": "dlib", "filters": (32, 64), "blocks": (3, 1), "mirrored": False},
    ],
    ids=["mobilefacenet", "dlib", "dlib-one-side"],
)
def test_files_of_networks_of_others_answer_as_the_network_does(tmp_path: Path, options: dict[str, Any]) -> None:
    from model.training.architecture import Architecture, build, serving_network
    from model.training.export import export

    small = Architecture(**options)
    faces = np.random.default_rng(3).integers(0, 256, (32, small.height, small.width, 3), np.uint8)
    card = export(  # which compares the file with the network
        serving_network(build(small), small),
        tmp_path,
        run="small",
        calibration=faces,
        validation=faces,
        male=np.zeros(len(faces), dtype=bool),
    )
    assert (card.input.height, card.input.width) == (small.height, small.width)
