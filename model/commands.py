"""The ``meanface`` commands of this room: train, evaluate, predict. Knows the command line, not the work."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

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


class SamplerOption(StrEnum):
    """How the search chooses what to try."""

    tpe = "tpe"
    random = "random"
    grid = "grid"


@app.command(rich_help_panel="Model")
def train(
    names: Annotated[list[str], typer.Argument(help="Ingested data sets.", metavar="NAME...")],
    run: Annotated[str | None, typer.Option(help="Name of the run; default: the first data set's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training split.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Faces a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="Peak of the schedule.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Trained run to learn from as well; several may be given.")
    ] = None,
    start: Annotated[
        list[str] | None, typer.Option(help="Trained run whose weights are begun with; of several, with their mean.")
    ] = None,
    augmentation: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Factor of the strength of augmentation.")
    ] = None,
    mix: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of faces that another face shines through.")
    ] = 0.0,
    label_smoothing: Annotated[
        float | None, typer.Option(min=0.0, max=0.5, help="Share of the target moved to the other label.")
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="0 shows all faces alike, 1 all groups of source, label, style and age."),
    ] = None,
    full_size: Annotated[bool, typer.Option(help="Pictures of full size from the start.")] = False,
    strategy: Annotated[
        StrategyOption, typer.Option(help="`multi-worker` trains on the machines that TF_CONFIG names.")
    ] = StrategyOption.one,
) -> None:
    """Train the network; started again after being killed, it goes on after the last whole epoch.

    Example: `meanface train celeba utkface --epochs 40`.
    """
    from dataclasses import replace

    with _training_installed():
        from model.training.augment import Augmentation
        from model.training.strategies import open_strategy
        from model.training.train import Training
        from model.training.train import train as fit
    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    given["balance"] = balance
    run = run or names[0]
    given |= {"seed": seed, "teachers": tuple(teacher or ()), "start": tuple(start or ())}
    given["label_smoothing"] = label_smoothing
    strength = Augmentation()
    if augmentation is not None:
        strength = strength.scaled(augmentation)
        given["calm"] = 1.0
    given["augmentation"] = replace(strength, mix=mix)
    if full_size:
        given["sizes"] = (1.0,)
    training = Training(**{key: value for key, value in given.items() if value is not None})
    history = fit(names, run, training, open_strategy(strategy.value))
    kept = history[history["kept"]].iloc[0]
    typer.echo(
        f"{run}: {len(history)} epochs, of which epoch {kept['epoch']:.0f} is kept, "
        f"validation accuracy {kept['val_accuracy']:.2%}. Next: meanface evaluate {run}"
    )


@contextlib.contextmanager
def _training_installed() -> Iterator[None]:
    """Say what to install where TensorFlow, or what else training needs, is missing."""
    import os

    from analysis.core.errors import UserError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f'training needs {error.name}: run `pip install "meanface[train]"` or `make setup`') from error


@app.command(rich_help_panel="Model")
def search(
    names: Annotated[list[str], typer.Argument(help="Ingested data sets.", metavar="NAME...")],
    run: Annotated[str | None, typer.Option(help="Name of the run; default: the first data set's.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Finished trials the study shall hold.")] = 40,
    sampler: Annotated[SamplerOption, typer.Option(help="How values are chosen.")] = SamplerOption.tpe,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a trial.")] = 4,
    faces: Annotated[int, typer.Option(min=64, help="Faces of the training split that a trial sees.")] = 6000,
    seed: Annotated[int, typer.Option(help="Of the sampler; give processes that share a study different ones.")] = 0,
) -> None:
    """Search hyper-parameters by many short trainings; started again, it goes on with the same study.

    Example: `meanface search celeba utkface --trials 40`; start it twice to search in two processes.
    """
    with _training_installed():
        from model.training.search import search as look
    run = run or names[0]
    table = look(names, run, trials=trials, sampler=sampler.value, epochs=epochs, faces=faces, seed=seed)
    best = table.loc[table["value"].idxmin()]
    typer.echo(
        f"{run}: {len(table)} trials, the best is number {best['trial']} with log loss {best['value']:.4f} "
        f"and accuracy {best['accuracy']:.2%} on the validation split"
    )


@app.command(rich_help_panel="Model")
def ablate(
    names: Annotated[list[str], typer.Argument(help="Ingested data sets.", metavar="NAME...")],
    run: Annotated[str | None, typer.Option(help="A trained run; default: the first data set's.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a variant.")] = 6,
    faces: Annotated[int, typer.Option(min=64, help="Faces of the training split that a variant sees.")] = 8000,
    seed: Annotated[int, typer.Option(help="Of trainings and bootstrap.")] = 0,
) -> None:
    """Measure what each part of training is worth, by short trainings with one thing changed.

    Example: `meanface ablate celeba utkface --run celeba`. Started again, it trains only what is not finished.
    """
    with _training_installed():
        from model.training.ablation import ablate as compare
    table = compare(names, run or names[0], epochs=epochs, faces=faces, seed=seed)
    columns = ["variant", "dataset", "accuracy", "difference", "low", "high", "log_loss", "seconds"]
    typer.echo(table[columns].to_string(index=False, float_format=lambda value: f"{value:.4f}"))


@app.command(rich_help_panel="Model")
def evaluate(
    run: Annotated[str, typer.Argument(help="A trained run.")],
    compare: Annotated[
        list[str] | None,
        typer.Option(help="Another evaluated run, measured on the same test images; may be given several times."),
    ] = None,
    brief: Annotated[
        bool,
        typer.Option(
            "--brief", help="Leave out worse photos and explanations: enough to compare with, not to be published."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
) -> None:
    """Measure a trained run: every split of every data set, groups, robustness; calibrate it on validation.

    With `--compare`, tables of sources and of groups set other runs beside it: what a second data set is worth, or
    what became of a gap. Examples: `meanface evaluate celeba`, `meanface evaluate both --compare celeba`.
    """
    from analysis.core.errors import UserError

    try:
        from model.evaluation.evaluate import evaluate as judge
    except ModuleNotFoundError as error:
        raise UserError(
            f'evaluating needs {error.name}: run `pip install "meanface[train]"` or `make setup`'
        ) from error
    result = judge(run, compare=compare or [], brief=brief, seed=seed)
    named = result["sources"] | result["subsets"]
    width = 2 + max(map(len, named))
    for name, splits in named.items():
        for split, found in splits.items():
            low, high = found["accuracy_interval"]
            typer.echo(
                f"{name:<{width}}{split:<11}{found['accuracy']:.2%} of {found['images']:,} right (95 % interval "
                f"{low:.2%} to {high:.2%}); {found['decided']['coverage']:.1%} decided, of those "
                f"{found['decided']['accuracy'] or 0:.2%} right"
            )
    typer.echo(f"Next: meanface evaluate RUN --compare {run}" if brief else f"Next: meanface publish {run}")


@app.command(rich_help_panel="Model")
def predict(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.", metavar="PATH...")],
    output: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .parquet or .jsonl; default: CSV on stdout.")
    ] = None,
    crop: Annotated[
        CropOption, typer.Option(help="`none` takes each photo as one face in CelebA's frame already.")
    ] = CropOption.detect,
    model: Annotated[Path | None, typer.Option(help="Folder of a model; default: the published one.")] = None,
) -> None:
    """Predict perceived gender from photos, one row a face: female, male or uncertain.

    Example: `meanface predict portraits/ --output predictions.csv`.
    """
    import sys

    from model.batch import check_output, find_photos, predict_paths, write_table
    from model.predict import Predictor

    if output:
        check_output(output)
    found = find_photos(photos)
    predictor = Predictor.load(model, threads=1)
    table = predict_paths(found, predictor, crop=crop.value, progress=len(found) > 20)
    if output:
        write_table(table, output)
        scored = table.loc[table["error"].isna(), "file"].nunique()
        typer.echo(f"{output}: {scored:,} of {len(found):,} photos scored, {table['p_male'].notna().sum():,} faces")
    else:
        table.to_csv(sys.stdout, index=False)
    if table["p_male"].isna().all():
        raise typer.Exit(2)
