"""What pages get once they are rendered, by whichever renderer: parts of their own, descriptions, a card, a citation.

Figures' data and large pictures become files that a browser loads when they come into view; every page gets a
description and a card for those who link to it. What needs the site's address (sitemap, feed, canonical addresses) is
made where CITATION.cff, the one place for addresses, names it.
"""

import base64
import hashlib
import inspect
import io
import json
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape, unescape
from importlib import import_module
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import story
from analysis.results import Results

_LARGE = 1200  # bytes of a part of a page from which it becomes a file
_DESCRIBED = (60, 200)  # letters that a description has at least and at most
_SAMPLE = (178, 218)  # pixels of a composite to try the predictor with
CARD = (1200, 630)  # pixels of the picture that stands for a page elsewhere
_FINISHED = '<meta name="generator" content="meanface">'
_FIGURE = re.compile(r'<script type="text/plain" class="(figure-\w+)">([A-Za-z0-9+/=\s]+)</script>')
_STILL = re.compile(
    r'(?s)(<img class="still"[^>]* src=")(pictures/[^"]+)'
    r'("(?:(?!<img class="still").)*?)<a class="figure-image">(.*?)</a>'
)
_CODE = re.compile(r'href="code/((\w+)\.(\w+))\.txt"')
_PICTURE = re.compile(r'src="data:image/(webp|png|jpeg|svg)(?:[+]xml)?;base64,([A-Za-z0-9+/=]+)"')


@dataclass(frozen=True)
class Publication:
    """Who publishes the site, and where: what CITATION.cff says."""

    title: str
    """Title of the work."""
    version: str
    """Version of the software."""
    date: str
    """Date of the version, ISO 8601."""
    authors: tuple[str, ...]
    """Names."""
    url: str = ""
    """Address of the site, with a slash at its end; empty if it has none."""
    repository: str = ""
    """Address of the repository; empty if it is not public."""
    profile: str = ""
    """Address of the first author; empty if none is given."""
    doi: str = ""
    """DOI; empty if it has none."""

    @classmethod
    def read(cls, file: Path) -> "Publication":
        """Read CITATION.cff."""
        known = yaml.safe_load(file.read_text("utf-8"))
        people = known.get("authors", [])
        names = [
            person.get("name") or " ".join(filter(None, [person.get("given-names"), person.get("family-names")]))
            for person in people
        ]
        url = str(known.get("url", "")).rstrip("/")
        return cls(
            title=known["title"],
            version=str(known["version"]),
            date=str(known["date-released"]),
            authors=tuple(names),
            url=f"{url}/" if url else "",
            repository=str(known.get("repository-code", "")),
            profile=next((str(person["website"]) for person in people if person.get("website")), ""),
            doi=str(known.get("doi", "")),
        )

    def bibtex(self, run: str) -> str:
        """Write the entry for a bibliography, which names the published run."""
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(f"{{{name}}}" for name in self.authors),
            "year": self.date[:4],
            "version": self.version,
            "note": f"published run {run}",
            "doi": self.doi,
            "url": self.url or self.repository,
        }
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return "@software{meanface,\n" + ",\n".join(lines) + "\n}"


def model_index(results: Results) -> dict[str, object]:
    """Describe the model for machines, as Hugging Face's ``model-index``: a result for each data set and subset."""
    metrics, card = results.metrics, results.card
    named = {**metrics.sources, **metrics.subsets}
    entries = [
        {
            "task": {"type": "image-classification", "name": "perceived gender of a face"},
            "dataset": {"name": name, "type": name.split(",")[0], "split": "test"},
            "metrics": [
                {
                    "type": "accuracy",
                    "value": round(splits["test"].accuracy, 4),
                    "args": {"interval_95": [round(end, 4) for end in splits["test"].accuracy_interval]},
                },
                {"type": "roc_auc", "value": round(splits["test"].roc_auc, 4)},
                {"type": "expected_calibration_error", "value": round(splits["test"].calibration.ece, 4)},
                {"type": "coverage", "value": round(splits["test"].decided.coverage, 4)},
            ],
        }
        for name, splits in named.items()
    ]
    return {
        "model-index": [{"name": f"meanface {results.run.run}", "results": entries}],
        "license": "other",
        "pipeline_tag": "image-classification",
        "datasets": metrics.datasets,
        "model-file": {"name": card.file, "sha256": card.sha256, "bytes": metrics.serving_bytes},
    }


def card_picture(results: Results) -> Image.Image:
    """Draw the picture that stands for the site elsewhere: both average faces, the question and the accuracy."""
    width, height = CARD
    card = Image.new("RGB", CARD, "#fdfcfa")
    faces = results.average_faces
    tall = height - 120
    for place, label in enumerate(name for name in LABELS if name in faces["label"].values):
        mean = faces["mean"].sel(label=label).transpose("y", "x", "channel").to_numpy()
        face = Image.fromarray((255 * mean.clip(0, 1)).round().astype(np.uint8))
        wide = round(tall * face.width / face.height * 0.62)
        card.paste(face.resize((wide, round(tall * 0.62)), Image.Resampling.BICUBIC), (70 + place * (wide + 20), 190))
    draw = ImageDraw.Draw(card)
    draw.text((70, 60), "What does the average face say?", "#1f2430", ImageFont.load_default(60))
    test = results.metrics.splits["test"]
    lines = [
        f"{percent(story.overlap(results.hypothesis.mean_abs_g), 0)} in common",
        "at a typical place of the picture",
        "",
        f"{percent(test.accuracy)} as annotators",
        "said, on test photos",
    ]
    for number, line in enumerate(lines):
        large = number in {0, 3}
        draw.text(
            (690, 210 + 58 * number),
            line,
            "#332288" if large else "#5c6370",
            ImageFont.load_default(46 if large else 32),
        )
    draw.text((width - 250, height - 70), "meanface", "#5c6370", ImageFont.load_default(36))
    return card


def samples_archive(results: Results) -> bytes:
    """Pack the composites as photos to try the predictor and the API with: a ZIP, the same each time."""
    samples = results.samples
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, face in enumerate(samples["face"].to_numpy()):
            packed = io.BytesIO()
            Image.fromarray(face).resize(_SAMPLE, Image.Resampling.BICUBIC).save(packed, "JPEG", quality=92)
            label = str(samples["label"].to_numpy()[number])
            archive.writestr(zipfile.ZipInfo(f"composite-{label}-{number + 1}.jpg"), packed.getvalue())
    return file.getvalue()


def finish(site: Path, results: Results, publication: Publication, pages: list[str]) -> None:
    """Give the rendered pages of a site what no renderer does.

    Parameters
    ----------
    site
        The rendered site, with ``site/NAME.html``.
    results
        The published run.
    publication
        Where the site is published.
    pages
        Names of the pages, in order, without folder and ending.
    """
    folder = site / "site"
    card_picture(results).save(folder / "card.png", optimize=True)
    (folder / "samples.zip").write_bytes(samples_archive(results))
    (folder / "model-index.json").write_text(json.dumps(model_index(results), indent=1) + "\n", "utf-8")
    described = {}
    for name in pages:
        file = folder / f"{name}.html"
        text = file.read_text("utf-8")
        title = unescape(_between(text, "<title>", "</title>"))
        described[name] = (title, _description(text) or title)
        if _FINISHED not in text:  # Quarto may have rendered another page alone
            text = _accessible(_files_of_their_own(text, name, folder))
            file.write_text(_linked(_headed(text, name, *described[name], publication), publication), "utf-8")
    (site / "404.html").write_text(_not_found(publication), "utf-8")
    (site / "llms.txt").write_text(_for_models(described, publication), "utf-8")
    if publication.url:
        addresses = "".join(f"<url><loc>{publication.url}site/{name}.html</loc></url>" for name in pages)
        (site / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
            f"{addresses}</urlset>\n",
            "utf-8",
        )
        (site / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {publication.url}sitemap.xml\n", "utf-8")
        (site / "feed.xml").write_text(_feed(results, publication), "utf-8")


def _files_of_their_own(text: str, page: str, folder: Path) -> str:
    """Move figures' data and large pictures of a page into files, which are loaded when they come into view."""
    number = 0

    def figure(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        name = f"{page}-{number}"
        target = folder / "figures" / f"{name}.js"
        target.parent.mkdir(exist_ok=True)
        # A script, since a page that is opened from a disk may load scripts, but not read files.
        target.write_text(f'(window.meanfaceFigures ??= {{}})["{name}"] = "{found[2].strip()}";\n', "utf-8")
        return f'<script type="text/plain" class="{found[1]}" data-figure="{name}"></script>'

    def picture(found: re.Match[str]) -> str:
        content = base64.b64decode(found[2])
        if len(content) < _LARGE:
            return found[0]
        target = folder / "pictures" / f"{hashlib.sha256(content).hexdigest()[:16]}.{found[1]}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        return f'src="pictures/{target.name}" loading="lazy" decoding="async"'

    text = _PICTURE.sub(picture, _FIGURE.sub(figure, text))
    for name, module, function in set(_CODE.findall(text)):
        target = folder / "code" / f"{name}.txt"
        target.parent.mkdir(exist_ok=True)
        target.write_text(_code(module, function), "utf-8")
    return _STILL.sub(r'\1\2\3<a class="figure-image" href="\2" download>\4</a>', text)


def _accessible(text: str) -> str:
    """Name what neither renderer names for those who cannot see it: bars of links, and headers that fold a note."""

    def named(found: re.Match[str]) -> str:
        tag = found[0]
        name = next((name for mark, name in _NAVIGATION.items() if mark in tag), None)
        return tag if name is None or "aria-label" in tag else tag.replace("<nav", f'<nav aria-label="{name}"', 1)

    text = re.sub(r"<nav\b[^>]*>", named, text)
    text = re.sub(r'<pre(?= class="sourceCode)(?![^>]* tabindex=)', '<pre tabindex="0"', text)  # a long line scrolls
    text = text.replace('<div class="sd-table">', '<div class="sd-table" tabindex="0" role="group" aria-label="Table">')
    # What folds a part of the list of pages is a button, and no navigation of its own.
    text = re.sub(r'(<a class="sidebar-item-[^>]*) role="navigation"', r'\1 role="button" tabindex="0"', text)
    return re.sub(
        r'<div(?= class="callout-header[^>]* data-bs-toggle)(?![^>]* role=)', '<div role="button" tabindex="0"', text
    )


_NAVIGATION = {  # part of a tag -> what it leads through
    'class="navbar': "Site",
    "quarto-secondary-nav": "Place in the site",
    'id="quarto-sidebar"': "Pages",
    'id="TOC"': "On this page",
    "page-navigation": "Previous and next page",
}


def _code(module: str, function: str) -> str:
    """Source of a function that draws a figure, with the module that it stands in."""
    drawn = getattr(import_module(f"analysis.figures.{module}"), function)
    return f"# analysis/figures/{module}.py\n\n{inspect.getsource(inspect.unwrap(drawn))}"


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def _description(text: str) -> str:
    """First sentences of a page's first paragraph that says something."""
    shortest, longest = _DESCRIBED
    main = re.sub(r"(?s)<(script|style|nav|header|figure|table)\b.*?</\1>", " ", _between(text, "<main", "</main>"))
    for paragraph in re.findall(r"(?s)<p\b[^>]*>(.*?)</p>", main):
        said = " ".join(unescape(re.sub("<[^>]+>", "", paragraph)).split())
        if len(said) >= shortest:
            return said if len(said) <= longest else said[: longest - 1].rsplit(" ", 1)[0] + " …"
    return ""


def _headed(text: str, name: str, title: str, description: str, publication: Publication) -> str:
    """Put a page's description and card into its head."""
    text = re.sub(r'<meta (?:name="description"|property="og:[^"]*")[^>]*>\n?', "", text)
    address = f"{publication.url}site/{name}.html" if publication.url else ""
    tags = {
        'name="description"': description,
        'property="og:type"': "article",
        'property="og:site_name"': "meanface",
        'property="og:title"': title,
        'property="og:description"': description,
        'property="og:image"': f"{publication.url}site/card.png" if publication.url else "card.png",
        'property="og:image:alt"': "Average faces labelled female and male",
        'name="twitter:card"': "summary_large_image",
    }
    if address:
        tags['property="og:url"'] = address
    head = _FINISHED + "".join(f'<meta {key} content="{escape(value, quote=True)}">' for key, value in tags.items())
    if address:
        head += f'<link rel="canonical" href="{address}">'
        head += '<link rel="alternate" type="application/rss+xml" title="Published runs" href="../feed.xml">'
    return text.replace("</head>", f"{head}</head>", 1)


def _linked(text: str, publication: Publication) -> str:
    """Link to the repository and the author from the foot of a page, where they are known."""
    known = {"Repository": publication.repository, "Author": publication.profile}
    links = " · ".join(
        f'<a href="{escape(address, quote=True)}">{name}</a>' for name, address in known.items() if address
    )
    return re.sub(r'(<div class="nav-footer-right">)', rf"\g<1>{links} ", text, count=1) if links else text


def _not_found(publication: Publication) -> str:
    # A static host serves this page at any depth: without a known address, only a link from the root on leads anywhere.
    home = f"{publication.url}site/index.html" if publication.url else "/"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page not found – meanface</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<style>body{max-width:32rem;margin:20vh auto;padding:0 1rem;font:1.1rem/1.6 sans-serif}</style></head><body>"
        "<h1>There is no such page</h1><p>It may have moved when the report was rendered again. "
        f'<a href="{escape(home, quote=True)}">Start from the first page</a>, which lists all others.</p>'
        "</body></html>\n"
    )


def _for_models(described: dict[str, tuple[str, str]], publication: Publication) -> str:
    """Describe the site for language models: https://llmstxt.org."""
    lines = [f"- [{title}]({publication.url}site/{name}.html): {said}" for name, (title, said) in described.items()]
    return f"# meanface\n\n> {publication.title}\n\n## Pages\n\n" + "\n".join(lines) + "\n"


def _feed(results: Results, publication: Publication) -> str:
    """RSS with the published run; a reader keeps those that it saw before."""
    run = results.run
    when = format_datetime(datetime.fromisoformat(run.created))
    said = f"{story.tell_sentence(results)} {story.differ_sentence(results)}"
    link = f"{publication.url}site/summary.html"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>meanface: published runs</title>'
        f"<link>{escape(publication.url)}</link><description>{escape(publication.title)}</description>"
        f"<item><title>{escape(run.run)}</title><link>{escape(link)}</link>"
        f'<guid isPermaLink="false">{escape(run.run)} {escape(run.created)}</guid><pubDate>{when}</pubDate>'
        f"<description>{escape(said)}</description></item></channel></rss>\n"
    )
