"""What bytes are, whatever the name of their file says: archives, and what people save in place of one.

Photos are `analysis.data.kinds`'s.
"""

import html
import re
import tarfile
from collections.abc import Mapping

from analysis.core.words import printable
from analysis.data.kinds import kind_of

START = 4096  # bytes of a file that are looked at

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# How files begin: long enough that no text does so by chance.
_COMPRESSED = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
}
_FOREIGN = {
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "RAR": re.compile(rb"Rar!\x1a\x07"),
    "CAB": re.compile(rb"MSCF\0{4}"),
    "XAR": re.compile(rb"xar!\0"),
}
_PICTURES = {  # and videos, which people send as photos
    "a PDF": re.compile(rb"%PDF-"),
    "a Photoshop file": re.compile(rb"8BPS\0[\x01\x02]"),
    "a JPEG 2000 picture": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "a JPEG XL picture": re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"),
    "an icon": re.compile(rb"\0\0\x01\0[\x01-\xff]\0.{3}\0", re.S),
    "a camera's raw file": re.compile(rb"FUJIFILMCCD-RAW|\0.{3}ftypcrx", re.S),
    "a video": re.compile(
        rb"\0.{3}ftyp(?:isom|iso\d|mp4\d|avc1|qt  |M4V|3g|dash|F4V|MSNV|mmp4)|RIFF.{4}AVI |\x1aE\xdf\xa3", re.S
    ),
}
_SHOWN = 80  # characters of a page's title, or of an answer, that are shown


def compression(start: bytes) -> str | None:
    """Method that a whole file is compressed by: "gzip", "bz2", "xz", "zstd" or "lz4"; None if by none of these."""
    return _marked(start, _COMPRESSED)


def is_tar(start: bytes) -> bool:
    """Whether a file is a tar archive that is not compressed: its first 512 bytes hold a header with its checksum."""
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def is_zip(start: bytes) -> bool:
    """Whether a file begins as a zip archive does."""
    return start.startswith(_ZIP)


def mistaken(start: bytes) -> str | None:
    """Say what a file is that was taken for an archive or a table, and what to do, as the rest of a sentence.

    Parameters
    ----------
    start
        The file's first bytes, `START` of them or all.

    Returns
    -------
    str or None
        Such as "is a web page (Sign in): sign in there and download the file itself"; None if nothing is known of it.
    """
    if not start:
        return "is empty: fetch or copy it again"
    if foreign := _marked(start, _FOREIGN):
        return f"is a {foreign} archive, which cannot be read: unpack it and give the folder"
    if kind := kind_of(start):
        return f"is a photo ({kind.name}): give a folder or an archive of photos"
    text = _text(start)
    return (what := _written(text)) and f"is {what}{_shown(what, text)}{_REMEDIES[what]}"


def packed(start: bytes) -> str | None:
    """Say what kind of archive or compressed file begins so, such as "a zip archive"; None if it is none."""
    if is_zip(start):
        return "a zip archive or a document"  # many documents are one
    if method := compression(start):
        return f"a file compressed by {method}"
    if name := "tar" if is_tar(start) else _marked(start, _FOREIGN):
        return f"a {name} archive"
    return None


def no_photo(start: bytes) -> str | None:
    """Say what a file is that was taken for a photo, without a word of what is in it.

    Parameters
    ----------
    start
        The file's first bytes, `START` of them or all; not those of a photo (`analysis.data.kinds.kind_of`) and not
        `packed`.

    Returns
    -------
    str or None
        Such as "a PDF", "a video" or "a web page"; None if nothing is known of it.
    """
    return _marked(start, _PICTURES) or _written(_text(start))


def _marked(start: bytes, marks: Mapping[str, "re.Pattern[bytes]"]) -> str | None:
    return next((name for name, mark in marks.items() if mark.match(start)), None)


def _text(start: bytes) -> str:
    return start.replace(b"\0", b"").decode("utf-8", "replace").lstrip("\ufeff\ufffd \t\r\n")


# Photos that are sent are searched by these: each takes a time in proportion to the text.
def _written(text: str) -> str | None:
    """What a text is, one of `_REMEDIES`; None if nothing is known of it."""
    what, first = None, 0
    while before := _BEFORE.match(text, first):
        first = before.end()
    if text.startswith("version https://git-lfs.github.com/"):
        what = "a pointer of Git LFS"
    elif re.match(r"(?:\.\./)*\.?(?:git/annex|/annex)/objects/", text):
        what = "a pointer of git-annex"
    elif _PAGE.match(text, first):
        what = "a web page"
    elif _DRAWING.match(text, first):
        what = "an SVG drawing"
    elif text.startswith("<?xml") or (re.match(r"(?i)<[a-z]+[ >]", text) and "</" in text):
        what = "an XML answer"
    elif re.match(r'[{\[]\s*["{\[\]}]', text):
        what = "a JSON answer"
    return what


_BEFORE = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.S)  # what may stand before the first tag
_PAGE = re.compile(
    r"<(?:!doctype\s+html|html|head|body|title|meta|script|style|frameset|center|div|h[1-6]|p)(?![\w:-])", re.I
)
_DRAWING = re.compile(r"<(?:!doctype\s+svg|(?:\w+:)?svg)(?![\w:-])", re.I)
_REMEDIES = {
    "a pointer of Git LFS": " and not the file itself: run `git lfs pull` where it came from",
    "a pointer of git-annex": " and not the file itself: run `git annex get` where it came from",
    "a web page": " and not the file itself: sign in there if it asks, and download it again",
    "an SVG drawing": ": give a folder or an archive of photos",
    "an XML answer": " and not the file itself: download it again",
    "a JSON answer": " and not the file itself: download it again",
}


def _shown(what: str, text: str) -> str:
    """What a web page or an answer says of itself, in brackets."""
    said: str | None = None
    if what == "a JSON answer":
        said = text
    elif what == "a web page":
        said = (found := re.search(r"(?i)<title[^<>]*>([^<]*)", text)) and html.unescape(found[1])
    elif what == "an XML answer":
        said = (found := re.search(r"<(?:Code|Message)>([^<]+)<", text)) and html.unescape(found[1])
    said = " ".join((said or "").split())
    return f" ({printable(said[:_SHOWN])})" if said else ""
