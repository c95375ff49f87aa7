"""Figures as SVG: whole, in order, and only where every part is known."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from synthetic import write_results

from analysis import figures
from analysis.hypothesis.regions import REGIONS
from analysis.results import Results

SPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results") / "run")


def parts(figure: Any) -> ElementTree.Element:
    from analysis.figures.html import drawn

    picture = drawn(figure)[1]
    assert picture is not None
    return ElementTree.fromstring(picture)


def test_bars_stand_side_by_side_with_their_heights(results: Results) -> None:
    svg = parts(figures.labels.label_counts(results.labels))
    bars = [bar for bar in svg.iter(f"{SPACE}rect") if bar.get("fill", "").startswith("#")]
    heights = [float(bar.get("height", 0)) for bar in bars]
    images = results.labels.sort_values("label", kind="stable")["images"].tolist()
    assert [round(height / heights[0], 1) for height in heights] == [round(n / images[0], 1) for n in images]
    words = "".join(svg.itertext())
    assert "validation" in words and "Images" in words


def test_points_intervals_and_names_of_rows_are_drawn(results: Results) -> None:
    svg = parts(figures.hypothesis.region_chart(results.regions))
    names = {text.text for text in svg.iter(f"{SPACE}text")}
    assert {"jaw", "eyes", "background"} <= names
    assert len(list(svg.iter(f"{SPACE}circle"))) >= len({"jaw", "eyes", "background"} | set(REGIONS))


def test_pictures_stand_upright(results: Results) -> None:
    svg = parts(figures.faces.average_faces(results.average_faces))
    assert any(image.get("href", "").startswith("data:image/webp;base64,") for image in svg.iter(f"{SPACE}image"))


@pytest.mark.parametrize("name", ["accuracy", "history", "reliability"])
def test_a_figure_of_several_panels_or_scales_has_a_still(name: str, results: Results) -> None:
    made = {
        "accuracy": lambda: figures.robustness.accuracy_curve(results.robustness, "blur"),
        "history": lambda: figures.training.training_history(results.history),
        "reliability": lambda: figures.metrics.reliability_diagram(results.metrics, "test", ["synthetic", "other"]),
    }[name]()
    svg = parts(made)
    assert len(list(svg.iter(f"{SPACE}path"))) > 10
    _, _, width, height = map(float, (svg.get("viewBox") or "").split())
    for circle in svg.iter(f"{SPACE}circle"):
        assert -20 <= float(circle.get("cx", 0)) <= width + 20 and -20 <= float(circle.get("cy", 0)) <= height + 20


def test_a_glyph_that_is_not_known_has_no_still_and_says_so() -> None:
    from bokeh.models import HexTile
    from bokeh.plotting import figure as bokeh_figure

    from analysis.figures.still import still

    plot = bokeh_figure(x_range=(0, 1), y_range=(0, 1))
    plot.add_glyph(HexTile())
    assert still(plot) is None


def test_still_is_the_same_each_time(results: Results) -> None:
    from analysis.figures.html import drawn

    pictures = [drawn(figures.labels.label_counts(results.labels))[1] for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_page_shows_the_still_until_the_figure_is_drawn(results: Results, tmp_path: Path) -> None:
    from analysis.figures.html import figure_html

    html = figure_html(figures.labels.label_counts(results.labels), "It says so.").data
    assert re.search(r'<img class="still" alt="" width="\d+" height="\d+" src="data:image/svg', html)
    assert "needs JavaScript" not in html
