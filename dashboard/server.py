"""One ASGI app: the report at /, the explorer at /explore, the API at /api.

The three are made elsewhere and put together here. Everything that a page loads comes from this server, fonts and the
API's documentation included.
"""

import contextlib
import gc
import inspect
import logging
import os
import secrets
import threading
from collections.abc import AsyncIterator, Collection, Mapping
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from panel.io.fastapi import add_applications
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from analysis.core.errors import UserError
from analysis.core.memory import give_back
from analysis.results import Results
from analysis.results.stored import Artifact
from dashboard import api, components, explorer, problems, sessions
from dashboard.admission import Admission, Endpoint, Predictions
from dashboard.chrome import Shared
from dashboard.gateway.bodies import Bodies
from dashboard.gateway.failures import Failures
from dashboard.gateway.headers import HeadAsGet, PagePolicy, SecurityHeaders
from dashboard.gateway.hosts import KnownHosts
from dashboard.gateway.origins import CrossOriginApi, SameOriginWebSockets
from dashboard.gateway.protocol import Protocol
from dashboard.gateway.proxies import BehindProxy
from dashboard.gateway.telemetry import Metrics, Telemetry
from dashboard.pages import PAGES
from dashboard.pages.everyone import everyone
from dashboard.scoring import NotReadyError, Scorer
from dashboard.sessions import Sessions
from dashboard.settings import Settings
from model.predict import Predictor

_log = logging.getLogger(__name__)
_MESSAGE = 8 * 2**20  # bytes of a websocket message: twice the piece in which a page sends a photo


class _Files(StaticFiles):
    """Files of the report but its page for what is missing, whose links are right where a static host serves it."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return ("", None) if path == "404.html" else super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            await super().get_response(path, {**scope, "method": "HEAD"})  # an address that is not there is 404 for all
        return await super().get_response(path, scope)


class _Site:
    """The rendered report, which answers all requests that no other route answers.

    It is the router's default rather than a mount at "/", which would answer a GET of the API's POST routes too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = _Files(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        elif not self._folder.is_dir():
            raise HTTPException(404)
        else:
            await self._files(scope, receive, send)


def create_app(
    results: Path, site: Path, predictor: Predictor | None = None, settings: Settings | None = None
) -> FastAPI:
    """Make the app that serves a run.

    Parameters
    ----------
    results
        Folder of the published run.
    site
        Folder of the rendered report; may appear later.
    predictor
        The loaded model; by default it is loaded from ``results`` when the app starts, and until then /readyz and
        the API answer 503.
    settings
        What an operator sets; by default what the environment says, under any host name.

    Returns
    -------
    fastapi.FastAPI
        Run it with an ASGI server in one process: sessions live in its memory.
    """
    settings = settings or Settings.read(allow_host="*")
    run = Results(results)
    scorer = Scorer(
        lambda: predictor or Predictor.load(results / "model", threads=1),
        decode_seconds=settings.decode_seconds,
        decode_processes=settings.decode_processes,
        score_processes=settings.score_processes,
    )
    if predictor is not None:
        scorer.load()
    metrics = Metrics()
    admission = Admission(settings, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.loading = scorer.start()
        threading.Thread(target=_read, args=(run,), name="read", daemon=True).start()
        yield
        scorer.close()

    app = FastAPIOffline(
        title="meanface",
        version=version("meanface"),
        description=api.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url="/api/assets",
        lifespan=lifespan,
    )
    problems.install(app)
    predicting = api.router(scorer, admission)
    app.include_router(predicting)
    for path, answer in (("/api/docs", _api_docs), ("/explore/theme.css", _theme_css), ("/metrics", metrics.page)):
        app.add_api_route(path, answer, include_in_schema=False)
    pages = explorer.applications(Shared(run, scorer, settings))
    app.state.explorer = add_applications(
        pages,
        app=app,
        title={page.path: f"{page.title} - meanface" for page in PAGES},
        # Tokens of sessions hold these: pages need none, and they may be secrets of a proxy.
        include_headers=[],
        include_cookies=[],
        sign_sessions=True,
        secret_key=secrets.token_bytes(32),
        unused_session_lifetime_milliseconds=1000 * sessions.UNSEEN_SECONDS,
        check_unused_sessions_milliseconds=1000 * sessions.CHECK_SECONDS,
    )
    for route in app.router.routes:
        if getattr(route, "path", None) in pages:
            route.include_in_schema = False  # type: ignore[attr-defined]
    app.add_api_route("/explore/{guess:path}", _guessed_page, include_in_schema=False)
    components.guard(app)
    sessions.install()
    app.router.default = _Site(site)
    routes = {*api.PATHS, *pages, "/api/docs", "/api/openapi.json", "/explore/theme.css", "/metrics"}
    contexts = app.state.explorer._applications.values()
    metrics.watch("sessions", "Sessions of the explorer.", lambda: sessions.count(contexts))
    metrics.watch("ready", "Whether the model is loaded.", lambda: _is_ready(scorer))
    _wrap(app, settings, admission, metrics, routes, api.endpoints(predicting))
    _complete_schema(app, with_keys=bool(settings.api_key))
    return app


def configure(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Say how uvicorn serves an app, and let this process open as many connections as the system allows it."""
    with contextlib.suppress(ImportError):  # there is none on Windows
        import resource  # noqa: PLC0415

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=type("Timed", (Protocol,), {"head_seconds": settings.read_seconds}),
        ws_max_size=_MESSAGE,
        log_config=None,
        access_log=False,  # `Telemetry` writes it
        server_header=False,
        proxy_headers=False,  # `BehindProxy` reads them
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _wrap(
    app: FastAPI,
    settings: Settings,
    admission: Admission,
    metrics: Metrics,
    routes: Collection[str],
    endpoints: Mapping[str, Endpoint],
) -> None:
    """Put in front of an app what each request passes, from the inside to the outside."""
    app.add_middleware(Sessions, explorer=app.state.explorer, admission=admission, most=settings.sessions)
    app.add_middleware(PagePolicy)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)  # pages and scripts shrink to a quarter
    app.add_middleware(HeadAsGet)
    app.add_middleware(Predictions, admission=admission, endpoints=endpoints, seconds=settings.request_seconds)
    app.add_middleware(CrossOriginApi, origins=settings.cors_origin)
    app.add_middleware(SameOriginWebSockets, allowed=settings.allow_origin)
    app.add_middleware(Bodies, read_seconds=settings.read_seconds)
    app.add_middleware(KnownHosts, allowed=settings.hosts)
    app.add_middleware(BehindProxy, root_path=settings.root_path, trusted=settings.trusted_proxy)
    app.add_middleware(Failures)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Telemetry, metrics=metrics, routes=routes)


def _api_docs() -> HTMLResponse:
    # Addresses are relative to the page, so that they hold below any prefix.
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="meanface - API",
        oauth2_redirect_url=None,
        swagger_js_url="assets/swagger-ui-bundle.js",
        swagger_css_url="assets/swagger-ui.css",
        swagger_favicon_url="assets/favicon.png",
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": 0, "tryItOutEnabled": True},
    )


def _theme_css() -> FileResponse:
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(Path(__file__).with_name("theme.css"), headers=forever)


def _guessed_page(guess: str, request: Request) -> RedirectResponse:
    """Lead an address that a visitor guessed, "/explore/data" or "/explore/Faces/", to the page of that name."""
    name = guess.strip("/").removesuffix(".html").casefold()
    for page in PAGES:
        if name in (page.title.casefold().replace(" ", "-"), page.path.removeprefix("/explore").strip("/")):
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(request.scope["root_path"] + page.path + query)
    raise HTTPException(404)


def _is_ready(scorer: Scorer) -> bool:
    try:
        return bool(scorer.predictor)
    except NotReadyError:
        return False


def _read(results: Results) -> None:
    """Read the results ahead of the first visitor."""
    for name, entry in inspect.getmembers_static(type(results)):
        if isinstance(entry, Artifact):
            try:
                getattr(results, name)
            except UserError:
                pass  # the run lacks this result: the page that needs it says so
            except Exception:
                _log.exception("cannot read %s of %s: the pages that show it will fail", name, results.folder)
    with contextlib.suppress(UserError):  # the explorer's first page says what is missing
        everyone(results)
    gc.collect()
    gc.freeze()  # what is here stays: looking through it again for ended sessions would take a quarter of a second
    give_back()  # reading takes several times what is kept


def _complete_schema(app: FastAPI, *, with_keys: bool) -> None:
    """Put into OpenAPI what error responses refer to and how keys are sent; take FastAPI's own error out."""
    make = app.openapi

    def openapi() -> dict:
        document = make()
        parts = document.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        schemas["ProblemDetails"] = problems.ProblemDetails.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        if with_keys:
            parts["securitySchemes"] = {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
            for path in api.PREDICTING:
                document["paths"][path]["post"]["security"] = [{"key": []}, {"bearer": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
