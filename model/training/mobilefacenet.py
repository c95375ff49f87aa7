"""MobileFaceNet, and its weights out of a graph of TensorFlow.js.

Chen, Liu, Gao and Han, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices",
CCBR 2018. Its blocks widen, filter and narrow again, like those of Sandler et al., "MobileNetV2: Inverted Residuals and
Linear Bottlenecks", CVPR 2018; at the end each place of the face has weights of its own. The weights that are known
here (`analysis.data.backbones`) have normalisation folded into the convolutions.
"""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from analysis.core.errors import UserError

WIDTHS = (64, 64, 128, 128, 128, 128, 512)  # channels of the beginning, of each stage, of the end
BLOCKS = (5, 1, 6, 1, 2)  # blocks of each stage
_WIDER = (2, 4, 2, 4, 2)  # by how much the blocks of each stage widen
_HALVING = (True, True, False, True, False)  # stages whose first block halves the sides
_REDUCED = 16  # by how much the sides are divided before the end


def mobilefacenet_features(
    pictures: keras.KerasTensor, widths: tuple[int, ...], blocks: tuple[int, ...]
) -> keras.KerasTensor:
    """Features, (n, last of ``widths``), of pictures, float32 (n, side, side, 3) RGB in [0, 255].

    The network knows faces of 112 x 112 pixels with the eyes at (38, 52) and (74, 52).
    """
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128)(pictures)
    x = _activated(layers.Conv2D(widths[0], 3, strides=2, padding="same", name="first")(x), "first")
    x = _activated(layers.DepthwiseConv2D(3, padding="same", name="first_depthwise")(x), "first_depthwise")
    x = layers.Conv2D(widths[0], 1, name="first_last")(x)
    stages = zip(widths[1:-1], blocks, _WIDER, _HALVING, strict=True)
    for stage, (width, count, wider, halving) in enumerate(stages, 1):
        for block in range(1, count + 1):
            halves = halving and block == 1
            y = _block(x, width, wider, halves=halves, name=f"stage_{stage}_block_{block}")
            x = y if halves else layers.Add()([x, y])
    x = _activated(layers.Conv2D(widths[-1], 1, name="end")(x), "end")
    x = layers.DepthwiseConv2D(x.shape[1:3], name="places")(x)
    # The features have means of many times their spread, which a last layer learns slowly from.
    x = layers.BatchNormalization(momentum=0.95, name="end_norm")(x)
    return layers.Flatten(name="features")(x)


def _block(x: keras.KerasTensor, width: int, wider: int, *, halves: bool, name: str) -> keras.KerasTensor:
    y = _activated(layers.Conv2D(wider * x.shape[-1], 1, name=f"{name}_first")(x), f"{name}_first")
    y = layers.DepthwiseConv2D(3, strides=2 if halves else 1, padding="same", name=f"{name}_depthwise")(y)
    return layers.Conv2D(width, 1, name=f"{name}_last")(_activated(y, f"{name}_depthwise"))


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.PReLU(shared_axes=[1, 2], name=f"{name}_slope")(x)


def read_mobilefacenet(folder: Path, side: int) -> dict[str, list[np.ndarray]]:
    """Read the weights of the layers of `mobilefacenet_features` from a graph of TensorFlow.js.

    Parameters
    ----------
    folder
        With ``graph.json`` and ``weights.bin``; see `analysis.data.backbones`.
    side
        Rows and columns of the pictures that the network will see. The weights of places are for 112 pixels; for
        another size they are interpolated.

    Returns
    -------
    dict
        Name of the layer -> its arrays, float32.

    Raises
    ------
    UserError
        If the graph lacks one of these, or is cut short.
    """
    stored = _stored(folder)
    body = "MobileFaceNet/MobileFaceNet"
    known: dict[str, list[np.ndarray]] = {}

    def take(name: str, own: str, kind: str = "Conv2D") -> None:
        known[own] = [stored[f"{name}/{kind}_weights"], stored[f"{name}/{kind}_bn_offset"]]

    def take_slope(name: str, own: str) -> None:
        # A PReLU of slope s is max(x, 0) + (|x| - x) * -s / 2; the graph has the difference the wrong way round.
        known[f"{own}_slope"] = [-2 * stored[f"{name}/mul"][None, None]]

    try:
        take(f"{body}/Conv2d_0", "first")
        take_slope(f"{body}/Conv2d_0", "first")
        take(f"{body}/SeparableConv2d", "first_depthwise", "depthwise")
        take_slope(f"{body}/SeparableConv2d", "first_depthwise")
        take(f"{body}/Conv", "first_last")
        for stage, count in enumerate(BLOCKS, 1):
            for block in range(1, count + 1):
                name, own = f"{body}/Conv2d_{stage + 1}_InvResBlock_{block - 1}", f"stage_{stage}_block_{block}"
                take(f"{name}/Conv", f"{own}_first")
                take_slope(f"{name}/Conv", f"{own}_first")
                take(f"{name}/SeparableConv2d", f"{own}_depthwise", "depthwise")
                take_slope(f"{name}/SeparableConv2d", f"{own}_depthwise")
                take(f"{name}/Conv_1", f"{own}_last")
        take(f"{body}/Conv2d_7", "end")
        take_slope(f"{body}/Conv2d_7", "end")
        take("MobileFaceNet/Logits/SeparableConv2d", "places", "depthwise")
    except KeyError as error:
        raise UserError(f"{folder} holds another network, without {error}: fetch the backbone again") from None
    known["places"][0] = _as_large(known["places"][0], -(-side // _REDUCED))
    return known


def _as_large(kernel: np.ndarray, side: int) -> np.ndarray:
    """Weights of places for a picture of another size: interpolated, with the same sum over an even picture."""
    if kernel.shape[0] == side:
        return kernel
    resized = ops.image.resize(kernel[..., 0][None], (side, side), antialias=True)[0]
    return ops.convert_to_numpy(resized)[..., None] * np.float32(kernel.shape[0] / side) ** 2


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
