"""Entry point: the ``meanface`` command, composed of the commands of ``analysis``, ``model`` and ``dashboard``."""

import codecs
import io
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from analysis.commands import app as analysis_app
from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.words import printable
from dashboard.commands import app as dashboard_app
from model.commands import app as model_app

_UsageError: type[Any] = typer.BadParameter.__mro__[1]  # Typer exports only what is derived from it

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="meanface: the average faces of women and men, a study of their difference and a live predictor.",
)
for commands in (analysis_app, model_app, dashboard_app):
    app.add_typer(commands)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"meanface {version('meanface')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of ``meanface`` itself; the help text is the app's."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Write what a terminal cannot show, such as a name of a file that is no UTF-8, as ``\\xe9``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = printable(error.object[error.start : error.end])
    return shown.encode("ascii", "backslashreplace").decode(), error.end


def _buffer_stdout() -> None:
    """Let stdout be written whole or fail: without a buffer, as PYTHONUNBUFFERED has it, Python drops what a full disk
    did not take of a text."""
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), sys.stdout.encoding, line_buffering=True)


def main() -> None:
    """Run the command line; a user's mistake ends in one clear line on stderr and exit code 2."""
    codecs.register_error("meanface.escape", _escape)
    if sys.stderr is None:  # the shell has closed it: 2>&-
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if sys.stdout is None:
        sys.stderr.write("meanface: stdout is closed: send it to a file, or to /dev/null\n")
        sys.exit(2)
    _buffer_stdout()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="meanface.escape")  # type: ignore[union-attr]
    try:
        # Not standalone, Typer returns the exit code, and its errors are ours to print.
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="meanface", standalone_mode=False))
    except UserError as error:
        _fail(str(error))
    except _UsageError as error:
        _fail(_misuse(error))
    except typer.Abort:
        _fail("stopped", code=1)
    except OSError as error:
        remedy = storage.remedy(error)
        if remedy is None:
            raise
        _fail(remedy)


def _misuse(error: Any) -> str:
    """What Typer says of missing and unknown arguments, options and commands, as one line."""
    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    command = error.ctx.command_path if error.ctx else "meanface"
    return f"{said[:1].lower()}{said[1:]} (see `{command} --help`)"


def _fail(message: str, code: int = 2) -> NoReturn:
    sys.stderr.write(f"meanface: {printable(message)}\n")
    try:
        sys.stdout.flush()
    except OSError:  # that has been told; what is left is not written again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
