"""What bytes are, whatever the name of their file says: archives, and what people save in place of one.

Photos are `analysis.data.kinds`'s.
"""

import html
import re
import tarfile

from analysis.core.words import printable
from analysis.data.kinds import kind_of

START = 4096  # bytes of a file that are looked at

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_FOREIGN = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"MSCF": "CAB", b"xar!": "XAR"}
_PICTURES = {  # and videos, which people send as photos
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\1\0": "an icon",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"\x1aE\xdf\xa3": "a video",
}
_TITLE = 80  # characters of a page's title that are shown


def compression(start: bytes) -> str | None:
    """Method that a whole file is compressed by: "gzip", "bz2", "xz", "zstd" or "lz4"; None if by none of these."""
    return next((method for mark, method in _COMPRESSED.items() if start.startswith(mark)), None)


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
    if foreign := next((name for mark, name in _FOREIGN.items() if start.startswith(mark)), None):
        return f"is a {foreign} archive, which cannot be read: unpack it and give the folder"
    if kind := kind_of(start):
        return f"is a photo ({kind.name}): give a folder or an archive of photos"
    return _mistaken_text(_text(start))


def no_photo(start: bytes) -> str | None:
    """Say what a file is that was taken for a photo.

    Parameters
    ----------
    start
        The file's first bytes, `START` of them or all; not those of a photo (`analysis.data.kinds.kind_of`).

    Returns
    -------
    str or None
        Such as "a PDF", "a zip archive" or "a web page"; None if nothing is known of it.
    """
    found = next((name for mark, name in _known_marks().items() if start.startswith(mark)), None)
    if found is None and start[4:8] == b"ftyp":
        found = "a camera's raw file" if start[8:11] == b"crx" else "a video"
    elif found is None and start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        found = "a video"
    elif found is None and is_tar(start):
        found = "a tar archive"
    return found or _no_photo_text(_text(start))


def _known_marks() -> dict[bytes, str]:
    archives = {mark: f"a {name} archive" for mark, name in (_FOREIGN | dict.fromkeys(_ZIP, "zip")).items()}
    return archives | {mark: f"a file compressed by {method}" for mark, method in _COMPRESSED.items()} | _PICTURES


def _no_photo_text(text: str) -> str | None:
    if re.match(r"(?i)(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype svg[^>]*>\s*)?<svg[\s>]", text):
        return "an SVG drawing"
    said = _mistaken_text(text)
    return said and said.removeprefix("is ").partition(" and not ")[0]


def _text(start: bytes) -> str:
    return start.replace(b"\0", b"").decode("utf-8", "replace").lstrip("\ufeff\ufffd \t\r\n")


def _mistaken_text(text: str) -> str | None:
    mistake = None
    if text.startswith("version https://git-lfs.github.com/"):
        mistake = "is a pointer of Git LFS and not the file itself: run `git lfs pull` where it came from"
    elif re.match(r"(?:\.\./)*\.?(?:git/annex|/annex)/objects/", text):
        mistake = "is a pointer of git-annex and not the file itself: run `git annex get` where it came from"
    elif re.match(r"(?i)<(?:!doctype\s+html|html|head|body)", text) or "<html" in text.lower():
        mistake = (
            f"is a web page{_title(text)} and not the file itself: sign in there if it asks, and download it again"
        )
    elif re.match(r"(?i)<(?:\?xml|[a-z]+[ >])", text):
        code = re.search(r"<(?:Code|Message)>([^<]+)<", text)
        mistake = f"is an XML answer{_shown(code)} and not the file itself: download it again"
    elif re.match(r'[{\[]\s*["{\[\]}]', text):
        mistake = f"is a JSON answer ({printable(text[:_TITLE].strip())}) and not the file itself: download it again"
    return mistake


def _title(page: str) -> str:
    return _shown(re.search(r"(?is)<title[^>]*>\s*(.*?)\s*</title>", page))


def _shown(found: "re.Match[str] | None") -> str:
    if not found or not found[1].strip():
        return ""
    return f" ({printable(' '.join(html.unescape(found[1]).split())[:_TITLE])})"
