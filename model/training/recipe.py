"""Recipes: every training of a chain, from random weights to a run, with all of its options.

`train` writes a recipe into ``run.json``, ``meanface recipe RUN`` prints it as YAML, and ``meanface train --recipe``
repeats it. Those that come with the project are in ``model/recipes``.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Run
from analysis.results.records import Recipe, Stage
from model.training.augment import Augmentation
from model.training.export import FILE, NETWORK, can_export
from model.training.strategies import Strategy
from model.training.train import Training, train

FOLDER = Path(__file__).resolve().parents[1] / "recipes"


def read_recipe(name: str) -> Recipe:
    """Read a recipe that comes with the project, or one from a file.

    Parameters
    ----------
    name
        Name of a file in ``model/recipes`` without its ending, or the path of a YAML file.

    Returns
    -------
    Recipe
        At least one stage. Options that a stage does not name have their defaults.

    Raises
    ------
    UserError
        If there is no such file, or it is not a recipe.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
        raise UserError(f"there is no recipe {name!r}: give the path of a YAML file, or one of {known}")
    try:
        recipe = Recipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
        for stage in recipe.stages:
            training_of(stage)
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a recipe: {_first_line(error)}; compare it with {FOLDER.name}/") from None
    _check_order(recipe, path)
    return recipe


def training_of(stage: Stage) -> Training:
    """Hyper-parameters of a stage.

    Raises
    ------
    UserError
        If the stage names an option that does not exist.
    """
    given = dict(stage.training)
    for what, options in ((Training, given), (Augmentation, given.get("augmentation") or {})):
        known = {field.name for field in fields(what)}
        if unknown := sorted(options.keys() - known):
            raise UserError(
                f"stage {stage.run!r}: {unknown[0]!r} is not an option; known are {', '.join(sorted(known))}"
            )
    return TypeAdapter(Training).validate_python(given)


def train_recipe(recipe: Recipe, run: str | None = None, strategy: Strategy | None = None) -> Run:
    """Train every stage of a recipe in order; stages that are trained already are kept.

    Parameters
    ----------
    recipe
        What to train. Its data sets must be ingested under the names that it gives.
    run
        Name of the run of the last stage; default: the name in the recipe.
    strategy
        As for `model.training.train.train`.

    Returns
    -------
    Run
        The run of the last stage.

    Raises
    ------
    UserError
        If a data set is not ingested.
    """
    last = recipe.stages[-1]
    stages = [*recipe.stages[:-1], last.changed(run=run or last.run)]
    for number, stage in enumerate(stages, 1):
        datasets = [Dataset.open(name) for name in stage.datasets]
        written = Run.open(stage.run)
        if _is_trained(written, stage, datasets):
            print(f"Stage {number} of {len(stages)}, {stage.run}: trained already", flush=True)
            continue
        print(f"Stage {number} of {len(stages)}, {stage.run}", flush=True)
        train(datasets, written, training_of(stage), strategy)
    return Run.open(stages[-1].run)


def as_yaml(recipe: Recipe) -> str:
    """A recipe as `read_recipe` reads it; options that have their defaults are left out."""
    return yaml.safe_dump(recipe.as_json(), sort_keys=False, allow_unicode=True, width=100)


def recipe_of(run: Run) -> Recipe:
    """Recipe of a trained run.

    Raises
    ------
    UserError
        If the run is not trained, or if it or a run that it started from or learned from has no recipe.
    """
    step = run.results.run.steps.train
    if step is None or step.recipe is None:
        raise UserError(f"run {run.name!r} has no recipe: an ancestor was trained before recipes were kept")
    return step.recipe


def _is_trained(run: Run, stage: Stage, datasets: Sequence[Dataset]) -> bool:
    model = run.folder / "model"
    if not (model / NETWORK).exists() or (can_export() and not (model / FILE).exists()):
        return False
    step = run.results.run.steps.train
    if step is None or step.recipe is None:
        return False
    same_data = step.data == {dataset.name: dataset.fingerprint for dataset in datasets}
    done = step.recipe.stages[-1]
    return same_data and (training_of(done), done.datasets) == (training_of(stage), stage.datasets)


def _check_order(recipe: Recipe, path: Path) -> None:
    made: set[str] = set()
    for stage in recipe.stages:
        training = training_of(stage)
        if missing := sorted({*training.start, *training.teachers} - made):
            raise UserError(f"{path}: stage {stage.run!r} needs {missing[0]!r}, which no earlier stage trains")
        made.add(stage.run)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'its content'}: {first['msg'].lower()}"
    return str(error).splitlines()[0]
