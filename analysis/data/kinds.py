"""The kinds of photo that are supported everywhere, recognised by their first bytes.

HEIC is supported if the package ``pillow-heif`` is installed.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache

START = 64  # bytes of a file that `kind_of` looks at

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes of the header after a BMP's own: "BM" may begin a text, too
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}


@dataclass(frozen=True)
class Kind:
    """A kind of photo.

    Attributes
    ----------
    name
        Common name.
    format
        Pillow's name of the format.
    endings
        Endings of file names, in lower case and without the dot; the first is the usual one.
    """

    name: str
    format: str
    endings: tuple[str, ...]


_HEIC = Kind("HEIC", "HEIF", ("heic", "heif", "hif"))
ALL_KINDS = (
    Kind("JPEG", "JPEG", ("jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp", "mpo")),
    Kind("PNG", "PNG", ("png", "apng")),
    Kind("WebP", "WEBP", ("webp",)),
    Kind("AVIF", "AVIF", ("avif", "avifs")),
    _HEIC,
    Kind("TIFF", "TIFF", ("tif", "tiff")),
    Kind("BMP", "BMP", ("bmp", "dib")),
    Kind("GIF", "GIF", ("gif",)),
)


@cache
def kinds() -> tuple[Kind, ...]:
    """Kinds that can be read on this machine."""
    from PIL import features  # noqa: PLC0415 - who only asks for a file's kind does without

    heic = importlib.util.find_spec("pillow_heif") is not None
    can = {"HEIF": heic, "AVIF": features.check("avif"), "WEBP": features.check("webp")}
    return tuple(kind for kind in ALL_KINDS if can.get(kind.format, True))


@cache
def endings() -> tuple[str, ...]:
    """Endings of all kinds, those that cannot be read here included: such a file is named, not passed over."""
    return tuple(ending for kind in ALL_KINDS for ending in kind.endings)


def names() -> str:
    """Kinds that can be read on this machine, as a sentence names them: "JPEG, PNG, ... or GIF"."""
    *most, last = (kind.name for kind in kinds())
    return f"{', '.join(most)} or {last}"


def has_photo_ending(name: str) -> bool:
    """Whether a file's name says that it is a photo; many photos have no ending at all, see `kind_of`."""
    return name.rpartition(".")[2].lower() in endings() if "." in name else False


def kind_of(start: bytes) -> Kind | None:
    """Kind of a photo by its first bytes, whether it can be read here or not.

    Parameters
    ----------
    start
        The first `START` bytes of a file, or more.

    Returns
    -------
    Kind or None
        None if it is not a photo of a known kind.
    """
    found = _format(bytes(start[:START]))
    return next((kind for kind in ALL_KINDS if kind.format == found), None)


def _format(start: bytes) -> str | None:
    if start[4:8] == b"ftyp":
        brands = {start[at : at + 4] for at in (8, *range(16, int.from_bytes(start[:4], "big"), 4)[:START])}
        return "AVIF" if brands & _AVIF_BRANDS else "HEIF" if brands & _HEIC_BRANDS else None
    if start.startswith(b"RIFF"):
        return "WEBP" if start[8:12] == b"WEBP" else None
    if start.startswith(b"BM"):
        return "BMP" if int.from_bytes(start[14:18], "little") in _BMP_HEADERS else None
    return next((name for name, signatures in _SIGNATURES.items() if start.startswith(signatures)), None)
