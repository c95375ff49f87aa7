"""The ``meanface`` commands of this package: train, search, ablate, evaluate and predict."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.command_options import DatasetNames, RunArgument, RunName, Scheduler, Seed
from analysis.core.words import counted, percent, printable

app = typer.Typer()


class CropOption(StrEnum):
    """How faces are found in a photo."""

    detect = "detect"
    none = "none"


class StrategyOption(StrEnum):
    """Where training runs."""

    one = "one"
    mirrored = "mirrored"
    multi_worker = "multi-worker"


class PrecisionOption(StrEnum):
    """Number format of the layers in training."""

    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"


class SamplerOption(StrEnum):
    """How the search chooses what to try."""

    tpe = "tpe"
    random = "random"
    grid = "grid"


@app.command(rich_help_panel="Model")
def train(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Names of ingested data sets; none with `--recipe`."),
    ] = None,
    run: RunName = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of passes over the training split.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Number of faces per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="Peak of the learning-rate schedule.")] = None,
    seed: Seed = 0,
    teacher: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="Learn from this trained run as well; may be repeated.")
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Initialise from this run's weights; repeat to average several."),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Initialise from this network of others, and use its architecture: dlib or mobilefacenet, as "
            "`meanface fetch backbone` keeps it.",
        ),
    ] = None,
    augmentation: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Scale all augmentation (0: off, 1: full), to the end unless `--calm` is given."
        ),
    ] = None,
    calm: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Scale augmentation once more while the last picture size is trained; default: 0.6, or 1 with "
            "`--augmentation`.",
        ),
    ] = None,
    mix: Annotated[float, typer.Option(min=0.0, max=1.0, help="Mixup: share of faces blended with another.")] = 0.0,
    label_smoothing: Annotated[
        float | None, typer.Option(min=0.0, max=0.5, help="Share of each target moved to the other label.")
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Show all faces (0) or all groups of source, label, style and age (1) equally often."
        ),
    ] = None,
    precision: Annotated[
        PrecisionOption, typer.Option(help="Number format of the layers in training; the result is float32.")
    ] = PrecisionOption.float32,
    full_size: Annotated[bool, typer.Option(help="Train on pictures of full size from the start.")] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Train all stages of a recipe: one of `model/recipes`, or the path of a YAML file. It names data sets "
            "and options, so give no others.",
        ),
    ] = None,
    strategy: Annotated[
        StrategyOption,
        typer.Option(help="Train on one device, on all of this machine's, or on the machines that TF_CONFIG names."),
    ] = StrategyOption.one,
) -> None:
    """Train the network; a killed training resumes after its last complete epoch when it is started again.

    Examples: `meanface train celeba utkface --epochs 40`; `meanface train --recipe balanced`.
    """
    from dataclasses import replace

    from analysis.core.errors import UserError
    from analysis.data.dataset import Dataset
    from analysis.results import Run
    from model.training.inputs import check_inputs
    from model.training.recipe import check_recipe, read_recipe, renamed

    if recipe:
        if other := sorted(_given(context) - {"recipe", "run", "strategy"}):
            raise UserError(f"a recipe holds all options: leave out {other[0]}, or train without `--recipe`")
        told = renamed(read_recipe(recipe), run)
        _check_keras()
        check_recipe(told)
        with _training_installed():
            from model.training.stages import train_recipe
            from model.training.strategies import open_strategy
        made = train_recipe(told, open_strategy(strategy.value))
        typer.echo(f"{made.name}: trained as the recipe says. Next: meanface evaluate {made.name}")
        return
    if not names:
        raise UserError("name the data sets to train on, or give `--recipe`")
    _check_keras()
    check_inputs(names, [backbone] if backbone else ())
    with _training_installed():
        from model.training.augment import Augmentation
        from model.training.strategies import open_strategy
        from model.training.train import BACKBONES, Training
        from model.training.train import train as fit
    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    given |= {"balance": balance, "precision": precision.value}
    given |= {"seed": seed, "teachers": tuple(teacher or ()), "start": tuple(start or ())}
    given["label_smoothing"] = label_smoothing
    strength = Augmentation()
    if augmentation is not None:
        strength = strength.scaled(augmentation)
        calm = 1.0 if calm is None else calm
    given["calm"] = calm
    given["augmentation"] = replace(strength, mix=mix)
    if full_size:
        given["sizes"] = (1.0,)
    if backbone:
        given |= {"backbone": backbone, "architecture": BACKBONES[backbone], "sizes": (1.0,)}
    training = Training(**{key: value for key, value in given.items() if value is not None})
    written = Run.open(run or names[0])
    history = fit([Dataset.open(name) for name in names], written, training, open_strategy(strategy.value))
    kept = history[history["kept"]].iloc[0]
    typer.echo(
        f"{written.name}: epoch {kept['epoch']:.0f} of {len(history)} is kept, "
        f"validation accuracy {percent(kept['val_accuracy'])}. Next: meanface evaluate {written.name}"
    )


@app.command(rich_help_panel="Model")
def recipe(run: RunArgument) -> None:
    """Print the recipe of a trained run as YAML: all trainings that led to it, for `meanface train --recipe`.

    Example: `meanface recipe celeba > celeba.yaml`.
    """
    from model.training.recipe import as_yaml, open_run, recipe_of

    typer.echo(as_yaml(recipe_of(open_run(run))), nl=False)


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters that were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _check_keras() -> None:
    """Say that training is not installed before anything that it needs is asked for; this imports nothing of it."""
    import importlib.util

    if importlib.util.find_spec("keras") is None:
        raise _not_installed("keras")


def _not_installed(package: str | None, what: str = "training") -> Exception:
    from analysis.core.errors import UserError

    return UserError(f'{what} needs {package}: run `pip install "meanface[train]"` or `make setup`')


@contextlib.contextmanager
def _training_installed() -> Iterator[None]:
    """Import what trains, without TensorFlow's lines on its start; say what to install if a package is missing.

    TensorFlow writes these lines below Python, before it has set its logging up: `TF_CPP_MIN_LOG_LEVEL` alone does not
    keep them away. Who sets the variable sees them.
    """
    import os

    wanted = "TF_CPP_MIN_LOG_LEVEL" in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with contextlib.nullcontext() if wanted else _quiet():
            yield
    except ModuleNotFoundError as error:
        raise _not_installed(error.name) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; all of it is shown after an error other than a missing module."""
    import os
    import sys
    import tempfile

    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, ModuleNotFoundError):
                held.seek(0)
                os.write(shown, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)


@app.command(rich_help_panel="Model")
def search(
    names: DatasetNames,
    run: RunName = None,
    trials: Annotated[int, typer.Option(min=1, help="Stop after this many finished trials.")] = 40,
    sampler: Annotated[SamplerOption, typer.Option(help="Choose values by this method.")] = SamplerOption.tpe,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs per trial.")] = 4,
    faces: Annotated[int, typer.Option(min=64, help="Number of training faces per trial.")] = 6000,
    seed: Seed = 0,
) -> None:
    """Search hyper-parameters by many short trainings; started again, it resumes the same study.

    Example: `meanface search celeba utkface --trials 40`; start it twice, with different seeds, to search in two
    processes.
    """
    from analysis.data.dataset import Dataset
    from analysis.results import Run
    from model.training.inputs import check_inputs

    _check_keras()
    check_inputs(names)
    with _training_installed():
        from model.training.search import search as look
    written = Run.open(run or names[0])
    datasets = [Dataset.open(name) for name in names]
    table = look(datasets, written, trials=trials, sampler=sampler.value, epochs=epochs, faces=faces, seed=seed)
    best = table.loc[table["value"].idxmin()]
    typer.echo(
        f"{written.name}: {len(table)} trials, the best is number {best['trial']} with log loss {best['value']:.4f} "
        f"and accuracy {percent(best['accuracy'])} on the validation split"
    )


@app.command(rich_help_panel="Model")
def ablate(
    names: DatasetNames,
    run: RunName = None,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs per variant.")] = 6,
    faces: Annotated[int, typer.Option(min=64, help="Number of training faces per variant.")] = 8000,
    seed: Seed = 0,
) -> None:
    """Measure what each part of training contributes, by short trainings with one thing changed.

    The run must be trained. Started again, it trains only the variants that are not finished.

    Example: `meanface ablate celeba utkface --run celeba`.
    """
    from analysis.data.dataset import Dataset
    from analysis.results import Run
    from model.training.inputs import check_inputs

    _check_keras()
    check_inputs(names)
    with _training_installed():
        from model.training.ablation import ablate as compare
    datasets = [Dataset.open(name) for name in names]
    table = compare(datasets, Run.open(run or names[0]), epochs=epochs, faces=faces, seed=seed)
    columns = ["variant", "dataset", "accuracy", "difference", "low", "high", "log_loss", "seconds"]
    typer.echo(table[columns].to_string(index=False, float_format=lambda value: f"{value:.4f}"))


@app.command(rich_help_panel="Model")
def curve(
    names: DatasetNames,
    run: RunName = None,
    size: Annotated[
        list[int] | None,
        typer.Option(min=64, help="Number of training faces; may be repeated. Default: 1,000, doubled up to 32,000."),
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Number of passes over all faces; fewer faces take as many steps.")
    ] = 20,
    batch_size: Annotated[int, typer.Option(min=2, help="Number of faces per step.")] = 128,
    repeats: Annotated[int, typer.Option(min=1, help="Number of trainings for each size.")] = 1,
    precision: Annotated[
        PrecisionOption, typer.Option(help="Number format of the layers in training.")
    ] = PrecisionOption.float32,
    seed: Seed = 0,
) -> None:
    """Measure how accuracy grows with the number of training faces, from random weights, and extrapolate it.

    Each training takes as many steps as one on all faces. Started again, only what is not finished is trained. Meant
    for an accelerator: with `KERAS_BACKEND=jax` or `torch`, wherever that backend finds one.

    Example: `meanface curve celeba utkface --run celeba`.
    """
    from analysis.data.dataset import Dataset
    from analysis.results import Run
    from model.training.inputs import check_inputs

    _check_keras()
    check_inputs(names)
    with _training_installed():
        from model.training.learning_curve import SIZES, learning_curve
        from model.training.train import Training
    training = Training(epochs=epochs, batch_size=batch_size, precision=precision.value, seed=seed)
    datasets = [Dataset.open(name) for name in names]
    table = learning_curve(datasets, Run.open(run or names[0]), training, sizes=size or SIZES, repeats=repeats)
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


@app.command(rich_help_panel="Model")
def evaluate(
    run: RunArgument,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Measure this evaluated run on the same test images; may be repeated."),
    ] = None,
    brief: Annotated[
        bool,
        typer.Option(
            "--brief", help="Skip robustness and explanations: enough to compare with, but not to be published."
        ),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Measure a trained run on every split of its data sets and by group; calibrate it on the validation split.

    With `--compare`, the tables of sources and of groups list other runs beside it.

    Examples: `meanface evaluate celeba`, `meanface evaluate both --compare celeba`.
    """
    from analysis.results import Run

    try:
        from model.evaluation.evaluate import evaluate as judge
    except ModuleNotFoundError as error:
        raise _not_installed(error.name, "evaluating") from error
    others = [Run.open(other) for other in compare or ()]
    result = judge(Run.open(run), compare=others, brief=brief, seed=seed)
    named = result.sources | result.subsets
    width = 2 + max(map(len, named))
    for name, splits in named.items():
        for split, measured in splits.items():
            low, high = measured.accuracy_interval
            typer.echo(
                f"{name:<{width}}{split:<11}{percent(measured.accuracy)} of {measured.images:,} right (95 % interval "
                f"{percent(low)} to {percent(high)}); {percent(measured.decided.coverage)} decided, of those "
                f"{percent(measured.decided.accuracy or 0)} right"
            )
    made = {
        "confident": "promised with 95 % confidence",
        "sample": "not proven, true of the sample",
        "none": "not promised",
    }
    for name, promise in result.promises.items():
        typer.echo(
            f"{percent(result.right_share_wanted, 0)} of decided faces right, {name}: {made[promise.made]} "
            f"({promise.right:,} of {promise.decided:,} on validation)"
        )
    typer.echo(f"Next: meanface evaluate RUN --compare {run}" if brief else f"Next: meanface publish {run}")


@app.command(rich_help_panel="Model")
def predict(
    photos: Annotated[
        list[str], typer.Argument(help="Photos or folders of photos, on disk or in a bucket.", metavar="PATH...")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write to this .csv, .parquet or .jsonl file or URL, and make its folder; default: CSV on stdout.",
        ),
    ] = None,
    crop: Annotated[
        CropOption, typer.Option(help="Detect faces, or take each photo as one aligned face (`none`).")
    ] = CropOption.detect,
    model: Annotated[
        Path | None, typer.Option(help="Read the model from this folder; default: the published one.")
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="Begin CSV with a byte order mark, by which Excel knows its encoding.")
    ] = False,
    scheduler: Scheduler = None,
) -> None:
    """Predict perceived gender from photos, one row per face: female, male or uncertain.

    With `--output`, a killed command resumes where it stopped when it is started again. In CSV, text that a spreadsheet
    would run as a formula has an apostrophe in front.

    Examples: `meanface predict portraits/ --output predictions.csv`,
    `meanface predict s3://bucket/photos --output s3://bucket/scores.parquet --scheduler tcp://10.0.0.5:8786`.
    """
    import sys

    from analysis.core import compute, paths
    from analysis.data import decoding
    from model.batch import count_photos, place_of, predict_on, predict_to
    from model.predict import Predictor
    from model.predictions import check_output

    if output is not None:
        check_output(place_of(output), excel=excel)
    total, left_out = count_photos(photos)
    for line in left_out.lines():
        typer.echo(f"left out: {line}", err=True)
    if output:
        check_output(place_of(output), total, excel=excel)
    if model is None and (others := paths.unpublished_runs()):
        said = f"of {', '.join(others)}, none is published (`meanface publish RUN`)"
        typer.echo(f"The model is the one that is shipped: {said}.", err=True)
    predictor = Predictor.load(model, threads=1)
    given: dict[str, Any] = {"crop": crop.value, "excel": excel, "progress": total if total > 20 else None}
    with compute.connected(scheduler), decoding.processes():
        if output:
            counts = predict_to(output, photos, predictor, **given)
            faces = counted(counts.faces, "face")
            typer.echo(f"{printable(output)}: {counts.scored:,} of {counts.photos:,} photos scored, {faces}")
        else:
            counts = predict_on(sys.stdout, photos, predictor, **given)
    if not counts.faces:
        raise typer.Exit(2)
