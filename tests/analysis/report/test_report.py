"""The rendered report: complete, offline, all links whole, and replaced only by a whole new one."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlsplit

import html5lib
import pytest
import yaml
from synthetic import write_results

from analysis import figures
from analysis.core import paths
from analysis.core.errors import UserError
from analysis.report import freeze, reference, render
from analysis.results import Results

pytestmark = pytest.mark.slow  # every test renders, or reads what was rendered

HEAVIEST = 300_000  # bytes of a page without what it shares with others
FIRST_VIEW = 150_000  # bytes, compressed, of the first page with the scripts and styles that are the report's own
PAGES = ["index", "summary", "data", "datasheets", "faces", "hypothesis", "shape"]
PAGES += ["metrics", "training", "model-card", "predict", "api", "reproduce", "glossary"]
PAGES += ["reference", *(f"reference-{page}" for page in reference.PAGES)]
CODE = ["analysis/hypothesis/verdict.py", "analysis/averages/base.py", "analysis/figures/theme.py"]
CODE += ["analysis/core/words.py", "analysis/data/__init__.pyi", "model/predict.py", "dashboard/api.py"]
# By the server, beside the report.
SERVED = {
    "explore",
    "explore/data",
    "explore/faces",
    "explore/hypothesis",
    "explore/metrics",
    "explore/predict",
    "api/docs",
    "api/openapi.json",
}


class Page(HTMLParser):
    """What a page links to, what it makes a browser load, its ids and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.figures = self.captions = 0
        self._hidden = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.update(found[name] for name in ("id", "name") if name in found)
        self.figures += tag == "figure"
        self.captions += tag == "figcaption"
        self._hidden = tag in {"script", "style"}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in {"next", "prev", "canonical"}:
            self.loads.append(found["href"])
        elif tag in {"script", "img", "iframe", "source", "video", "audio", "embed"} and "src" in found:
            self.loads.append(found["src"])

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results") / "run")


@pytest.fixture(scope="module", autouse=True)
def no_predictor_in_the_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Its runtime would be fetched; tests/browser looks at it. Nor is a page taken from an earlier render."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_ORT_WEB", "off")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def site(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render.render(results.folder, tmp_path_factory.mktemp("report") / "site", renderer="embedded")


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {name: Page(site / "site" / f"{name}.html") for name in PAGES}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one page that tests may break; its Python packages are the real ones."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(paths.PROJECT), os.environ.get("PYTHONPATH", "")]))
    folder = tmp_path / "project"
    shutil.copytree(paths.PROJECT / "site", folder / "site")
    (folder / "tools").mkdir()
    for name in ("tools/assets.py", "tools/finish.py", "CITATION.cff"):
        shutil.copy(paths.PROJECT / name, folder / name)
    configuration = yaml.safe_load((paths.PROJECT / "_quarto.yml").read_text("utf-8"))
    configuration["project"]["render"] = ["site/index.qmd"]
    configuration["website"]["navbar"]["left"] = [{"text": "Home", "href": "site/index.qmd"}]
    (folder / "_quarto.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    monkeypatch.setattr(paths, "PROJECT", folder)
    return folder


def break_page(project: Path, code: str) -> None:
    (project / "site" / "index.qmd").write_text(f"---\ntitle: Home\n---\n\n```{{python}}\n{code}\n```\n", "utf-8")


def a_site(folder: Path) -> Path:
    folder.mkdir()
    (folder / "index.html").write_text("the old one", encoding="utf-8")
    (folder / render._STAMP).write_text("{}", encoding="utf-8")
    return folder


def test_a_folder_that_is_no_site_is_not_replaced(results: Results, tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="documents holds other files, which would be lost"):
        render.render(results.folder, tmp_path / "documents")
    assert (tmp_path / "documents" / "thesis.txt").exists()


def test_every_page_of_the_project_is_tested() -> None:
    configuration = yaml.safe_load((paths.PROJECT / "_quarto.yml").read_text("utf-8"))
    assert configuration["project"]["render"] == [f"site/{name}.qmd" for name in PAGES]
    entries = [part for item in configuration["website"]["navbar"]["left"] for part in item.get("menu", [item])]
    linked = [item["href"] for item in entries]
    assert linked == configuration["project"]["render"]
    # Quarto makes "previous" and "next" from the list at the side.
    listed = [part for item in configuration["website"]["sidebar"]["contents"] for part in item.get("contents", [item])]
    assert [item["href"] for item in listed] == linked


def test_colours_of_quarto_and_of_the_embedded_renderer_are_the_same() -> None:
    assets = paths.PROJECT / "site" / "assets"
    sheet = (assets / "meanface.css").read_text("utf-8")
    by_day, by_night = sheet.split("\n.quarto-dark {")[:2]
    for scss, css in (("light.scss", by_day), ("dark.scss", by_night.split("}")[0])):
        sass = dict(re.findall(r"^\$([\w-]+): (#\w+);", (assets / scss).read_text("utf-8"), re.MULTILINE))
        ours = dict(re.findall(r"--([\w-]+): (#\w+);", css))
        for theirs, own in {
            "body-bg": "paper",
            "body-color": "ink",
            "link-color": "accent",
            "border-color": "line",
        }.items():
            assert sass[theirs] == ours[own], (scss, theirs)
        assert sass["navbar-bg"] == sass["sidebar-bg"] == sass["body-bg"] != sass["navbar-fg"] == sass["body-color"]


@pytest.mark.parametrize("page", sorted((paths.PROJECT / "site").glob("*.qmd")), ids=lambda page: page.stem)
def test_page_has_nothing_that_only_one_renderer_understands(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"\bHTML\(", text)  # for which Quarto loads jQuery and require.js from elsewhere
    assert not re.search(r"(?<![\w/])@sec-|\[-@|\{\{<|^bibliography:", text)  # not resolved by the embedded renderer
    assert not re.search(r"(?<![\w/;\[] )(?<![\w/\[])@(?!fig-|tbl-)[a-z]+\d{4}", text)  # citations stand in brackets
    assert not re.search(
        r"^#\| (label|fig-cap|tbl-cap):", text, re.MULTILINE
    )  # which are those of a div around the cell


CELL = re.compile(r"^```\{python\}\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", sorted((paths.PROJECT / "site").glob("*.qmd")), ids=lambda page: page.stem)
def test_cell_that_brings_a_heading_is_taken_as_it_is(page: Path) -> None:
    # Within the div of a cell's output, a heading is none of Quarto's sections, and a callout's title or a tab of none.
    for cell in CELL.findall(page.read_text("utf-8")):
        brings = re.search(r'["\']#+ |\\n#+ |\bdatasheets\.section\(|\b(overview|reference)\(', cell)
        asis = cell.startswith("#| output: asis\n")
        assert bool(brings) == asis or "include: false" in cell, cell


@pytest.mark.parametrize("name", PAGES)
def test_no_heading_of_a_page_stands_within_the_output_of_a_cell(name: str, pages: dict[str, Page]) -> None:
    document = html5lib.parse(pages[name].path.read_text("utf-8"), namespaceHTMLElements=False)
    outputs = [each for each in document.iter("div") if "cell-output" in (each.get("class") or "").split()]
    headings = {id(each) for output in outputs for each in output.iter() if each.tag in {"h1", "h2", "h3", "h4"}}
    # Those of cards and steps are HTML, which no renderer makes sections of.
    parts = [each for each in document.iter() if {"answer", "step"} & set((each.get("class") or "").split())]
    assert headings <= {id(each) for part in parts for each in part.iter()}


@pytest.mark.parametrize("name", PAGES)
def test_every_table_of_a_page_is_numbered(name: str, pages: dict[str, Page]) -> None:
    if name.startswith("reference"):  # what a function takes stands beneath its name
        return
    document = html5lib.parse(pages[name].path.read_text("utf-8"), namespaceHTMLElements=False)
    main = next(document.iter("main"))
    within = {id(table) for figure in main.iter("figure") for table in figure.iter("table")}
    assert [table for table in main.iter("table") if id(table) not in within] == []


@pytest.mark.parametrize("page", sorted((paths.PROJECT / "site").glob("*.qmd")), ids=lambda page: page.stem)
def test_every_figure_and_table_of_a_page_has_a_label_and_a_caption(page: Path) -> None:
    text = page.read_text("utf-8")
    cell = r"```\{python\}\n(?:(?!```).)*?\b(?P<kind>figure|table)_html\(.*?\n```\n"
    for found in re.finditer(cell, text, re.DOTALL):
        kind = {"figure": "fig", "table": "tbl"}[found["kind"]]
        if re.search(rf'label="{kind}-[a-z-]+",\s+caption="[^"]+\."', found[0]):  # `where_available`, `where_known`
            continue
        assert re.search(rf"::: \{{#{kind}-[a-z-]+\}}\n\n$", text[: found.start()]), found[0]
        assert re.match(r"\n\S[^\n]*\.\n\n:::\n", text[found.end() :]), found[0]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_titled_and_drawn(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    source = (paths.PROJECT / "site" / f"{name}.qmd").read_text("utf-8")
    assert yaml.safe_load(source.split("---")[1])["title"] in page.text
    assert "@fig-" not in page.text and "@tbl-" not in page.text and "[@" not in page.text
    always = len(re.findall(r"^::: \{#(?:fig|tbl)-", source, re.MULTILINE))
    always += page.path.read_text("utf-8").count('<div id="tbl-images-')  # one in the datasheet of each data set
    most = always + len(re.findall(r'label="(?:fig|tbl)-', source))  # those that a run may lack
    assert always <= page.figures == page.captions <= most
    assert page.path.read_text("utf-8").count('class="chart"') <= source.count("figure_html(")
    assert "Traceback" not in page.text and "Warning:" not in page.text and "{python}" not in page.text
    assert "cell-output-stderr" not in page.path.read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_resolve(name: str, pages: dict[str, Page], site: Path) -> None:
    page, known = pages[name], {each.path.resolve(): each for each in pages.values()}
    for link in page.links:
        address, anchor = urldefrag(link)
        parts = urlsplit(address)
        if parts.scheme in {"http", "https", "mailto"}:
            continue
        assert not parts.scheme and not parts.netloc, link
        target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
        assert target.is_relative_to(site.resolve()), link
        if target.relative_to(site.resolve()).as_posix() in SERVED:
            continue
        target = target / "index.html" if target.is_dir() else target
        assert target.exists(), link
        if anchor:
            found = known.get(target.resolve()) or Page(target)
            assert unquote(anchor) in found.ids, link


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_nothing_from_elsewhere(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    assert any(address.endswith("assets/site.js") for address in page.loads)
    assert not any("bokeh" in address for address in page.loads)  # which is loaded once a figure comes into view
    assert (page.path.parent / "assets/bokeh/bokeh.min.js").exists()
    for address in page.loads:
        if not address.startswith("data:"):
            parts = urlsplit(address)
            assert not parts.scheme and not parts.netloc, address
            assert (page.path.parent / unquote(parts.path)).exists(), address


def test_styles_load_nothing_from_elsewhere(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        text = sheet.read_text("utf-8").replace(" ", "").replace('"', "").replace("'", "")
        for elsewhere in ("url(http", "url(//", "@importhttp", "@import//"):
            assert elsewhere not in text, sheet


@pytest.mark.parametrize("name", PAGES)
def test_page_is_light(name: str, pages: dict[str, Page]) -> None:
    assert pages[name].path.stat().st_size < HEAVIEST


def test_figures_can_be_seen_without_javascript(pages: dict[str, Page]) -> None:
    figures_of_all = sum(page.path.read_text("utf-8").count('<div class="chart"') for page in pages.values())
    stills = [address for page in pages.values() for address in page.loads if address.endswith(".svg")]
    assert sum("pictures/" in address for address in stills) > 0.9 * figures_of_all > 30


def test_first_view_of_the_first_page_is_small(pages: dict[str, Page]) -> None:
    page = pages["index"]
    own = [address for address in page.loads if "site_libs" not in address and not address.startswith(("data:", "pic"))]
    sent = [page.path, *(page.path.parent / unquote(urlsplit(address).path) for address in own)]
    assert sum(len(gzip.compress(file.read_bytes())) for file in sent) < FIRST_VIEW


@pytest.mark.parametrize("name", PAGES)
def test_page_is_valid_and_described(name: str, pages: dict[str, Page]) -> None:
    parser = html5lib.HTMLParser()
    document = parser.parse(pages[name].path.read_text("utf-8"))
    assert [(position, code) for position, code, _ in parser.errors] == []
    space = "{http://www.w3.org/1999/xhtml}"
    tags = {tag.get("name") or tag.get("property"): tag.get("content") for tag in document.iter(f"{space}meta")}
    assert 30 <= len(tags["description"]) <= 200 and tags["og:description"] == tags["description"]
    assert tags["og:title"] and tags["og:image"] and len(document.findall(f".//{space}h1")) == 1
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(image.get("alt") is not None for image in document.iter(f"{space}img"))


def test_pages_that_are_described_alike_are_none(pages: dict[str, Page]) -> None:
    said = [
        re.search(r'<meta name="description" content="([^"]*)"', page.path.read_text("utf-8"))
        for page in pages.values()
    ]
    assert len({found[1] for found in said if found}) == len(PAGES)


def test_pages_say_what_the_results_say(results: Results, pages: dict[str, Page]) -> None:
    home, summary = pages["index"].text, pages["summary"].text
    for sentence in (figures.story.differ_sentence, figures.story.tell_sentence):
        assert sentence(results) in home and sentence(results) in summary
    assert figures.story.target_sentence(results) in summary
    answers = figures.answers
    assert answers.prediction_answer(results) in pages["metrics"].text
    assert answers.hypothesis_answer(results) in pages["hypothesis"].text
    assert answers.api_answer(results) in summary


def test_nothing_is_said_word_for_word_on_three_pages(pages: dict[str, Page]) -> None:
    said: dict[str, set[str]] = {}
    for name in set(PAGES) - {name for name in PAGES if name.startswith("reference")}:
        main = re.sub(
            r"(?s)<(script|style|nav|table|pre)\b.*?</\1>",
            " ",
            pages[name].path.read_text("utf-8").split("<main")[1].split("</main>")[0],
        )
        for sentence in re.split(r"(?<=[.?!])\s", " ".join(re.sub("<[^>]+>", " ", main).split())):
            if len(sentence) > 60:
                said.setdefault(sentence, set()).add(name)
    assert {sentence: names for sentence, names in said.items() if len(names) > 2} == {}


def test_terms_lead_to_their_meaning(pages: dict[str, Page]) -> None:
    linked = {link.split("#")[1] for page in pages.values() for link in page.links if "glossary.html#" in link}
    assert linked and linked <= pages["glossary"].ids


def test_first_page_answers_with_what_the_results_say(results: Results, pages: dict[str, Page]) -> None:
    source = pages["index"].path.read_text("utf-8")
    counts = figures.story.as_served(results)
    assert sum(counts.values()) == 100
    for name, count in counts.items():
        assert source.count(f'class="is-{name}"/>') == count
    assert source.count('<section class="answer"') == 3 and source.count('<section class="step"') >= 3
    assert figures.story.overlap(0) == 1 and round(figures.story.overlap(0.8), 2) == 0.69


@pytest.mark.parametrize("verdict", ["supported", "not worth speaking of", "no difference", "inconclusive"])
def test_first_sentence_follows_the_verdict(verdict: str, results: Results) -> None:
    changed = results.hypothesis.model_copy(update={"verdict": verdict})
    measured = SimpleNamespace(
        hypothesis=changed,
        has_shape=True,
        shape=results.shape,
        shape_distances=results.shape_distances,
        study=results.study,
    )
    for known in (measured, SimpleNamespace(hypothesis=changed, has_shape=False)):
        sentence = figures.story.differ_sentence(known)
        assert sentence.startswith("Yes") == (verdict == "supported")
        assert ("chin width" in sentence) == known.has_shape


def test_target_that_is_missed_is_said_to_be(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "met on" in figures.story.target_sentence(results)
    monkeypatch.setattr(figures.story, "WANTED", 1.0)
    assert "missed on" in figures.story.target_sentence(results)


def test_verdict_and_fingerprint_are_those_of_the_run(results: Results, pages: dict[str, Page]) -> None:
    assert f"Verdict: {results.hypothesis.verdict}" in pages["hypothesis"].text
    assert results.run.data["synthetic"].fingerprint in pages["reproduce"].text


def test_model_card_says_what_the_results_say(results: Results, pages: dict[str, Page]) -> None:
    card = pages["model-card"].text
    measured = results.metrics
    calibration = figures.metrics.calibration_reading(measured, "test", figures.metrics.sources(measured))
    assert calibration in card and calibration in pages["metrics"].text
    assert results.run.steps.evaluate is not None
    assert figures.tables.looks_reading(results.run.steps.evaluate) in card
    assert f"{results.metrics.parameters:,} parameters" in card
    for heading in ("Intended use", "What the label means", "Data and licences", "Limits", "Care"):
        assert heading in card


def test_api_page_shows_the_examples_verbatim(pages: dict[str, Page]) -> None:
    shown = "".join(pages["api"].text.split())
    for example in (paths.PROJECT / "site" / "examples").iterdir():
        assert "".join(example.read_text("utf-8").split()) in shown, example.name


def test_predict_page_without_its_runtime_says_so_and_links_to_the_explorer(pages: dict[str, Page]) -> None:
    assert "rendered where npm was not at hand" in pages["predict"].text
    assert "../explore/predict" in pages["predict"].links
    assert 'id="predictor"' not in pages["predict"].path.read_text("utf-8")


def test_predict_page_offers_composites_and_a_place_for_photos(results: Results) -> None:
    html = figures.samples.predictor_html(results.samples).data
    assert html.count('<button type="button" data-name="composite-') >= 2
    assert 'type="file"' in html and 'src="assets/predict.mjs"' in html


@pytest.mark.parametrize("chosen", ["", "none/here"])
def test_runtime_that_is_not_there_is_told(chosen: str, results: Results, tmp_path: Path) -> None:
    """Of no npm the render goes on without the predictor; a folder that was named has to hold it."""
    environment = os.environ | {
        "PATH": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "QUARTO_PROJECT_DIR": str(tmp_path),
    }
    environment |= {"MEANFACE_ORT_WEB": chosen, "MEANFACE_RESULTS": str(results.folder), "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(paths.PROJECT), os.environ.get("PYTHONPATH", "")])
    script = paths.PROJECT / "tools" / "assets.py"
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if chosen else 0)
    assert ("does not hold ort.wasm.min.mjs" if chosen else "npm is missing") in done.stderr
    assert (tmp_path / "site" / "assets" / "bokeh" / "bokeh.min.js").exists()
    assert not (tmp_path / "site" / "assets" / "predictor").exists()


def test_page_that_was_not_touched_is_not_executed_again(
    results: Results, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    break_page(project, "'one'")
    render.render(results.folder, tmp_path / "site", renderer="embedded")
    executed: list[Path] = []

    async def record(pages: list[Path], *_: object) -> None:
        executed.extend(pages)

    monkeypatch.setattr(render, "_execute_all", record)
    page = Page(render.render(results.folder, tmp_path / "site", renderer="embedded") / "site" / "index.html")
    assert "'one'" in page.text and executed == []
    break_page(project, "'two'")
    render.render(results.folder, tmp_path / "site", renderer="embedded")
    assert [page.name for page in executed] == ["index.qmd"]


def test_root_leads_home(site: Path) -> None:
    assert 'content="0;URL=site/index.html"' in (site / "index.html").read_text("utf-8")


def test_site_names_no_folder_of_the_machine(site: Path, results: Results) -> None:
    # But for gzipped arrays and pictures, in whose letters a short folder, "/ci" say, turns up by chance.
    packed = re.compile(r"(?:H4s|;base64,)[A-Za-z0-9+/=]+")
    for page in site.rglob("*.html"):
        text = packed.sub("", page.read_text("utf-8"))
        assert str(paths.PROJECT) not in text and str(results.folder) not in text
        assert "meanface-report-" not in text  # the scratch folder


def test_site_is_stale_once_its_results_change(results: Results, site: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(results.folder, again)
    stamp = tmp_path / "site" / "rendered.json"
    stamp.parent.mkdir()
    assert render.is_stale(again, stamp.parent)
    stamp.write_text(json.dumps({"fingerprint": freeze.fingerprint(again)}), encoding="utf-8")
    assert not render.is_stale(again, stamp.parent)
    facts = json.loads((again / "study" / "study.json").read_text("utf-8"))
    (again / "study" / "study.json").write_text(json.dumps(facts | {"images": facts["images"] + 1}), "utf-8")
    assert render.is_stale(again, stamp.parent)
    assert (site / "rendered.json").exists()


@pytest.mark.parametrize("name", CODE)
def test_site_is_stale_once_any_code_that_draws_it_changes(
    name: str, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("analysis", "dashboard", "model"):
        shutil.copytree(paths.PACKAGES / package, tmp_path / package, ignore=shutil.ignore_patterns("*.zip"))
    monkeypatch.setattr(paths, "PACKAGES", tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    (site / "rendered.json").write_text(json.dumps({"fingerprint": freeze.fingerprint(results.folder)}), "utf-8")
    assert not render.is_stale(results.folder, site)
    with (tmp_path / name).open("a", encoding="utf-8") as module:
        module.write("\nCHANGED = True\n")
    assert render.is_stale(results.folder, site)


def test_stamp_that_cannot_be_read_is_stale(results: Results, tmp_path: Path) -> None:
    (tmp_path / "rendered.json").write_text("{", encoding="utf-8")
    assert render.is_stale(results.folder, tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('raise ValueError("first line\\nthe last line")', "ValueError: the last line"),
        ("assert 1 == 2", "AssertionError"),
        ("import os; os._exit(1)", "ended"),
    ],
)
def test_failing_page_is_named_and_leaves_the_old_site(
    code: str, said: str, project: Path, results: Results, tmp_path: Path
) -> None:
    break_page(project, code)
    output = a_site(tmp_path / "site")
    with pytest.raises(UserError, match=f"index.qmd.*{said}"):
        render.render(results.folder, output, renderer="embedded")
    assert (output / "index.html").read_text("utf-8") == "the old one"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_part_that_is_missing_is_named(project: Path, results: Results, tmp_path: Path) -> None:
    configuration = project / "_quarto.yml"
    configuration.write_text(configuration.read_text("utf-8").replace("index.qmd", "summary.qmd"), "utf-8")
    lacking = tmp_path / "lacking"
    shutil.copytree(results.folder, lacking)
    (lacking / "study" / "study.json").unlink()
    with pytest.raises(UserError, match=r"summary.qmd.*study.json is missing: run `meanface study NAME --run RUN`"):
        render.render(lacking, tmp_path / "site", renderer="embedded")
    assert not (tmp_path / "site").exists()


def test_data_set_without_attributes_or_repeated_people_has_a_page_that_says_so(
    project: Path, results: Results, tmp_path: Path
) -> None:
    configuration = project / "_quarto.yml"
    configuration.write_text(configuration.read_text("utf-8").replace("index.qmd", "data.qmd"), "utf-8")
    bare = tmp_path / "bare"
    shutil.copytree(results.folder, bare)
    study = bare / "study"
    once = results.identities.head(1).assign(scope="images", images=1, mixed_people=0, minority_images=0)
    once.to_parquet(study / "identities.parquet", index=False)
    results.attributes.head(0).to_parquet(study / "attributes.parquet", index=False)
    results.cooccurrence.head(0).to_parquet(study / "cooccurrence.parquet", index=False)
    page = Page(render.render(bare, tmp_path / "site", renderer="embedded") / "site" / "data.html")
    assert page.text.count("Not shown: this run has no attributes of its images") == 2
    assert "Not shown: too few people have two images or more" in page.text
    assert page.figures == page.captions > 4


def test_new_site_takes_the_place_of_the_old_one(project: Path, results: Results, tmp_path: Path) -> None:
    break_page(project, '"a cell that works"')
    output = a_site(tmp_path / "site")
    render.render(results.folder, output, renderer="embedded")
    assert "a cell that works" in Page(output / "site" / "index.html").text
    assert "the old one" not in (output / "index.html").read_text("utf-8")


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no published run"):
        render.render(tmp_path, tmp_path / "site")


def test_quarto_is_asked_for_by_name_only_where_it_is(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="Quarto is not installed"):
        render.render(results.folder, tmp_path / "site", renderer="quarto")


def a_quarto(folder: Path, script: str) -> None:
    """A command called quarto that runs ``script`` in its project."""
    folder.mkdir()
    command = folder / "quarto"
    command.write_text(f'#!/bin/sh\ncd "$2" || exit 1\n{script}\n', encoding="utf-8")
    command.chmod(0o755)


def test_quarto_is_taken_where_it_is_and_told_which_python_and_results(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_quarto(tmp_path / "bin", 'mkdir _site; echo "$QUARTO_PYTHON|$MEANFACE_RESULTS" > _site/told.html')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    output = render.render(results.folder, tmp_path / "site")
    told = (output / "told.html").read_text("utf-8").strip()
    assert told == f"{sys.executable}|{results.folder.resolve()}"
    assert not render.is_stale(results.folder, output)


def test_progress_and_warnings_of_quarto_are_passed_on(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = r"\033[1m[ 3/17] site/data.qmd\033[22m\nWARN: odd\n"
    a_quarto(tmp_path / "bin", f"mkdir _site; printf '{said}' >&2; test -n \"$NO_COLOR\"")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    render.render(results.folder, tmp_path / "site")
    assert capsys.readouterr().err.splitlines() == ["Rendering the report: page 3 of 17, data.qmd", "WARN: odd"]


def test_page_that_fails_in_quarto_is_named_with_its_cause(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "[3/17] site/data.qmd\\n  Cell 2/5: .....ERROR:\\nTraceback\\nValueError: no such result\\nWARN: odd"
    a_quarto(tmp_path / "bin", f"printf '{said}\\n' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(UserError, match=r"^page data.qmd fails: ValueError: no such result$"):
        render.render(results.folder, tmp_path / "site")


def test_error_of_quarto_is_passed_on(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_quarto(tmp_path / "bin", 'echo "ERROR: it went wrong" >&2; exit 3')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    output = a_site(tmp_path / "site")
    with pytest.raises(UserError, match="ERROR: it went wrong"):
        render.render(results.folder, output)
    assert (output / "index.html").read_text("utf-8") == "the old one"
