"""The front door: one ``meanface`` command, composed of the rooms' own commands.

Knows nothing of what the commands do; ``analysis``, ``model`` and ``dashboard`` each bring theirs. Start with
``meanface --help``.
"""

import sys

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
for room in (analysis_app, model_app, dashboard_app):
    app.add_typer(room)


def main() -> None:
    """Run the command line; a mistake of the user ends in one clear line on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"meanface: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
