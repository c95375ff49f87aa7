"""Decodes photos: bytes to checked, upright RGB pixels, or a one-line error.

Ingest and the predictor both use it. It raises only `PhotoError`, and no photo takes more than some 200 MB of memory:
the cost of a file is read from its header, large photos are decoded at half their size, and all are converted strip by
strip. Pillow decodes most photos; libvips, which streams, decodes large PNGs and the formats of which Pillow needs
several copies.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from PIL import Image

from analysis.core.errors import UserError
from analysis.core.memory import give_back
from analysis.data import containers, contents
from analysis.data.kinds import ALL_KINDS, Kind, kind_of, kinds, names

MAX_PIXELS = 52_000_000  # phones' "50 megapixels" are 8160 x 6144 or 8192 x 6144
FULL_PIXELS = 16_000_000  # larger photos are decoded at half their size
MIN_SIDE = 16  # pixels; a smaller face cannot be judged

_BUDGET = 175_000_000  # bytes that decoding a photo may take, besides the file
_CORE, _RGB = 4.0, 3.0  # bytes of a pixel, as Pillow holds it and as it is given out
_WEBP_PIXELS = 13_000_000  # of which libwebp holds several copies
_SCANS = 64  # of a progressive JPEG; encoders write 3 to 14
_SCANNED = 4e8  # pixels times scans: 8 scans of the largest photo, 2 seconds on a slow machine
_STRIP = 1_000_000  # pixels that are converted at a time
_LEAVES_HOLES = 4_000_000  # pixels: decoding a larger photo leaves free memory that is worth a millisecond
_DEPTHS = (255, 1023, 4095, 16383, 65535)  # white of 8, 10, 12, 14 and 16 bits
_HIGHLIGHTS = 0.999  # share of the values of a float picture that its white is at least
_BRIGHTEST = 32.0  # of a float picture whose white is 1: highlights may be several times as bright
_SAMPLED = 512  # pixels of a side that are looked at to tell how a deep picture is stored
_SMOOTHED = 1.5  # pixels, standard deviation: of 100 dithered portraits, all faces are found from 1 on

_CUT_SHORT = "the photo is damaged or cut short: send the complete file"
_JPEG, _TIFF = (next(kind for kind in ALL_KINDS if kind.format == name) for name in ("JPEG", "TIFF"))

_log = logging.getLogger(__name__)

Image.MAX_IMAGE_PIXELS = None  # ours is lower, and says the size


class PhotoError(UserError):
    """A photo that cannot be read; the message says why."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    Attributes
    ----------
    pixels
        uint8 (height, width, 3), RGB, upright; of a photo of more than 16 megapixels (WebP: 13) at half its size.
    width, height
        Size of the upright photo as it was sent, in pixels.
    """

    pixels: np.ndarray
    width: int
    height: int

    @property
    def shrink(self) -> int:
        """How many pixels of the photo a pixel of ``pixels`` is wide: 1 or 2."""
        return round(self.width / self.pixels.shape[1])


@contextlib.contextmanager
def only_photo_errors() -> Iterator[None]:
    """Let nothing but `PhotoError` out of what is done with a decoded photo.

    Raises
    ------
    PhotoError
        In place of any other exception.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        _log.warning("a photo that was decoded cannot be searched for faces", exc_info=True)
        raise PhotoError(
            "the photo cannot be searched for faces: save it again as JPEG or PNG, and send that"
        ) from error


def decode_photo(data: bytes) -> np.ndarray:
    """Decode a photo and turn it upright; see `read_photo`.

    Parameters
    ----------
    data
        Encoded photo.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3), RGB.

    Raises
    ------
    PhotoError
        As `read_photo` does.
    """
    return read_photo(data).pixels


def read_photo(data: bytes) -> Photo:
    """Decode a photo and turn it upright by its EXIF orientation.

    Transparent parts become white; of an animation the first frame is taken. What is odd in the metadata is passed
    over.

    Parameters
    ----------
    data
        Encoded photo of one of `analysis.data.kinds.kinds`.

    Returns
    -------
    Photo
        Upright, as RGB.

    Raises
    ------
    PhotoError
        If the data is empty, no photo or of a kind that cannot be read here, damaged, cut short, smaller than 16 pixels
        on a side, larger than 52 megapixels, or would take too much memory or time to decode.
    """
    if not data:
        raise PhotoError("the file is empty: send a photo")
    kind = kind_of(data)
    if kind is None:
        raise PhotoError(_no_photo(bytes(data[: contents.START])))
    if kind not in kinds():
        raise PhotoError(f"{kind.name} photos cannot be read here: install the package pillow-heif, or send a JPEG")
    try:
        photo = _smoothed(_DECODERS[kind.format](bytes(data)))
        if photo.width * photo.height > _LEAVES_HOLES:
            give_back()  # before faces are searched for, which takes as much again
        return photo
    except PhotoError:
        raise
    except MemoryError:
        raise PhotoError("the photo is too large to decode: send a smaller one") from None
    except Exception as error:
        _log.debug("a %s cannot be decoded", kind.name, exc_info=True)
        raise _undecodable(data, kind) from error


def _no_photo(start: bytes) -> str:
    if archive := contents.packed(start):
        return f"{archive}, not a photo: send the photos that are in it"
    what = contents.no_photo(start)
    return f"{what + ', ' if what else ''}not a photo that can be read: send a {names()}"


def _smoothed(photo: Photo) -> Photo:
    """Blur a photo whose channels have two values each, as the eye does: of its dots by themselves no face is made."""
    counted = [cv2.calcHist([photo.pixels], [channel], None, [256], [0, 256]) for channel in range(3)]
    if any(np.count_nonzero(counts) > 2 for counts in counted):
        return photo
    return replace(photo, pixels=cv2.GaussianBlur(photo.pixels, (0, 0), _SMOOTHED))


def _undecodable(data: bytes, kind: Kind) -> PhotoError:
    if containers.is_whole(data, kind):
        return PhotoError(f"this {kind.name} cannot be decoded: save it again as JPEG or PNG, and send that")
    return PhotoError(_CUT_SHORT)


def _check(kind: str, width: int, height: int, cost: float = 0.0) -> None:
    """Refuse a photo whose size says that it is too small or would take too much memory.

    Parameters
    ----------
    kind
        What it is, for the message.
    width, height
        Its size in pixels.
    cost
        Bytes of memory that decoding takes, for each pixel.
    """
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"the photo is {width} x {height} pixels: at least {MIN_SIDE} a side are needed")
    pixels = width * height
    limit = min(MAX_PIXELS, int(_BUDGET / cost)) if cost else MAX_PIXELS
    if pixels > limit:
        of_kind = "" if limit == MAX_PIXELS else f", the limit for {kind}"
        raise PhotoError(
            f"the photo is {width} x {height} pixels, {pixels / 1e6:.1f} megapixels, and too large to decode: "
            f"send one of up to {limit // 1_000_000} megapixels{of_kind}"
        )


def _jpeg(data: bytes) -> Photo:
    jpeg = containers.read_jpeg(data)
    pixels = max(jpeg.width * jpeg.height, 1)
    held = jpeg.held / pixels
    half = pixels > FULL_PIXELS or pixels * max(_CORE + held, _CORE + _RGB) > _BUDGET
    kind = "progressive JPEG" if held else "JPEG"
    _check(kind, jpeg.width, jpeg.height, _CORE / 4 + max(held, _RGB / 4) if half else _CORE + max(held, _RGB))
    if jpeg.scans > _SCANS or jpeg.scans * pixels > _SCANNED:
        raise PhotoError(
            f"this JPEG stores {jpeg.width} x {jpeg.height} pixels in {jpeg.scans} scans and takes too long to decode: "
            "save it again, not as a progressive one"
        )
    content = jpeg.data if jpeg.scans > 1 else _ended(jpeg.data)  # of several scans, the last ones may be missing
    image = Image.open(io.BytesIO(content), formats=("JPEG",))
    if half:
        image.draft(None, (jpeg.width // 2, jpeg.height // 2))  # decoded at half its size
    image.load()
    return _upright(_rgb(image, 1), jpeg.width, jpeg.height, jpeg.orientation)


def _ended(jpeg: bytes) -> bytes:
    """A JPEG with the mark of its end, which some cameras leave out; raises if it lacks anything else."""
    if containers.is_whole(jpeg, _JPEG):
        return jpeg
    jpeg += b"\xff\xd9"
    _open_vips("jpegload_buffer", jpeg, fail_on="warning").avg()  # Pillow would fill in what is missing
    return jpeg


def _png(data: bytes) -> Photo:
    png = containers.read_png(data)
    pixels = max(png.width * png.height, 1)
    half = pixels > FULL_PIXELS
    kind = "interlaced PNG" if png.held else "PNG"
    streamed = half or png.depth == 16  # Pillow keeps the upper 8 bits of 16, which may all be zero
    cost = (_RGB / 4 if half else _RGB) + png.held / pixels
    _check(kind, png.width, png.height, cost if streamed else _CORE + _RGB)
    if streamed:
        return _vips("pngload_buffer", png.data, orientation=png.orientation)
    image = Image.open(io.BytesIO(png.data), formats=("PNG",))
    image.load()
    return _upright(_rgb(image, 1), png.width, png.height, png.orientation)


def _webp(data: bytes) -> Photo:
    form = containers.webp_form(data)
    width, height = _vips_size("webpload_buffer", data)
    # Lossless pictures are decoded whole, and so is the canvas of an animation.
    half = width * height > _WEBP_PIXELS and form != "animated"
    cost = {"lossy": 3.2, "lossless": 5.3} if half else {"lossy": 12.0, "lossless": 12.0}
    _check(f"{form} WebP", width, height, cost.get(form, 16.0))
    return _vips("webpload_buffer", data, scale=0.5 if half else 1.0, size=(width, height))


def _tiff(data: bytes) -> Photo:
    tiff = containers.read_tiff(data)
    if tiff.preview:
        raise PhotoError("this is a camera's raw file: save it as JPEG, and send that")
    if not containers.is_whole(data, _TIFF):  # libtiff would fill in what is missing
        raise PhotoError(_CUT_SHORT)
    if not tiff.known:  # libvips would take colour differences for RGB, and give black for a method it lacks
        raise _undecodable(data, _TIFF)
    width, height = _vips_size("tiffload_buffer", data)
    kind = "TIFF stored in large pieces" if tiff.held > _STRIP else "TIFF"
    _check(kind, width, height, _RGB / 4 + tiff.held / max(width * height, 1))
    return _vips("tiffload_buffer", data, alpha=tiff.alpha)


def _pillow(data: bytes) -> Photo:
    """GIF, BMP and AVIF."""
    image = Image.open(io.BytesIO(data), formats=("GIF", "BMP", "AVIF"))
    width, height = image.size
    half = width * height > FULL_PIXELS
    core = 10.0 if image.format == "AVIF" else 1.0 if image.mode in ("1", "L", "P") else _CORE
    _check(image.format or "", width, height, core + (_RGB / 4 if half else _RGB))
    orientation = 1
    if image.format == "AVIF":
        orientation = containers.read_orientation(image.info.get("exif", b""))
    image.load()
    return _upright(_rgb(image, 2 if half else 1), width, height, orientation)


def _heif(data: bytes) -> Photo:
    import pillow_heif  # noqa: PLC0415 - an extra

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)  # turned upright already
    width, height = file.size
    _check("HEIC", width, height, 4.9 if file.mode == "RGB" else 7.0)
    return Photo(_reduced(np.asarray(file), 2 if width * height > FULL_PIXELS else 1), width, height)


_DECODERS: dict[str, Callable[[bytes], Photo]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "TIFF": _tiff,
    "GIF": _pillow,
    "BMP": _pillow,
    "AVIF": _pillow,
    "HEIF": _heif,
}


def _rgb(image: Image.Image, shrink: int) -> np.ndarray:
    """Pixels of a loaded picture as RGB, uint8 (height, width, 3), averaged over squares of ``shrink``; by strips."""
    width, height = image.size
    rows = max(shrink, _STRIP // width // shrink * shrink)
    if rows >= height and shrink == 1:
        return _converted(image)
    result = np.empty((height // shrink, width // shrink, 3), np.uint8)
    for top in range(0, height // shrink * shrink, rows):
        part = _reduced(_converted(image.crop((0, top, width, min(top + rows, height)))), shrink)
        result[top // shrink : top // shrink + len(part)] = part
    return result


def _converted(image: Image.Image) -> np.ndarray:
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _reduced(pixels: np.ndarray, shrink: int) -> np.ndarray:
    """RGB, uint8 (height, width, 3), of pixels with one channel or more, averaged over squares of ``shrink``."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if shrink > 1:
        height, width = pixels.shape[0] // shrink, pixels.shape[1] // shrink
        inside = pixels[: height * shrink, : width * shrink]
        return cv2.resize(inside[..., :3], (width, height), interpolation=cv2.INTER_AREA)
    return pixels[..., :3]


def _upright(pixels: np.ndarray, width: int, height: int, orientation: int) -> Photo:
    """A photo whose first row lies where EXIF's orientation says; ``width`` and ``height`` as stored."""
    if orientation in (2, 4, 5, 7):
        pixels = np.flip(pixels, axis=0 if orientation == 4 else 1)
    pixels = np.rot90(pixels, {3: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0))
    if orientation >= 5:
        width, height = height, width
    return Photo(np.ascontiguousarray(pixels), width, height)


def _vips_size(loader: str, data: bytes) -> tuple[int, int]:
    image = _open_vips(loader, data)
    return image.width, image.height


def _open_vips(loader: str, data: bytes, **options: Any) -> Any:
    import pyvips  # noqa: PLC0415 - most photos do without

    # More threads hold more strips, and may ask a reader that streams for rows out of order.
    pyvips.concurrency_set(1)
    pyvips.cache_set_max(0)
    return getattr(pyvips.Image, loader)(data, **{"access": "sequential", "fail_on": "truncated"} | options)


def _deep(image: Any, again: Callable[[], Any]) -> Any:
    """Bring a picture of more than 8 bits to 8, on white; ``again`` opens it once more, as it is read only once."""
    sample = again()
    sample = sample.subsample(max(1, sample.width // _SAMPLED), max(1, sample.height // _SAMPLED)).numpy()
    sample = sample.reshape(*sample.shape[:2], -1)
    if sample.dtype.kind == "f":
        colours = image.bands - image.hasalpha()
        white, opaque = _white_of_floats(sample[..., :colours]), _white_of_floats(sample[..., colours:])
    else:
        white = opaque = _white_of_integers(sample)
    if image.hasalpha():
        image = image.flatten(background=white, max_alpha=opaque)
    return (image * (255 / white)).cast("uchar")


def _white_of_integers(values: np.ndarray) -> float:
    """White as the number of bits says that the largest value needs: files of 16 bits may hold 10 or 12."""
    if not (values % 257).any():  # 8 bits, widened to 16
        return 65535.0
    most = float(values.max())
    depths = (*_DEPTHS[:-1], 32767, 65535) if values.dtype.kind == "i" else _DEPTHS
    return 1.0 if most <= 1 else next((white for white in depths if most <= white), most)


def _white_of_floats(values: np.ndarray) -> float:
    """White, 1 or that of a number of bits; of a picture with highlights far above 1 it is that of the highlights."""
    finite = values[np.isfinite(values)]
    most = float(np.quantile(finite, _HIGHLIGHTS)) if finite.size else 0.0
    if most <= _BRIGHTEST:
        return max(most, 1.0)
    return next((float(white) for white in _DEPTHS if most <= white), most)


def _without_extra(image: Any, alpha: int | None) -> Any:
    """Colours, and of further channels the one that says what is transparent; libvips takes the last for it."""
    colours = {"b-w": 1, "grey16": 1, "cmyk": 4}.get(image.interpretation, 3)
    if image.bands <= colours or (image.bands == colours + 1 and alpha is not None):
        return image
    kept = image.extract_band(0, n=colours)
    return kept if alpha is None else kept.bandjoin(image.extract_band(colours + alpha))


def _vips(
    loader: str,
    data: bytes,
    *,
    orientation: int | None = None,
    alpha: int | None = 0,
    scale: float = 1.0,
    size: tuple[int, int] | None = None,
) -> Photo:
    """Decode with libvips, row by row.

    Parameters
    ----------
    loader
        Name of its loader.
    data
        The photo.
    orientation
        EXIF's; None to take what libvips reads.
    alpha
        Which of the channels beyond the colours says what is transparent; the others are left out.
    scale
        What the loader scales by.
    size
        Width and height before that; None for what the loader says.
    """
    options = {} if scale == 1.0 else {"scale": scale}
    image = _open_vips(loader, data, **options)
    width, height = size or (image.width, image.height)
    if orientation is None:
        stored = image.get("orientation") if image.get_typeof("orientation") else 1
        orientation = stored if stored in range(1, 9) else 1
    image = _without_extra(image, alpha)
    half = scale == 1.0 and width * height > FULL_PIXELS
    if image.interpretation in ("cmyk", "lab", "labs", "xyz", "labq"):
        # A quarter of the pixels is converted: that takes longer than all else.
        image, half = image.shrink(2, 2) if half else image, False
        image = image.colourspace("srgb")
    if image.format != "uchar":
        image = _deep(image, lambda: _without_extra(_open_vips(loader, data, **options), alpha))
    elif image.hasalpha():
        image = image.flatten(background=255)
    if image.bands > 3:
        image = image.extract_band(0, n=3)
    if half:
        image = image.shrink(2, 2)
    pixels = np.frombuffer(image.write_to_memory(), np.uint8).reshape(image.height, image.width, image.bands)
    if image.bands < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    return _upright(pixels, width, height, orientation)
