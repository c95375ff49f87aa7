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
        Input in pixels.
    filters
        Channels of each stage; each stage halves the image.
    blocks
        Residual blocks a stage.
    attributes
        Outputs of the auxiliary head that exists in training only; 0 leaves it out.
    dropout
        Share of the pooled features dropped in training, in [0, 1).
    """

    height: int = 80
    width: int = 80
    filters: tuple[int, ...] = (16, 32, 64, 128)
    blocks: int = 1
    attributes: int = 0
    dropout: float = 0.0


def build(architecture: Architecture, seed: int = 0) -> keras.Model:
    """Make the network.

    A residual network with identity mappings (He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks",
    ECCV 2016). Its stem folds 2 x 2 pixels into channels, as cheap as a pooling layer but without loss.

    Parameters
    ----------
    architecture
        Hyper-parameters.
    seed
        Of the initial weights.

    Returns
    -------
    keras.Model
        float32 (n, height, width, 3) RGB in [0, 255] -> {"male": logits (n, 1), "attributes": logits (n, a)}; without
        auxiliary head only the former.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((architecture.height, architecture.width, 3), name="faces")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Conv2D(architecture.filters[0], 4, strides=2, padding="same", use_bias=False)(x)
    for stage, filters in enumerate(architecture.filters):
        for block in range(architecture.blocks):
            x = _residual(x, filters, stride=2 if stage and not block else 1)
    x = _activation(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if architecture.dropout:
        x = layers.Dropout(architecture.dropout, seed=seed)(x)
    outputs = {"male": layers.Dense(1, name="male")(x)}
    if architecture.attributes:
        outputs["attributes"] = layers.Dense(architecture.attributes, name="attributes")(x)
    return keras.Model(inputs, outputs, name="meanface")


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


def serving_network(network: keras.Model) -> keras.Model:
    """The part that is served: faces -> "male" logits (n, 1), without the training's auxiliary head."""
    return keras.Model(network.input, network.output["male"], name="meanface")
