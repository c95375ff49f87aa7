"""The MobileNet of others answers as its graph says, and a training can begin with it."""

from pathlib import Path

import numpy as np
import pytest
from backbone_package import WIDTHS, constants, write_package

from analysis.core.errors import UserError
from analysis.data.backbones import MOBILENET, backbone_folder, fetch_backbone


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))
    fetch_backbone(str(write_package(tmp_path / "package.tgz", constants())))
    return backbone_folder(MOBILENET)


def as_the_graph_says(pictures: np.ndarray) -> np.ndarray:
    """Features by TensorFlow's own operations in the order of the packaged graph, float32 (n, 1024)."""
    import tensorflow as tf

    values = {name: array.astype(np.float32) for name, array in constants().items()}
    x = tf.constant(pictures[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32))
    x = tf.nn.conv2d(x, values["conv1/convolution/merged_input"], 2, "SAME") + values["conv1_bn/batchnorm_1/sub"]
    x = tf.nn.relu6(x)
    for block in range(1, len(WIDTHS)):
        stride = 2 if block in (2, 4, 6, 12) else 1
        kernel = values[f"conv_dw_{block}/depthwise_kernel"]
        x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")
        x = x * values[f"conv_dw_{block}_bn/batchnorm_1/mul"] + values[f"conv_dw_{block}_bn/batchnorm_1/sub"]
        x = tf.nn.relu6(x)
        x = tf.nn.conv2d(x, values[f"conv_pw_{block}/convolution/merged_input"], 1, "SAME")
        x = tf.nn.relu6(x + values[f"conv_pw_{block}_bn/batchnorm_1/sub"])
    return tf.reduce_mean(x, (1, 2)).numpy()


def test_features_are_those_of_the_packaged_graph(folder: Path) -> None:
    import keras

    from model.training.architecture import Architecture, begin_with, build
    from model.training.mobilenet import read_mobilenet

    network = build(Architecture(height=48, width=40, body="mobilenet", filters=WIDTHS, blocks=()))
    begin_with(network, read_mobilenet(folder))
    pictures = np.random.default_rng(1).integers(0, 256, (2, 48, 40, 3)).astype(np.float32)
    features = keras.Model(network.inputs, network.get_layer("features").output).predict(pictures, verbose=0)
    expected = as_the_graph_says(pictures)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_a_training_that_begins_with_it_can_be_served(folder: Path) -> None:
    from model.training.architecture import serving_network
    from model.training.train import BACKBONES, Training, compiled

    architecture = BACKBONES[MOBILENET]
    network = compiled(Training(backbone=MOBILENET, architecture=architecture), faces=64).network
    served = serving_network(network, architecture)
    assert served.input_shape == (None, 104, 88, 3)
    faces = np.random.default_rng(2).integers(0, 256, (2, 104, 88, 3)).astype(np.float32)
    logits = network.predict(faces, verbose=0)["male"]
    mirrored = network.predict(faces[:, :, ::-1], verbose=0)["male"]
    np.testing.assert_allclose(served.predict(faces, verbose=0), (logits + mirrored) / 2, rtol=1e-3, atol=1e-3)


def test_another_architecture_does_not_take_it(folder: Path) -> None:
    from model.training.train import Training, compiled

    with pytest.raises(UserError, match="another architecture"):
        compiled(Training(backbone="mobilenet"), faces=64)


def test_a_graph_that_lacks_a_layer_is_named(folder: Path) -> None:
    from model.training.mobilenet import read_mobilenet

    graph = folder / "graph.json"
    graph.write_text(graph.read_text().replace("conv_dw_7/depthwise_kernel", "conv_dw_77/depthwise_kernel"))
    with pytest.raises(UserError, match="conv_dw_7/depthwise_kernel"):
        read_mobilenet(folder)
    (folder / "weights.bin").write_bytes(b"cut")
    with pytest.raises(UserError, match="damaged"):
        read_mobilenet(folder)


def test_a_training_begins_with_runs_or_with_a_backbone(folder: Path) -> None:
    from analysis.results import Run
    from model.training.train import Training, train

    with pytest.raises(UserError, match="leave out"):
        train([], Run.open("any"), Training(backbone="mobilenet", start=("other",)))
