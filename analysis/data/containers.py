"""The structure of a photo's bytes: size, cost of decoding and orientation, read before anything is decoded.

Metadata is removed here, so that no decoder fails on an odd tag.
"""

import io
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, TiffImagePlugin

from analysis.data.kinds import Kind, kind_of

# Pillow warns of every odd tag it meets; that is no news to whoever has a folder of photos.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

PLAIN_PIXELS = 2_000_000
PLAIN_BYTES = 4 * 2**20
_PLAIN_SCANNED = 2e7  # pixels times scans

_ORIENTATION = 0x0112  # EXIF's tag
_SEGMENTS = 4000  # of a JPEG before its pixels, or chunks of a plain PNG; ICC profiles and long XMP have a few hundred
_SCANS_COUNTED = 1000  # and no further
_JPEG_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_JPEG_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in compressed data 0xff stands before 0 or a restart marker
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:=["']|>)([1-8])""")
_NO_LENGTH = 0x7FFFFFFF
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TIFF_JPEG = (6, 7)
_TIFF_WHOLE = (*_TIFF_JPEG, 50001)  # methods by which a strip is decoded as a whole: JPEG and WebP
_TIFF_METHODS = (1, 2, 3, 4, 5, 8, 32773, 32946, 34676, 34677, *_TIFF_WHOLE)
_RAW_TAGS = (50706, 50740)  # DNG's version and private data: other cameras' raw files say that they are a preview


@dataclass(frozen=True)
class Jpeg:
    """What a JPEG says of itself.

    Attributes
    ----------
    width, height
        Pixels as stored, before it is turned upright.
    scans
        Number of passes over the picture; 1 where the first has all of it, whatever follows.
    held
        Bytes that the decoder holds until the last scan is read.
    plain
        Whether it is stored in the usual ways, baseline or progressive and with 8 bits.
    orientation
        EXIF's, 1 to 8; XMP's where EXIF has none.
    data
        The JPEG without its metadata.
    """

    width: int
    height: int
    scans: int
    held: int
    plain: bool
    orientation: int
    data: bytes


def read_jpeg(data: bytes) -> Jpeg:
    """Read a JPEG's structure.

    Raises
    ------
    ValueError
        If it has no picture, or its segments have no end.
    """
    view = memoryview(data)
    kept: list[bytes | memoryview] = [view[:2]]
    exif, xmp, frame = b"", b"", b""
    marker, at = 0, 2
    for _ in range(_SEGMENTS):
        at = data.find(b"\xff", at)
        while data[at : at + 1] == b"\xff" and at >= 0:  # fill bytes
            at += 1
        if at < 0 or at + 3 > len(data):
            raise ValueError("no picture")
        marker, length = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
        if marker == 0xD9:
            raise ValueError("no picture")
        if marker in (0x01, *range(0xD0, 0xD9)):  # no length
            at += 1
            continue
        if marker == 0xDA:
            break
        body = data[at + 3 : at + 1 + length]
        if marker in _JPEG_SIZES:
            frame = bytes([marker]) + body
        if marker == 0xE1 and body.startswith(b"Exif\0"):
            exif = exif or body
        elif marker == 0xE1 and body.startswith(_XMP):
            xmp = xmp or body
        jfif = marker == 0xE0 and body.startswith(b"JFIF\0") and length >= 14
        adobe = marker == 0xEE and body.startswith(b"Adobe") and length >= 12  # says how colours are stored
        if jfif or adobe or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept += [b"\xff", view[at : at + 1 + length]]
        at += 1 + length
    if marker != 0xDA or len(frame) < 7:
        raise ValueError("no picture")
    kept += [b"\xff", view[at:]]
    process, height, width, components = frame[0], *_shorts(frame[2:6]), frame[6]
    sampling = [frame[8 + 3 * component] for component in range(components)]
    progressive = process in _JPEG_PROGRESSIVE
    first = data[at + 3]  # components of the first scan
    scans = _count_scans(data, at) if progressive or first < components else 1
    plain = process in (0xC0, 0xC1, 0xC2) and frame[1] == 8
    return Jpeg(
        width=width,
        height=height,
        scans=scans,
        held=_coefficients(width, height, sampling) if progressive or scans > 1 else 0,
        plain=plain,
        orientation=_orientation(exif[5:].lstrip(b"\0"), xmp),
        data=b"".join(kept),
    )


def _shorts(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def _count_scans(data: bytes, at: int) -> int:
    """Number of scans from the first one, at ``at``, on."""
    scans = 0
    while at >= 0 and data[at] != 0xD9 and scans < _SCANS_COUNTED:
        scans += data[at] == 0xDA
        at += 1 + int.from_bytes(data[at + 1 : at + 3], "big")
        marker = _MARKER.search(data, at)
        if marker is None:
            break
        at = marker.start() + 1
    return scans


def _coefficients(width: int, height: int, sampling: list[int]) -> int:
    """Bytes of all coefficients, two each, of components with the given sampling factors (across * 16 + down)."""
    across, down = (max(1, *(factor >> shift & 15 for factor in sampling)) for shift in (4, 0))
    samples = sum((factor >> 4) * (factor & 15) for factor in sampling) / (across * down)
    return round(2 * width * height * samples)


@dataclass(frozen=True)
class Png:
    """What a PNG says of itself.

    Attributes
    ----------
    width, height
        Pixels as stored.
    depth
        Bits of a value.
    held
        Bytes that the decoder holds until the last row is read: all of an interlaced picture.
    plain
        Whether it has only the parts that every decoder knows, and not too many.
    orientation
        EXIF's, 1 to 8.
    data
        The PNG without its metadata; of an animation the first picture.
    """

    width: int
    height: int
    depth: int
    held: int
    plain: bool
    orientation: int
    data: bytes


def read_png(data: bytes) -> Png:
    """Read a PNG's structure.

    Raises
    ------
    ValueError
        If it does not begin as a PNG has to.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError("no header")
    view = memoryview(data)
    kept, exif, at, chunks, usual = [view[:8]], b"", 8, 0, True
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name in _PNG_NEEDED:
            kept.append(view[at : at + 12 + length])
        elif name == b"eXIf":
            exif = exif or data[at + 8 : at + 8 + length]
        elif name[:1].isupper():
            usual = False  # needed, and not known
        at += 12 + length
        chunks += 1
        if name == b"IEND":
            break
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    depth, colours, interlaced = data[24], data[25], data[28]
    channels = _PNG_CHANNELS.get(colours, 4)
    return Png(
        width=width,
        height=height,
        depth=depth,
        held=width * height * channels * depth // 8 if interlaced else 0,
        plain=usual and chunks <= _SEGMENTS,
        orientation=_orientation(exif.removeprefix(b"Exif\0\0"), b""),
        data=b"".join(kept),
    )


def is_plain(data: bytes) -> bool:
    """Whether a photo is small and of a kind that costs what its header says: JPEG with few scans, and PNG.

    Such a photo takes 100 milliseconds and 20 MB at most, whatever is in it; of all others that is only known once
    they are decoded. What is no photo is plain, too: it is refused by its first bytes.
    """
    if kind_of(data) is None:
        return True
    if len(data) > PLAIN_BYTES:
        return False
    try:
        if is_jpeg_or_png(data):
            photo = read_jpeg(data) if data[:1] == b"\xff" else read_png(data)
            pixels, scans = photo.width * photo.height, getattr(photo, "scans", 1)
            return photo.plain and pixels <= PLAIN_PIXELS and pixels * scans <= _PLAIN_SCANNED
    except (ValueError, IndexError):
        pass
    return False


def is_jpeg_or_png(data: bytes) -> bool:
    """Whether a photo is of the two kinds that cost what their headers say."""
    kind = kind_of(data)
    return kind is not None and kind.format in ("JPEG", "PNG")


def pixels_of(data: bytes) -> int | None:
    """Number of pixels of a photo by its header; None where it is not easily told."""
    kind = kind_of(data)
    size = _SIZES.get(kind.format) if kind else None
    try:
        return None if size is None else math.prod(size(data))
    except (ValueError, IndexError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    jpeg = read_jpeg(data)
    return jpeg.width, jpeg.height


def _webp_size(data: bytes) -> tuple[int, int]:
    name = data[12:16]
    if name == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if name == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "JPEG": _jpeg_size,
    "PNG": lambda data: (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")),
    "GIF": lambda data: (int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")),
    "WEBP": _webp_size,
}


def read_orientation(exif: bytes) -> int:
    """EXIF's orientation, 1 to 8, of a block that begins with the byte order; 1 if there is none that makes sense."""
    return _orientation(exif.removeprefix(b"Exif\0\0"), b"")


def _orientation(exif: bytes, xmp: bytes) -> int:
    orientation: int | None = None
    if exif:
        try:
            tags = Image.Exif()
            tags.load(exif)
            value = tags.get(_ORIENTATION)
            orientation = None if value is None else int(value[0] if isinstance(value, tuple) else value)
        except Exception:  # whatever is wrong with a tag, the photo is as good as without
            orientation = None
    if orientation is None and (named := _XMP_ORIENTATION.search(xmp)):
        orientation = int(named[1])
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


@dataclass(frozen=True)
class Tiff:
    """What a TIFF says of its first picture; of one whose tags cannot be read, what is usual.

    Attributes
    ----------
    preview
        Whether it is a small copy of what a camera's raw file holds elsewhere.
    known
        Whether it is compressed by a method that is decoded everywhere, and not into luminance and colour differences,
        unless by JPEG, whose decoder makes RGB of them.
    alpha
        Which of the channels beyond the colours says what is transparent; None where none does. Programs keep
        selections and infrared there, too.
    held
        Bytes that the decoder holds besides a few rows: of strips and tiles that it decodes as a whole.
    """

    preview: bool = False
    known: bool = True
    alpha: int | None = 0
    held: int = 0


def read_tiff(data: bytes) -> Tiff:
    """Read a TIFF's structure."""
    if data[8:10] == b"CR":
        return Tiff(preview=True)
    try:
        tags = _tiff_tags(data)
        compression, photometric = tags.get(259, 1), tags.get(262)
        extra = np.ravel(tags.get(338, ())).tolist()
        return Tiff(
            preview=tags.get(254) == 1 or any(tag in tags for tag in _RAW_TAGS),
            known=compression in _TIFF_METHODS and (photometric != 6 or compression in _TIFF_JPEG),
            alpha=next((at for at, kind in enumerate(extra) if kind in (1, 2)), None) if extra else 0,
            held=_held_of_tiff(tags),
        )
    except Exception:  # whatever is wrong with a tag, the decoder may know better
        return Tiff()


def _tiff_tags(data: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Tags of a TIFF's first picture, also of the form with 64 bits, which `PIL.Image.Exif` does not read."""
    tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:4] in (b"+\0", b"\0+") else 8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _held_of_tiff(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    """Bytes that libtiff and libvips hold of a piece, as measured: strips of most methods are decoded row by row."""
    width, height = int(tags[256]), int(tags[257])
    tiled, apart = 322 in tags, tags.get(284) == 2
    across = int(tags[322]) if tiled else width
    down = int(tags[323]) if tiled else min(int(tags.get(278, height)), height)
    piece = across * down * int(tags.get(277, 1)) * max(np.ravel(tags.get(258, 1)).tolist()) / 8
    if tiled or tags.get(259, 1) in _TIFF_WHOLE:
        return round(2.5 * piece)
    return round(1.5 * piece) if apart else 0


def webp_form(data: bytes) -> Literal["lossy", "lossless", "animated"]:
    """How a WebP is stored."""
    at = 12
    while at + 8 <= len(data):
        name = data[at : at + 4]
        if name == b"ANIM":
            return "animated"
        if name == b"VP8L":
            return "lossless"
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return "lossy"


def is_whole(data: bytes, kind: Kind) -> bool:
    """Whether a file of a kind ends where its own structure says that it ends; True where it says nothing."""
    return _ends[kind.format](data)


def _boxes_end(data: bytes) -> int:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # 0: to the end of the file
            return len(data)
        at += size
    return at


def _strips_end(data: bytes) -> int:
    tags_begin = int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big")
    if tags_begin + 2 > len(data) and data[2:4] in (b"*\0", b"\0*"):
        return tags_begin + 2
    try:
        tags = _tiff_tags(data)
        starts, lengths = (tags.get(273, tags.get(324, ())), tags.get(279, tags.get(325, ())))
        starts, lengths = np.ravel(starts).astype(np.int64), np.ravel(lengths).astype(np.int64)
        lengths[lengths >= _NO_LENGTH] = 0  # written by some where it is not known
        return int((starts + lengths).max(initial=0))
    except Exception:
        return 0


_ends: dict[str, Callable[[bytes], bool]] = {
    "JPEG": lambda data: data.find(b"\xff\xd9", max(data.rfind(b"\xff\xda"), 0)) >= 0,
    "PNG": lambda data: b"IEND" in data,
    "WEBP": lambda data: int.from_bytes(data[4:8], "little") + 8 <= len(data),
    "GIF": lambda data: data.rstrip(b"\0").endswith(b";"),
    "BMP": lambda data: int.from_bytes(data[2:6], "little") <= len(data),
    "AVIF": lambda data: _boxes_end(data) <= len(data),
    "HEIF": lambda data: _boxes_end(data) <= len(data),
    "TIFF": lambda data: _strips_end(data) <= len(data),
}
