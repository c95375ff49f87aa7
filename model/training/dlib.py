"""dlib's network for recognising faces, and its weights out of dlib's file.

A residual network of 29 convolutions (He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR
2016, with half the channels) that Davis King trained to tell 7,485 people apart on three million photos ("High Quality
Face Recognition with Deep Metric Learning", blog.dlib.net, 2017). Normalisation is folded into the convolutions. Its
last blocks may be left out: they hold most of the weights, and know more about who somebody is than is needed here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers

from analysis.core.errors import UserError

WIDTHS = (32, 64, 128, 256, 256)  # channels of each stage
BLOCKS = (3, 4, 3, 3, 1)  # residual blocks of each stage
_FIRST = 7  # sides of the first kernel
_SIDE = 3  # sides of the others
_MEAN = (122.782, 117.001, 104.298)  # red, green and blue of the photos that it learned from
_SCALE = 1 / 256
_LAYER = re.compile(rb"con_4|affine_")  # names of layers in dlib's file
_TENSOR = b"\x01\x02"  # what a tensor begins with in it: a number of one byte, version 2


def dlib_features(pictures: keras.KerasTensor, widths: tuple[int, ...], blocks: tuple[int, ...]) -> keras.KerasTensor:
    """Pooled features, (n, last of ``widths``), of pictures, float32 (n, h, w, 3) RGB in [0, 255]."""
    x = layers.Rescaling(_SCALE, offset=[-mean * _SCALE for mean in _MEAN])(pictures)
    x = layers.ReLU()(layers.Conv2D(widths[0], _FIRST, strides=2, name="first")(x))
    x = layers.MaxPooling2D(3, 2)(x)
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
        for block in range(1, count + 1):
            x = _residual(x, width, halving=stage > 1 and block == 1, name=f"stage_{stage}_block_{block}")
    # The features have a mean of many times their spread, which a last layer learns slowly from.
    x = layers.BatchNormalization(momentum=0.95, name="end_norm")(x)
    return layers.GlobalAveragePooling2D(name="features")(x)


def _residual(x: keras.KerasTensor, width: int, *, halving: bool, name: str) -> keras.KerasTensor:
    y = layers.Conv2D(
        width, _SIDE, strides=2 if halving else 1, padding="valid" if halving else "same", name=f"{name}_first"
    )(x)
    y = layers.Conv2D(width, _SIDE, padding="same", name=f"{name}_last")(layers.ReLU()(y))
    shortcut = layers.AveragePooling2D(2)(x) if halving else x
    if shortcut.shape[-1] != width:
        shortcut = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
    return layers.ReLU()(layers.Add()([_as_large(y, shortcut), _as_large(shortcut, y)]))


def _as_large(x: keras.KerasTensor, other: keras.KerasTensor) -> keras.KerasTensor:
    """As dlib adds: where one of the two has a row or column more, the other counts as zero there."""
    missing = [max(0, wanted - side) for side, wanted in zip(x.shape[1:3], other.shape[1:3], strict=True)]
    return layers.ZeroPadding2D(tuple((0, count) for count in missing))(x) if any(missing) else x


def read_dlib(folder: Path, blocks: tuple[int, ...]) -> dict[str, list[np.ndarray]]:
    """Read the weights of the layers of `dlib_features` from dlib's file.

    Parameters
    ----------
    folder
        With ``weights.dat``; see `analysis.data.backbones`.
    blocks
        Residual blocks of each stage, no more than `BLOCKS`.

    Returns
    -------
    dict
        Name of the layer -> kernel and bias, float32.

    Raises
    ------
    UserError
        If the file lacks one of these, or is cut short.
    """
    tensors = _tensors((folder / "weights.dat").read_bytes())
    try:
        known = {"first": _convolution(tensors, 3, WIDTHS[0], _FIRST)}
        before = WIDTHS[0]
        for stage, (width, wanted) in enumerate(zip(WIDTHS, blocks, strict=False), 1):
            for block in range(1, BLOCKS[stage - 1] + 1):
                name = f"stage_{stage}_block_{block}"
                pair = {
                    f"{name}_first": _convolution(tensors, before, width, _SIDE),
                    f"{name}_last": _convolution(tensors, width, width, _SIDE),
                }
                if before != width:  # dlib takes the channels that the input has not as zero
                    pair[f"{name}_shortcut"] = [np.eye(before, width, dtype=np.float32)[None, None]]
                before = width
                if block <= wanted:
                    known |= pair
                if (stage, block) == (len(blocks), wanted):
                    break
    except (ValueError, IndexError, StopIteration):
        raise UserError(f"the network in {folder} is damaged: fetch the backbone again") from None
    return known


def _convolution(tensors: Iterator[np.ndarray], inputs: int, outputs: int, side: int) -> list[np.ndarray]:
    """Kernel and bias of a convolution, with the factor and the offset for each channel that follow it."""
    values = next(tensors)
    factor, offset = next(tensors).reshape(2, outputs)
    kernel, bias = values[:-outputs].reshape(outputs, inputs, side, side), values[-outputs:]
    return [kernel.transpose(2, 3, 1, 0) * factor, bias * factor + offset]


def _tensors(content: bytes) -> Iterator[np.ndarray]:
    """Weights of one layer after the other, float32, flat, in the order in which a picture goes through them."""
    place = 0
    while layer := _LAYER.search(content, place):
        place = content.index(_TENSOR, layer.end()) + len(_TENSOR)
        size = 1
        for _ in range(4):  # dimensions, each as the number of its bytes and these
            digits = content[place]
            size *= int.from_bytes(content[place + 1 : place + 1 + digits], "little")
            place += 1 + digits
        values = np.frombuffer(content, "<f4", size, place)
        place += values.nbytes
        yield values
