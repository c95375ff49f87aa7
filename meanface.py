"""Entry point: one ``meanface`` command, composed of the commands of ``analysis``, ``model`` and ``dashboard``.

Knows nothing of what the commands do. Start with ``meanface --help``.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from analysis.commands import app as analysis_app
from analysis.core.errors import UserError
from dashboard.commands import app as dashboard_app
from model.commands import app as model_app

app = typer.Typer(
    no_args_is_help=True,
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


def main() -> None:
    """Run the command line; a user's mistake ends in one clear line on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"meanface: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
