"""The ``meanface serve`` command; the app that it runs is made by `server`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.command_options import ResultsFolder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dashboard.settings import Settings

app = typer.Typer()


def check_free(host: str, port: int) -> None:
    """Refuse an address that the server cannot listen on, before anything slow is done.

    Raises
    ------
    UserError
        If the port is in use or reserved, or the host is not of this machine.
    """
    import errno
    import socket

    from analysis.core.errors import UserError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use: choose another with --port or PORT") from None
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror or error}): check --host and --port"
        ) from None


@app.command(rich_help_panel="Serve")
def serve(
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on, 0.0.0.0 for any of this machine; default: HOST of the environment or 127.0.0.1."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port to listen on; default: PORT of the environment or 5006."),
    ] = None,
    results: ResultsFolder = None,
    site: Annotated[Path | None, typer.Option(help="Folder of the rendered report; default: _site/.")] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Host (or host:port) of a proxy through which the explorer is reached, if the proxy does not pass on "
            "the Host header; repeatable; default: ALLOW_ORIGIN of the environment, separated by spaces."
        ),
    ] = None,
) -> None:
    """Serve the report, the explorer and the API in one process.

    Example: `meanface serve --port 8000`.
    """
    from analysis.core import paths
    from analysis.core.errors import UserError
    from analysis.results import published
    from dashboard.settings import Settings

    settings = Settings.read(host=host, port=port, allow_origin=allow_origin or None)
    check_free(settings.host, settings.port)
    run = published(results)
    folder = site or paths.site_folder()
    _render_if_stale(run.folder, folder)
    typer.echo("Starting ...")

    from dashboard.server import create_app
    from model.predict import Predictor

    try:
        predictor = Predictor.load(run.model_folder, threads=1)
    except UserError as error:
        typer.echo(f"meanface: serving without a model, {error}", err=True)
        predictor = None
    served = create_app(
        run.folder,
        folder,
        predictor,
        allowed_origins=settings.allow_origin,
        decode_seconds=settings.decode_seconds,
        decode_processes=settings.decode_processes,
    )
    named = f"[{settings.host}]" if ":" in settings.host else {"0.0.0.0": "localhost"}.get(settings.host, settings.host)
    base = f"http://{named}:{settings.port}"
    typer.echo(f"Report    {base}/\nExplorer  {base}/explore\nAPI       {base}/api/docs\nCtrl-C stops.")
    _run(served, settings)


def _render_if_stale(results: Path, site: Path) -> None:
    from analysis.report.render import is_stale, render

    if is_stale(results, site):
        typer.echo("Rendering the report (only when results or pages have changed) ...")
        render(results, site)


def _run(app: "FastAPI", settings: "Settings") -> None:
    """Serve until Ctrl-C or SIGTERM, and end without a traceback."""
    import contextlib

    import uvicorn

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        proxy_headers=True,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()
