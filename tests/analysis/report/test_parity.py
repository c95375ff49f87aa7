"""What a reader finds on a page is the same in Quarto and in the embedded renderer; runs where Quarto is installed."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import html5lib
import pytest
from synthetic import write_results

from analysis.core import paths
from analysis.report import render

pytestmark = pytest.mark.slow

SPACE = "{http://www.w3.org/1999/xhtml}"
NAMES = sorted(page.stem for page in (paths.PROJECT / "site").glob("*.qmd") if not page.stem.startswith("reference-"))


def found_on(page: Path) -> dict[str, list[str]]:
    """Headings, captions, tables by their first cells, and links of the main part of a page."""
    document = html5lib.parse(page.read_text("utf-8"))
    main = next(document.iter(f"{SPACE}main"))

    def texts(*tags: str) -> list[str]:
        return [" ".join("".join(each.itertext()).split()) for tag in tags for each in main.iter(f"{SPACE}{tag}")]

    links = {link.get("href", "") for link in main.iter(f"{SPACE}a")}
    return {
        "headings": [text for text in texts("h1", "h2", "h3") if text],
        "captions": texts("figcaption"),
        "tables": [
            " ".join("".join(next(table.iter(f"{SPACE}tr")).itertext()).split()) for table in main.iter(f"{SPACE}table")
        ],
        "links": sorted(
            link for link in links if not urlsplit(link).scheme and not re.match(r"#(tabset|cite|fn)", link)
        ),
    }


def test_what_is_compared_is_read(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "<!doctype html><title>x</title><main><h2>A <b>b</b></h2>"
        "<figure><figcaption>Figure\u00a01: c</figcaption></figure>"
        '<table><tr><td>d</td></tr></table><a href="e.html#f">g</a><a href="https://h.org">i</a></main><h2>not</h2>',
        "utf-8",
    )
    assert found_on(tmp_path / "page.html") == {
        "headings": ["A b"],
        "captions": ["Figure 1: c"],
        "tables": ["d"],
        "links": ["e.html#f"],
    }


@pytest.mark.skipif(shutil.which("quarto") is None, reason="Quarto is not installed")
def test_both_renderers_show_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEANFACE_ORT_WEB", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results = write_results(tmp_path / "run")
    sites = {
        name: render.render(results.folder, tmp_path / name, renderer=name)  # type: ignore[arg-type]
        for name in ("embedded", "quarto")
    }
    for name in NAMES:
        embedded, quarto = (found_on(site / "site" / f"{name}.html") for site in sites.values())
        for kind in embedded:
            assert quarto[kind] == embedded[kind], (name, kind)
