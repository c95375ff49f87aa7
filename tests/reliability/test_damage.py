"""Files that are damaged or gone, each kind of them: named, with the command that mends it, wherever they are read."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from synthetic import write_results

from analysis.averages.compressed import average_folder, open_engine
from analysis.averages.exact import ExactEngine
from analysis.averages.filters import load_table
from analysis.averages.fit import build_engine
from analysis.core import paths
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.data.ingest import ingest
from analysis.data.sources import demo_source, register
from analysis.results import Results, Run
from analysis.results.artifacts import ARTIFACTS
from analysis.results.publish import publish
from analysis.results.stored import Arrays, Binary, Json, Table
from model.predict import Predictor


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scrambled(path: Path) -> None:
    """Change bytes in the middle, where a file's content is, and leave its length and both of its ends."""
    data = bytearray(path.read_bytes())
    middle = range(len(data) // 3, 2 * len(data) // 3)
    data[middle.start : middle.stop] = bytes(data[at] ^ 0xA5 for at in middle)
    path.write_bytes(data)


def other(path: Path) -> None:
    path.write_bytes(b"<html>Sign in</html>")


DAMAGES = [cut, empty, scrambled, other]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "synthetic"
    write_results(folder)
    (folder / "model/model.onnx").write_bytes(b"onnx")
    return folder


@pytest.fixture
def run(whole_run: Path, home: Path) -> Path:
    shutil.copytree(whole_run, home / "runs/synthetic")
    return home / "runs/synthetic"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", [Table, Arrays, Json])
def test_a_damaged_result_is_named_with_its_command_and_not_published(run: Path, kind: type, damage: Callable) -> None:
    for artifact in (each for each in ARTIFACTS if isinstance(each, kind) and (run / each.path).exists()):
        before = (run / artifact.path).read_bytes()
        damage(run / artifact.path)
        with pytest.raises(
            UserError, match=f"{artifact.name} cannot be read .*: run `{artifact.made_by.split()[0]}"
        ) as e:
            artifact.read(run)
        assert "\n" not in str(e.value) and artifact.made_by in str(e.value)
        if artifact.published != "never":
            with pytest.raises(UserError, match=artifact.name):
                publish(Run.open("synthetic"), run.parent / "published")
        (run / artifact.path).write_bytes(before)
    assert not (run.parent / "published").exists()


def test_a_damaged_serving_file_is_not_published(run: Path) -> None:
    assert any(isinstance(each, Binary) for each in ARTIFACTS)
    publish(Run.open("synthetic"), run.parent / "published")
    (run / "model/model.onnx").write_bytes(b"onn")
    with pytest.raises(
        UserError, match="model.onnx is damaged, or not the file that model.json describes: run `meanface"
    ):
        publish(Run.open("synthetic"), run.parent / "published")
    assert (run.parent / "published/model/model.onnx").read_bytes() == b"onnx"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the published model."""
    shutil.copytree(paths.PROJECT / "results/model", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("damage", [*DAMAGES, Path.unlink])
@pytest.mark.parametrize("file", ["model.onnx", "model.json"])
def test_a_damaged_model_is_named_by_the_library(model: Path, file: str, damage: Callable) -> None:
    damage(model / file)
    with pytest.raises(UserError, match=r"model\.(onnx|json) .*`meanface|no model in .*`meanface") as error:
        Predictor.load(model)
    assert "\n" not in str(error.value)


def test_a_model_that_is_published_anew_while_it_is_opened_is_no_damage(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis.results.stored import Json as Kind

    other_card = json.loads((model / "model.json").read_text()) | {"sha256": "0" * 64}
    cards = [json.dumps(other_card), (model / "model.json").read_text()]
    real = Kind._load

    def read(self: Kind, path: Path) -> object:
        if path.name == "model.json" and cards:
            path.write_text(cards.pop(0))
        return real(self, path)

    monkeypatch.setattr(Kind, "_load", read)
    assert Predictor.load(model).card.sha256 != "0" * 64


def test_a_damaged_model_is_named_by_the_api_and_by_the_explorer(model: Path, tmp_path: Path, whole_run: Path) -> None:
    from dashboard.server import create_app

    cut(model / "model.onnx")
    served = shutil.copytree(whole_run, tmp_path / "served")
    shutil.rmtree(served / "model")
    shutil.copytree(model, served / "model")
    app = create_app(served, tmp_path / "site", None)
    with TestClient(app) as client:
        app.state.loading.result(timeout=60)
        for path in ("/healthz", "/api/v1/model"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "model.onnx is damaged or not the file that model.json describes" in answer.json()["detail"]
            assert "run `meanface publish" in answer.json()["detail"]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Path:
    """The demo faces, compressed as the study does it."""
    folder = tmp_path_factory.mktemp("ingested")
    shutil.copytree(demo_home / "data", folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(folder))
        dataset = Dataset.open("demo")
        build_engine(dataset, load_table(dataset), progress=False)
    return folder


@pytest.fixture
def copy(ingested: Path, home: Path) -> Path:
    shutil.copytree(ingested / "data", home / "data")
    return home / "data/demo"


@pytest.mark.parametrize("damage", [*DAMAGES, Path.unlink])
@pytest.mark.parametrize(
    "file", ["ingest.json", "manifest.parquet", "faces.zarr/faces/zarr.json", "faces.zarr/faces/c/1/0/0/0"]
)
def test_a_damaged_data_set_names_ingest(copy: Path, file: str, damage: Callable) -> None:
    damage(copy / file)

    def use() -> None:
        data = Dataset.open("demo")
        _ = data.facts, data.manifest
        ExactEngine(data.faces).average(data.usable)

    with pytest.raises(UserError, match="`meanface ingest demo`") as error:
        use()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [*DAMAGES, Path.unlink])
def test_damaged_components_name_study(copy: Path, damage: Callable) -> None:
    folder = average_folder(Dataset.open("demo"))
    whole = open_engine(Dataset.open("demo")).average(np.ones(400, bool))
    for file in sorted(folder.iterdir()):
        before = file.read_bytes()
        damage(file)
        if damage is scrambled and file.suffix in (".u8", ".f32", ".npy"):
            pass  # raw numbers have no checksum: they are of the right size, and that is all that is known
        else:
            with pytest.raises(UserError, match="`meanface study demo`") as error:
                open_engine(Dataset.open("demo"))
            assert "\n" not in str(error.value)
        file.write_bytes(before)
    np.testing.assert_array_equal(open_engine(Dataset.open("demo")).average(np.ones(400, bool)).mean, whole.mean)


def test_a_damaged_checksum_of_a_page_of_a_table_is_seen(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(size=5000)})
    kind = next(each for each in ARTIFACTS if isinstance(each, Table))
    kind._save(table, tmp_path / "x.parquet")
    data = bytearray((tmp_path / "x.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(OSError, match="(?i)crc|checksum"):
        kind._load(tmp_path / "x.parquet")


def test_a_second_data_set_under_an_old_name_asks_for_ingest(home: Path, tmp_path: Path) -> None:
    def archive(path: Path, members: list[str]) -> Path:
        with zipfile.ZipFile(demo_source()) as demo, zipfile.ZipFile(path, "w") as new:
            for name in members:
                new.writestr(name, demo.read(name))
        return path

    with zipfile.ZipFile(demo_source()) as demo:
        names = [name for name in demo.namelist() if name.endswith(".jpg")]
    first, second = archive(tmp_path / "a.zip", names[:20]), archive(tmp_path / "b.zip", names[20:40])
    register(first, "faces")
    ingest("faces", progress=False)
    register(first, "faces")  # the same one again: nothing has changed
    assert Dataset.open("faces").facts.images == 20
    register(second, "faces")
    for part in ("facts", "manifest", "fingerprint"):
        with pytest.raises(
            UserError, match="'faces' was fetched anew after it was ingested: run `meanface ingest faces`"
        ):
            getattr(Dataset.open("faces"), part)
    from analysis.average_command import average_subsets

    with pytest.raises(UserError, match="run `meanface ingest faces` first"):
        average_subsets(Dataset.open("faces"), "")
    ingest("faces", progress=False)
    assert set(Dataset.open("faces").manifest["source_path"]) == set(names[20:40])


def test_a_published_run_that_has_lost_its_record_is_not_replaced_by_the_shipped_one(home: Path, run: Path) -> None:
    assert paths.results_folder() == paths.PROJECT / "results"
    publish(Run.open("synthetic"), home / "results")
    assert paths.results_folder() == home / "results"
    assert Results(paths.results_folder()).run.run == "synthetic"
    (home / "results/run.json").unlink()
    with pytest.raises(UserError, match="has lost its run.json: publish a run again with `meanface publish RUN`"):
        paths.results_folder()
    shutil.rmtree(home / "results")
    assert paths.results_folder() == paths.PROJECT / "results"
