"""What a proxy in front of the server says: who the client is, and below which path the server is shown."""

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dashboard.settings import OWN_PATHS, PATH_PREFIX


def route_path(scope: Scope) -> str:
    """Get a request's path below the prefix under which the server is shown."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path[len(prefix) :] if _is_below(path, prefix) else path


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


class BehindProxy:
    """ASGI middleware that reads a proxy's headers into the scope.

    The prefix is put before the path, as ASGI has it, whether the proxy has cut it off or not.

    Parameters
    ----------
    app
        The app behind it.
    root_path
        Prefix where the proxy names none, such as "/meanface"; "" for none.
    trusted
        Addresses and networks of proxies that are believed; "*" for all.
    """

    def __init__(self, app: ASGIApp, root_path: str, trusted: tuple[str, ...]) -> None:
        self._root_path = root_path
        self._app = ProxyHeadersMiddleware(app, ["*"] if "*" in trusted else list(trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with what the proxy says of it."""
        if scope["type"] in ("http", "websocket") and (prefix := self._prefix(scope)):
            path: str = scope["path"]
            if path == prefix and scope["type"] == "http":  # links of the page there would lead out of the prefix
                query = scope.get("query_string", b"").decode("latin-1")
                redirect = RedirectResponse(f"{prefix}/{'?' if query else ''}{query}", status_code=308)
                await redirect(scope, receive, send)
                return
            # A prefix that is one of the server's own paths does not tell whether it was cut off: a proxy does that.
            if not _is_below(path, prefix) or prefix.split("/")[1] in OWN_PATHS:
                scope["path"] = prefix + path
                if scope.get("raw_path") is not None:
                    scope["raw_path"] = prefix.encode() + scope["raw_path"]
            scope["root_path"] = prefix
        await self._app(scope, receive, send)  # type: ignore[arg-type]

    def _prefix(self, scope: Scope) -> str:
        client = scope.get("client")
        if client and client[0] in self._app.trusted_hosts:
            named = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
            if PATH_PREFIX.fullmatch(named):
                return named
        return self._root_path
