"""Tables as text: their encoding and their separator."""

import codecs
import re

from analysis.core.errors import UserError
from analysis.core.words import printable
from analysis.data import contents

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}

_NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed by gzip",
}

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins like UTF-16's, so it must be checked first
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def as_utf8(where: str, content: bytes) -> bytes:
    """Bring a table into UTF-8 without a mark, with line breaks of one character.

    Bytes that are not UTF-8 in a table of eight-bit characters become ``\\xe9``, as in the names of files.

    Parameters
    ----------
    where
        Name of the file in messages.
    content
        Bytes of the file, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises
    ------
    UserError
        If it is not a table, such as a web page saved under the name, or ends within a character.
    """
    if mistake := contents.mistaken(content[: contents.START]):
        raise UserError(f"{printable(where)} {mistake}")
    if what := next((what for mark, what in _NO_TEXT.items() if content.startswith(mark)), None):
        raise UserError(f"{printable(where)} is {what}, and its name says that it is text: save it as CSV")
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS.items() if content.startswith(mark)), (b"", _guessed(content))
    )
    content = content[len(mark) :]
    if encoding != "utf-8":
        try:
            content = content.decode(encoding).encode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{printable(where)} is not whole {encoding.upper()} text ({error.reason}): copy it again"
            ) from None
    else:
        try:
            content.decode()
        except UnicodeDecodeError:
            content = content.decode("utf-8", "backslashreplace").encode()
    if re.search(rb"[\0-\x08\x0e-\x1f]", content[: contents.START]):
        raise UserError(f"{printable(where)} cannot be read, it is not text: expected a table")
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _guessed(content: bytes) -> str:
    """Encoding without a mark: of UTF-16 every other byte is zero, since tables are mostly digits and separators."""
    start = content[:1024]
    if start[1::2].count(0) * 2 > len(start) // 2:
        return "utf-16-le"
    if start[::2].count(0) * 2 > len(start) // 2:
        return "utf-16-be"
    return "utf-8"


def separator(line: str) -> str:
    """Separator of the columns of a line: the most frequent of comma, semicolon, tab and bar, else spaces."""
    most = max(",;\t|", key=line.count)
    return most if most in line else " "
