"""The ``meanface serve`` command. Knows the command line, addresses and signals; the app is made by `server`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import uvicorn

app = typer.Typer()

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 5006


def port_number(given: str) -> int:
    """Read a port.

    Raises
    ------
    UserError
        If it is no whole number from 1 to 65535.
    """
    from analysis.core.errors import UserError

    if not given.strip().isdecimal() or not 1 <= int(given) <= 65535:
        raise UserError(f"port {given!r} is not a whole number from 1 to 65535: set PORT or --port")
    return int(given)


def check_free(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on, before anything slow is done.

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
        str, typer.Option(envvar="HOST", help="Address to listen on; 0.0.0.0 for all of this machine's.")
    ] = DEFAULT_HOST,
    port: Annotated[str, typer.Option(envvar="PORT", help="Port to listen on.", metavar="INTEGER")] = str(DEFAULT_PORT),
    results: Annotated[Path | None, typer.Option(help="Published run to serve; default: results/.")] = None,
    site: Annotated[Path | None, typer.Option(help="Folder of the rendered report; default: _site/.")] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="ALLOW_ORIGIN",
            help="Host (or host:port) of a proxy under whose name the explorer is reached, where the proxy does not "
            "pass on the Host header; repeatable; in the environment separated by spaces.",
        ),
    ] = None,
) -> None:
    """Serve the report, the explorer and the API in one process.

    Example: `meanface serve --port 8000`.
    """
    from analysis.core import paths
    from analysis.core.errors import UserError
    from analysis.results import published

    number = port_number(port)
    check_free(host, number)
    run = published(results)
    folder = site or paths.site_folder()
    _render_if_stale(run.folder, folder)
    typer.echo("Starting ...")

    import uvicorn

    from dashboard.server import create_app
    from model.predict import Predictor

    try:
        predictor = Predictor.load(run.model_folder, threads=1)
    except UserError as error:
        typer.echo(f"meanface: serving without a model, {error}", err=True)
        predictor = None
    served = create_app(run.folder, folder, predictor, allowed_origins=allow_origin or ())
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "localhost"}.get(host, host)
    base = f"http://{shown}:{number}"
    typer.echo(f"Report    {base}/\nExplorer  {base}/explore\nAPI       {base}/api/docs\nCtrl-C stops.")
    _run(uvicorn.Config(served, host=host, port=number, log_level="warning", proxy_headers=True))


def _render_if_stale(results: Path, site: Path) -> None:
    from analysis.report.render import is_stale, render

    if is_stale(results, site):
        typer.echo("Rendering the report (only when results or pages have changed) ...")
        render(results, site)


def _run(config: "uvicorn.Config") -> None:
    """Run until Ctrl-C or SIGTERM, and end without a traceback."""
    import contextlib

    import uvicorn

    config.timeout_graceful_shutdown = 1  # second; an open explorer page never closes by itself
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()
