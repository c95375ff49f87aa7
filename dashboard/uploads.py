"""Reads uploaded photos from a request, one after the other, in memory only.

Starlette's own form parser writes parts over a megabyte to a temporary file, and gives out files only when the whole
body is there; here nothing touches the disk, and a file can be dropped as soon as it is scored.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dashboard.problems import Problem

MAX_FILE_BYTES = 10 * 2**20
MAX_FILES = 32
MAX_BODY_BYTES = MAX_FILES * MAX_FILE_BYTES + 2**20  # a megabyte for what surrounds the files
MAX_HELD_BYTES = 100 * 2**20  # of all requests together, while their files arrive and are scored
FIELD = "file"
_SHOWN = 60  # characters of a field's name in a message
_NO_CODING = {"Accept-Encoding": "identity"}


@dataclass
class Upload:
    """An uploaded file.

    Attributes
    ----------
    name
        File name as the client gave it, without folders; "" if it gave none.
    sent_as
        Form field that it came in; one in another field than `FIELD` is left out.
    data
        Its bytes; empty where it is too large or left out.
    size
        Number of bytes that came.
    """

    name: str
    sent_as: str = FIELD
    data: bytearray = field(default_factory=bytearray, repr=False)
    size: int = 0
    _given: int = 0

    @property
    def too_large(self) -> bool:
        """Whether it has more than `MAX_FILE_BYTES`."""
        return self.size > MAX_FILE_BYTES

    def take(self, part: bytes) -> None:
        """Keep a part of the file, as long as the whole is not too large.

        Raises
        ------
        Problem
            503 if too much is held already.
        """
        self.size += len(part)
        if self.too_large or self.sent_as != FIELD:
            self.drop()
            return
        if _held.bytes + len(part) > MAX_HELD_BYTES:
            raise Problem(503, "too many photos are being sent: try again in a moment", headers={"Retry-After": "2"})
        _held.bytes += len(part)
        self.data += part

    def content(self) -> bytes:
        """Bytes of the file, which are kept here no longer, but still counted as held."""
        content = bytes(self.data)
        self._given += len(content)
        self.data = bytearray()
        return content

    def drop(self) -> None:
        """Forget what was kept, and count it no longer."""
        _held.bytes -= len(self.data) + self._given
        self.data, self._given = bytearray(), 0


class _Held:
    """Bytes of uploads that are in memory; all are read and dropped by the one thread of the event loop."""

    bytes = 0


_held = _Held()


class _Parts:
    """Collects the parser's callbacks: ``complete`` holds the uploads that ended since it was last emptied, ``other``
    the name of the first field that is neither called ``file`` nor has a file's name.
    """

    def __init__(self) -> None:
        self.complete: list[Upload] = []
        self.ended = False
        self.other: str | None = None
        self.upload: Upload | None = None
        self._header = b""
        self._value = b""
        self._disposition = b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        self.upload, self._disposition = None, b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        sent_as = options.get(b"name", b"").decode("utf-8", "replace")
        name = _encoded_name(self._disposition) or options.get(b"filename", b"")
        if sent_as == FIELD or name:
            # Bytes that are no UTF-8 become \xe9, and so after folders have been cut off.
            self.upload = Upload(re.split(rb"[/\\]", name)[-1].decode("utf-8", "backslashreplace"), sent_as)
        elif self.other is None:
            self.other = sent_as

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.upload:
            self.upload.take(data[start:end])

    def _end(self) -> None:
        if self.upload:
            self.complete.append(self.upload)
        self.upload = None

    def _all(self) -> None:
        self.ended = True


def _encoded_name(disposition: bytes) -> bytes:
    """Name that a client gives in parts or encoded, ``filename*=UTF-8''...`` (RFC 8187, RFC 2231); else ``b""``.

    It goes before ``filename=``.
    """
    if b"*" not in disposition:
        return b""
    header = Message()
    header["Content-Disposition"] = disposition.decode("latin-1")
    with contextlib.suppress(LookupError, ValueError):  # a character set that is not known, or no number of a part
        for key, value in header.get_params([], "Content-Disposition"):
            if key == "filename" and isinstance(value, tuple):
                charset, _, text = value
                return (
                    text.encode("latin-1")
                    .decode(charset or "utf-8", "surrogateescape")
                    .encode("utf-8", "surrogateescape")
                )
            if key == "filename" and b"*0=" in disposition:
                return value.encode("latin-1")
    return b""


async def read_uploads(request: Request) -> AsyncIterator[Upload]:
    """Give out the files of a form as they arrive; each is dropped when the next one is asked for.

    Parameters
    ----------
    request
        A multipart/form-data request whose body was not read yet.

    Yields
    ------
    Upload
        In the order of the body; at most `MAX_FILES`. Those of other fields than ``file`` are named, without their
        bytes.

    Raises
    ------
    Problem
        400 if the body is not a complete multipart form, has no file or too many; 413 if it is longer than
        `MAX_BODY_BYTES`; 415 if it has another media type or is compressed; 422 if a field holds no file, such as an
        option; 503 if the server holds too many.
    """
    boundary = _boundary(request)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _body_too_large()
    parts, length, fields = _Parts(), 0, list[str]()
    parser = _parser(boundary, parts)
    try:
        async for chunk in request.stream():
            length += len(chunk)
            if length > MAX_BODY_BYTES:
                raise _body_too_large()
            try:
                parser.write(chunk)
            except FormParserError as error:
                raise Problem(400, "the body is not a valid multipart form") from error
            if parts.other is not None:
                raise _no_photo_in(parts.other)
            while parts.complete:
                upload = parts.complete[0]
                fields.append(upload.sent_as)
                if len(fields) > MAX_FILES:
                    raise Problem(400, f"more than {MAX_FILES} files: send them in several requests")
                yield upload
                parts.complete.pop(0).drop()
    finally:
        for upload in (*parts.complete, *([parts.upload] if parts.upload else [])):
            upload.drop()
    if length and not parts.ended:
        raise Problem(400, "the multipart form is cut short")
    if FIELD not in fields:
        found = f" (found {', '.join(f'`{other}`' for other in sorted(set(fields)))})" if fields else ""
        raise Problem(400, f"no photo: send one or more, each in a field named `{FIELD}`{found}")


def _boundary(request: Request) -> bytes:
    """Get what separates the parts of a form; a `Problem` for what is no form, or a compressed one."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise Problem(415, f"send the photos as multipart/form-data, each in a field named `{FIELD}`")
    if (coding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise Problem(415, f"the body is sent as Content-Encoding {coding}: send it as it is", headers=_NO_CODING)
    if not (boundary := options.get(b"boundary")):
        raise Problem(400, "the Content-Type names no boundary: let the HTTP client set it")
    return boundary


def _parser(boundary: bytes, parts: _Parts) -> MultipartParser:
    try:
        return MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
    except FormParserError as error:
        raise Problem(400, "the Content-Type's boundary is too long: let the HTTP client set it") from error


def _no_photo_in(field: str) -> Problem:
    return Problem(
        422,
        f"form.{field[:_SHOWN]}: is no photo; a form has photos only, each in a field named `{FIELD}`, and options are "
        "query parameters",
    )


def _body_too_large() -> Problem:
    return Problem(413, f"the request is over {MAX_BODY_BYTES // 2**20} MB: send fewer or smaller photos")
