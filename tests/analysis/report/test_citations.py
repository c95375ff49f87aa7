"""Citations are set by the style that Quarto is given, and what is cited is listed once."""

import json
import re

import pytest

from analysis import figures
from analysis.core.errors import UserError
from analysis.core.paths import PROJECT
from analysis.report.citations import resolve

REFERENCES, STYLE = PROJECT / "site/references.json", PROJECT / "site/assets/meanface.csl"


def test_citations_link_to_the_list_of_what_is_cited() -> None:
    page = "After it [@mitchell2019], twice [@russell2009; @russell2003].\n\n`[@not]`\n\n::: {#refs}\n:::\n"
    text = resolve(page, "page.qmd", REFERENCES, STYLE)
    assert text.startswith(
        'After it ([Mitchell et al. 2019](#ref-mitchell2019){.citation role="doc-biblioref"}), twice ([Russell 2009]'
    )
    assert "`[@not]`" in text and "::: {#refs}" not in text
    assert re.findall(r'id="ref-(\w+)"', text) == ["mitchell2019", "russell2003", "russell2009"]
    assert (
        "Russell, R. (2003). Sex, beauty, and the relative luminance of facial features. <i>Perception</i>, 32" in text
    )
    assert '<a href="https://doi.org/10.1068/p5101">https://doi.org/10.1068/p5101</a>.' in text


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("See [@nobody1999].\n\n::: {#refs}\n:::", "page.qmd cites nobody1999, which references.json does not have"),
        ("See [@liu2015].", "has no place for its references"),
    ],
)
def test_what_quarto_would_leave_open_is_told(page: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(page, "page.qmd", REFERENCES, STYLE)


def test_page_that_cites_nothing_stays_as_it_is() -> None:
    assert resolve("mail@example.org [a](b)", "page.qmd", REFERENCES, STYLE) == "mail@example.org [a](b)"


def test_everything_that_can_be_cited_is() -> None:
    texts = [page.read_text("utf-8") for page in (PROJECT / "site").glob("*.qmd")]
    texts += [str(sheet) for sheet in figures.datasheets.KNOWN.values()]
    cited = set(re.findall(r"@([a-z]+\d{4})", " ".join(texts)))
    assert cited == {entry["id"] for entry in json.loads(REFERENCES.read_text("utf-8"))}
