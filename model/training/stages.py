"""Trains the stages of a recipe, one after the other."""

from collections.abc import Sequence
from dataclasses import fields

from pydantic import TypeAdapter, ValidationError

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Run
from analysis.results.records import Recipe, Stage
from model.training.augment import Augmentation
from model.training.export import FILE, NETWORK, can_export
from model.training.inputs import check_inputs
from model.training.recipe import first_line
from model.training.strategies import Strategy
from model.training.train import Training, train


def training_of(stage: Stage) -> Training:
    """Hyper-parameters of a stage.

    Raises
    ------
    UserError
        If the stage names an option that does not exist, or gives one a value that it cannot have.
    """
    given = dict(stage.training)
    for what, options in ((Training, given), (Augmentation, given.get("augmentation"))):
        known = {field.name for field in fields(what)}
        if isinstance(options, dict) and (unknown := sorted(options.keys() - known, key=str)):
            raise UserError(
                f"stage {stage.run!r}: {unknown[0]!r} is not an option; known are {', '.join(sorted(known))}"
            )
    try:
        return TypeAdapter(Training).validate_python(given)
    except ValidationError as error:
        raise UserError(f"stage {stage.run!r}: {first_line(error)}") from None


def train_recipe(recipe: Recipe, strategy: Strategy | None = None) -> Run:
    """Train every stage of a recipe in order; stages that are trained already are kept.

    Parameters
    ----------
    recipe
        What to train. Its data sets must be ingested under the names that it gives.
    strategy
        As for `model.training.train.train`.

    Returns
    -------
    Run
        The run of the last stage.

    Raises
    ------
    UserError
        If a data set is not ingested, a backbone is missing, or an option of a stage does not exist; nothing is trained
        then.
    """
    stages = recipe.stages
    check_inputs(name for stage in stages for name in stage.datasets)
    trainings = [training_of(stage) for stage in stages]
    datasets = [[Dataset.open(name) for name in stage.datasets] for stage in stages]
    trained = [_is_trained(Run.open(stage.run), stage, its) for stage, its in zip(stages, datasets, strict=True)]
    check_inputs((), (stage.backbone for stage, done in zip(trainings, trained, strict=True) if not done))
    for number, stage in enumerate(stages):
        told = f"Stage {number + 1} of {len(stages)}, {stage.run}"
        print(f"{told}: trained already" if trained[number] else told, flush=True)
        if not trained[number]:
            train(datasets[number], Run.open(stage.run), trainings[number], strategy)
    return Run.open(stages[-1].run)


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
