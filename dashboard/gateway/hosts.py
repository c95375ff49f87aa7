"""Under which host names the server answers."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.gateway.proxies import route_path
from dashboard.problems import Problem
from dashboard.settings import is_address

_HOST = re.compile(r"(?P<name>\[(?P<six>[0-9a-f:.]+)\]|[a-z0-9._-]+)(:(?P<port>[0-9]{0,5}))?", re.IGNORECASE)
# What looks after the server asks for it by its address.
_FOR_ANY_HOST = frozenset(("/healthz", "/livez", "/metrics", "/readyz"))


def host_name(header: str) -> str | None:
    """Read the name out of a ``Host`` header, in small letters, IPv6 addresses in brackets; None if it is malformed."""
    found = _HOST.fullmatch(header)
    if not found or int(found["port"] or 0) > 65535 or (found["six"] and not is_address(found["six"])):
        return None
    return found["name"].lower().rstrip(".") or None


class KnownHosts:
    """ASGI middleware that answers 400 to a malformed ``Host``, and to one that is not allowed.

    Parameters
    ----------
    app
        The app to guard.
    allowed
        Host names, a port after them does not matter; "*.example.org" for all below a domain, "*" for all.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        names = [host_name(host.removeprefix("*.")) or host for host in allowed]
        self._all = "*" in allowed
        self._allowed = {name for name, host in zip(names, allowed, strict=True) if not host.startswith("*.")}
        self._domains = tuple(f".{name}" for name, host in zip(names, allowed, strict=True) if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or (refusal := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal.response()(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        given = Headers(scope=scope).getlist("host")
        if not given and scope.get("http_version") == "1.0":
            given = [""]  # need not name one
        elif len(given) != 1 or host_name(given[0]) is None:
            return Problem(400, "the Host header is malformed")
        name = host_name(given[0]) or ""
        if self._all or name in self._allowed or name.endswith(self._domains) or route_path(scope) in _FOR_ANY_HOST:
            return None
        return Problem(400, f"nothing is served as {name or 'no host'}: whoever runs it can start it with --allow-host")
