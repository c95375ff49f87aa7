"""Makes each training face a little different every time it is seen: place, light, sharpness, what is hidden.

Knows batches of pixels; knows nothing of labels. Every random number is a function of the seed that is passed in, so
that training that is killed and started again sees the same pictures.
"""

import math

import tensorflow as tf

from model.predict import window_corner


def augment(faces: tf.Tensor, seed: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Distort a batch of faces and cut out what the network sees.

    Parameters
    ----------
    faces
        uint8 (n, 109, 89, 3), RGB, faces in the frame.
    seed
        int32 (2,).
    height, width
        Of the result, in pixels.

    Returns
    -------
    tf.Tensor
        float32 (n, height, width, 3) in [0, 255].
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int32), 6))
    x = tf.cast(_tight_crop(faces, seeds[0]), tf.float32)
    x = _place(x, seeds[1], height, width)
    x = _coarse(x, seeds[2])
    x = _light(x, seeds[3])
    x = _hide(x, seeds[4])
    return tf.clip_by_value(x + _noise(tf.shape(x), seeds[5]), 0.0, 255.0)


def _uniform(seed: tf.Tensor, index: int, shape: tuple, low: float, high: float) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, tf.random.fold_in(seed, index), low, high)


def _chance(seed: tf.Tensor, index: int, n: tf.Tensor, share: float) -> tf.Tensor:
    return _uniform(seed, index, (n,), 0.0, 1.0) < share


def _tight_crop(faces: tf.Tensor, seed: tf.Tensor, share: float = 0.35) -> tf.Tensor:
    """Repeat edges from a random box outwards, as alignment does with a photo that ends close to the face."""
    n, rows, columns = tf.shape(faces)[0], faces.shape[1], faces.shape[2]
    hit = tf.cast(_chance(seed, 0, n, share), tf.float32)[:, None]

    def side(index: int, size: int, low: float, high: float) -> tf.Tensor:
        near = _uniform(seed, index, (n, 1), 0.0, low) * size * hit
        far = size - 1 - _uniform(seed, index + 1, (n, 1), 0.0, high) * size * hit
        where = tf.minimum(tf.maximum(tf.range(size, dtype=tf.float32)[None], near), far)
        return tf.cast(where, tf.int32)

    faces = tf.gather(faces, side(1, rows, 0.35, 0.12), axis=1, batch_dims=1)
    return tf.gather(faces, side(3, columns, 0.22, 0.22), axis=2, batch_dims=1)


def _place(x: tf.Tensor, seed: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Rotate, scale, stretch, shift and mirror, all in one projective transform that also cuts out the window."""
    n, rows, columns = tf.shape(x)[0], x.shape[1], x.shape[2]
    top, _ = window_corner(rows, columns, height, width)
    angle = _uniform(seed, 0, (n,), -1.0, 1.0) ** 3 * math.radians(30)  # cubed: mostly small, now and then large
    scale = tf.exp(_uniform(seed, 1, (n,), -0.18, 0.18))
    stretch = tf.exp(_uniform(seed, 2, (n,), -0.07, 0.07))
    shift_x, shift_y = _uniform(seed, 3, (n,), -5.0, 5.0), _uniform(seed, 4, (n,), -5.0, 5.0)
    mirror = tf.where(_chance(seed, 5, n, 0.5), -1.0, 1.0)
    cos, sin = tf.cos(angle), tf.sin(angle)
    a, b = scale * stretch * cos * mirror, -scale / stretch * sin
    c, d = scale * stretch * sin * mirror, scale / stretch * cos
    # Output pixel (u, v), counted from the window's centre, is taken from the input at centre + matrix (u, v) + shift.
    u, v = (width - 1) / 2, (height - 1) / 2
    x0, y0 = (columns - 1) / 2 + shift_x, top + v + shift_y
    matrix = [a, b, x0 - a * u - b * v, c, d, y0 - c * u - d * v, tf.zeros_like(a), tf.zeros_like(a)]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack(matrix, axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _coarse(x: tf.Tensor, seed: tf.Tensor, share: float = 0.25) -> tf.Tensor:
    """Halve, or nearly quarter, the resolution of some faces."""
    n, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    for index, part in enumerate((2, 3)):
        small = tf.image.resize(x, (height // part, width // part), method="area")
        back = tf.image.resize(small, (height, width))
        x = tf.where(_chance(seed, index, n, share / (index + 1))[:, None, None, None], back, x)
    return x


@tf.function(jit_compile=True)  # a chain of element-wise steps: fused by XLA they take a third of the time
def _light(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change exposure, contrast, gamma, colour balance and saturation."""
    n = tf.shape(x)[0]

    def each(index: int, low: float, high: float, channels: int = 1) -> tf.Tensor:
        return _uniform(seed, index, (n, 1, 1, channels), low, high)

    x = 255.0 * tf.pow(tf.clip_by_value(x / 255.0, 1e-4, 1.0), tf.exp(each(0, -0.35, 0.35)))
    mean = tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True)
    x = (x - mean) * each(1, 0.65, 1.35) + mean + each(2, -32.0, 32.0)
    x = x * tf.exp(each(3, -0.12, 0.12, 3))
    grey = tf.reduce_sum(x * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
    saturation = tf.where(_chance(seed, 4, n, 0.12)[:, None, None, None], 0.0, each(5, 0.5, 1.4))
    return grey + (x - grey) * saturation


def _hide(x: tf.Tensor, seed: tf.Tensor, share: float = 0.3) -> tf.Tensor:
    """Cover a random rectangle of some faces with a random colour (Zhong et al., "Random Erasing", AAAI 2020)."""
    n, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    centre = _uniform(seed, 0, (n, 2), 0.0, 1.0) * [float(height), float(width)]
    half = _uniform(seed, 1, (n, 2), 0.06, 0.22) * [float(height), float(width)]
    rows = tf.abs(tf.range(height, dtype=tf.float32)[None] - centre[:, :1]) < half[:, :1]
    columns = tf.abs(tf.range(width, dtype=tf.float32)[None] - centre[:, 1:]) < half[:, 1:]
    inside = rows[:, :, None] & columns[:, None, :] & _chance(seed, 2, n, share)[:, None, None]
    colour = _uniform(seed, 3, (n, 1, 1, 3), 0.0, 255.0)
    return tf.where(inside[..., None], colour, x)


def _noise(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    strength = tf.random.stateless_uniform([shape[0], 1, 1, 1], tf.random.fold_in(seed, 0), 0.0, 6.0)
    # The same in the three channels, as grain is in luma: also a third of the random numbers.
    return strength * tf.random.stateless_normal([shape[0], shape[1], shape[2], 1], tf.random.fold_in(seed, 1))
