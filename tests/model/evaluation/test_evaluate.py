"""A whole evaluation of the shipped model on composites, and what must never go wrong in one."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.core.schema import LABELS, SPLITS
from analysis.data.dataset import Dataset
from analysis.results import Results, Run
from analysis.results.artifacts import ARTIFACTS
from analysis.results.publish import publish, record_step
from analysis.results.records import SplitMetrics, TrainOptions
from model.commands import app
from model.evaluation import evaluate as module
from model.evaluation import scores
from model.evaluation.curves import ranking
from model.evaluation.evaluate import choose, evaluate, split_metrics
from model.evaluation.scores import check_both_labels, check_disjoint, parts

SHIPPED = paths.PROJECT / "results" / "model"


def a_run(name: str) -> Path:
    """A run with the shipped serving file, as if it had been trained on the demo faces."""
    folder = paths.run_folder(name)
    (folder / "model").mkdir(parents=True)
    for file in ("model.json", "model.onnx"):
        shutil.copy(SHIPPED / file, folder / "model" / file)
    options = TrainOptions(datasets=["demo"], epochs=1)
    record_step(Run.open(name), options, data={"demo": Dataset.open("demo").facts.seen})
    return folder


@pytest.fixture(scope="module")
def evaluated(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with two evaluated runs, the second compared with the first; its data are the demo faces."""
    home = tmp_path_factory.mktemp("evaluated")
    (home / "data").symlink_to(demo_home / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(home))
        patch.setattr(module, "DEGRADED", 10)
        patch.setattr(module, "EXPLAINED", 4)
        patch.setattr(module, "MASKS", 8)
        a_run("first"), a_run("second")
        evaluate(Run.open("first"), brief=True)
        evaluate(Run.open("second"), compare=[Run.open("first")])
    return home


@pytest.fixture
def results(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setenv("MEANFACE_HOME", str(evaluated))
    return Results(evaluated / "runs" / "second")


def test_an_evaluation_writes_all_that_is_published_of_a_model(results: Results) -> None:
    # Ablation, search and history are training's.
    tables = ("predictions", "curves", "groups", "cross_source", "robustness", "label_issues")
    tables += ("paired", "cells", "middle")
    written = [
        "metrics.json",
        "model.json",
        "explanation.zarr.zip",
        "degraded.zarr.zip",
        *(f"{name}.parquet" for name in tables),
    ]
    declared = {each.path: each for each in ARTIFACTS if each.published == "always"}
    for name in written:
        declared[f"model/{name}"].read(results.folder)


def test_a_brief_evaluation_is_enough_to_compare_with_but_not_to_be_published(
    results: Results, evaluated: Path, tmp_path: Path
) -> None:
    written = {path.name for path in (evaluated / "runs/first/model").iterdir()}
    assert "metrics.json" in written and not written & {
        "robustness.parquet",
        "degraded.zarr.zip",
        "explanation.zarr.zip",
    }
    assert set(results.cross_source["run"]) == {"first", "second"}
    with pytest.raises(UserError, match="not complete"):
        publish(Run.open("first"), tmp_path / "results")


def test_every_source_and_split_is_measured(results: Results) -> None:
    found = results.metrics
    assert list(found.sources) == ["demo"] and found.subsets == {}
    assert list(found.splits) == list(SPLITS)
    assert found.splits == found.sources["demo"]
    assert {split: measured.images for split, measured in found.splits.items()} == {
        "train": 280, "validation": 60, "test": 60,
    }  # fmt: skip
    assert found.splits["test"].accuracy > 0.9  # the shipped model knows these faces' labels
    assert set(results.curves["split"]) == set(SPLITS)


def test_the_card_is_calibrated_and_says_what_the_metrics_say(results: Results) -> None:
    card, metrics = results.card, results.metrics
    assert card.temperature == metrics.temperature
    assert card.band == metrics.band
    assert card.test_accuracy == metrics.splits["test"].accuracy


def test_compared_runs_have_rows_of_their_own(results: Results) -> None:
    assert list(results.cross_source["run"]) == ["second", "first"]
    pair = results.cross_source.set_index("run")
    assert pair.loc["first", "accuracy"] == pair.loc["second", "accuracy"]  # the same file on the same images
    assert set(results.groups["run"]) == {"second", "first"}
    assert results.run.steps.evaluate.compare == ["first"]
    # The same file makes the same mistakes.
    assert set(results.paired["run"]) == {"first"} and (results.paired["p_value"] == 1).all()


def test_an_evaluation_counts_itself_as_a_look_at_the_test_split(results: Results) -> None:
    looks = results.run.steps.evaluate.looks
    assert looks is not None and looks.evaluations == {"demo": {"second": 1}}


def test_what_a_rival_was_compared_with_on_the_same_data_stays_in_the_table(results: Results) -> None:
    from model.evaluation.cross_source import compared_before

    data = results.run.steps.evaluate.data
    kept = compared_before(Run.open("second"), data)
    assert set(kept["run"]) == {"first"}
    pd.testing.assert_frame_equal(
        kept.reset_index(drop=True), results.cross_source.query("run == 'first'").reset_index(drop=True)
    )
    assert compared_before(Run.open("second"), data | {"demo": "other data"}).empty
    assert compared_before(Run.open("first"), data).empty
    a_run("third")
    evaluate(Run.open("third"), compare=[Run.open("second")], brief=True)
    third = Results(paths.run_folder("third")).cross_source
    assert list(third["run"]) == ["third", "second", "first"]
    assert third["run"].is_unique  # the runs that were measured anew are not there twice


def test_a_run_that_has_seen_test_images_is_not_compared_with(results: Results) -> None:
    folder = paths.run_folder("cheat")
    shutil.copytree(paths.run_folder("first"), folder, dirs_exist_ok=True)
    seen = Results(folder).predictions.assign(split="train")
    seen.to_parquet(folder / "model" / "predictions.parquet")
    with pytest.raises(UserError, match="trained or calibrated on 60 of the test images"):
        evaluate(Run.open("second"), compare=[Run.open("cheat")])
    (folder / "model" / "predictions.parquet").unlink()
    with pytest.raises(UserError, match="meanface evaluate cheat"):
        evaluate(Run.open("second"), compare=[Run.open("cheat")])


def test_the_command_prints_a_line_a_split(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "evaluate", lambda run, compare, brief, seed: results.metrics)
    said = CliRunner().invoke(app, ["evaluate", "second", "--compare", "first"]).stdout
    assert [line.split()[:2] for line in said.splitlines()[:3]] == [["demo", split] for split in SPLITS]
    assert "meanface publish second" in said


def scored_by_hand() -> pd.DataFrame:
    """Five labelled female, one of them taken for male; three labelled male, two of them found."""
    return pd.DataFrame(
        {
            "label": ["female"] * 5 + ["male"] * 3,
            "p_male": [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1],
            "decision": ["female"] * 4 + ["male"] * 3 + ["female"],
        }
    )


def measure(scored: pd.DataFrame) -> SplitMetrics:
    ranks, _ = ranking(scored, rng=np.random.default_rng(0))
    return split_metrics(scored, ranks)


def test_confusion_matrix_has_annotated_rows_and_predicted_columns() -> None:
    measured = measure(scored_by_hand())
    assert measured.confusion.labels == ["female", "male"]
    assert measured.confusion.matrix == [[4, 1], [1, 2]]
    assert measured.accuracy == 6 / 8
    assert measured.report.female.support == 5
    assert measured.report.male.recall == pytest.approx(2 / 3)
    assert measured.accuracy_interval[0] < 0.75 < measured.accuracy_interval[1]


def test_swapped_labels_cannot_hide() -> None:
    """Everyone female, nobody called male: each number that names a label must sit under that label."""
    scored = pd.DataFrame({"label": ["female"] * 9 + ["male"], "p_male": [0.1] * 10, "decision": ["female"] * 10})
    measured = measure(scored)
    labels = measured.confusion.labels
    matrix = pd.DataFrame(measured.confusion.matrix, labels, labels)
    assert labels == list(LABELS) == ["female", "male"]
    assert matrix.loc["female", "female"] == 9 and matrix.loc["male", "female"] == 1
    assert matrix["male"].sum() == 0
    assert measured.report.female.recall == 1 and measured.report.male.recall == 0


def test_report_and_matrix_of_every_split_tell_the_same_story(results: Results) -> None:
    predictions = results.predictions
    for split in SPLITS:
        part = predictions[predictions["split"] == split]
        called = np.where(part["p_male"] >= 0.5, "male", "female")
        measured = results.metrics.splits[split]
        by_hand = pd.crosstab(part["label"], called).reindex(index=LABELS, columns=LABELS, fill_value=0)
        assert measured.confusion.matrix == by_hand.to_numpy().tolist()
        for label in LABELS:
            report, hits = getattr(measured.report, label), by_hand.loc[label, label]
            assert report.support == by_hand.loc[label].sum()
            assert report.recall == pytest.approx(hits / by_hand.loc[label].sum())
            assert report.precision == pytest.approx(hits / by_hand[label].sum())


def test_the_demo_faces_share_no_picture_between_splits(demo: Path) -> None:

    check_disjoint(Dataset.open("demo").manifest.query("status == 'ok'").assign(dataset="demo"))


@pytest.mark.parametrize(
    ("column", "said"), [("image_id", "one image"), ("hash", "one picture"), ("identity", "one person")]
)
def test_an_image_picture_or_person_in_two_splits_stops_an_evaluation(column: str, said: str) -> None:
    table = pd.DataFrame(
        {
            "dataset": "a",
            "split": ["train", "train", "test"],
            "image_id": ["1.jpg", "2.jpg", "3.jpg"],
            "hash": ["x", "y", "z"],
            "identity": pd.array([1, pd.NA, pd.NA], dtype="Int64"),
            "near_duplicate_of": pd.array([pd.NA, "1.jpg", pd.NA], dtype="string"),
        }
    )
    check_disjoint(table)
    table.loc[2, column] = table.loc[0, column]
    with pytest.raises(UserError, match=said):
        check_disjoint(table)


def test_a_near_duplicate_in_another_split_stops_an_evaluation() -> None:
    table = pd.DataFrame(
        {
            "dataset": "a",
            "split": ["train", "test"],
            "image_id": ["1.jpg", "2.jpg"],
            "near_duplicate_of": pd.array([pd.NA, "1.jpg"], dtype="string"),
        }
    )
    with pytest.raises(UserError, match="near duplicates"):
        check_disjoint(table)


def test_a_person_may_have_the_same_number_in_two_sources() -> None:
    table = pd.DataFrame(
        {
            "dataset": ["a", "b"],
            "split": ["train", "test"],
            "image_id": ["1.jpg", "1.jpg"],
            "identity": pd.array([1, 1], dtype="Int64"),
        }
    )
    check_disjoint(table)


def test_a_split_without_a_label_is_named() -> None:
    table = pd.DataFrame({"dataset": "a", "split": ["test", "test"], "label": ["male", "male"]})
    with pytest.raises(UserError, match="test split of 'a' holds no image labelled female"):
        check_both_labels(table)


def test_what_is_chosen_depends_on_validation_alone_and_each_source_is_heard(rng: np.random.Generator) -> None:
    male = rng.uniform(size=3000) < 0.5
    logit = rng.normal(np.where(male, 2.5, -2.5), 1.5)
    source = np.where(np.arange(3000) < 2500, "a", "b")
    found = choose(pd.DataFrame({"dataset": source, "label": np.where(male, "male", "female"), "logit": logit}))
    assert set(found.temperatures) == {"a", "b"}
    assert min(found.temperatures.values()) <= found.temperature <= max(found.temperatures.values())
    p_male = 1 / (1 + np.exp(-logit / found.temperature))
    decided = (p_male <= found.band.low) | (p_male >= found.band.high)
    for name in ("a", "b"):
        part = decided & (source == name)
        assert ((p_male >= 0.5) == male)[part].mean() >= 0.99


def test_small_children_do_not_widen_the_band(rng: np.random.Generator) -> None:
    male = rng.uniform(size=3000) < 0.5
    logit = rng.normal(np.where(male, 4, -4), 1.0)
    age = pd.Series(rng.integers(10, 80, 3000), dtype="Int64")
    table = pd.DataFrame({"dataset": "u", "label": np.where(male, "male", "female"), "logit": logit, "age": age})
    children = table.head(600).assign(age=5, logit=rng.normal(0, 4, 600))
    children["age"] = children["age"].astype("Int64")
    together = choose(pd.concat([table, children], ignore_index=True))
    unknown = choose(pd.concat([table, children.assign(age=pd.NA)], ignore_index=True))
    assert together.band_ages == (10, 80)
    assert together.band.high - together.band.low < unknown.band.high - unknown.band.low


def test_sources_with_ages_are_measured_at_ages_10_to_80_besides() -> None:
    ages = [5, 10, 80, 81, 40, 41] * 3
    table = pd.DataFrame(
        {
            "dataset": "u",
            "split": np.repeat(list(SPLITS), 6),
            "label": ["female", "female", "male", "male", "female", "male"] * 3,
            "age": pd.array(ages, dtype="Int64"),
        }
    )
    sources, subsets = parts(table, ["u"])
    assert list(sources) == ["u"]
    (inside,) = [rows for name, rows in subsets.items() if name == "u, ages 10-80"]
    assert table.loc[inside, "age"].tolist() == [10, 80, 40, 41] * 3
    assert list(parts(table[table["split"] == "test"], ["u"])[1]) == ["u, ages 10-80"]
    assert parts(table.assign(age=pd.array([pd.NA] * 18, dtype="Int64")), ["u"])[1] == {}


def test_parts_of_a_data_set_are_measured_where_each_split_holds_both_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "FEWEST", 2)
    table = pd.DataFrame(
        {
            "dataset": "more",
            "split": ["train", "validation", "test"] * 4 + ["train", "train"],
            "label": ["female"] * 6 + ["male"] * 6 + ["female", "male"],
            "source": ["press"] * 3 + ["web"] * 3 + ["press"] * 3 + ["web"] * 3 + ["more celeba"] * 2,
        }
    )
    sources, subsets = parts(table, ["more"])
    assert list(sources) == ["more"]
    assert list(subsets) == ["more, press", "more, web"]
    assert subsets["more, web"].sum() == 6
    monkeypatch.setattr(scores, "FEWEST", 3)
    assert parts(table, ["more"])[1] == {}  # two images in a split say nothing


def test_a_person_of_celeba_is_the_same_in_every_data_set() -> None:
    table = pd.DataFrame(
        {
            "dataset": ["a", "b"],
            "split": ["train", "test"],
            "image_id": ["1.jpg", "2.jpg"],
            "identity": pd.array([7, 1], dtype="Int64"),
            "celeba_identity": pd.array([7, 7], dtype="Int64"),
        }
    )
    with pytest.raises(UserError, match="one person in two splits"):
        check_disjoint(table)
    check_disjoint(table.drop(columns="celeba_identity"))
