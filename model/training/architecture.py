"""The network as a function of its hyper-parameters."""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers

_LAST = "_last"  # suffix of the name of a block's last convolution


@dataclass(frozen=True)
class Architecture:
    """Hyper-parameters of the network.

    Attributes
    ----------
    height, width
        Size of the window of the aligned face that the served network gets, in pixels.
    filters
        Channels of each stage; the stem divides the sides by four, each stage after the first by two.
    blocks
        Residual blocks per stage.
    attributes, ages, races
        Outputs of the auxiliary heads, which exist only in training; 0 omits a head.
    """

    height: int = 80
    width: int = 80
    filters: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (2, 3, 2)
    attributes: int = 0
    ages: int = 0
    races: int = 0

    @property
    def heads(self) -> dict[str, int]:
        """Auxiliary heads: name -> outputs."""
        heads = {"attributes": self.attributes, "age": self.ages, "race": self.races}
        return {name: outputs for name, outputs in heads.items() if outputs}


def build(architecture: Architecture, seed: int = 0) -> keras.Model:
    """Build the network for training: pictures of any size, auxiliary heads included.

    A residual network with identity mappings (He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks",
    ECCV 2016), pooled over the whole picture at the end, so that it can be trained on small pictures first.

    Parameters
    ----------
    architecture
        Hyper-parameters.
    seed
        Random seed of the initial weights.

    Returns
    -------
    keras.Model
        float32 (n, h, w, 3) RGB in [0, 255] -> {"male": logits (n, 1), head: logits (n, outputs), ...}.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3), name="faces")
    x = _features(inputs, architecture)
    outputs = {"male": layers.Dense(1, name="male")(x)}
    outputs |= {name: layers.Dense(size, name=name)(x) for name, size in architecture.heads.items()}
    return keras.Model(inputs, outputs, name="meanface")


def serving_network(network: keras.Model, architecture: Architecture) -> keras.Model:
    """Build the network for serving, at one fixed size: float32 (n, height, width, 3) -> "male" logits (n, 1).

    The logits of a face and its mirror image are averaged, so that mirroring a photo does not change its score.
    """
    inputs = keras.Input((architecture.height, architecture.width, 3), name="faces")
    one = keras.Model(inputs, layers.Dense(1, name="male")(_features(inputs, architecture)), name="one_side")
    kept = len(one.weights) - 2
    one.set_weights(network.get_weights()[:kept] + network.get_layer("male").get_weights())
    both = layers.Average(name="male")([one(inputs), one(inputs[:, :, ::-1])])
    return keras.Model(inputs, both, name="meanface")


def begin_with(network: keras.Model, served: keras.Model, architecture: Architecture) -> None:
    """Initialise a network from a served one; auxiliary heads keep their weights.

    The network may have more blocks than the served one. The last convolution of an added block is set to zero, which
    makes the block the identity, so the deeper network starts with the same outputs (Chen, Goodfellow and Shlens,
    "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016).

    Parameters
    ----------
    network
        Network from `build`; changed in place.
    served
        Network from `serving_network`.
    architecture
        Architecture of the served network.

    Raises
    ------
    ValueError
        If the two differ by more than added blocks.
    """
    smaller = build(replace(architecture, attributes=0, ages=0, races=0))
    smaller.set_weights(served.get_weights())
    known = {layer.name: layer for layer in smaller.layers if layer.weights}
    own = {layer.name: layer for layer in network.layers if layer.weights}
    if lost := known.keys() - own.keys():
        raise ValueError(f"the network lacks {', '.join(sorted(lost))}")
    for name, layer in known.items():
        own[name].set_weights(layer.get_weights())
    for name in own.keys() - known.keys():
        if name.endswith(_LAST):
            own[name].set_weights([np.zeros_like(weights) for weights in own[name].get_weights()])


def _features(inputs: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    """Pooled features, (n, filters of the last stage)."""
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
