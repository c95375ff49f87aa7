"""Photos of every kind, made of a composite face, and what can be wrong with them."""

import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from analysis.data.sources import demo_source


def portrait() -> Image.Image:
    """A composite face, no photo of a person."""
    with zipfile.ZipFile(demo_source()) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".jpg"))
        return Image.open(io.BytesIO(archive.read(name))).convert("RGB")


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def heic(image: Image.Image) -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=80)
    return buffer.getvalue()


def every_kind(face: Image.Image) -> dict[str, bytes]:
    """The same picture in each format and each way to store it that people's files have."""
    grey = face.convert("L")
    half_seen = face.convert("RGBA")
    half_seen.putalpha(Image.linear_gradient("L").resize(face.size).point(lambda value: 255 if value > 4 else value))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    bright = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    other = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    moving = {"save_all": True, "append_images": [other]}
    return {
        "jpeg": encoded(face, quality=90),
        "jpeg-progressive": encoded(face, progressive=True),
        "jpeg-grey": encoded(grey),
        "jpeg-cmyk": encoded(face.convert("CMYK"), quality=90),
        "mpo": encoded(face, "MPO", **moving),
        "png": encoded(face, "PNG"),
        "png-alpha": encoded(half_seen, "PNG"),
        "png-palette": encoded(face.quantize(64), "PNG", transparency=3),
        "png-16": encoded(deep, "PNG"),
        "png-grey-alpha": encoded(half_seen.convert("LA"), "PNG"),
        "png-animated": encoded(face, "PNG", **moving),
        "webp": encoded(face, "WEBP", quality=90),
        "webp-lossless": encoded(half_seen, "WEBP", lossless=True),
        "webp-animated": encoded(face, "WEBP", quality=90, **moving),
        "gif": encoded(face, "GIF"),
        "gif-animated": encoded(face, "GIF", **moving),
        "bmp": encoded(face, "BMP"),
        "bmp-palette": encoded(face.quantize(64), "BMP"),
        "tiff": encoded(face, "TIFF"),
        "tiff-lzw": encoded(face, "TIFF", compression="tiff_lzw"),
        "tiff-jpeg": encoded(face, "TIFF", compression="jpeg", quality=90),
        "tiff-16": encoded(deep, "TIFF"),
        "tiff-float": encoded(bright, "TIFF", compression="tiff_adobe_deflate"),
        "tiff-cmyk": encoded(face.convert("CMYK"), "TIFF"),
        "tiff-alpha": encoded(half_seen, "TIFF"),
        "avif": encoded(face, "AVIF", quality=80, speed=10),
        "heic": heic(face),
    }


def exif(orientation: int, *, tag: int = 0x011A, kind: int = 2, count: int = 4, value: bytes = b"72a\0") -> bytes:
    """An EXIF block with an orientation and one odd tag.

    Parameters
    ----------
    orientation
        1 to 8.
    tag, kind, count
        Of the other tag: its number, its type and how many values it says it has.
    value
        Its four bytes, or more, which then lie behind the tags.
    """
    inside = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", 38)
    entries = struct.pack("<HHII", 0x0112, 3, 1, orientation) + struct.pack("<HHI", tag, kind, count) + inside
    behind = value if len(value) > 4 else b""
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4) + behind


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def progressive_bomb(width: int, height: int, scans: int) -> bytes:
    """A small JPEG whose decoder goes over all of a large grey picture again and again."""
    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    bits, left = "", blocks
    while left > 0:  # runs of blocks without a coefficient
        run = min(max(left, 1 << 14), (1 << 15) - 1)
        bits += "0" + format(run - (1 << 14), "014b")
        left -= run
    bits += "1" * (-len(bits) % 8)
    empty = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    head = b"\xff\xd8\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    head += b"\xff\xc2" + struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 0x11, 0)
    for table, symbol in ((0x00, 0x00), (0x10, 0xE0)):
        head += b"\xff\xc4" + struct.pack(">HB", 20, table) + bytes([1] + [0] * 15) + bytes([symbol])
    first = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes((blocks + 7) // 8)
    again = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0) + empty
    return head + first + again * scans + b"\xff\xd9"


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    lambda data, rng: data[: rng.integers(1, len(data))],
    lambda data, rng: _flipped(data, rng, 1, len(data)),
    lambda data, rng: _flipped(data, rng, 20, len(data)),
    lambda data, rng: _flipped(data, rng, 3, min(len(data), 200)),  # where sizes and tables are
    lambda data, rng: data[: (cut := int(rng.integers(4, min(len(data), 400))))] + rng.bytes(len(data) - cut),
    lambda data, rng: data[: (cut := int(rng.integers(1, len(data))))] + data[cut // 2 :],
    lambda data, rng: data[: (cut := int(rng.integers(1, len(data))))] + bytes(len(data) - cut),
    lambda data, rng: data[:12] + b"\xff" * int(rng.integers(1, 32)) + data[12:],
)


def _flipped(data: bytes, rng: np.random.Generator, times: int, end: int) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(2, end, times):
        changed[at] = rng.integers(256)
    return bytes(changed)


MEMORY = """
import sys
from pathlib import Path

import cv2

from analysis.data.photo import PhotoError
from model.faces import faces_in_photo

def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000

cv2.setNumThreads(1)
data = Path(sys.argv[1]).read_bytes()
try:
    faces_in_photo(data)
    said = ""
except PhotoError as error:
    said = str(error)
print(round(peak()), said)
"""


def large_photos() -> dict[str, bytes]:
    """Photos of 49 and 50 megapixels, and of as many as a kind may have, in files that an upload may have."""
    shade = np.add.outer(np.arange(6144) // 24 % 256, np.arange(8160) // 32 % 256).astype(np.uint8)
    grey = Image.fromarray(shade)
    colour = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.FLIP_TOP_BOTTOM), grey))
    smaller = colour.resize((4032, 3024))
    deflate = {"compression": "tiff_adobe_deflate"}
    return {
        "jpeg": encoded(colour, quality=60),
        "jpeg-cmyk": encoded(colour.convert("CMYK"), quality=40),
        "jpeg-progressive-24": encoded(colour.resize((6000, 4000)), progressive=True, subsampling=0, quality=60),
        "png-rgb": encoded(colour, "PNG", compress_level=1),
        "png-rgba": encoded(Image.merge("RGBA", (*colour.split(), grey)), "PNG", compress_level=1),
        "png-16": encoded(Image.fromarray(shade.astype(np.uint16) * 257), "PNG", compress_level=1),
        "png-palette": encoded(colour.quantize(32), "PNG", compress_level=1),
        "tiff-float": encoded(Image.fromarray(shade[:7000, :7000].astype(np.float32)), "TIFF", **deflate),
        "tiff-16": encoded(Image.fromarray(shade.astype(np.uint16) * 257), "TIFF", **deflate),
        "gif-animated": encoded(smaller.quantize(32), "GIF", save_all=True, append_images=[smaller.quantize(16)]),
        "mpo": encoded(smaller, "MPO", save_all=True, append_images=[smaller]),
        "webp": encoded(colour, "WEBP", method=0, quality=40),
        "webp-lossless": encoded(colour, "WEBP", lossless=True, method=0, quality=0),
        "webp-animated": encoded(smaller, "WEBP", save_all=True, append_images=[smaller.rotate(180)], method=0),
        "avif-12": encoded(smaller, "AVIF", speed=10, quality=50),
    }


def memory_of_large_photos(folder: Path) -> dict[str, tuple[int, str]]:
    """Most memory, in MB, of a process that searches each of them for faces, and what it says of them."""
    taken = {}
    for kind, data in large_photos().items():
        assert len(data) < 10 << 20, kind
        (folder / "photo").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, folder / "photo"], capture_output=True, text=True, check=True
        )
        peak, _, said = done.stdout.strip().partition(" ")
        taken[kind] = (int(peak), said)
    return taken
