"""Answers what nobody foresaw: one line to the client, the rest to the log."""

import contextlib
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.gateway.telemetry import REQUEST_ID
from dashboard.problems import Problem

_log = logging.getLogger(__name__)


class Failures:
    """ASGI middleware that answers 500 where the app raises, and ends connections that cannot be answered any more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whatever is raised."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] == "websocket":
                # Whatever a client may send instead of the token of its page ends here.
                _log.warning("a session ended with %s", type(error).__name__)
                _log.debug("a session ended", exc_info=error)
                with contextlib.suppress(Exception):  # it may be closed already
                    await send({"type": "websocket.close", "code": 1011})
            elif started:
                _log.warning("an answer was cut short by %s", type(error).__name__, exc_info=error)
            elif isinstance(error, Problem):
                await error.response()(scope, receive, send)
            elif scope["type"] == "http":
                _log.exception("a request failed")
                detail = f"the server failed on this request; its log says why at {scope[REQUEST_ID]}"
                await Problem(500, detail).response()(scope, receive, send)
            else:
                raise
