"""Every stored file is declared once, and the writers, the reader and what is published hold to it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from synthetic import write_results

from analysis.core.errors import UserError
from analysis.core.paths import PROJECT
from analysis.results import Results, Run, artifacts
from analysis.results.artifacts import ARTIFACTS
from analysis.results.publish import README, description, publish
from analysis.results.records import Band, Frame, StudyRecord
from analysis.results.stored import Column, Json, Table


@pytest.fixture
def run(home: Path) -> Path:
    """A complete run called "synthetic", with a serving file that nothing reads."""
    folder = home / "runs/synthetic"
    write_results(folder)
    (folder / "model/model.onnx").write_bytes(b"onnx")
    return folder


def test_the_page_on_the_published_files_is_current() -> None:
    done = subprocess.run([sys.executable, "tools/results_readme.py", "--check"], cwd=PROJECT, check=False)
    assert done.returncode == 0, "run `python tools/results_readme.py`"


def test_every_file_and_every_column_is_described() -> None:
    page = description()
    for artifact in ARTIFACTS:
        assert f"## {artifact.path}\n" in page and artifact.meaning in page
        assert all(meaning for _, _, _, meaning in artifact.described()), artifact.path


def test_the_reader_has_an_attribute_for_every_published_table_array_and_record() -> None:
    read = {value.path for value in vars(Results).values() if hasattr(value, "path")}
    declared = {
        each.path for each in ARTIFACTS if each.published != "never" and not each.path.endswith((".onnx", ".keras"))
    }
    assert read == declared


@pytest.mark.parametrize("folder", [PROJECT / "results"], ids=["published"])
def test_the_published_run_is_what_is_declared(folder: Path) -> None:
    for artifact in ARTIFACTS:
        if artifact.published == "always" or (folder / artifact.path).exists():
            artifact.read(folder)


def test_publishing_takes_what_is_declared_and_explains_it(run: Path, tmp_path: Path) -> None:
    (run / "ablation/scores.json").write_text("{}", encoding="utf-8")
    names = publish(Run.open("synthetic"), tmp_path / "results")
    assert {"run.json", "study/labels.parquet", "search/search.json", "model/model.onnx"} <= set(names)
    assert "ablation/scores.json" not in names and "model/model.keras" not in names
    assert (tmp_path / "results" / README).read_text("utf-8") == description()


def test_weights_are_published_unless_they_are_large(run: Path, tmp_path: Path) -> None:
    (run / "model/model.keras").write_bytes(b"small")
    assert "model/model.keras" in publish(Run.open("synthetic"), tmp_path / "results")
    (run / "model/model.keras").write_bytes(bytes(artifacts.WEIGHTS.largest or 0))
    assert "model/model.keras" not in publish(Run.open("synthetic"), tmp_path / "results")
    assert not (tmp_path / "results/model/model.keras").exists()


def test_a_comparison_with_another_package_is_published_only_of_the_same_model(run: Path, tmp_path: Path) -> None:
    assert "model/peers.parquet" in publish(Run.open("synthetic"), tmp_path / "results")
    older = artifacts.PEERS.read(run).assign(sha256="of an earlier model")
    artifacts.PEERS.write(older, run / "model")
    with pytest.raises(UserError, match=r"peers\.parquet .*measured with another model.*make peers"):
        publish(Run.open("synthetic"), tmp_path / "results")
    (run / "model/peers.parquet").unlink()
    assert "model/peers.parquet" not in publish(Run.open("synthetic"), tmp_path / "results")


def test_a_damaged_run_is_not_published(run: Path, tmp_path: Path) -> None:
    (run / "model/curves.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match=r"curves\.parquet cannot be read .*meanface evaluate"):
        publish(Run.open("synthetic"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_publishing_a_run_that_does_not_exist_names_those_that_do(run: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run 'nothing' in .*: choose one of synthetic$"):
        publish(Run.open("nothing"), tmp_path / "results")
    run.rename(home / "elsewhere")
    with pytest.raises(UserError, match="no run 'nothing' .*: start one with `meanface study NAME --run nothing`"):
        publish(Run.open("nothing"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_run_is_not_published_over_other_files(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="documents holds other files, which would be lost"):
        publish(Run.open("synthetic"), folder)
    assert (folder / "thesis.txt").exists()


def test_publishing_an_incomplete_run_names_the_commands_that_complete_it(run: Path, tmp_path: Path) -> None:
    for path in ("model/model.onnx", "model/metrics.json", "model/curves.parquet"):
        (run / path).unlink()
    commands = "`meanface train NAME --run synthetic`, then `meanface evaluate synthetic`"
    with pytest.raises(UserError, match=f"metrics.json is missing: run {commands}$"):
        publish(Run.open("synthetic"), tmp_path / "results")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("study/study.json", b"{"),
        ("study/study.json", b'{"dataset": "synthetic"}'),
        ("study/labels.parquet", b"no table"),
        ("study/samples.zarr.zip", b"no archive"),
    ],
)
def test_a_damaged_file_is_named_with_the_command_that_makes_it(run: Path, path: str, content: bytes) -> None:
    (run / path).write_bytes(content)
    with pytest.raises(UserError, match=f"{Path(path).name} cannot be read .*`meanface study NAME --run RUN`"):
        next(each for each in ARTIFACTS if each.path == path).read(run)


def test_a_missing_file_is_named_with_the_command_that_makes_it(run: Path) -> None:
    (run / "model/metrics.json").unlink()
    with pytest.raises(UserError, match=r"metrics\.json is missing: run `meanface evaluate RUN`"):
        _ = Results(run).metrics


TABLE = Table(
    "study/made.parquet",
    "meanface study",
    "Made up.",
    columns=(Column("images", "integer", "images"), Column("share", "float", "share", "0 to 1", optional=True)),
)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"share": [0.5]}, "lacks the column 'images'"),
        ({"images": ["many"]}, "not integer"),
        ({"images": [1.5]}, "not integer"),
        ({"images": [1], "share": ["half"]}, "not float"),
        ({"images": [1], "other": [1]}, "undeclared column 'other'"),
    ],
)
def test_a_table_that_is_not_as_declared_is_not_written(tmp_path: Path, table: dict, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TABLE.write(pd.DataFrame(table), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_optional_column_may_be_absent_and_values_may_be_missing(tmp_path: Path) -> None:
    TABLE.write(pd.DataFrame({"images": pd.array([1, None], dtype="Int64")}), tmp_path)
    TABLE.write(pd.DataFrame({"images": [1], "share": [None]}), tmp_path)
    assert TABLE.read_file(tmp_path / "made.parquet").columns.tolist() == ["images", "share"]


def test_an_array_over_other_dimensions_is_not_written(run: Path, tmp_path: Path) -> None:
    faces = Results(run).average_faces
    with pytest.raises(ValueError, match=r"'mean' of average_faces\.zarr\.zip is over"):
        artifacts.AVERAGE_FACES.write(faces.transpose("y", "x", "channel", "label"), tmp_path)
    with pytest.raises(ValueError, match="lacks the variable 'sem'"):
        artifacts.AVERAGE_FACES.write(faces.drop_vars("sem"), tmp_path)


def test_a_record_is_written_as_it_was_read(run: Path, tmp_path: Path) -> None:
    for artifact in ARTIFACTS:
        if isinstance(artifact, Json) and (run / artifact.path).exists():
            artifact.write(artifact.read(run), tmp_path)
            assert json.loads((tmp_path / artifact.name).read_text()) == json.loads((run / artifact.path).read_text())


def test_a_record_refuses_fields_of_another_type_or_name() -> None:
    with pytest.raises(ValueError, match="low"):
        Band(low="much", high=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="middle"):
        Band(low=0, high=1, middle=0.5)  # type: ignore[call-arg]


def test_a_changed_record_is_another_one(run: Path) -> None:
    study = Results(run).study
    changed = study.changed(frame=Frame(height=1, width=2))
    assert isinstance(changed, StudyRecord) and changed.frame.height == 1 and study.frame.height == 109
    with pytest.raises(ValueError, match="frozen"):
        study.images = 3  # type: ignore[misc]


def test_results_are_read_once(run: Path) -> None:
    results = Results(run)
    assert results.labels is results.labels
