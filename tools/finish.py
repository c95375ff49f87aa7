"""Gives the rendered pages what no renderer does; see `analysis.report.publication`.

Quarto and the embedded renderer run it after they have rendered, with the project as working directory.
"""

import os
from pathlib import Path

import yaml

from analysis.report.publication import Publication, finish
from analysis.results import published

PROJECT = Path(os.environ.get("QUARTO_PROJECT_DIR", "."))


def main() -> None:
    """Finish all pages of the project; a single page that Quarto has rendered alone is left as it is."""
    configuration = yaml.safe_load((PROJECT / "_quarto.yml").read_text("utf-8"))["project"]
    site = Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", PROJECT / configuration["output-dir"]))
    pages = [Path(page).stem for page in configuration["render"]]
    if all((site / "site" / f"{page}.html").exists() for page in pages):
        finish(site, published(), Publication.read(PROJECT / "CITATION.cff"), pages)


if __name__ == "__main__":
    main()
