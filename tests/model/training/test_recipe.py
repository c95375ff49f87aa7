"""A run is its recipe: what a training notes makes it again, and what cannot be made again is not published unsaid."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import model
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Run

# Looked for, not imported: TensorFlow's logging would take hold of the stream that pytest captures while it collects.
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed"),
    pytest.mark.slow,
]
RECIPES = Path(model.__file__).parent / "recipes"


@pytest.fixture
def small():
    from model.training.architecture import Architecture
    from model.training.augment import Augmentation
    from model.training.train import Training

    return Training(
        epochs=1,
        batch_size=64,
        augmentation=Augmentation(mix=0.5, grey=0.0),
        architecture=Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1)),
    )


@pytest.fixture
def chain(demo: Path, small) -> Run:
    """A run that begins with another one."""
    from model.training.train import train

    train([Dataset.open("demo")], Run.open("base"), small)
    last = Run.open("last")
    train([Dataset.open("demo")], last, replace(small, start=("base",), seed=1))
    return last


def weights(run: Run) -> np.ndarray:
    import keras

    network = keras.saving.load_model(run.folder / "model/model.keras")
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


def test_a_run_is_made_again_from_its_printed_recipe(
    chain: Run, small, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training import stages
    from model.training.recipe import as_yaml, read_recipe, recipe_of, renamed
    from model.training.stages import train_recipe, training_of

    text = as_yaml(recipe_of(chain))
    assert [stage["run"] for stage in yaml.safe_load(text)["stages"]] == ["base", "last"]
    assert "attributes" not in text  # heads follow from the data
    assert "weight_decay" not in text  # as by default
    file = tmp_path / "chain.yaml"
    file.write_text(text, encoding="utf-8")
    read = read_recipe(str(file))
    assert training_of(read.stages[0]) == small
    trained = []
    real = stages.train
    monkeypatch.setattr(stages, "train", lambda *given: trained.append(given[1].name) or real(*given))
    again = train_recipe(renamed(read, "again"))
    assert trained == ["again"]
    assert "base: trained already" in capsys.readouterr().out
    np.testing.assert_allclose(weights(again), weights(chain), atol=1e-5)
    assert training_of(recipe_of(again).stages[-1]) == training_of(recipe_of(chain).stages[-1])


def test_a_run_whose_ancestor_has_no_recipe_has_none(chain: Run, small) -> None:
    from analysis.results import artifacts
    from model.training.recipe import recipe_of
    from model.training.train import train

    base = Run.open("base")
    record = base.results.run
    assert record.steps.train is not None
    old = record.changed(steps=record.steps.changed(train=record.steps.train.changed(recipe=None)))
    artifacts.RUN.write(old, base.folder)
    later = Run.open("later")
    train([Dataset.open("demo")], later, replace(small, start=("base",)))
    with pytest.raises(UserError, match="'later' has no recipe"):
        recipe_of(later)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: []", "at least 1 item"),
        ("stages: [{run: a}]", "datasets"),
        ("stages: [{run: a, datasets: [x], training: {start: [b]}}]", "needs 'b'"),
        ("just text", "is not a recipe"),
        ("a: [", "is not a recipe"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    from model.training.recipe import read_recipe

    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said) as refused:
        read_recipe(str(file))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"epoch": 3}, "'epoch' is not an option"),
        ({"augmentation": {"gray": 1}}, "'gray' is not an option"),
        ({"augmentation": "strong"}, "stage 'b': augmentation: "),
        ({"epochs": "many"}, "stage 'b': epochs: .* valid integer"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_before_anything_is_trained(
    demo: Path, monkeypatch: pytest.MonkeyPatch, training: dict, said: str
) -> None:
    from analysis.results.records import Recipe, Stage
    from model.training.stages import train_recipe

    monkeypatch.setattr("model.training.stages.train", lambda *given: pytest.fail("trained"))
    chain = [Stage(run="a", datasets=["demo"]), Stage(run="b", datasets=["demo"], training=training)]
    with pytest.raises(UserError, match=said) as refused:
        train_recipe(Recipe(stages=chain))
    assert "\n" not in str(refused.value)


def test_an_unknown_recipe_names_those_that_there_are() -> None:
    from model.training.recipe import read_recipe

    with pytest.raises(UserError, match="one of balanced"):
        read_recipe("nothing")


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml") if path.stem != "published"))
def test_recipes_of_the_project_can_be_read(name: str) -> None:
    from model.training.recipe import read_recipe

    assert read_recipe(name).stages[-1].run == name


def test_the_published_run_was_made_by_the_published_recipe() -> None:
    from analysis.results import published
    from model.training.recipe import read_recipe
    from model.training.stages import training_of

    train = published().run.steps.train
    assert train is not None and train.recipe is not None
    given = read_recipe("published")
    assert [stage.run for stage in given.stages] == [stage.run for stage in train.recipe.stages]
    for own, made in zip(given.stages, train.recipe.stages, strict=True):
        assert (own.datasets, training_of(own)) == (made.datasets, training_of(made))
