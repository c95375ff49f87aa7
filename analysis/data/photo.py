"""Bytes of a photo -> checked, upright RGB pixels, or one clear line about what is wrong with them.

Knows image formats; knows nothing of faces. Ingest and the predictor both decode by it.
"""

import io
import warnings

import cv2
import numpy as np
from PIL import Image, ImageOps

from analysis.core.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000  # a 50-megapixel photo takes 150 MB as RGB
MIN_SIDE = 16  # pixels; no face can be told in less

# Segments of a JPEG that say nothing about orientation or colours: JFIF, a comment, tables.
_PLAIN = frozenset((0xE0, 0xFE, 0xDB, 0xC4))
# What a JPEG's decoder can divide both sides by while it decodes.
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


class PhotoError(UserError):
    """A photo that cannot be read; the message says why."""


def decode_photo(data: bytes) -> np.ndarray:
    """Decode a photo and turn it upright by its EXIF orientation.

    Transparent parts become white; of an animation the first frame is taken.

    Parameters
    ----------
    data
        Encoded JPEG, PNG, WebP, BMP, TIFF or GIF.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3), RGB.

    Raises
    ------
    PhotoError
        If the data is empty, in another format, truncated, smaller than 16 pixels on a side or larger than
        50 megapixels.
    """
    if not data:
        raise PhotoError("the file is empty: send a JPEG, PNG or WebP photo")
    if _plain_jpeg_size(data):
        # Three times as fast as Pillow and, by the same libjpeg-turbo, the same pixels.
        plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if plain is not None:
            return plain
    try:
        with warnings.catch_warnings():
            # Pillow only warns between one and two times its own limit; ours below is lower and an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PhotoError(f"the photo is over {MAX_PIXELS // 1_000_000} megapixels: send a smaller one") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoError("not a photo that can be read: send a JPEG, PNG, WebP, BMP, TIFF or GIF") from error
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(f"the photo is over {MAX_PIXELS // 1_000_000} megapixels: send a smaller one")
    if min(image.size) < MIN_SIDE:
        raise PhotoError(f"the photo is {image.width} x {image.height} pixels: at least {MIN_SIDE} a side are needed")
    try:
        image.load()
        return _rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise PhotoError("the photo is damaged or cut short: send the complete file") from error


def decode_reduced(data: bytes, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a photo that is going to be shrunk anyway, in a fraction of the time.

    A JPEG is decoded at a half, a quarter or an eighth of its size, by leaving out the finest frequencies of its cosine
    transform, as long as it stays no smaller than what is asked for; anything else as by `decode_photo`.

    Parameters
    ----------
    data
        As in `decode_photo`.
    height, width
        In pixels; what the caller is going to shrink it to.

    Returns
    -------
    pixels : numpy.ndarray
        uint8 (y, x, 3), RGB.
    size : tuple of int
        Height and width of the photo itself, in pixels.

    Raises
    ------
    PhotoError
        As `decode_photo`.
    """
    if size := _plain_jpeg_size(data):
        for factor, flag in _REDUCED.items():
            if size[0] >= factor * height and size[1] >= factor * width:
                reduced = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
                if reduced is not None:
                    return cv2.cvtColor(reduced, cv2.COLOR_BGR2RGB), size
    photo = decode_photo(data)
    return photo, (photo.shape[0], photo.shape[1])


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey: Pillow would clip it to white
        grey = np.asarray(image, dtype=np.float64)
        scale = 255 / 65535 if grey.max() > 255 else 1.0
        return np.repeat((grey * scale).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of what most photos are once they were resized: a whole JPEG of a size that is allowed.

    Baseline, 8 bits in three channels, without EXIF or colour profile, and not cut short. Whatever else there may be is
    Pillow's, as are all refusals: None.
    """
    if not (data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")):
        return None
    size, at = None, 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:  # the pixels begin: a marker among them, before the one that ends the file, is damage
            return size if data.count(b"\xff", at + 2) == data.count(b"\xff\x00", at + 2) + 1 else None
        if marker == 0xC0:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            allowed = min(height, width) >= MIN_SIDE and height * width <= MAX_PIXELS
            if not (data[at + 4] == 8 and data[at + 9] == 3 and allowed and size is None):
                return None
            size = height, width
        elif marker not in _PLAIN:
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
