"""Hyper-parameter search with Optuna: many short trainings, recorded in a SQLite file that processes share.

Defines the hyper-parameters and their ranges; ``model.training.train`` does the training.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from analysis.core.errors import UserError
from analysis.core.storage import check_writable, writing
from analysis.data.dataset import Dataset
from analysis.results import Run, artifacts
from analysis.results.records import SearchRecord
from model.training.examples import Faces, load_split, seen_data
from model.training.train import Training, compiled, fit, keeper, with_heads

#: Searched hyper-parameters: distribution, and the values of the grid sampler.
SPACE: dict[str, tuple[BaseDistribution, tuple[Any, ...]]] = {
    "learning_rate": (FloatDistribution(3e-4, 8e-3, log=True), (5e-4, 2e-3, 6e-3)),
    "weight_decay": (FloatDistribution(1e-3, 0.3, log=True), (0.005, 0.05)),
    "label_smoothing": (FloatDistribution(0.0, 0.15), (0.0, 0.05, 0.1)),
    "auxiliary": (FloatDistribution(0.0, 2.0), (0.0, 0.5, 1.5)),
    "balance": (FloatDistribution(0.0, 0.8), (0.0, 0.3, 0.6)),
    "batch_size": (CategoricalDistribution((32, 64, 128)), (32, 64, 128)),
    "width": (CategoricalDistribution((32, 48, 64)), (32, 48, 64)),
    "light": (FloatDistribution(0.0, 1.5), (0.0, 0.75, 1.5)),
    "rotation": (FloatDistribution(0.0, 45.0), (0.0, 30.0)),
    "hide": (FloatDistribution(0.0, 0.6), (0.0, 0.3)),
}
SAMPLERS = ("tpe", "random", "grid")
_STUDY = "study.db"
_WATCHED = 1500  # faces of the validation split that trials are scored on
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def training_of(values: dict[str, Any], short: Training) -> Training:
    """A training with sampled hyper-parameters.

    Parameters
    ----------
    values
        Name in `SPACE` -> value.
    short
        Training that provides all other values.

    Returns
    -------
    Training
    """
    own = {name: values[name] for name in ("learning_rate", "weight_decay", "label_smoothing", "auxiliary", "balance")}
    width = values["width"]
    return replace(
        short,
        **own,
        batch_size=values["batch_size"],
        augmentation=replace(short.augmentation, **{name: values[name] for name in ("light", "rotation", "hide")}),
        architecture=replace(short.architecture, filters=(width, width * 2, width * 4)),
    )


def search(
    datasets: Sequence[Dataset], run: Run, *, trials: int, sampler: str, epochs: int, faces: int, seed: int = 0
) -> pd.DataFrame:
    """Run trials until the study has enough finished ones, and write table and record.

    Every trial trains on the same random part of the training split for a few epochs at reduced size; its value is
    the log loss on a part of the validation split. It is pruned when it is worse than the median of the other trials
    at the same epoch. Several processes, or machines that share the folder, can work on one study at once; trials of a
    killed process are repeated.

    Parameters
    ----------
    datasets
        Ingested data sets.
    run
        The study is ``search/study.db`` in its folder.
    trials
        Stop after this many finished trials (complete or pruned) in the study.
    sampler
        "tpe", "random" or "grid".
    epochs, faces
        Epochs and training faces per trial.
    seed
        Random seed of the sampler; give each process that shares a study its own.

    Returns
    -------
    pandas.DataFrame
        One row per finished trial: ``trial, state, value`` (log loss), ``accuracy, seconds`` and the hyper-parameters.

    Raises
    ------
    UserError
        If a data set is not ingested, the sampler is unknown, the study has other data or another budget, or it
        cannot be written.
    """
    folder = run.folder / "search"
    check_writable(folder / artifacts.SEARCH.name)
    try:
        return _search(datasets, folder, trials, sampler, epochs=epochs, faces=faces, seed=seed)
    except Exception as error:
        if not (reason := _failure_of_the_file(error)):
            raise
        raise UserError(
            f"{folder / _STUDY} cannot be written ({reason}): free some space, or check that you may write there; "
            "finished trials are kept"
        ) from None


def _failure_of_the_file(error: BaseException | None) -> str | None:
    """What SQLite says of its file, as in "database or disk is full", beneath the layers that Optuna puts on it."""
    while error is not None:
        if isinstance(said := getattr(error, "orig", None), sqlite3.OperationalError):
            return str(said)
        error = error.__cause__
    return None


def _search(
    datasets: Sequence[Dataset], folder: Path, trials: int, sampler: str, *, epochs: int, faces: int, seed: int
) -> pd.DataFrame:
    facts = seen_data(datasets)
    train_split, validation = load_split(datasets, "train"), load_split(datasets, "validation")
    short = Training(epochs=epochs, sizes=(0.6,), calm=1.0, average=0.0)
    part, watched = sample(train_split, faces), sample(validation, _WATCHED)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{folder / _STUDY}",
        engine_kwargs={"connect_args": {"timeout": 60}},
        heartbeat_interval=30,
        grace_period=120,
        heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2),
    )
    study = optuna.create_study(
        storage=storage,
        study_name="meanface",
        load_if_exists=True,
        direction="minimize",
        sampler=_sampler(sampler, seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=1),
    )

    fingerprints = {name: fact.fingerprint for name, fact in facts.items()}
    budget = {"epochs": epochs, "faces": faces, "data": fingerprints}
    if study.user_attrs.get("budget", budget) != budget:
        raise UserError(f"{folder} holds a study of other data or of another budget: give its options, or move it")
    study.set_user_attr("budget", budget)

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        done = sum(trial.state in _FINISHED for trial in study.get_trials(deepcopy=False))
        value = f"log loss {trial.value:.4f}" if trial.value is not None else "no value"
        print(f"  trial {trial.number}: {trial.state.name.lower()}, {value}; {done} of {trials} finished", flush=True)

    enough = optuna.study.MaxTrialsCallback(trials, states=_FINISHED)
    if sum(trial.state in _FINISHED for trial in study.get_trials(deepcopy=False)) < trials:
        study.optimize(_objective(part, watched, short), callbacks=[report, enough], catch=())
    table = trial_table(study)
    record = SearchRecord(
        sampler=sampler,
        trials=len(table),
        epochs=epochs,
        faces=faces,
        data=fingerprints,
        datasets=[dataset.name for dataset in datasets],
        validation_faces=len(watched),
        importance=importance(study),
        best=study.best_params,
    )
    artifacts.SEARCH.write(table, folder)
    artifacts.SEARCH_RECORD.write(record, folder)
    return table


def sample(faces: Faces, count: int, seed: int = 0) -> Faces:
    """A random part of the faces, at most ``count``; the same for the same seed."""
    if len(faces) <= count:
        return faces
    rows = np.sort(np.random.default_rng(seed).choice(len(faces), count, replace=False))
    return Faces(faces.table.iloc[rows].reset_index(drop=True), faces.pixels[rows])


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "grid":
        return optuna.samplers.GridSampler({key: list(grid) for key, (_, grid) in SPACE.items()}, seed=seed)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "tpe":
        # constant_liar counts running trials as bad ones, so that processes do not try the same spot at once.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    raise UserError(f"no sampler {name!r}: take one of {', '.join(SAMPLERS)}")


def _objective(part: Faces, validation: Faces, short: Training) -> Callable[[optuna.Trial], float]:
    def objective(trial: optuna.Trial) -> float:
        values = {name: _suggest(trial, name, distribution) for name, (distribution, _) in SPACE.items()}
        training = with_heads(training_of(values, short), part)
        keras.backend.clear_session()
        pupil = compiled(training, len(part))
        kept = keeper(pupil, training)
        row: dict[str, float] = {}
        for row in fit(pupil, kept, part, validation, training, []):
            trial.report(row["val_loss"], int(row["epoch"]))
            trial.set_user_attr("accuracy", row["val_accuracy"])
            if trial.should_prune():
                raise optuna.TrialPruned
        return row["val_loss"]

    return objective


def _suggest(trial: optuna.Trial, name: str, within: BaseDistribution) -> Any:
    if isinstance(within, FloatDistribution):
        return trial.suggest_float(name, within.low, within.high, log=within.log)
    assert isinstance(within, CategoricalDistribution)
    return trial.suggest_categorical(name, within.choices)


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Finished trials of a study, in order; see `search`."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "accuracy": trial.user_attrs.get("accuracy"),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            **trial.params,
        }
        for trial in study.get_trials(deepcopy=False)
        if trial.state in _FINISHED
    ]
    return pd.DataFrame(rows)


def importance(study: optuna.Study) -> dict[str, float]:
    """Share of the value's variance that each hyper-parameter explains; empty with fewer than four complete trials.

    Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < 4:
        return {}
    importances = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    return {name: float(value) for name, value in importances.items()}
