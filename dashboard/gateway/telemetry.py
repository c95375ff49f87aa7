"""Names, counts, times and logs requests. Nothing of a photo is told: no name, no content, no answer.

Addresses of clients are not logged either; a proxy in front of the server can do that.
"""

import logging
import logging.config
import re
import secrets
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.gateway.proxies import route_path

REQUEST_ID = "meanface.request_id"  # in a scope
_HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # an id of a proxy that is taken over
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_FILES = re.compile(r"/(static|components|api/assets)/")
_ROUTINE = frozenset(("/healthz", "/livez", "/metrics", "/readyz", "/static", "/explore/theme.css"))
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_log = logging.getLogger("dashboard.requests")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class Metrics:
    """What Prometheus reads of one server.

    Attributes
    ----------
    photos
        Photos that were scored.
    photos_refused
        Photos that could not be.
    refused
        Requests that were not admitted, by ``reason``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "meanface_requests", "Answered requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "meanface_request_seconds",
            "Seconds from a request to its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.photos = Counter("meanface_photos", "Photos that were scored.", registry=self.registry)
        self.photos_refused = Counter(
            "meanface_photos_refused", "Photos that could not be scored.", registry=self.registry
        )
        self.refused = Counter(
            "meanface_refused", "Requests that were not admitted.", ["reason"], registry=self.registry
        )

    def watch(self, name: str, documentation: str, value: Callable[[], float]) -> None:
        """Show a number that is read when Prometheus asks for it."""
        Gauge(f"meanface_{name}", documentation, registry=self.registry).set_function(value)

    def page(self) -> Response:
        """Make the answer to Prometheus."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class Telemetry:
    """ASGI middleware that gives each request an id, and counts, times and logs its answer.

    Parameters
    ----------
    app
        The app behind it.
    metrics
        Where it is counted.
    routes
        Addresses that are told apart; those of files are taken together, and everything else is the report.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its name, and tell of its answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_HEADER, "")
        name = given if _GIVEN.fullmatch(given) else secrets.token_hex(16)
        scope[REQUEST_ID] = name
        _request_id.set(name)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        status, began = 499, time.perf_counter()  # 499: the client left before there was an answer

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[_HEADER] = name
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        path = route_path(scope)
        route = path if path in self._routes else "/static" if _FILES.match(path) else "report"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _ROUTINE and status < 500 else logging.INFO
        if _log.isEnabledFor(level):
            address = (scope.get("raw_path") or path.encode()).decode("ascii", "backslashreplace")[:200]
            facts = {"method": method, "path": address, "status": status, "milliseconds": round(seconds * 1000, 1)}
            _log.log(level, "%s %s %d in %.1f ms", *facts.values(), extra=facts)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = _request_id.get()
    return True


def configure_logging(level: str, form: str) -> None:
    """Log to stderr.

    Parameters
    ----------
    level
        From which level on; what other packages say is logged from "warning" on, since some tell addresses
        and what was sent.
    form
        "text", or "json" for one JSON object a line.
    """
    named = {"asctime": "time", "levelname": "level", "name": "logger"}
    formats = {
        "text": {"format": "%(asctime)s %(levelname)s %(message)s %(request_id)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
            "rename_fields": named,
        },
    }
    own = {name: {"level": level.upper()} for name in ("dashboard", "model", "analysis")}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request_id": {"()": lambda: _add_request_id}},
            "formatters": {"form": formats[form]},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "form", "filters": ["request_id"]}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": own
            | {"bokeh": {"handlers": [], "propagate": True}},  # Bokeh and Dask give it one of theirs each
        }
    )
