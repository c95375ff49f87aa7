"""The commands that train: how options become a training, and what is said before TensorFlow is loaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from analysis.core.errors import UserError
from analysis.core.paths import PROJECT
from analysis.data.backbones import DLIB
from analysis.results import published
from model import commands
from model.commands import app

# Runs the command where Keras and TensorFlow are installed, but cannot be imported.
WITHOUT = """\
import importlib.util, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tensorflow") and not name.endswith("__main__"):
            raise AssertionError(f"{name} is imported")
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: True if name == "keras" else found(name, *rest)
sys.meta_path.insert(0, Refused())
from meanface import main; main()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    return tmp_path


def without_keras(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        env=os.environ | {"MEANFACE_HOME": str(home), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_recipe_is_printed_without_what_trains(home: Path) -> None:
    done = without_keras("recipe", published().run.run, home=home)
    assert done.returncode == 0, done.stderr
    train = published().run.steps.train
    assert train is not None and train.recipe is not None
    assert yaml.safe_load(done.stdout) == train.recipe.as_json()


def test_what_a_recipe_lacks_is_named_at_once_before_anything_is_loaded(home: Path) -> None:
    stages = [
        {"run": "first", "datasets": ["faces", "more"], "training": {"backbone": DLIB}},
        {"run": "last", "datasets": ["more", "others"], "training": {"start": ["first"]}},
    ]
    (home / "two.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    done = without_keras("train", "--recipe", str(home / "two.yaml"), home=home)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("meanface: 4 inputs are missing: (1) there is no backbone 'dlib'")
    assert all(f"no data set is called {name!r}" in done.stderr for name in ("faces", "more", "others"))
    assert done.stderr.count("\n") == 1


def test_a_backbone_is_not_asked_for_where_its_stage_is_trained(home: Path) -> None:
    from analysis.results.records import Recipe, Stage
    from model.training.recipe import check_recipe, renamed

    run = published()
    shutil.copytree(run.folder, home / "runs/first", ignore=shutil.ignore_patterns("study", "*.parquet", "*.onnx"))
    recipe = Recipe(stages=[Stage(run="first", datasets=["faces"], training={"backbone": DLIB})])
    for name, asked in ((None, False), ("second", True)):
        with pytest.raises(UserError, match="no data set is called 'faces'") as refused:
            check_recipe(renamed(recipe, name))
        assert ("no backbone" in str(refused.value)) == asked


@pytest.mark.parametrize("command", ["train", "search", "ablate", "curve"])
def test_every_data_set_that_is_missing_is_named(command: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_check_keras", lambda: None)
    monkeypatch.setattr(commands, "_training_installed", lambda: pytest.fail("imported"))
    refused = CliRunner().invoke(app, [command, "one", "two"]).exception
    assert isinstance(refused, UserError)
    assert "2 inputs are missing" in str(refused) and "'one'" in str(refused) and "'two'" in str(refused)


def test_a_run_without_a_recipe_is_told_how_one_is_made(home: Path) -> None:
    def said(name: str) -> str:
        refused = CliRunner().invoke(app, ["recipe", name]).exception
        assert isinstance(refused, UserError)
        return str(refused)

    assert said("nope").endswith(f"choose one of {published().run.run}")
    assert "is a recipe of the project" in said("published")
    assert f"`meanface recipe {published().run.run}`" in said("published")
    (home / "runs/bare").mkdir(parents=True)
    assert said("nope").endswith(f"choose one of {', '.join(sorted(['bare', published().run.run]))}")


@pytest.mark.parametrize("wanted", [False, True])
def test_lines_on_how_tensorflow_starts_are_shown_to_who_asks_for_them(
    wanted: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if wanted:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with commands._training_installed():
        os.write(2, b"oneDNN is on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == ("oneDNN is on\n" if wanted else "") + "after\n"


def test_what_explains_a_failed_import_is_not_held_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with pytest.raises(ImportError), commands._training_installed():
        os.write(2, b"no such symbol\n")
        raise ImportError("libtensorflow")
    assert capfd.readouterr().err == "no such symbol\n"
    with pytest.raises(UserError, match="training needs keras"), commands._training_installed():
        raise ModuleNotFoundError(name="keras")


@pytest.mark.parametrize(
    ("options", "calm", "rotation"),
    [
        ([], 0.6, 1.0),
        (["--augmentation", "0.5"], 1.0, 0.5),  # as strong to the end, as the help says
        (["--augmentation", "0.5", "--calm", "0.8"], 0.8, 0.5),
        (["--calm", "0.8"], 0.8, 1.0),
    ],
)
def test_augmentation_is_scaled_and_calmed_as_the_help_says(
    monkeypatch: pytest.MonkeyPatch, options: list[str], calm: float, rotation: float
) -> None:
    from model.training.augment import Augmentation

    trainings = []

    def fit(_names, _run, training, _strategy):
        trainings.append(training)
        return pd.DataFrame({"kept": [True], "epoch": [1], "val_accuracy": [0.9]})

    monkeypatch.setattr("model.training.train.train", fit)
    monkeypatch.setattr("model.training.inputs.check_inputs", lambda *_names: None)
    result = CliRunner().invoke(app, ["train", "demo", *options])
    assert result.exit_code == 0, result.output
    assert trainings[0].calm == calm
    assert trainings[0].augmentation.rotation == rotation * Augmentation().rotation
