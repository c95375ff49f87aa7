"""The commands that serve: ``meanface serve``, ``config`` and ``key``. The app is made by `server`.

The options of `serve` and `config` are those of `settings.Settings`.
"""

import inspect
import ipaddress
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from analysis.command_options import ResultsFolder
from dashboard.settings import KEY_NAME, Settings, environment_names, hash_key, is_address, near_misses, option, source

if TYPE_CHECKING:
    from fastapi import FastAPI

app = typer.Typer()


def check_free(host: str, port: int, *, host_from: str = "--host", port_from: str = "--port") -> None:
    """Refuse an address that the server cannot listen on, before anything slow is done.

    Parameters
    ----------
    host, port
        The address.
    host_from, port_from
        Where each was set, for the message.

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
    except (OSError, UnicodeError):
        raise UserError(
            f"cannot listen on {host!r}, which is no address of this machine and comes from {host_from}: "
            "give one with --host, such as 127.0.0.1 or 0.0.0.0"
        ) from None
    try:
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port}, from {port_from}, is in use: choose another with --port or PORT") from None
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror or error}), set by {host_from} and {port_from}: "
            "check --host and --port"
        ) from None


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting; it is called with those that were given."""
    own = [each for each in inspect.signature(command).parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name, field))
        for name, field in Settings.model_fields.items()
    ]

    def with_given(**values: Any) -> None:
        given = {name: _plain(value) for name, value in values.items() if value not in (None, [])}
        command(**{**dict.fromkeys(each.name for each in own), **given})

    with_given.__doc__ = command.__doc__
    with_given.__name__ = command.__name__
    with_given.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    with_given.__annotations__ = {each.name: each.annotation for each in [*own, *options]}
    return with_given


def _annotation(name: str, field: FieldInfo) -> Any:
    shown = " ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    variables = " or ".join(environment_names(name))
    help_text = f"{field.description} [{variables}{f'; default: {shown}' if shown else ''}]"
    kind: Any = field.annotation
    bounds: dict[str, Any] = {}
    if get_origin(kind) is Literal:
        kind = _choices(name, get_args(kind))
    elif get_origin(kind) is tuple:
        kind = list[str]
    elif kind is int:
        bounds = {"min": _bound(field, "ge"), "max": _bound(field, "le")}
    return Annotated[kind | None, typer.Option(option(name), help=help_text, show_default=False, **bounds)]


def _choices(name: str, values: tuple[str, ...]) -> Any:
    return Enum(name, {value: value for value in values})


def _bound(field: FieldInfo, which: str) -> Any:
    return next((getattr(each, which) for each in field.metadata if hasattr(each, which)), None)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else tuple(value) if isinstance(value, list) else value


@app.command(rich_help_panel="Serve")
@_with_settings
def serve(
    results: ResultsFolder = None,
    site: Annotated[Path | None, typer.Option(help="Folder of the rendered report; default: _site/.")] = None,
    **given: Any,
) -> None:
    """Serve the report, the explorer and the API in one process.

    Each option may be given by the variable of the environment that stands behind it.

    Example: `meanface serve --port 8000`.
    """
    from analysis.core import paths
    from analysis.core.errors import UserError
    from analysis.results import published

    settings = Settings.read(**given)
    _tell_near_misses()
    check_free(
        settings.host,
        settings.port,
        host_from=source("host", given.get("host")),
        port_from=source("port", given.get("port")),
    )
    run = published(results)
    folder = site or paths.site_folder()
    _render_if_stale(run.folder, folder)
    typer.echo("Starting ...")

    from dashboard.gateway.telemetry import configure_logging
    from dashboard.server import create_app
    from model.predict import Predictor

    configure_logging(settings.log_level, settings.log_format)
    try:
        predictor = Predictor.load(run.model_folder, threads=1)
    except UserError as error:
        typer.echo(f"meanface: serving without a model, {error}", err=True)
        predictor = None
    served = create_app(run.folder, folder, predictor, settings)
    any_of_this_machine = is_address(settings.host) and ipaddress.ip_address(settings.host).is_unspecified
    named = "localhost" if any_of_this_machine else f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{named}:{settings.port}{settings.root_path}"
    typer.echo(f"Report    {base}/\nExplorer  {base}/explore\nAPI       {base}/api/docs\nCtrl-C stops.")
    _run(served, settings)


@app.command(rich_help_panel="Serve")
@_with_settings
def config(**given: Any) -> None:
    """Print the settings with which `serve` would start, and where each comes from.

    Takes the options of `serve`. Example: `PORT=8080 meanface config`.
    """
    settings = Settings.read(**given)
    _tell_near_misses()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if name == "api_key":
            value = tuple(key.partition(":")[0] for key in value)
        shown = " ".join(value) if isinstance(value, tuple) else str(value)
        typer.echo(f"{option(name):<20} {shown or '-':<28} {source(name, given.get(name))}")


@app.command(rich_help_panel="Serve")
def key(name: Annotated[str, typer.Argument(metavar="NAME", help="Whom the key is for.")]) -> None:
    """Make an API key. The server is told its hash alone; the key itself is shown once.

    Example: `meanface key newsroom`.
    """
    import secrets

    from analysis.core.errors import UserError

    if not re.fullmatch(KEY_NAME, name):
        raise UserError(f"{name!r} cannot be the name of a key: take letters, digits, '.', '_' and '-'")
    made = secrets.token_urlsafe(32)
    hashed = Settings.read(api_key=(f"{name}:{hash_key(made)}",)).api_key[0]
    typer.echo(f"Key, for {name} alone: {made}\nFor the server:  --api-key {hashed}")


def _tell_near_misses() -> None:
    for name, meant in near_misses().items():
        typer.echo(f"meanface: {name} of the environment is no setting: {meant} may be meant", err=True)


def _render_if_stale(results: Path, site: Path) -> None:
    from analysis.report.render import is_stale, render

    if is_stale(results, site):
        typer.echo("Rendering the report (only when results or pages have changed) ...")
        render(results, site)


def _run(app: "FastAPI", settings: Settings) -> None:
    """Serve until Ctrl-C or SIGTERM, and end without a traceback."""
    import contextlib

    import cv2
    import pyarrow
    import uvicorn

    from dashboard.server import configure

    cv2.setNumThreads(1)  # photos are scored side by side, each by one thread
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # its own keeps 45 MB after the results have been read
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(configure(app, settings)).run()
