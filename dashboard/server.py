"""One ASGI app: the report at /, the explorer at /explore, the API at /api.

The three are made elsewhere and put together here. Everything that a page loads comes from this server, fonts and the
API's documentation included.
"""

import contextlib
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Collection
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from panel.io.fastapi import add_applications
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from analysis.core.errors import UserError
from analysis.data.decoding import PROCESSES, SECONDS
from analysis.results import Results
from analysis.results.stored import Artifact
from dashboard import api, explorer, problems, sessions
from dashboard.chrome import Shared
from dashboard.origins import SameOriginWebSockets
from dashboard.pages import PAGES
from dashboard.scoring import Scorer
from model.predict import Predictor

_log = logging.getLogger(__name__)

# Of pages, files and answers alike. Bokeh evaluates code in the page, so scripts are not restricted further.
SECURITY_HEADERS = {
    "Content-Security-Policy": "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _SecurityHeaders:
    """ASGI middleware that adds `SECURITY_HEADERS` to responses that lack them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Site:
    """The rendered report, which answers all requests that no other route answers.

    It is the router's default rather than a mount at "/", which would answer a GET of the API's POST routes too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        elif not self._folder.is_dir():
            raise HTTPException(404)
        else:
            await self._files(scope, receive, send)


def create_app(
    results: Path,
    site: Path,
    predictor: Predictor | None = None,
    *,
    allowed_origins: Collection[str] = (),
    decode_seconds: float = SECONDS,
    decode_processes: int = PROCESSES,
) -> FastAPI:
    """Make the app that serves a run.

    Parameters
    ----------
    results
        Folder of the published run.
    site
        Folder of the rendered report; may appear later.
    predictor
        The loaded model; by default it is loaded from ``results`` when the app starts, and until then /healthz and
        the API answer 503.
    allowed_origins
        Origins that may open sessions of the explorer, besides the server's own; see `SameOriginWebSockets`.
    decode_seconds, decode_processes
        What decoding a photo may take; see `dashboard.scoring.Scorer`.

    Returns
    -------
    fastapi.FastAPI
        Run it with an ASGI server in one process: sessions live in its memory.
    """
    run = Results(results)
    scorer = Scorer(
        lambda: predictor or Predictor.load(results / "model", threads=1),
        decode_seconds=decode_seconds,
        decode_processes=decode_processes,
    )
    if predictor is not None:
        scorer.load()

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
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url="/api/assets",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": 0, "tryItOutEnabled": True},
        lifespan=lifespan,
    )
    problems.install(app, site)
    app.include_router(api.router(scorer))
    app.add_api_route("/explore/theme.css", _theme_css, include_in_schema=False)
    applications = explorer.applications(Shared(run, scorer))
    titles = {page.path: f"{page.title} - meanface" for page in PAGES}
    app.state.explorer = add_applications(applications, app=app, title=titles)
    for route in app.router.routes:
        if getattr(route, "path", None) in applications:
            route.include_in_schema = False  # type: ignore[attr-defined]
    app.add_api_route("/explore/{guess:path}", _guessed_page, methods=["GET", "HEAD"], include_in_schema=False)
    sessions.install()
    app.router.default = _Site(site)
    app.add_middleware(SameOriginWebSockets, allowed=allowed_origins)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)  # pages and scripts shrink to a quarter
    app.add_middleware(_SecurityHeaders)
    _document_problems(app)
    return app


def _theme_css() -> FileResponse:
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(Path(__file__).with_name("theme.css"), headers=forever)


def _guessed_page(guess: str, request: Request) -> RedirectResponse:
    """Lead an address that a visitor guessed, "/explore/data" or "/explore/Faces/", to the page of that name."""
    name = guess.strip("/").removesuffix(".html").casefold()
    for page in PAGES:
        if name in (page.title.casefold(), page.path.removeprefix("/explore").strip("/")):
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(page.path + query)
    raise HTTPException(404)


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


def _document_problems(app: FastAPI) -> None:
    """Put the schema that error responses refer to into OpenAPI, and take FastAPI's own error out."""
    make = app.openapi

    def openapi() -> dict:
        document = make()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["ProblemDetails"] = problems.ProblemDetails.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
