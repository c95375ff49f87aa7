"""Options that several commands share, each declared once: ``name: SomeOption = default``."""

from pathlib import Path
from typing import Annotated

import typer

ResultsOption = Annotated[Path | None, typer.Option("--results", help="Published run to read; default: results/.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Random seed.")]
RunOption = Annotated[
    str | None, typer.Option("--run", help="Name of the run; default: the name of the first data set.")
]
