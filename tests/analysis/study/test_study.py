"""The study part of a run, its record, and how it becomes the published one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import SERVING_FILE, write_results
from typer.testing import CliRunner

from analysis.commands import app
from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Results, Run, published
from analysis.results.publish import publish
from analysis.study.study import study
from analysis.study.tables import attribute_table, label_table, quality_table


@pytest.fixture(scope="module")
def studied(demo_home: Path) -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        study(Dataset.open("demo"), Run.open("studied"), permutations=100)
        return Results(paths.run_folder("studied"))


def test_study_counts_what_was_ingested(studied: Results) -> None:
    assert studied.study.images == 400
    assert studied.study.aligned_by == {"landmarks": 400, "source": 0}
    assert studied.labels["images"].sum() == 400
    assert studied.labels.groupby("split")["images"].sum().to_dict() == {"test": 60, "train": 280, "validation": 60}


def test_average_faces_and_effects_are_stored(studied: Results) -> None:
    averages = studied.average_faces
    assert list(averages["label"].values) == ["female", "male"]
    assert averages["mean"].shape == (2, 109, 89, 3)
    assert studied.effects["effect"].shape == (3, 109, 89)
    assert averages["count"].values.tolist() == [200, 200]
    assert 0 < float(averages["mean"].min()) < float(averages["mean"].max()) < 1


def test_run_names_data_configuration_and_code(studied: Results) -> None:
    run = studied.run
    assert run.data["demo"].fingerprint == studied.study.fingerprint
    assert run.steps.study.permutations == 100
    assert run.code.version
    assert "numpy" in run.versions


def test_attribute_intervals_hold_the_prevalence() -> None:
    rows = pd.DataFrame({"label": ["female"] * 10 + ["male"] * 10, "Smiling": [True] * 7 + [False] * 13})
    table = attribute_table(rows, "images").set_index("label")
    assert table.loc["female", "prevalence"] == 0.7
    assert table.loc["female", "low"] < 0.7 < table.loc["female", "high"]
    assert table.loc["male", "positives"] == 0
    assert table.loc["male", "high"] > 0


def test_unknown_attributes_and_identities_are_left_out() -> None:
    rows = pd.DataFrame({"label": ["female", "male"], "split": ["train", "train"]})
    assert attribute_table(rows, "images").empty
    assert label_table(rows)["identities"].isna().all()


def test_quality_histograms_count_every_image_once() -> None:
    rows = pd.DataFrame(
        {
            "label": ["female"] * 30 + ["male"] * 20,
            "brightness": [i / 50 for i in range(50)],
            "contrast": [0.2] * 50,
            "sharpness": [float(i + 1) for i in range(50)],
            "width": [178] * 50,
        }
    )
    table = quality_table(rows)
    counts = table.groupby(["measure", "label"])["images"].sum().unstack()
    assert (counts["female"] == 30).all()
    assert (counts["male"] == 20).all()


@pytest.mark.parametrize("men", [0, 15])
def test_label_of_few_people_is_refused(home: Path, demo_home: Path, men: int) -> None:
    source = demo_home / "data/demo"
    folder = home / "data/one"
    folder.mkdir(parents=True)
    manifest = pd.read_parquet(source / "manifest.parquet")
    male = np.flatnonzero(manifest["label"] == "male")
    manifest.loc[male[men:], "status"] = "broken"
    manifest.to_parquet(folder / "manifest.parquet")
    (folder / "ingest.json").write_text((source / "ingest.json").read_text())
    (folder / "faces.zarr").symlink_to(source / "faces.zarr")
    with pytest.raises(UserError, match=f"images of {men} people labelled male"):
        study(Dataset.open("one"), Run.open("one"), permutations=100)
    assert not (home / "runs/one").exists()


def test_incomplete_run_is_not_published(studied: Results, demo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metrics.json is missing"):
        publish(Run.open("studied"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_parts_from_different_data_are_not_published_together(home: Path) -> None:
    run = write_complete_run(home, "mixed")
    record = json.loads((run / "run.json").read_text())
    record["steps"]["train"]["data"] = {"synthetic": "another"}
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="another version of 'synthetic'"):
        publish(Run.open("mixed"), home / "results")


def write_complete_run(home: Path, name: str) -> Path:
    run = home / "runs" / name
    write_results(run)
    (run / "model/model.onnx").write_bytes(SERVING_FILE)
    return run


def test_publishing_replaces_the_old_run_as_a_whole(home: Path) -> None:
    write_complete_run(home, "new")
    (home / "results").mkdir()
    (home / "results/left-over.txt").write_text("old")
    (home / "results/LICENSE").write_text("the terms")
    publish(Run.open("new"), home / "results")
    assert not (home / "results/left-over.txt").exists()
    assert (home / "results/LICENSE").read_text() == "the terms"
    assert published().folder == home / "results"
    assert published().metrics.splits["test"].accuracy > 0
    assert not list(home.glob(".results-*"))


def test_no_published_run_says_what_to_do(home: Path) -> None:
    with pytest.raises(UserError, match="meanface publish"):
        published(home / "results")


def test_failure_while_replacing_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), storage.replacing(target) as new:
        new.mkdir()
        (new / "half").write_text("half")
        raise RuntimeError("half-way")
    assert [file.name for file in target.iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_commands_walk_the_demo_faces(home: Path) -> None:
    runner = CliRunner()
    fetched = runner.invoke(app, ["fetch", "demo"])
    assert fetched.exit_code == 0, fetched.output
    assert "400 images (200 female, 200 male)" in fetched.output
    for command in (["ingest", "demo"], ["study", "demo", "--permutations", "100"]):
        done = runner.invoke(app, command)
        assert done.exit_code == 0, done.output
    assert "verdict: " in done.output and "run `meanface landmarks demo` first" in done.output
