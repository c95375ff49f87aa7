"""Resolves citations of a page and lists what was cited, as Pandoc's citeproc does for Quarto.

A page cites with keys of ``site/references.json`` (CSL JSON) in brackets, and says where the list stands by an empty
div with the id ``refs``. The style is a CSL file; `citeproc-py` reads it for the embedded renderer.
"""

import json
import re
from html import escape
from pathlib import Path

from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON

from analysis.core.errors import UserError
from analysis.report.crossref import text_lines

_CITED = re.compile(r"(?<!`)\[(@[\w:-]+(?:; @[\w:-]+)*)\]")
_LIST = re.compile(r"^::: \{#refs\}\n+:::$", re.MULTILINE)
_ADDRESS = re.compile(r"https?://[^\s<]*[^\s<.,]")


def resolve(body: str, page: str, references: Path, style: Path) -> str:
    """Put authors and years where a page cites, and the list of what it cites where its div stands.

    Parameters
    ----------
    body
        Markdown, with the outputs of its cells.
    page
        Its name, for messages.
    references
        What can be cited: CSL JSON.
    style
        CSL file.

    Raises
    ------
    UserError
        If a page cites what is not there, or cites and has no place for the list.
    """
    lines = body.split("\n")
    places = [(place, line) for place, line in text_lines(lines) if _CITED.search(line)]
    if not places:
        return body
    if not _LIST.search(body):
        raise UserError(f"page {page} cites, but has no place for its references: a div {{#refs}}")
    known = {entry["id"]: entry for entry in json.loads(references.read_text("utf-8"))}
    style_of = CitationStylesStyle(str(style), validate=False)
    cited = [key for _, line in places for found in _CITED.finditer(line) for key in _keys(found)]
    if unknown := sorted(set(cited) - set(known)):
        raise UserError(f"page {page} cites {', '.join(unknown)}, which {references.name} does not have")
    source = CiteProcJSON([known[key] for key in dict.fromkeys(cited)])
    bibliography = CitationStylesBibliography(style_of, source, formatter.html)

    def cite(found: re.Match[str]) -> str:
        links = []
        for key in _keys(found):
            citation = Citation([CitationItem(key)])
            bibliography.register(citation)
            said = str(bibliography.cite(citation, lambda item: None)).removeprefix("(").removesuffix(")")
            links.append(f'[{said}](#ref-{key}){{.citation role="doc-biblioref"}}')
        return f"({'; '.join(links)})"

    for place, line in places:
        lines[place] = _CITED.sub(cite, line)
    bibliography.sort()
    entries = "".join(
        f'<div id="ref-{escape(key)}" class="csl-entry" role="listitem">{_linked(str(entry))}</div>'
        for key, entry in zip(bibliography.keys, bibliography.bibliography(), strict=True)
    )
    listed = f'```{{=html}}\n<div id="refs" class="references csl-bib-body" role="list">{entries}</div>\n```'
    return _LIST.sub(lambda _: listed, "\n".join(lines))


def _keys(found: re.Match[str]) -> list[str]:
    return [key.removeprefix("@") for key in found[1].split("; ")]


def _linked(entry: str) -> str:
    return _ADDRESS.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', entry)
