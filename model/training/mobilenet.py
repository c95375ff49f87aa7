"""MobileNet, and its weights out of a graph of TensorFlow.js.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017, as Keras
builds it, with batch normalisation folded into the convolutions. The weights that are known here
(`analysis.data.backbones`) come so, and what normalisation they had is lost with it.
"""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from analysis.core.errors import UserError

WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # channels: first convolution, blocks
_HALVING = {2, 4, 6, 12}  # blocks, counted from 1, whose sides are half of those before
_MEAN = (123.68, 116.779, 103.939)  # red, green and blue of ImageNet, which it was trained on before


def mobilenet_features(pictures: keras.KerasTensor, widths: tuple[int, ...]) -> keras.KerasTensor:
    """Pooled features, (n, last of ``widths``), of pictures, float32 (n, h, w, 3) RGB in [0, 255]."""
    x = layers.Rescaling(1.0, offset=[-mean for mean in _MEAN])(pictures)
    x = layers.ReLU(6.0)(layers.Conv2D(widths[0], 3, strides=2, padding="same", name="conv1")(x))
    for block, width in enumerate(widths[1:], 1):
        stride = 2 if block in _HALVING else 1
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", name=f"conv_dw_{block}")(x)
        x = layers.ReLU(6.0)(x)
        x = layers.ReLU(6.0)(layers.Conv2D(width, 1, name=f"conv_pw_{block}")(x))
    return layers.GlobalAveragePooling2D(name="features")(x)


def read_mobilenet(folder: Path) -> dict[str, list[np.ndarray]]:
    """Read the weights of the layers of `mobilenet_features` from a graph of TensorFlow.js.

    Parameters
    ----------
    folder
        With ``graph.json`` and ``weights.bin``; see `analysis.data.backbones`.

    Returns
    -------
    dict
        Name of the layer -> kernel and bias, float32. The graph reads blue, green and red; here the channels of the
        first kernel are turned round.

    Raises
    ------
    UserError
        If the graph lacks one of these, or is cut short.
    """
    stored = _stored(folder)
    try:
        known = {"conv1": _folded(stored, "conv1")}
        known["conv1"][0] = known["conv1"][0][:, :, ::-1]
        for block in range(1, len(WIDTHS)):
            name = f"conv_dw_{block}"
            scale = stored[f"{name}_bn/batchnorm_1/mul"]
            kernel = stored[f"{name}/depthwise_kernel"] * scale[:, None]
            known[name] = [kernel, stored[f"{name}_bn/batchnorm_1/sub"]]
            known[f"conv_pw_{block}"] = _folded(stored, f"conv_pw_{block}")
    except KeyError as error:
        raise UserError(f"{folder} holds another network, without {error}: fetch the backbone again") from None
    return known


def _folded(stored: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [stored[f"{name}/convolution/merged_input"], stored[f"{name}_bn/batchnorm_1/sub"]]


def _stored(folder: Path) -> dict[str, np.ndarray]:
    """Every constant of the graph by its name; floats of 16 bits become 32."""
    try:
        groups = json.loads((folder / "graph.json").read_text("utf-8"))["weightsManifest"]
        content = (folder / "weights.bin").read_bytes()
        values, start = {}, 0
        for facts in (facts for group in groups for facts in group["weights"]):
            kind = np.dtype(facts.get("quantization", facts)["dtype"])
            count = int(np.prod(facts["shape"]))
            values[facts["name"]] = np.frombuffer(content, kind, count, start).reshape(facts["shape"])
            start += count * kind.itemsize
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"the graph in {folder} is damaged ({error}): fetch the backbone again") from None
    return {name: array.astype(np.float32) for name, array in values.items()}
