"""Distorts training faces as `model.training.augment` drew it, with the operations of any backend of Keras."""

import math

import keras
import numpy as np
from keras import layers, ops

from model.training.augment import PARTS

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_QUANTISER = (  # of luma at quality 50; Annex K of the standard of JPEG (ITU-T T.81)
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_BLOCK = 8  # sides of a block of JPEG
_FEWEST = 8  # rows and columns that a coarse picture keeps at least
_SEED = 0  # of the block of grain, which is the same for all pictures, at another place in each


@keras.saving.register_keras_serializable("meanface")
class Distort(layers.Layer):
    """Cuts pictures out of aligned faces and distorts them; deterministic.

    Parameters
    ----------
    rows, columns
        Size of the result in pixels.
    """

    def __init__(self, rows: int, columns: int, **others: object) -> None:
        super().__init__(dtype="float32", trainable=False, autocast=False, **others)
        self.rows, self.columns = rows, columns

    def call(self, faces: keras.KerasTensor, draws: keras.KerasTensor) -> keras.KerasTensor:
        """Distort a batch.

        Parameters
        ----------
        faces
            uint8 (n, height, width, 3), RGB, aligned faces.
        draws
            float32 (n, `COLUMNS`), from `model.training.augment.draw`.

        Returns
        -------
        keras.KerasTensor
            float32 (n, rows, columns, 3) in [0, 255].
        """
        part = {name: draws[:, columns, None, None] for name, columns in PARTS.items()}  # each (n, length, 1, 1)
        part = {name: ops.transpose(values, (0, 2, 3, 1)) for name, values in part.items()}
        x = _sampled(faces, draws[:, PARTS["place"]], draws[:, PARTS["inside"]], self.rows, self.columns)
        coarse, blur = draws[:, PARTS["coarse"]], draws[:, PARTS["blur"]]
        x = ops.einsum("nij,njwc->niwc", _softening(coarse, blur, self.rows), x)
        x = ops.einsum("nvw,niwc->nivc", _softening(coarse, blur, self.columns), x)
        x = ops.power(ops.clip(x / 255, 1e-4, 1), part["gamma"])
        x = ((x - 0.45) * part["contrast"] + 0.45 + part["exposure"]) * part["tint"]
        x = ops.clip(x, 0, 1) * 255
        grey = ops.sum(x * _LUMA, axis=-1, keepdims=True)
        x = ops.clip(grey + part["colour"] * (x - grey), 0, 255)
        x = ops.where(_rectangle(draws[:, PARTS["covered"]], self.rows, self.columns), part["cover"], x)
        x = ops.clip(x + part["noise"] * self._grain(draws[:, PARTS["grain"]]), 0, 255)
        x = ops.where(part["jpeg"] > 0, _compressed(x, part["jpeg"]), x)
        return mixed(x, draws)

    def compute_output_shape(self, faces_shape: tuple, draws_shape: tuple) -> tuple:
        """Shape of the result."""
        return (faces_shape[0], self.rows, self.columns, 3)

    def get_config(self) -> dict:
        """What `keras.saving` makes the layer from."""
        return {"name": self.name, "rows": self.rows, "columns": self.columns}

    def _grain(self, corner: keras.KerasTensor) -> keras.KerasTensor:
        """Return a part of one block of noise for each picture, (n, rows, columns, 1), from ``corner`` in [0, 1) on."""
        block = np.random.default_rng(_SEED).standard_normal((2 * self.rows, 2 * self.columns), np.float32)
        top = ops.cast(corner[:, :1] * self.rows, "int32") + np.arange(self.rows, dtype=np.int32)
        left = ops.cast(corner[:, 1:] * self.columns, "int32") + np.arange(self.columns, dtype=np.int32)
        place = top[:, :, None] * (2 * self.columns) + left[:, None, :]
        return ops.take(ops.convert_to_tensor(block.ravel()), place)[..., None]


def mixed(values: keras.KerasTensor, draws: keras.KerasTensor) -> keras.KerasTensor:
    """Blend pictures, (n, h, w, 3), or targets, (n, 1), with those of the next face of the batch as it was drawn."""
    share = ops.reshape(draws[:, PARTS["mix"]], (-1,) + (1,) * (len(values.shape) - 1))
    return values + share * (ops.roll(values, -1, axis=0) - values)


def _sampled(
    faces: keras.KerasTensor, place: keras.KerasTensor, inside: keras.KerasTensor, rows: int, columns: int
) -> keras.KerasTensor:
    """Bilinear samples of each face, float32 (n, rows, columns, 3), at the pixels that an affine map leads to."""
    height, width = faces.shape[1:3]
    j, i = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    x = place[:, 0, None, None] * j + place[:, 1, None, None] * i + place[:, 2, None, None]
    y = place[:, 3, None, None] * j + place[:, 4, None, None] * i + place[:, 5, None, None]
    y = ops.clip(y, inside[:, 0, None, None], inside[:, 1, None, None])
    x = ops.clip(x, inside[:, 2, None, None], inside[:, 3, None, None])
    top, left = ops.floor(y), ops.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
    below, beside = ops.minimum(top + 1, height - 1), ops.minimum(left + 1, width - 1)
    pixels = ops.reshape(faces, (-1, 3))
    first = ops.cast(ops.arange(ops.shape(faces)[0]), "int32")[:, None, None] * (height * width)

    def at(row: keras.KerasTensor, column: keras.KerasTensor) -> keras.KerasTensor:
        return ops.cast(ops.take(pixels, first + row * width + column, axis=0), "float32")

    upper = at(top, left) * (1 - right) + at(top, beside) * right
    lower = at(below, left) * (1 - right) + at(below, beside) * right
    return upper * (1 - down) + lower * down


def _softening(coarse: keras.KerasTensor, blur: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """Matrices (n, side, side) that take resolution from one axis, and blur it.

    Resolution is lost by averaging over pixels of another size and drawing straight lines between their centres.
    """
    near = np.arange(side, dtype=np.float32)
    small = ops.maximum(float(_FEWEST), ops.round(coarse * side))[:, :, None]
    step = side / small
    start, end = near[None, :, None] * step, (near[None, :, None] + 1) * step
    overlap = ops.minimum(end, near + 1) - ops.maximum(start, near)
    reduced = ops.where(near[None, :, None] < small, ops.maximum(overlap, 0.0) / step, 0.0)
    centre = ops.clip((near[None, :, None] + 0.5) / step - 0.5, 0.0, small - 1)
    enlarged = ops.maximum(1 - ops.abs(centre - near), 0.0)
    resampled = ops.where((coarse < 1)[:, :, None], ops.matmul(enlarged, reduced), np.eye(side, dtype=np.float32))
    spread = ops.maximum(blur, 1e-3)[:, :, None]
    kernel = ops.exp(-((near[:, None] - near[None, :]) ** 2)[None] / (2 * spread**2))
    return ops.matmul(kernel / ops.sum(kernel, axis=-1, keepdims=True), resampled)


def _rectangle(edges: keras.KerasTensor, rows: int, columns: int) -> keras.KerasTensor:
    """Whether each pixel lies in the rectangle of its picture, bool (n, rows, columns, 1)."""
    i, j = np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32)
    down = ops.logical_and(i >= edges[:, 0:1], i < edges[:, 1:2])
    across = ops.logical_and(j >= edges[:, 2:3], j < edges[:, 3:4])
    return ops.logical_and(down[:, :, None], across[:, None, :])[..., None]


def _compressed(x: keras.KerasTensor, quality: keras.KerasTensor) -> keras.KerasTensor:
    """Pictures as JPEG would return them: cosine transforms of blocks, rounded; colour at half of the resolution."""
    rows, columns = x.shape[1:3]
    spare = [(0, -side % (2 * _BLOCK)) for side in (rows, columns)]
    x = ops.pad(x, [(0, 0), *spare, (0, 0)], mode="symmetric")
    luma = ops.sum(x * _LUMA, axis=-1, keepdims=True)
    colour = ops.concatenate(
        [x[..., 0:1] - luma, x[..., 2:3] - luma], axis=-1
    )  # red and blue, which green follows from
    colour = ops.mean(ops.reshape(colour, (-1, colour.shape[1] // 2, 2, colour.shape[2] // 2, 2, 2)), axis=(2, 4))
    quality = ops.clip(quality, 1.0, 99.0)
    scale = ops.where(quality < 50, 50 / quality, 2 - quality / 50)
    luma = _rounded(luma - 128, scale) + 128
    colour = ops.repeat(ops.repeat(_rounded(colour, scale), 2, axis=1), 2, axis=2)
    red, blue = luma + colour[..., 0:1], luma + colour[..., 1:2]
    green = (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return ops.clip(ops.concatenate([red, green, blue], axis=-1)[:, :rows, :columns], 0, 255)


def _rounded(planes: keras.KerasTensor, scale: keras.KerasTensor) -> keras.KerasTensor:
    """Planes, (n, h, w, c), whose blocks' coefficients are rounded to multiples of the quantiser times a scale."""
    rows, columns, channels = planes.shape[1:]
    down, across = rows // _BLOCK, columns // _BLOCK
    cosine = _cosines()
    found = ops.reshape(planes, (-1, down, _BLOCK, across, _BLOCK, channels))
    found = ops.einsum("ku,nyuxvc->nyxvck", cosine, found)
    found = ops.einsum("lv,nyxvck->nyxckl", cosine, found)
    found = ops.reshape(found, (-1, down * across * channels, _BLOCK * _BLOCK))
    step = ops.maximum(ops.reshape(scale, (-1, 1, 1)) * np.array(_QUANTISER, np.float32).reshape(1, 1, -1), 1.0)
    found = ops.reshape(ops.round(found / step) * step, (-1, down, across, channels, _BLOCK, _BLOCK))
    found = ops.einsum("ku,nyxckl->nyxclu", cosine, found)
    found = ops.einsum("lv,nyxclu->nyuxvc", cosine, found)
    return ops.reshape(found, (-1, rows, columns, channels))


def _cosines() -> np.ndarray:
    """Orthonormal discrete cosine transform of one side of a block, float32 (8, 8)."""
    k, u = np.mgrid[:_BLOCK, :_BLOCK]
    scale = np.where(k == 0, math.sqrt(1 / _BLOCK), math.sqrt(2 / _BLOCK))
    return (scale * np.cos(math.pi * (2 * u + 1) * k / (2 * _BLOCK))).astype(np.float32)
