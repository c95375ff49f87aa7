"""Renders the report with Quarto where it is installed, else with the embedded renderer, from the same pages.

The embedded renderer executes the Python cells of each page with nbclient and builds the same ``_quarto.yml`` project
with smalldocs.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import jupytext
import nbformat
import yaml
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from smalldocs.config import BuildError, ConfigError
from smalldocs.notebook import cell_options, to_markdown
from smalldocs.site import build
from tqdm import tqdm

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.report import citations, crossref, freeze
from analysis.results import Results

_INDEX = "llms.txt"  # also of a site that has lost its stamp
_STAMP = "rendered.json"  # file of the site with the fingerprint of what it was rendered from
_TIMEOUT = 300  # seconds per cell
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_QUARTO_PAGE = re.compile(
    r"\[\s*(?P<number>\d+)/(?P<all>\d+)\]\s+(?P<page>\S+)"
)  # what Quarto says as it begins a page
_CAUSE = re.compile(r"[A-Za-z_.]*(Error|Exception|Interrupt|Exit)\b(:|$)")  # the last line of a Python traceback


def render(results: Path, output: Path, *, renderer: Literal["auto", "quarto", "embedded"] = "auto") -> Path:
    """Render the report from a published run and nothing else.

    Parameters
    ----------
    results
        Folder of the run.
    output
        Folder of the site; replaced as a whole once all pages are rendered, left alone if one fails.
    renderer
        "auto" uses Quarto if it is on the path.

    Returns
    -------
    pathlib.Path
        ``output``.

    Raises
    ------
    UserError
        If there is no run, Quarto is requested but not installed, nothing can be written to ``output``, it holds
        something other than a site, or a page fails; the message names the page and has the last line of its error.
    """
    if not (results / "run.json").exists():
        raise UserError(f"no published run in {results}: make one with `meanface publish RUN`")
    quarto = shutil.which("quarto")
    if renderer == "quarto" and not quarto:
        raise UserError("Quarto is not installed: get it from quarto.org, or leave out `--renderer quarto`")
    if output != paths.site_folder():
        storage.check_replaceable(output, (_STAMP, _INDEX))
    storage.check_writable(output.resolve() / "index.html")
    fingerprint = freeze.fingerprint(results)
    with tempfile.TemporaryDirectory(prefix="meanface-report-") as scratch:
        project = Path(scratch) / "project"
        for name in freeze.SOURCES:
            source, target = paths.PROJECT / name, project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
        if quarto and renderer != "embedded":
            _render_with_quarto(quarto, project, results)
        else:
            _render_embedded(project, results)
        _redirect_home(project)
        site = project / "_site"
        (site / _STAMP).write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
        with storage.replacing(output.resolve()) as new:
            shutil.copytree(site, new)
    return output


def is_stale(results: Path, output: Path) -> bool:
    """Whether the site in ``output`` is missing or was rendered from other results, pages or figures."""
    try:
        rendered = json.loads((output / _STAMP).read_text("utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):  # no site, or not one of ours
        return True
    return bool(rendered != freeze.fingerprint(results))


def _environment(results: Path) -> dict[str, str]:
    # The pages find results and packages by these; Quarto runs cells with the Python that QUARTO_PYTHON names.
    python_path = os.pathsep.join(filter(None, [str(paths.PACKAGES), os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "MEANFACE_RESULTS": str(results.resolve()),
        "QUARTO_PYTHON": sys.executable,
        "PYTHONPATH": python_path,
    }


def _render_with_quarto(quarto: str, project: Path, results: Path) -> None:
    """Run Quarto, and pass on which page it is at and its warnings, which come one by one, as it goes."""
    environment = _environment(results) | {"NO_COLOR": "1"}
    kept = freeze.Frozen(results).folder / freeze.QUARTO
    if kept.is_dir():
        shutil.copytree(kept, project / freeze.QUARTO)
    page, said = "", [""]
    with subprocess.Popen(
        [quarto, "render", str(project)], env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            text = _COLOURS.sub("", line).strip()
            if started := _QUARTO_PAGE.match(text):
                page = Path(started["page"]).name
                print(f"Rendering the report: page {started['number']} of {started['all']}, {page}", file=sys.stderr)
            elif text.startswith("WARN"):
                print(text, file=sys.stderr)
            if text:
                said.append(text)
    if process.returncode:
        causes = (
            [text for text in said if _CAUSE.match(text)] or [text for text in said if "ERROR" in text] or said[-1:]
        )
        where = f"page {page} fails" if page else "Quarto could not render the report"
        raise UserError(f"{where}: {causes[-1] or 'no message'}")
    if (project / freeze.QUARTO).is_dir():
        with storage.replacing(kept) as new:
            shutil.copytree(project / freeze.QUARTO, new)


def _render_embedded(project: Path, results: Path) -> None:
    configuration = yaml.safe_load((project / "_quarto.yml").read_text("utf-8"))
    # Pages look at what this makes, as they do in Quarto, which runs it first.
    for name in ("fig-cap-location", "tbl-cap-location"):  # where crossref puts captions, too
        configuration["format"]["html"].pop(name, None)
    references, style = (project / configuration.pop(name) for name in ("bibliography", "csl"))
    configuration.pop("link-citations", None)  # citations are links
    script = configuration["project"].pop("pre-render", None)
    finished = configuration["project"].pop("post-render", None)
    if script is not None:
        done = subprocess.run([sys.executable, script], cwd=project, env=_environment(results), check=False)
        if done.returncode:
            raise UserError(f"the report cannot be rendered: {script} failed, see above")
    (project / "_quarto.yml").write_text(yaml.safe_dump(configuration, allow_unicode=True), encoding="utf-8")
    pages = [project / name for name in configuration["project"]["render"]]
    made = project / "site" / "assets" / "predictor"
    frozen = freeze.Frozen(results, [file for file in made.rglob("*") if file.is_file()])
    touched = []
    for page in pages:
        executed = frozen.executed(page)
        if executed is None:
            touched.append(page)
        else:
            page.write_text(executed, encoding="utf-8")
    if touched:
        asyncio.run(_execute_all(touched, configuration.get("execute", {}), _environment(results), frozen))
    frozen.tidy()
    for page in pages:
        text = crossref.resolve(page.read_text("utf-8"), page.name)
        page.write_text(citations.resolve(text, page.name, references, style), encoding="utf-8")
    try:
        build(project, quiet=True)
    except (BuildError, ConfigError) as error:
        raise UserError(f"the report could not be built: {error}") from error
    if finished is not None:  # what tools/finish.py does for Quarto, without another process
        publication = import_module("analysis.report.publication")  # its figures are slow to import
        citation = publication.Publication.read(project / "CITATION.cff")
        publication.finish(project / "_site", Results(results), citation, [page.stem for page in pages])


def _redirect_home(project: Path) -> None:
    """Send the site's root to the first page. Quarto does so too, but names no icon, which browsers then miss."""
    configuration = yaml.safe_load((project / "_quarto.yml").read_text("utf-8"))
    home = configuration["project"]["render"][0].replace(".qmd", ".html")
    (project / "_site" / "index.html").write_text(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>meanface</title>'
        f'<link rel="icon" href="{configuration["website"]["favicon"]}">'
        f'<meta http-equiv="refresh" content="0;URL={home}"></head><body><a href="{home}">meanface</a></body></html>\n',
        encoding="utf-8",
    )


async def _execute_all(
    pages: list[Path], execute: dict[str, Any], environment: dict[str, str], frozen: freeze.Frozen
) -> None:
    """Run the pages one after another in one kernel, cleared in between: each import is paid for once."""
    # No folders of kernels: the only kernel left is the one of this very interpreter.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    await manager.start_kernel(env=environment, extra_arguments=["--log-level=40"])
    try:
        for page in tqdm(pages, desc="Rendering the report", unit="page"):
            executed = await _execute(page, execute, manager)
            frozen.keep(page, executed)
            page.write_text(executed, encoding="utf-8")
    finally:
        await manager.shutdown_kernel(now=True)


async def _execute(page: Path, execute: dict[str, Any], manager: AsyncKernelManager) -> str:
    """Run a page's cells; give its text with their outputs, as Quarto would make it before it builds the page."""
    # As Rmd: jupytext reads a .qmd by its own name only with Quarto installed.
    notebook = jupytext.reads(page.read_text("utf-8"), fmt="Rmd")
    # What a fresh kernel started in the page's folder would have: nothing defined, and that folder.
    fresh = f"get_ipython().reset(new_session=True)\nimport os\nos.chdir({str(page.parent)!r})\ndel os"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(fresh))
    client = NotebookClient(notebook, km=manager, timeout=_TIMEOUT)
    try:
        await client.async_execute()
    except CellExecutionError as error:
        said = str(error.evalue).strip().splitlines()[-1:]  # an assertion may say nothing at all
        raise UserError(f"page {page.name} fails: {': '.join([error.ename, *said])}") from error
    except CellTimeoutError as error:
        raise UserError(f"page {page.name} fails: a cell takes more than {_TIMEOUT} seconds") from error
    except DeadKernelError as error:
        raise UserError(f"page {page.name} fails: its Python ended; is there enough memory?") from error
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
    del notebook.cells[0]
    notebook.cells = [_as_it_is(cell) for cell in notebook.cells]
    meta, body = to_markdown(nbformat.writes(notebook), execute)
    front = yaml.safe_dump(meta, allow_unicode=True, sort_keys=False)
    return f"---\n{front}---\n\n{body}"


def _as_it_is(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Text in place of a cell whose output is to be taken as it is, as Quarto takes it: it may hold headings."""
    if cell.cell_type != "code" or cell_options(cell.source)[0].get("output") != "asis":
        return cell
    text = "\n\n".join("".join(out.get("data", {}).get("text/markdown", "")) for out in cell.outputs)
    return nbformat.v4.new_markdown_cell(text)
