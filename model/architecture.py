"""The network, as a function of its hyper-parameters. Knows shapes; knows nothing of data or training."""

from dataclasses import dataclass

import keras
from keras import layers


@dataclass(frozen=True)
class Architecture:
    """Hyper-parameters of the network.

    Attributes
    ----------
    height, width
        Part of the frame that is seen when serving, in pixels.
    filters
        Channels of each stage; the stem leaves a quarter of the sides, each stage after the first halves them again.
    blocks
        Residual blocks of each stage.
    attributes, ages, races
        Outputs of the auxiliary heads, which exist in training only; 0 leaves a head out.
    """

    height: int = 80
    width: int = 80
    filters: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (1, 2, 1)
    attributes: int = 0
    ages: int = 0
    races: int = 0

    @property
    def heads(self) -> dict[str, int]:
        """Auxiliary heads: name -> outputs."""
        heads = {"attributes": self.attributes, "age": self.ages, "race": self.races}
        return {name: outputs for name, outputs in heads.items() if outputs}


def build(architecture: Architecture, seed: int = 0) -> keras.Model:
    """Make the network as it is trained: for pictures of any size, with its auxiliary heads.

    A residual network with identity mappings (He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks",
    ECCV 2016), pooled over the whole picture at the end, so that it can be trained on small pictures first.

    Parameters
    ----------
    architecture
        Hyper-parameters.
    seed
        Of the initial weights.

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
    """The part that is served, at its one size: float32 (n, height, width, 3) -> "male" logits (n, 1).

    A face and its mirror image are both looked at and their logits averaged, which no mirroring of a photo can change.
    """
    inputs = keras.Input((architecture.height, architecture.width, 3), name="faces")
    one = keras.Model(inputs, layers.Dense(1, name="male")(_features(inputs, architecture)), name="one_side")
    kept = len(one.weights) - 2
    one.set_weights(network.get_weights()[:kept] + network.get_layer("male").get_weights())
    both = layers.Average(name="male")([one(inputs), one(inputs[:, :, ::-1])])
    return keras.Model(inputs, both, name="meanface")


def begin_with(network: keras.Model, served: keras.Model) -> None:
    """Give a network the weights of one that is served, of the same architecture; auxiliary heads keep theirs.

    Raises
    ------
    ValueError
        If the architectures differ.
    """
    weights = served.get_weights()
    network.set_weights(weights[:-2] + network.get_weights()[len(weights) - 2 :])
    network.get_layer("male").set_weights(weights[-2:])


def _features(inputs: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    """Pooled features (n, last filters)."""
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    # Two convolutions of stride 2, narrow at first: most of the time of a small network goes into large pictures.
    x = layers.Conv2D(architecture.filters[0] // 2, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.Conv2D(architecture.filters[0], 3, strides=2, padding="same", use_bias=False)(_activation(x))
    for stage, (filters, blocks) in enumerate(zip(architecture.filters, architecture.blocks, strict=True)):
        for block in range(blocks):
            x = _residual(x, filters, stride=2 if stage and not block else 1)
    return layers.GlobalAveragePooling2D(name="features")(_activation(x))


def _activation(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


def _residual(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    y = _activation(x)
    shortcut = x
    if stride > 1 or x.shape[-1] != filters:
        shortcut = layers.AveragePooling2D(stride)(y) if stride > 1 else y
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(shortcut)
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(y)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(_activation(y))
    return layers.Add()([shortcut, y])
