"""Options and arguments that several ``meanface`` commands share, each declared once with its help text.

Only the ``commands`` modules of the three packages use them.
"""

from pathlib import Path
from typing import Annotated

import typer

DatasetName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set, as given to `fetch`.")]
DatasetNames = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of ingested data sets.")]
RunName = Annotated[
    str | None, typer.Option("--run", help="Name of the run; default: the name of the (first) data set.")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Run on the Dask scheduler at this address, such as tcp://10.0.0.5:8786; default: this machine's threads.",
    ),
]
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="Read the published run from this folder; default: results/.")
]
