"""Who may predict, how often, and how much at a time: what is over a limit is refused at once and told when to return.

Photos that are scored or wait for it are bounded, so that an accepted photo never waits long. `uploads` bounds the
bytes that are held meanwhile.
"""

import asyncio
import hmac
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.gateway.proxies import route_path
from dashboard.gateway.telemetry import Metrics
from dashboard.problems import Problem, busy
from dashboard.settings import Settings, hash_key

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]

_FULL = "the server is busy: try again in a moment"


class Admission:
    """What all requests of one server share.

    Parameters
    ----------
    settings
        The limits.
    metrics
        Where refusals are counted.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._places = asyncio.Semaphore(settings.queue)
        self._taken = 0
        self._limits = parse_many(settings.rate_limit) if settings.rate_limit else []
        self._hits = MovingWindowRateLimiter(MemoryStorage())
        self._keys = [key.partition(":")[::2] for key in settings.api_key]
        metrics.watch("photos_waiting", "Photos that are scored or wait for it.", lambda: self._taken)

    async def photo(self, score: Callable[[], Awaitable[T]], *, first: bool) -> T:
        """Score a photo of a request when it is its turn, and count it.

        Parameters
        ----------
        score
            Scores the photo.
        first
            Whether it is the request's first photo: further ones wait for a place where there is none.

        Raises
        ------
        Problem
            503 if there is no place, and what ``score`` raises.
        """
        if first:
            self.check_places()
        try:
            async with self._places:
                self._taken += 1
                try:
                    scored = await score()
                finally:
                    self._taken -= 1
        except Problem:
            self._metrics.photos_refused.inc()
            raise
        self._metrics.photos.inc()
        return scored

    def check_places(self) -> None:
        """Raise a `Problem`, 503, if there is no place for another photo."""
        if self._places.locked():
            raise self.refused("queue", busy(_FULL))

    def refused(self, reason: str, problem: Problem) -> Problem:
        """Count a refusal."""
        self._metrics.refused.labels(reason).inc()
        return problem

    def check_rate(self, what: str, who: str) -> None:
        """Raise a `Problem`, 429, if somebody does something too often."""
        for limit in self._limits:
            if not self._hits.hit(limit, what, who):
                reset = self._hits.get_window_stats(limit, what, who).reset_time
                seconds = max(1, math.ceil(reset - time.time()))
                detail = f"more than {limit}: try again in {seconds} s"
                raise self.refused("rate", Problem(429, detail, headers={"Retry-After": str(seconds)}))

    def name_of_key(self, headers: Headers) -> str | None:
        """Get the name of the API key that a request carries; None where none is needed.

        Raises
        ------
        Problem
            401 if the key is missing or unknown.
        """
        if not self._keys:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = hash_key(headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else ""))
        found = None
        for name, known in self._keys:  # all of them, so that the time tells nothing
            if hmac.compare_digest(given, known):
                found = name
        if found is None:
            detail = "an API key is needed: send it as X-API-Key, or as Authorization: Bearer"
            raise self.refused("key", Problem(401, detail, headers={"WWW-Authenticate": "Bearer"}))
        return found


def address(scope: Scope) -> str:
    """Get what stands for a client in rate limits: its address, of IPv6 the network of a household."""
    host = (scope.get("client") or ("",))[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else host


class Predictions:
    """ASGI middleware that admits requests for predictions, and gives up those that take too long.

    It answers them itself: what pages need is not in the way of a photo, nor FastAPI's own layers, which take as long
    as everything else.

    Parameters
    ----------
    app
        The app behind it, for all other requests.
    admission
        The limits.
    endpoints
        What answers each address that predicts.
    seconds
        Until a request is given up.
    """

    def __init__(self, app: ASGIApp, admission: Admission, endpoints: Mapping[str, Endpoint], seconds: float) -> None:
        self._app = app
        self._admission = admission
        self._endpoints = endpoints
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a request, or refuse it."""
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._endpoints.get(route_path(scope))
        if endpoint is None:
            await self._app(scope, receive, send)
        else:
            await (await self._answer(endpoint, scope, receive))(scope, receive, send)

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response:
        try:
            self._admit(scope)
            async with asyncio.timeout(self._seconds) as limit:
                return await endpoint(Request(scope, receive))
        except Problem as refusal:
            return refusal.response()
        except ClientDisconnect:
            return Problem(400, "the client left before the request was complete").response()  # nobody reads it
        except TimeoutError:
            if not limit.expired():
                raise
            detail = f"this took longer than {self._seconds:g} seconds: send fewer photos, or try again later"
            return self._admission.refused("time", busy(detail, 10)).response()

    def _admit(self, scope: Scope) -> None:
        try:
            key = self._admission.name_of_key(Headers(scope=scope))
        except Problem:
            self._admission.check_rate("predict", address(scope))  # nobody tries keys without end
            raise
        self._admission.check_rate("predict", f"key {key}" if key else address(scope))
        self._admission.check_places()
