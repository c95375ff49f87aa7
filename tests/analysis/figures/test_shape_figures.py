"""Figures of the shape: they draw, and their sentences say what the stored numbers say."""

from pathlib import Path

import pytest
from synthetic import write_results

from analysis import figures
from analysis.results import Results
from analysis.shape.geometry import DISTANCES


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder: Path = tmp_path_factory.mktemp("shape") / "run"
    return write_results(folder)


def test_averages_are_pictures_with_names(results: Results) -> None:
    pair, steps = figures.shape.shape_free_faces(results.shape_free).data, figures.shape.blend(results.shape_free).data
    assert pair.count("<img") == 2 and "Labelled female" in pair
    assert steps.count("<img") == 7 and "Half-way" in steps and "Beyond the average labelled male" in steps
    assert figures.shape.crossed(results.shape_free).data.count("<img") == 2
    reading = figures.shape.shape_free_reading(results.shape_free)
    assert "590 faces labelled female and 400 labelled male" in reading
    assert "20 % and 30 % sharper" in reading


def test_charts_draw(results: Results) -> None:
    import holoviews as hv

    drawn = [
        figures.shape.displacement_map(results.shape_maps),
        figures.shape.distance_chart(results.shape_distances, results.shape, "synthetic"),
        figures.shape.bells(results.shape_maps, results.shape_distances, "synthetic"),
        figures.shape.contrast_chart(results.contrast),
        figures.shape.groups_chart(results.shape_groups, results.shape),
    ]
    for figure in drawn:
        assert hv.renderer("bokeh").get_plot(figure).state is not None


def test_readings_follow_the_numbers(results: Results) -> None:
    distances, record = results.shape_distances, results.shape
    reading = figures.shape.distance_reading(distances, record, "synthetic")
    assert "most in chin width (g = 1.20)" in reading
    assert "p < 0.0010, none of 1,000" in reading
    assert "bare faces, and all of that the same: chin width leads with g = 0.60" in reading
    assert "75 % of 468 points" in figures.shape.displacement_reading(results.shape_maps)
    assert "share 60 % of their area (g = 1.20)" in figures.shape.bells_reading(distances, record, "synthetic")
    assert "r = 0.93 with other" in figures.shape.sources_reading(record, "synthetic")
    none = record.changed(agreement={}, elsewhere={})
    assert figures.shape.sources_reading(none, "synthetic") == "No other data set with landmarks was compared."


def test_groups_without_a_difference_are_named(results: Results) -> None:
    groups = results.shape_groups
    reading = figures.shape.groups_reading(groups, results.shape)
    assert "largest in other, ages 20–39 (g = 1.20 (1.00 to 1.40))" in reading and "It is below" not in reading
    children = groups["kind"] == "age"
    none = groups.assign(g=groups["g"].mask(children, 0.05), low=groups["low"].mask(children, -0.1))
    none["high"] = groups["high"].mask(children, 0.15)
    assert "below 0.2 with the whole interval in other, ages 20–39." in figures.shape.groups_reading(
        none, results.shape
    )


def test_contrast_says_where_it_replicates_and_where_it_does_not(results: Results) -> None:
    reading = figures.shape.contrast_reading(results.contrast)
    assert "replicates in every data set" in reading
    assert "holds, too, among 170 people of synthetic with neither make-up nor beard (g = −0.50" in reading
    assert "includes no difference in other, ages 0–9" in reading
    turned = results.contrast.assign(g=0.5, low=0.4, high=0.6)
    assert "replicates in 0 of 2 data sets" in figures.shape.contrast_reading(turned)
    assert "other way round in" in figures.shape.contrast_reading(turned)


def test_tables_are_complete(results: Results) -> None:
    table = figures.shape.distance_table(results.shape_distances, results.shape, "synthetic")
    assert set(table.index) == set(DISTANCES)
    assert table.index[0] == "chin width"
    assert table.loc["jaw angle", "Female"].endswith("°")
    assert "−" in " ".join(table["g (95 % interval)"])
    comparisons = figures.shape.comparison_table(results.shape)
    assert comparisons.loc["Averages of people", "At least"] == "1.05"
    sources = figures.shape.sources_table(results.shape_distances, results.shape, "synthetic")
    assert len(sources) == 4 and sources.shape[1] == 5
