"""Charts of what was tried: they draw every variant and trial, and their readings follow from the tables."""

from pathlib import Path

import pandas as pd
import pytest
from synthetic import write_results

from analysis import figures
from analysis.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("run"))


def test_ablation_draws_every_variant_but_the_reference_on_every_data_set(results: Results) -> None:
    import holoviews as hv

    chart = figures.experiments.ablation_chart(results.ablation)
    points = [element for element in chart if isinstance(element, hv.Points)]
    assert len(points) == 2
    assert all(len(each) == 4 for each in points)
    hv.renderer("bokeh").get_plot(chart)


def test_ablation_reading_names_the_largest_loss_and_gain(results: Results) -> None:
    reading = figures.experiments.ablation_reading(results.ablation, results.ablation_budget)
    assert "“no augmentation” (−6.0 points" in reading
    assert "“wider” (+0.4)" in reading
    assert "another seed alone moves accuracy by up to 0.2 points" in reading
    assert "of 4 changes, 1 made accuracy significantly worse on some data set and 0 better" in reading


def test_ablation_reading_follows_the_table(results: Results) -> None:
    changed = results.ablation.copy()
    changed.loc[changed["variant"] == "no heads", ["difference", "low", "high"]] = [-0.2, -0.25, -0.15]
    assert "“no heads” (−20.0 points" in figures.experiments.ablation_reading(changed, results.ablation_budget)


def test_table_lists_the_reference_and_all_that_was_tried(results: Results) -> None:
    table = figures.experiments.ablation_table(results.ablation)
    assert table.index.tolist() == list(dict.fromkeys(results.ablation["variant"]))
    assert table.loc["defaults", "other: change (95 % interval)"] == "–"
    assert table.loc["no augmentation", "other: change (95 % interval)"] == "−6.0 (−7.0 to −5.0)"


def test_every_trial_is_a_line_and_the_best_lies_on_top(results: Results) -> None:
    import holoviews as hv

    chart = figures.experiments.parallel_coordinates(results.search)
    lines = next(element for element in chart if isinstance(element, hv.Contours))
    assert len(lines) == 20
    losses = [line["loss"] for line in lines.data]
    assert losses == sorted(losses, reverse=True)
    hv.renderer("bokeh").get_plot(chart)


def test_search_readings_name_budget_importance_and_best_trial(results: Results) -> None:
    import holoviews as hv

    reading = figures.experiments.importance_reading(results.search_record)
    assert "20 trials, each from random weights and of 3 epochs on 800 faces" in reading
    assert reading.index("learning rate") < reading.index("batch size") < reading.index("light")
    best = results.search.loc[results.search["value"].idxmin()]
    told = figures.experiments.parallel_coordinates_reading(results.search, results.search_record)
    assert f"number {int(best['trial'])}" in told
    assert "5 of 20 were stopped early" in told
    hv.renderer("bokeh").get_plot(figures.experiments.importance_chart(results.search_record))


def test_a_run_without_experiments_says_so(results: Results, tmp_path: Path) -> None:
    assert results.has_ablation
    assert results.has_search
    assert not Results(tmp_path).has_ablation
    assert not Results(tmp_path).has_search
    with pytest.raises(Exception, match="ablation"):
        _ = pd.DataFrame(Results(tmp_path).ablation)


def test_learning_curve_draws_every_training_and_its_law(results: Results) -> None:
    import holoviews as hv

    chart = figures.experiments.learning_chart(results.learning, results.learning_record)
    drawn = {element.label: element for element in chart if isinstance(element, hv.Points)}
    assert {name: len(points) for name, points in drawn.items()} == {"synthetic": 4, "other": 4}
    laws = [element for element in chart if isinstance(element, hv.Curve)]
    assert [float(law.dimension_values(0).max()) for law in laws] == pytest.approx([160_000, 160_000])
    reading = figures.experiments.learning_reading(results.learning, results.learning_record)
    assert "on synthetic from 89.1 % with 500 faces to 94.8 % with 4,000" in reading
    assert "with 160,000 faces to 97.5 % on synthetic (95 % interval 95.5 % to 98.5 %)" in reading
    none = results.learning_record.changed(extrapolations={})
    assert figures.experiments.learning_reading(results.learning, none).endswith("too little for a power law.")
    assert len([e for e in figures.experiments.learning_chart(results.learning, none) if isinstance(e, hv.Curve)]) == 0
