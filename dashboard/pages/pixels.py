"""Pictures and maps as components in the browser read them."""

import base64

import numpy as np

QUALITY = 92  # of JPEGs of textures, which the browser draws anew in other shapes


def as_text(array: np.ndarray) -> str:
    """Write an array's bytes, little-endian and row by row, as base64."""
    return base64.b64encode(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()).decode("ascii")


def fitted(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take the nearest pixels of a map (y, x) at each pixel of another size (y, x)."""
    rows, columns = (np.arange(wanted) * given // wanted for wanted, given in zip(size, values.shape, strict=True))
    return values[np.ix_(rows, columns)]
