"""The network as a function of its hyper-parameters."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from keras import layers, ops

from model.training.dlib import dlib_features
from model.training.head import LastLayer
from model.training.mobilefacenet import mobilefacenet_features
from model.training.temperature import LARGEST

NETWORK_NAME = "meanface"
SHARPNESS = "sharpness"  # name of the layer that scales each logit
_ONE_SIDE = "one_side"  # name of the part that sees the face, and its mirror image
_LAST = "_last"  # suffix of the name of a block's last convolution


@dataclass(frozen=True)
class Architecture:
    """Hyper-parameters of the network.

    Attributes
    ----------
    height, width
        Size of the window of the aligned face that the served network gets, in pixels.
    body
        "residual"; "dlib", see `model.training.dlib`; or "mobilefacenet", see `model.training.mobilefacenet`, which
        sees the square at the top of the window.
    filters
        Channels of each stage; the stem divides the sides by four, each stage after the first by two. Of a
        MobileFaceNet: channels of the beginning, of each stage and of the end.
    blocks
        Blocks per stage.
    enlarged
        Factor by which the pictures of "dlib" and "mobilefacenet" are enlarged first: these have learned from larger
        faces.
    mirrored
        Whether the served network averages the logits of a face and of its mirror image, in twice the time. A photo
        and its mirror image then have the same score, else nearly so: training mirrors one face in two.
    attributes, ages, races
        Outputs of the auxiliary heads, which exist only in training; 0 omits a head.
    """

    height: int = 80
    width: int = 80
    body: Literal["residual", "dlib", "mobilefacenet"] = "residual"
    filters: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (2, 3, 2)
    enlarged: float = 1.0
    mirrored: bool = True
    attributes: int = 0
    ages: int = 0
    races: int = 0

    @property
    def outputs(self) -> dict[str, int]:
        """All heads in training, the label's first: name -> outputs."""
        return {"male": 1} | self.heads

    @property
    def heads(self) -> dict[str, int]:
        """Auxiliary heads: name -> outputs."""
        heads = {"attributes": self.attributes, "age": self.ages, "race": self.races}
        return {name: outputs for name, outputs in heads.items() if outputs}


def build(architecture: Architecture, seed: int = 0, precision: str = "float32") -> keras.Model:
    """Build the network for training: pictures of any size, auxiliary heads included.

    By default a residual network with identity mappings (He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual
    Networks", ECCV 2016), pooled over the whole picture at the end, so that it can be trained on small pictures first.

    Parameters
    ----------
    architecture
        Hyper-parameters.
    seed
        Random seed of the initial weights.
    precision
        Keras' dtype policy of all layers but the heads: float32, or mixed_bfloat16, whose variables are float32, too
        (Micikevicius et al., "Mixed Precision Training", ICLR 2018).
    Returns
    -------
    keras.Model
        float32 (n, h, w, 3) RGB in [0, 255] -> {"male": logits (n, 1), head: logits (n, outputs), ...}.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3), name="faces")
    with _policy(precision):
        x = _features(inputs, architecture)
    outputs = {name: layers.Dense(size, name=name, dtype="float32")(x) for name, size in architecture.outputs.items()}
    return keras.Model(inputs, outputs, name=NETWORK_NAME)


def serving_network(
    network: keras.Model, architecture: Architecture, sharpness: LastLayer | None = None
) -> keras.Model:
    """Build the network for serving, at one fixed size: float32 (n, height, width, 3) -> "male" logits (n, 1).

    Parameters
    ----------
    network
        Network from `build`.
    architecture
        Its hyper-parameters.
    sharpness
        Layer whose exponential each logit is multiplied by; see `model.training.temperature`. Default: zeros, a factor
        of 1.
    """
    inputs = keras.Input((architecture.height, architecture.width, 3), name="faces")
    features = _features(inputs, architecture)
    logits = layers.Dense(1, name="male")(features)
    exponent = layers.Dense(1, name=SHARPNESS, kernel_initializer="zeros")(features)
    factor = ops.exp(ops.clip(exponent, -LARGEST, LARGEST))
    one = keras.Model(inputs, logits * factor, name=_ONE_SIDE)
    for layer in one.layers:
        if layer.weights and layer.name != SHARPNESS:
            layer.set_weights(network.get_layer(layer.name).get_weights())
    if sharpness:
        one.get_layer(SHARPNESS).set_weights([sharpness.weights[:, None], np.array([sharpness.bias])])
    if architecture.mirrored:
        outputs = layers.Average(name="male")([one(inputs), one(inputs[:, :, ::-1])])
    else:
        outputs = layers.Identity(name="male")(one(inputs))
    return keras.Model(inputs, outputs, name=NETWORK_NAME)


def layer_weights(served: keras.Model) -> dict[str, list[np.ndarray]]:
    """Weights of a served network that training can start from: name of the layer -> its arrays."""
    one = served.get_layer(_ONE_SIDE)
    return {layer.name: layer.get_weights() for layer in one.layers if layer.weights and layer.name != SHARPNESS}


def begin_with(network: keras.Model, known: dict[str, list[np.ndarray]]) -> None:
    """Initialise a network with the weights of a served one, or of a backbone; other heads keep their weights.

    The network may have more blocks than the served one. The last convolution of an added block is set to zero, which
    makes the block the identity, so the deeper network starts with the same outputs (Chen, Goodfellow and Shlens,
    "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016).

    Parameters
    ----------
    network
        Network from `build`; changed in place.
    known
        Weights from `layer_weights`, `model.training.dlib.read_dlib` or
        `model.training.mobilefacenet.read_mobilefacenet`.

    Raises
    ------
    ValueError
        If the two differ by more than added blocks.
    """
    own = {layer.name: layer for layer in network.layers if layer.weights}
    if lost := known.keys() - own.keys():
        raise ValueError(f"the network lacks {', '.join(sorted(lost))}")
    for name, weights in known.items():
        own[name].set_weights(weights)
    for name in own.keys() - known.keys():
        if name.endswith(_LAST):
            own[name].set_weights([np.zeros_like(weights) for weights in own[name].get_weights()])


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[None]:
    """Build layers under a dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _features(inputs: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    """Pooled features, (n, filters of the last stage)."""
    if architecture.body != "residual":
        height, width = (round(side * architecture.enlarged) for side in (architecture.height, architecture.width))
        # Not a `layers.Resizing`: called without `training`, it tells the layers after it that this is training.
        enlarged = ops.image.resize(inputs, (height, width))
        if architecture.body == "mobilefacenet":
            return mobilefacenet_features(enlarged[:, :width], architecture.filters, architecture.blocks)
        return dlib_features(enlarged, architecture.filters, architecture.blocks)
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    # Two convolutions of stride 2, the first one narrow: a small network spends most of its time at high resolution.
    first, second = architecture.filters[0] // 2, architecture.filters[0]
    x = layers.Conv2D(first, 4, strides=2, padding="same", use_bias=False, name="stem_1")(x)
    x = _activation(x, "stem")
    x = layers.Conv2D(second, 3, strides=2, padding="same", use_bias=False, name="stem_2")(x)
    for stage, (filters, blocks) in enumerate(zip(architecture.filters, architecture.blocks, strict=True)):
        for block in range(blocks):
            x = _residual(x, filters, 2 if stage and not block else 1, f"stage_{stage + 1}_block_{block + 1}")
    return layers.GlobalAveragePooling2D(name="features")(_activation(x, "end"))


def _activation(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x))


def _residual(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    y = _activation(x, f"{name}_first")
    shortcut = x
    if stride > 1 or x.shape[-1] != filters:
        shortcut = layers.AveragePooling2D(stride)(y) if stride > 1 else y
        shortcut = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_first")(y)
    y = _activation(y, f"{name}_last")
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name + _LAST)(y)
    return layers.Add()([shortcut, y])
