"""Pages of which other sites may talk to the server from a browser: none that was not allowed by name.

A page of another site that a visitor has open cannot open sessions of the explorer in that visitor's name, nor read the
API's answers.
"""

import logging
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.gateway.proxies import route_path

_log = logging.getLogger(__name__)
_API = ("/api/v1/", "/predict/", "/healthz/", "/api/openapi.json/")


class SameOriginWebSockets:
    """ASGI middleware that refuses websockets from other origins.

    A websocket is let through if its ``Origin`` is the ``Host`` that the request was sent to (which holds for
    localhost, 127.0.0.1, a host's name, and proxies that pass ``Host`` on) or is in ``allowed``.

    Parameters
    ----------
    app
        The app to guard.
    allowed
        Further origins, "HOST" or "HOST:PORT"; "*" allows all, and clients that name none, which no browser does.
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
        if "*" in self.allowed:
            return True
        if not (origin := headers.get("origin")):
            _log.warning(
                "refused a session to a client that names no origin: start with --allow-origin '*' to let it in"
            )
            return False
        try:
            site = urlsplit(origin).netloc.lower()
        except ValueError:  # no address
            return False
        if site == headers.get("host", "").lower() or {site, site.partition(":")[0]} & self.allowed:
            return True
        _log.warning("refused a session from %s: start with --allow-origin %s to let it in", origin, site)
        return False


class CrossOriginApi:
    """ASGI middleware that lets pages of named origins call the API, and nothing else.

    Parameters
    ----------
    app
        The app behind it.
    origins
        Origins such as "https://example.org"; "*" for all.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._named = bool(origins)
        self._api = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the headers that let its origin read the answer."""
        is_api = self._named and scope["type"] == "http" and f"{route_path(scope)}/".startswith(_API)
        await (self._api if is_api else self._app)(scope, receive, send)
