"""Recipes: every training of a chain, from random weights to a run, with all of its options.

`train` writes a recipe into ``run.json``, ``meanface recipe RUN`` prints it as YAML, and ``meanface train --recipe``
repeats it. Those that come with the project are in ``model/recipes``. To read, check and print a recipe needs neither
Keras nor TensorFlow; `model.training.stages` trains it.
"""

import contextlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from analysis.core.errors import UserError
from analysis.results import Run
from analysis.results.publish import no_such_run
from analysis.results.records import Recipe, Stage
from model.training.inputs import check_inputs

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
        At least one stage. Options that a stage does not name have their defaults;
        `model.training.stages.training_of` checks the others.

    Raises
    ------
    UserError
        If there is no such file, it is not a recipe, or a stage needs a run that no earlier stage trains.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
        raise UserError(f"there is no recipe {name!r}: give the path of a YAML file, or one of {known}")
    try:
        recipe = Recipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a recipe: {first_line(error)}; compare it with {FOLDER.name}/") from None
    _check_order(recipe, path)
    return recipe


def renamed(recipe: Recipe, run: str | None) -> Recipe:
    """Give the run of the last stage another name; None keeps the recipe's own."""
    *before, last = recipe.stages
    return recipe.changed(stages=[*before, last.changed(run=run or last.run)])


def check_recipe(recipe: Recipe) -> None:
    """Check that what a recipe needs is on this machine: every stage's data sets, and backbones of stages to train.

    Raises
    ------
    UserError
        If something is not here; it names all of that.
    """
    check_inputs(
        (name for stage in recipe.stages for name in stage.datasets),
        (
            name
            for stage in recipe.stages
            if not _has_training(stage)
            for name in _names(stage.training.get("backbone"))
        ),
    )


def as_yaml(recipe: Recipe) -> str:
    """A recipe as `read_recipe` reads it; options that have their defaults are left out."""
    return yaml.safe_dump(recipe.as_json(), sort_keys=False, allow_unicode=True, width=100)


def open_run(name: str) -> Run:
    """Open the run called ``name``, or the published one if it is called so: a fresh checkout has no other.

    Raises
    ------
    UserError
        If there is no such run.
    """
    if (run := Run.open(name)).folder.is_dir():
        return run
    published = None
    with contextlib.suppress(UserError):
        published = Run.published()
        if published.name == name:
            return published
    if (path := FOLDER / f"{name}.yaml").is_file():
        made = read_recipe(name).stages[-1].run
        raise UserError(
            f"{name!r} is a recipe of the project ({path}), not a run: `meanface train --recipe {name}` makes the run "
            f"{made!r}, whose recipe `meanface recipe {made}` prints"
        )
    raise UserError(no_such_run(run, started_by="train", also=[published.name] if published else []))


def recipe_of(run: Run) -> Recipe:
    """Recipe of a trained run.

    Raises
    ------
    UserError
        If the run is not trained, or if it or a run that it started from or learned from has no recipe.
    """
    step = run.results.run.steps.train
    if step is None:
        raise UserError(f"run {run.name!r} is not trained: run `meanface train NAME --run {run.name}` first")
    if step.recipe is None:
        raise UserError(f"run {run.name!r} has no recipe: an ancestor was trained before recipes were kept")
    return step.recipe


def _has_training(stage: Stage) -> bool:
    """Whether a stage's run notes a training; whether it is this one, `_is_trained` says."""
    with contextlib.suppress(UserError):
        return Run.open(stage.run).results.run.steps.train is not None
    return False


def _names(given: Any) -> list[str]:
    """Names in an option that was not checked yet."""
    return [name for name in (given if isinstance(given, list) else [given]) if isinstance(name, str) and name]


def _check_order(recipe: Recipe, path: Path) -> None:
    made: set[str] = set()
    for stage in recipe.stages:
        needed = {*_names(stage.training.get("start")), *_names(stage.training.get("teachers"))}
        if missing := sorted(needed - made):
            raise UserError(f"{path}: stage {stage.run!r} needs {missing[0]!r}, which no earlier stage trains")
        made.add(stage.run)


def first_line(error: Exception) -> str:
    """The first thing that is wrong with a recipe, as one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'its content'}: {first['msg'].lower()}"
    return str(error).splitlines()[0]
