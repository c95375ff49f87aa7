"""What a page of the report tells, read without a renderer and without drawing a figure: quick enough for many runs."""

import ast
import re
from html import unescape
from pathlib import Path
from typing import Any

import jupytext
import pytest
import yaml

from analysis.core import paths

PAGES = [
    path.stem
    for path in sorted((paths.PROJECT / "site").glob("*.qmd"))
    if not path.stem.startswith("reference")  # made from the code, not from results
]


def told(page: str, results: Path, patch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What a page says of a run, in order: ("prose", typed text) or ("cell", what a cell returns), as plain text."""
    from analysis.figures import html

    source = paths.PROJECT / "site" / f"{page}.qmd"
    patch.setenv("MEANFACE_RESULTS", str(results))
    patch.chdir(source.parent)
    patch.setattr(html, "drawn", lambda figure: ({"doc": {"roots": []}}, None))
    names: dict[str, Any] = {}
    parts = []
    for cell in jupytext.reads(source.read_text("utf-8"), fmt="Rmd").cells:
        if cell.cell_type == "code":
            parts.append(("cell", _text(_run(cell.source, names))))
        elif not cell.source.startswith("---"):
            parts.append(("prose", _text(cell.source)))
        else:
            front = yaml.safe_load(cell.source.split("---")[1])
            parts.append(("prose", " ".join(str(front.get(key, "")) for key in ("title", "subtitle", "description"))))
    return parts


def _run(code: str, names: dict[str, Any]) -> str:
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<page>", "exec"), names)
    if last is None:
        return ""
    shown = eval(compile(ast.Expression(last.value), "<page>", "eval"), names)  # type: ignore[attr-defined]
    markdown = getattr(shown, "_repr_markdown_", None)
    return markdown() if markdown else ""


def _text(markup: str) -> str:

    markup = re.sub(r" ?\[@[^\]]*\]", "", markup)  # citations
    markup = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", markup)
    alternatives = " ".join(f". {text}. " for text in re.findall(r'(?:alt|aria-label)="([^"]*)"', markup))
    text = re.sub(r"<[a-z/!][^>]*>", " ", markup) + alternatives
    text = re.sub(r"\]\([^)]*\)(\{[^}]*\})?|\{#[^}]*\}|```\{=html\}|```", "", text)
    return " ".join(unescape(text).split())


def sentences(text: str) -> list[str]:
    """Sentences, headings and cells of tables of a text."""
    return [part.strip() for part in re.split(r"(?<=[.?!:;])\s|\s\|\s", text) if part.strip()]
