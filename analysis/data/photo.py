"""Bytes of a photo -> checked, upright RGB pixels, or one clear line about what is wrong with them.

Knows image formats; knows nothing of faces. Ingest and the predictor both decode by it.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from analysis.core.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000  # a 50-megapixel photo takes 150 MB as RGB
MIN_SIDE = 16  # pixels; a smaller face cannot be judged


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


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey: Pillow would clip it to white
        grey = np.asarray(image, dtype=np.float64)
        scale = 255 / 65535 if grey.max() > 255 else 1.0
        return np.repeat((grey * scale).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))
