"""Sessions of the explorer: as many as there is room for, each only as long as its page is open.

Closes gaps of bokeh-fastapi and Panel. A closed websocket is never reported to its session, which would then stay in
memory for as long as the server runs, and with it an uploaded photo. What a browser sent before it left is handled
without a session, which fails. A message that cannot be read or handled is logged with its content. An address may
choose the session to join, so that whoever sends a link could see what is uploaded there, and the place that a page
loads its scripts from. A page is made before anybody knows whether it is to be light or dark; the browser would see it
change. There is no public hook for any of it: private methods are wrapped and addresses are cleaned, and tests go
through both.
"""

import asyncio
import gc
import logging
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

from bokeh.document import Document
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from bokeh.util.token import get_session_id
from bokeh_fastapi import BokehFastAPI
from bokeh_fastapi.handler import WSHandler
from panel.config import config
from panel.io.state import set_curdoc
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analysis.core.memory import give_back
from dashboard.admission import Admission, address
from dashboard.gateway.headers import HEAD
from dashboard.gateway.proxies import route_path
from dashboard.problems import NO_STORE, Problem, busy

UNSEEN_SECONDS = 300  # that a page may take until it opens its session, as long as there is room
CHECK_SECONDS = 5
_LEFT_SECONDS = 15  # that a browser has to come back, when its network failed
_CROWDED_SECONDS = 15  # that a page has until it opens its session, when others want its room
_CONNECTIONS = 4  # of one session: a browser may come back before its old one is given up
_WAITING = 32  # pages that wait to be made
_PARTS = 200  # of a query; Panel fails over a thousand, and a page has fewer than 50
_THEME = "meanface-theme"  # cookie that a page sets before it opens its session; see frame.js
_LOGS = ("bokeh_fastapi.handler", "bokeh.server.protocol_handler")  # they log messages that they cannot handle
_tidying: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()  # sessions that have left meanwhile


def install() -> None:
    """Close the gaps of bokeh-fastapi, once per process."""
    if getattr(WSHandler, "_meanface", False):
        return
    receive = WSHandler._receive_loop

    async def receive_then_leave(self: WSHandler) -> None:
        session = self.connection.session
        try:
            await receive(self)
        finally:
            self.application.client_lost(self.connection)
            loop = asyncio.get_running_loop()
            loop.call_later(_LEFT_SECONDS, _expire, session)
            _tidy_later(loop)

    handle = WSHandler._handle

    async def handle_unless_left(self: WSHandler, message: Any) -> Any:
        # A browser that has left may have sent more before, which is still read: nobody waits for an answer to it.
        return await handle(self, message) if self.connection._session is not None else None

    WSHandler._receive_loop = receive_then_leave
    WSHandler._handle = handle_unless_left
    WSHandler._meanface = True
    for name in _LOGS:
        logging.getLogger(name).addFilter(_without_content)


def _tidy_later(loop: asyncio.AbstractEventLoop) -> None:
    """Give the memory of ended sessions back, once those that are ending now have ended."""
    waiting = _tidying.get(loop, 0)
    _tidying[loop] = waiting + 1
    if not waiting:
        loop.call_later(_LEFT_SECONDS + CHECK_SECONDS + 4, _tidy, loop)


def _tidy(loop: asyncio.AbstractEventLoop) -> None:
    left = _tidying.pop(loop, 0)
    gc.collect()  # a session is full of circles, which Python finds late where there is much else
    give_back()
    if left > 1:  # others have left since
        _tidying[loop] = 0
        _tidy_later(loop)


def _expire(session: ServerSession) -> None:
    if not session.destroyed and session.connection_count == 0:
        session.request_expiration()


def _without_content(record: logging.LogRecord) -> bool:
    """Keep the log message, drop what the browser sent."""
    if record.levelno >= logging.ERROR and record.args:
        record.msg, record.args, record.exc_info = str(record.msg).splitlines()[0].split(":")[0], (), None
    return True


class Sessions:
    """ASGI middleware in front of the explorer's pages: makes one at a time, and only while there is room.

    Parameters
    ----------
    app
        The app behind it, whose state has the ``explorer``.
    explorer
        The explorer's applications.
    admission
        Limits of rates.
    most
        Sessions that may be open at a time.
    """

    def __init__(self, app: ASGIApp, explorer: BokehFastAPI, admission: Admission, most: int) -> None:
        self._app = app
        self._contexts: dict[str, ApplicationContext] = explorer._applications
        self._admission = admission
        self._most = most
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make a page, open its session, or pass the request on."""
        path = route_path(scope) if scope["type"] in ("http", "websocket") else ""
        context = self._contexts.get(path.removesuffix("/ws") if scope["type"] == "websocket" else path)
        if context is None:
            await self._app(scope, receive, send)
            return
        if scope.get("query_string", b"").count(b"&") >= _PARTS and scope["type"] == "http":
            problem = Problem(414, f"the address has more than {_PARTS} parts: open the page without them")
            await problem.response()(scope, receive, send)
            return
        # Panel's addresses are relative to the page; it takes a prefix for a part of the page's own address.
        scope = {
            **scope,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": _harmless(scope.get("query_string", b"")),
        }
        if scope["type"] == "websocket":
            await self._join(context, scope, receive, send)
        elif scope["method"] == "GET":
            await self._open(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _join(self, context: ApplicationContext, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a page open its session, if there is one; Bokeh would make another, which does not fit the page."""
        try:
            session = context.get_session(get_session_id(scope["subprotocols"][1]))
        except Exception:  # of whatever a client sends instead of its page's token
            session = None
        if session is None or session.connection_count >= _CONNECTIONS:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            if HTTPConnection(scope).cookies.get(_THEME) == "dark":
                await session.with_document_locked(_darken, session.document)  # type: ignore[misc]
            await self._app(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make a page and its session."""
        if scope.get(HEAD):  # nobody will open a session
            head = HTMLResponse(headers=NO_STORE)
            del head.headers["Content-Length"]  # that of the page is not known before it is made
            await head(scope, receive, send)
            return

        async def send_uncached(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(NO_STORE)  # the page holds the key of its session
            await send(message)

        try:
            self._admission.check_rate("open", address(scope))
            if self._waiting >= _WAITING:
                raise self._admission.refused("sessions", busy("too many pages are being opened: try again soon", 5))
            self._waiting += 1
            try:
                async with self._turn:  # making a page takes the whole process: others are served between two
                    await asyncio.sleep(0)
                    await self._make_room()
                    await self._app(scope, receive, send_uncached)
            finally:
                self._waiting -= 1
        except Problem as problem:
            await problem.response()(scope, receive, send)

    async def _make_room(self) -> None:
        """Make room for one more session: those that no browser has opened are given up, the oldest first."""
        if sum(1 for _ in self._open_sessions()) < self._most:
            return
        idle = [
            (session.milliseconds_since_last_unsubscribe, session, context)
            for context, session in self._open_sessions()
            if session.connection_count == 0
        ]
        unseen, session, context = max(idle, key=lambda each: each[0], default=(0, None, None))
        if session is None or context is None or unseen < 1000 * _CROWDED_SECONDS:
            raise self._admission.refused(
                "sessions", busy(f"{self._most} pages of the explorer are open, which is all: try again soon", 15)
            )
        session.request_expiration()
        await context._cleanup_sessions(1000 * UNSEEN_SECONDS)

    def _open_sessions(self) -> Iterator[tuple[ApplicationContext, ServerSession]]:
        for context in self._contexts.values():
            for session in context.sessions:
                yield context, session


def count(contexts: Collection[ApplicationContext]) -> int:
    """Count the sessions of applications."""
    return sum(len(list(context.sessions)) for context in contexts)


def _darken(document: Document) -> None:
    """Make the components of a page dark before a browser has seen them, and those that come later."""
    with set_curdoc(document):
        config.theme = "dark"  # type: ignore[misc]
    for model in document.models:
        if "dark_theme" in model.properties():
            model.update(dark_theme=True)


def _harmless(query: bytes) -> bytes:
    """Drop what an address may tell Bokeh: the session to join, and where to load scripts from."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not name.lower().replace("_", "-").startswith("bokeh-")]
    return query if len(kept) == len(pairs) else urlencode(kept).encode()
