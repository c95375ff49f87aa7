"""What rendered pages get besides: files of their own, descriptions, cards, a citation, and what machines read."""

import base64
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from PIL import Image
from synthetic import write_results

from analysis.core.paths import PROJECT
from analysis.results import Results

PAGE = (
    '<!doctype html><html lang="en"><head><title>Model &amp; metrics – meanface</title></head><body><main>'
    "<p>Short.</p><p>On one hundred photos of <em>unseen</em> people, the model agrees with the annotators in "
    "most cases.</p>"
    '<figure><script type="text/plain" class="figure-data">{data}</script></figure>'
    '<img src="data:image/webp;base64,{large}" alt="A"><img src="data:image/webp;base64,{small}" alt="B"></main>'
    '<div class="nav-footer-right">Code MIT</div></body></html>'
)


def at_home():
    """What is known of a report without an address."""
    from analysis.report.publication import Publication

    return Publication("A title", "1.2.3", "2026-01-02", ("A. Author", "B. Author"))


def published():
    """What is known of a report with address, repository and profile."""
    from analysis.report.publication import Publication

    return Publication(
        *("A title", "1.2.3", "2026-01-02", ("A. Author",)),
        url="https://example.org/faces/",
        repository="https://example.org/code",
        profile="https://example.org/me",
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results") / "run")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    large, small = (base64.b64encode(bytes(size)).decode() for size in (5000, 50))
    (tmp_path / "site").mkdir()
    text = PAGE.replace("{data}", "QUJD" * 9).replace("{large}", large).replace("{small}", small)
    (tmp_path / "site" / "metrics.html").write_text(text, encoding="utf-8")
    return tmp_path


def test_data_and_large_pictures_become_files_that_are_loaded_later(site: Path, results: Results) -> None:
    from analysis.report import publication

    publication.finish(site, results, at_home(), ["metrics"])
    page = (site / "site/metrics.html").read_text("utf-8")
    assert '<script type="text/plain" class="figure-data" data-figure="metrics-1"></script>' in page
    assert (site / "site/figures/metrics-1.js").read_text("utf-8").endswith('["metrics-1"] = "' + "QUJD" * 9 + '";\n')
    (picture,) = (site / "site/pictures").iterdir()
    assert picture.read_bytes() == bytes(5000)
    assert f'<img src="pictures/{picture.name}" loading="lazy"' in page and page.count(";base64,") == 1


def test_page_is_described_by_its_first_paragraph_that_says_something(site: Path, results: Results) -> None:
    from analysis.report import publication

    publication.finish(site, results, at_home(), ["metrics"])
    page = (site / "site/metrics.html").read_text("utf-8")
    assert '<meta name="description" content="On one hundred photos of unseen people, the model agrees' in page
    assert 'property="og:title" content="Model &amp; metrics – meanface"' in page and "card.png" in page
    with Image.open(site / "site/card.png") as card:
        assert card.size == publication.CARD
    again = (site / "site/metrics.html").read_bytes()
    publication.finish(site, results, at_home(), ["metrics"])
    assert (site / "site/metrics.html").read_bytes() == again


def test_bars_of_links_and_folding_headers_have_names(site: Path, results: Results) -> None:
    from analysis.report import publication

    file = site / "site/metrics.html"
    bars = '<nav class="navbar x"></nav><nav id="TOC" aria-label="Mine"></nav>'
    folded = '<div class="callout-header" data-bs-toggle="collapse" aria-expanded="false"></div>'
    plain = '<div class="callout-header"></div>'
    plain += '<a class="sidebar-item-toggle x" role="navigation" aria-expanded="true"></a>'
    file.write_text(file.read_text("utf-8").replace("<main>", f"{bars}<main>{folded}{plain}"), "utf-8")
    file.write_text(file.read_text("utf-8").replace("<main>", '<main><pre class="sourceCode x"></pre>'), "utf-8")
    publication.finish(site, results, at_home(), ["metrics"])
    page = file.read_text("utf-8")
    assert '<pre tabindex="0" class="sourceCode x">' in page
    assert '<nav aria-label="Site" class="navbar x">' in page and '<nav id="TOC" aria-label="Mine">' in page
    assert page.count('<div role="button" tabindex="0" class="callout-header" data-bs') == 1
    assert '<a class="sidebar-item-toggle x" role="button" tabindex="0" aria-expanded' in page
    assert page.count('role="button"') == 2


def test_composites_can_be_downloaded(site: Path, results: Results) -> None:
    from analysis.report import publication

    publication.finish(site, results, at_home(), ["metrics"])
    with zipfile.ZipFile(site / "site/samples.zip") as archive:
        names = archive.namelist()
        assert len(names) == results.samples.sizes["picture"] and names[0].startswith("composite-female-")
        with Image.open(archive.open(names[0])) as face:
            assert face.size == (178, 218)
    assert publication.samples_archive(results) == (site / "site/samples.zip").read_bytes()


def test_without_an_address_none_is_claimed(site: Path, results: Results) -> None:
    from analysis.report import publication

    publication.finish(site, results, at_home(), ["metrics"])
    assert not {"sitemap.xml", "robots.txt", "feed.xml"} & {path.name for path in site.iterdir()}
    assert "canonical" not in (site / "site/metrics.html").read_text("utf-8")
    assert "(site/metrics.html): On one" in (site / "llms.txt").read_text("utf-8")
    assert 'href="/"' in (site / "404.html").read_text("utf-8")


def test_address_repository_and_author_stand_where_they_belong(site: Path, results: Results) -> None:
    from analysis.report import publication

    publication.finish(site, results, published(), ["metrics"])
    page = (site / "site/metrics.html").read_text("utf-8")
    assert '<link rel="canonical" href="https://example.org/faces/site/metrics.html">' in page
    assert (
        '<a href="https://example.org/code">Repository</a> · <a href="https://example.org/me">Author</a> Code MIT'
        in page
    )
    assert 'content="https://example.org/faces/site/card.png"' in page
    assert ElementTree.parse(site / "sitemap.xml").getroot()[0][0].text == "https://example.org/faces/site/metrics.html"
    channel = ElementTree.parse(site / "feed.xml").getroot()[0]
    assert channel.findtext("item/title") == "synthetic" and "2 Jan 2025" in (channel.findtext("item/pubDate") or "")
    assert "sitemap.xml" in (site / "robots.txt").read_text("utf-8")


def test_citation_names_the_run_and_only_what_is_known() -> None:
    entry = published().bibtex("third")
    assert "author = {{A. Author}}" in entry and "note = {published run third}" in entry and "doi" not in entry
    assert "A. Author} and {B. Author" in at_home().bibtex("third") and "url" not in at_home().bibtex("third")


def test_citation_file_is_read(tmp_path: Path) -> None:
    from analysis.report.publication import Publication

    known = yaml.safe_load((PROJECT / "CITATION.cff").read_text("utf-8"))
    read = Publication.read(PROJECT / "CITATION.cff")
    assert (read.title, read.version, read.url) == (known["title"], known["version"], "")
    people = [{"given-names": "Ann", "family-names": "Bee", "website": "https://example.org/me"}]
    known |= {"url": "https://example.org/faces", "repository-code": "https://example.org/code", "authors": people}
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(known), "utf-8")
    read = Publication.read(tmp_path / "CITATION.cff")
    assert (read.url, read.authors, read.profile) == (
        "https://example.org/faces/",
        ("Ann Bee",),
        "https://example.org/me",
    )


def test_model_index_holds_every_data_set_and_subset(results: Results) -> None:
    from analysis.report import publication

    index = json.loads(json.dumps(publication.model_index(results)))
    (model,) = index["model-index"]
    named = {entry["dataset"]["name"]: entry for entry in model["results"]}
    assert set(named) == {"synthetic", "other", "other, ages 10-80"}
    values = {metric["type"]: metric["value"] for metric in named["synthetic"]["metrics"]}
    assert values["accuracy"] == round(results.metrics.splits["test"].accuracy, 4)
    assert set(values) == {"accuracy", "roc_auc", "expected_calibration_error", "coverage"}
