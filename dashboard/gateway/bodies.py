"""Reads bodies no longer than it should: a client that dawdles is given up, and what nobody wants is not read."""

import asyncio
import contextlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.problems import Problem

_LINGER = 2.0  # seconds for which what is still being sent is taken and dropped, so that the client reads the answer
_DROPPED = 16 * 2**20  # bytes of it
_STALLED = 60.0  # seconds that a client may leave an answer lying


class Bodies:
    """ASGI middleware that limits pauses, and closes connections whose request is answered before it was read.

    Parameters
    ----------
    app
        The app behind it.
    read_seconds
        Longest pause within a body before the request is answered 408.
    """

    def __init__(self, app: ASGIApp, read_seconds: float) -> None:
        self._app = app
        self._read_seconds = read_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body in time, and end the connection if it was not read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        closing = False
        start: Message | None = None

        async def receive_soon() -> Message:
            nonlocal unread
            if not unread:
                return await receive()
            try:
                async with asyncio.timeout(self._read_seconds):
                    message = await receive()
            except TimeoutError:
                raise Problem(408, f"nothing more came for {self._read_seconds:g} seconds: send it again") from None
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def send_and_close(message: Message) -> None:
            nonlocal closing, start
            if message["type"] == "http.response.start":
                start = message  # is sent with the first part of the body, under one limit of time
                if unread:
                    closing = True
                    start = {**message, "headers": list(message.get("headers", []))}
                    MutableHeaders(scope=start)["Connection"] = "close"
                return
            ends = not message.get("more_body", False)
            async with asyncio.timeout(_STALLED):
                if start:
                    await send(start)
                    start = None
                await send({**message, "more_body": True} if ends and closing else message)
            if ends and closing:
                await linger()
                await send({"type": "http.response.body"})

        async def linger() -> None:
            # Closed at once, the connection would be reset under a client that is still sending.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    dropped, message = 0, await receive()
                    while message.get("more_body", False) and dropped < _DROPPED:
                        dropped += len(message["body"])
                        message = await receive()

        await self._app(scope, receive_soon, send_and_close)
