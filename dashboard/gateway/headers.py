"""Headers that tell browsers what an answer may do, and answers to HEAD.

Of scripts, a page runs those of this server and those that are written in the page itself, by their hashes: none that
something else puts into it. Two liberties remain because Panel and Bokeh cannot do without: they evaluate code
('unsafe-eval') and load modules that they make in the page (blob:), and they set styles in place. es-module-shims,
with which Panel loads those modules, writes scripts of its own to learn what the browser can do: it is told a nonce
for them, another one in each answer.
"""

import base64
import hashlib
import html
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "meanface.head"  # in a scope: the request is a HEAD that the app answers as if it were a GET

_OF_ALL = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_RAW = [(name.lower().encode(), value.encode()) for name, value in _OF_ALL.items()]
_OF_PAGES = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
_SHIMS = b'<script type="esms-options"'  # es-module-shims takes the nonce from the first script that has one
_HANDLERS = re.compile(rb"""<[a-z][^<>]*?\son[a-z]+="([^"]*)\"""", re.IGNORECASE)
_INLINE = re.compile(rb"<script\b(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def with_policy(page: bytes) -> tuple[bytes, str]:
    """Write the Content-Security-Policy of a page, which lets the scripts that it holds run.

    Returns
    -------
    page : bytes
        The page, with a nonce where es-module-shims looks for one.
    policy : str
        Value of the header.
    """
    hashes = dict.fromkeys(base64.b64encode(hashlib.sha256(script).digest()) for script in _INLINE.findall(page))
    allowed = [f"'sha256-{each.decode()}'" for each in hashes]
    # What a button of the report does, such as to change the scheme, may be written in its tag.
    acts = dict.fromkeys(html.unescape(each.decode()) for each in _HANDLERS.findall(_INLINE.sub(b"", page)))
    if acts:
        digests = (base64.b64encode(hashlib.sha256(act.encode()).digest()).decode() for act in acts)
        allowed += ["'unsafe-hashes'", *(f"'sha256-{digest}'" for digest in digests)]
    if _SHIMS in page:
        nonce = secrets.token_urlsafe(16)
        page = page.replace(_SHIMS, _SHIMS + f' nonce="{nonce}"'.encode(), 1)
        allowed.append(f"'nonce-{nonce}'")
    scripts = " ".join([_OF_PAGES["script-src"], *allowed])
    return page, "; ".join(f"{name} {value}" for name, value in {**_OF_PAGES, "script-src": scripts}.items())


class PagePolicy:
    """ASGI middleware that gives each page its own Content-Security-Policy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a page once it is whole, with its policy."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        page = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None:
                await send(message)
            else:
                page.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    body, policy = with_policy(bytes(page))
                    headers = MutableHeaders(scope=start)
                    headers["Content-Security-Policy"] = policy
                    if "content-length" in headers:
                        headers["Content-Length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, send_whole)


def _is_page(start: Message) -> bool:
    # "Not modified" has no page: the browser keeps the policy that came with it. A part of a page is not shown.
    return start["status"] not in (206, 304) and Headers(raw=start["headers"]).get("content-type", "").startswith(
        "text/html"
    )


class SecurityHeaders:
    """ASGI middleware that adds to every answer the headers that it lacks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 304:
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _RAW if each[0] not in given)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HeadAsGet:
    """ASGI middleware that lets whatever answers GET answer HEAD, too: the same without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a HEAD on as a GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET", HEAD: True}, receive, send_head)
