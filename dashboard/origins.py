"""Who may open a session: pages of this server, and origins that were allowed by name.

A page of another site that a visitor has open cannot talk to the explorer in that visitor's name.
"""

import logging
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_log = logging.getLogger(__name__)


class SameOriginWebSockets:
    """ASGI middleware that refuses websockets from other origins.

    A websocket is let through if its ``Origin`` is the ``Host`` that the request was sent to (which holds for
    localhost, 127.0.0.1, a host's name, and proxies that pass ``Host`` on), is in ``allowed``, or is absent, as it is
    for clients other than browsers.

    Parameters
    ----------
    app
        The app to guard.
    allowed
        Further origins, "HOST" or "HOST:PORT"; "*" allows all.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self.app = app
        self.allowed = {origin.lower() for origin in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or close it before it is open."""
        if scope["type"] == "websocket" and not self._is_allowed(Headers(scope=scope)):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self.app(scope, receive, send)

    def _is_allowed(self, headers: Headers) -> bool:
        if not (origin := headers.get("origin")) or "*" in self.allowed:
            return True
        site = urlsplit(origin).netloc.lower()
        if site == headers.get("host", "").lower() or {site, site.partition(":")[0]} & self.allowed:
            return True
        _log.warning("refused a session from %s: start with --allow-origin %s to let it in", origin, site)
        return False
