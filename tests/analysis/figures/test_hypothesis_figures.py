"""The charts of the test: each answers a question, tells exact values and has a reading made from the numbers."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import write_results

from analysis import figures
from analysis.hypothesis.regions import REGIONS
from analysis.results import Results
from analysis.results.records import Control, FalsePositives


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("figures") / "run")


def accuracies(results: Results) -> pd.DataFrame:
    return figures.hypothesis.accuracy_table(results.hypothesis, results.metrics, "synthetic")


CHARTS: dict[str, tuple[Callable[[Results], Any], Callable[[Results], str]]] = {
    "regions": (
        lambda r: figures.hypothesis.region_chart(r.regions),
        lambda r: figures.hypothesis.region_chart_reading(r.regions),
    ),
    "null": (
        lambda r: figures.hypothesis.null_distribution(r.hypothesis),
        lambda r: figures.hypothesis.null_distribution_reading(r.hypothesis),
    ),
    "steps": (
        lambda r: figures.confounders.steps_chart(r.confounders, r.hypothesis),
        lambda r: figures.confounders.steps_reading(r.hypothesis),
    ),
    "survival": (
        lambda r: figures.confounders.survival_chart(r.confounders, r.hypothesis),
        lambda r: figures.confounders.survival_reading(r.confounders, r.hypothesis),
    ),
    "balance": (
        lambda r: figures.confounders.balance_chart(r.balance, r.hypothesis),
        lambda r: figures.confounders.balance_reading(r.balance, r.hypothesis),
    ),
    "correlation": (
        lambda r: figures.elsewhere.correlation_chart(r.elsewhere),
        lambda r: figures.elsewhere.correlation_reading(r.elsewhere),
    ),
    "false alarms": (
        lambda r: figures.hypothesis.false_positive_chart(r.hypothesis),
        lambda r: figures.hypothesis.false_positive_reading(r.hypothesis),
    ),
    "accuracy": (
        lambda r: figures.hypothesis.accuracy_chart(accuracies(r)),
        lambda r: figures.hypothesis.accuracy_reading(accuracies(r)),
    ),
}
PICTURES: dict[str, tuple[Callable[[Results], Any], Callable[[Results], str]]] = {
    "effect": (
        lambda r: figures.hypothesis.effect_maps(r.effects),
        lambda r: figures.hypothesis.effect_maps_reading(r.hypothesis),
    ),
    "masks": (lambda r: figures.hypothesis.masks(r.average_faces), lambda r: figures.hypothesis.masks_reading()),
    "elsewhere": (
        lambda r: figures.elsewhere.elsewhere_maps(r.effects, "synthetic", "other"),
        lambda r: figures.elsewhere.elsewhere_maps_reading(r.elsewhere, "other"),
    ),
}
FIGURES = CHARTS | PICTURES


def plot_of(figure: Any) -> Any:
    import holoviews as hv
    from bokeh.models import Plot

    (plot,) = hv.renderer("bokeh").get_plot(figure).state.select({"type": Plot})
    return plot


@pytest.mark.parametrize("name", FIGURES)
def test_figure_asks_a_question_that_fits_a_phone_and_is_read(name: str, results: Results) -> None:
    make, read = FIGURES[name]
    plot = plot_of(make(results))
    assert plot.title.text.endswith("?") and len(plot.title.text) <= 30
    assert plot.sizing_mode in ("stretch_width", "scale_width")
    reading = read(results)
    assert reading.endswith(".") and re.search(r"\d", reading) and not re.search(r"\bnan\b", reading)
    assert figures.html.figure_html(make(results), reading).data.startswith("<div")


@pytest.mark.parametrize("name", CHARTS)
def test_chart_names_its_unit_and_tells_exact_values(name: str, results: Results) -> None:
    plot = plot_of(CHARTS[name][0](results))
    assert re.search(r"\(.+\)", plot.below[0].axis_label)
    assert any(type(tool).__name__ == "HoverTool" for tool in plot.tools)


def test_effect_maps_share_a_scale_with_zero_in_its_middle(results: Results) -> None:
    from bokeh.models import ColorBar

    plot = plot_of(figures.hypothesis.effect_maps(results.effects))
    (bar,) = plot.select({"type": ColorBar})
    assert bar.color_mapper.low == -bar.color_mapper.high
    assert bar.color_mapper.high == pytest.approx(results.hypothesis.max_abs_g)
    assert "(SD)" in bar.title


def test_effects_within_chance_are_left_out(results: Results) -> None:
    found = results.hypothesis
    for shown, (channel, area) in zip(
        figures.hypothesis.effect_maps(results.effects, found.critical_abs_g),
        found.area_significant_by_channel.items(),
        strict=True,
    ):
        assert np.isfinite(shown.dimension_values("value")).mean() == pytest.approx(area), channel


def test_effect_maps_are_upright(results: Results) -> None:
    drawn = next(iter(figures.hypothesis.effect_maps(results.effects)))
    effect = results.effects["effect"].sel(channel="L").to_numpy()
    np.testing.assert_allclose(drawn.dimension_values("value", flat=False)[::-1], effect)


def test_regions_are_ranked_and_the_reading_names_the_first(results: Results) -> None:
    plot = plot_of(figures.hypothesis.region_chart(results.regions))
    assert plot.y_range.factors[::-1] == list(REGIONS)
    reading = figures.hypothesis.region_chart_reading(results.regions)
    assert f"largest in the {REGIONS[0]}" in reading and f"smallest in the {REGIONS[-1]}" in reading
    assert "about 0.04 (dashes)" in reading


def test_reading_of_what_is_left_says_share_interval_and_people(results: Results) -> None:
    reading = figures.confounders.steps_reading(results.hypothesis)
    assert "60 % of the difference in the face remains (95 % interval 45 % to 75 %;" in reading
    assert "effective sample size is 170 female and 110 male" in reading
    assert "no attributes to match on" in figures.confounders.steps_reading(results.hypothesis.changed(survives=None))


def test_attributes_of_one_label_alone_are_named(results: Results) -> None:
    reading = figures.confounders.overlap_reading(results.hypothesis)
    assert "lipstick or mustache" in reading
    assert figures.confounders.overlap_table(results.hypothesis).loc["lipstick", "Can be matched"] == "no"


def test_balance_counts_covariates_before_and_after(results: Results) -> None:
    reading = figures.confounders.balance_reading(results.balance, results.hypothesis)
    assert "7 of 7 covariates" in reading and "most lipstick (2.7)" in reading and "none do" in reading


def test_false_alarms_are_set_against_the_nominal_rate(results: Results) -> None:
    found = results.hypothesis
    assert "which agrees with the nominal 5 %" in figures.hypothesis.false_positive_reading(found)
    rates = found.false_positives
    off = FalsePositives(alpha=rates.alpha, permutations=rates.permutations, by_identity=rates.by_photo)
    assert "which differs from" in figures.hypothesis.false_positive_reading(found.changed(false_positives=off))


def test_failed_control_is_called_failed(results: Results) -> None:
    failed = results.hypothesis.controls | {"within_male": Control(p_value=0.001, max_abs_g=0.5)}
    table = figures.hypothesis.control_table(results.hypothesis.changed(controls=failed))
    assert table["Result"].tolist() == ["no difference", "no difference", "a difference: failed"]


def test_network_stands_beside_the_averages_where_there_is_one(results: Results) -> None:
    table = accuracies(results)
    assert table["name"].tolist() == ["nearest average", "linear discriminant", "network"] * 2
    assert "the network that of" in figures.hypothesis.accuracy_reading(table)
    alone = figures.hypothesis.accuracy_table(results.hypothesis, None, "synthetic")
    assert "network" not in set(alone["name"])
    assert "accuracy is 60.0 % on other (the discriminant’s is 75.0 %)" in figures.hypothesis.accuracy_reading(alone)


def test_groups_that_agree_most_and_least_are_named(results: Results) -> None:
    reading = figures.elsewhere.correlation_reading(results.elsewhere)
    assert "other, ages 20–39 is most similar" in reading and "other, ages 0–9 least" in reading
    assert figures.elsewhere.correlation_reading(results.elsewhere.iloc[:0]) == "No other data set was compared."


def test_reading_of_correlations_explains_why_lightness_and_all_channels_differ(results: Results) -> None:
    whole = results.elsewhere.query("kind == 'all'").set_index("channel")["correlation"]
    for channel in ("L", "all"):
        reading = figures.elsewhere.correlation_reading(results.elsewhere, channel)
        assert f"is r = {whole[channel]:.2f} with other" in reading
        assert f"r is {whole['L']:.2f} in lightness L*" in reading
        assert f"over all three together, which the verdict uses, r is {whole['all']:.2f}" in reading
