"""Learning curve: accuracy against the number of faces to learn from, and where it leads with more of them.

Uses the train and validation splits only, never the test split.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval, interval, person_numbers, resamples
from analysis.data.dataset import Dataset
from analysis.results import Run, artifacts
from analysis.results.records import Extrapolation, LearningBudget, LearningRecord, LearningScore, LearningScores
from model.training.ablation import short_training
from model.training.examples import Faces, load_split, seen_data
from model.training.train import Training

SIZES = (1000, 2000, 4000, 8000, 16000, 32000)
FULL = 162_770  # faces of CelebA's train split, which published results are trained on
_FEWEST = 4  # sizes that a power law with a floor is fitted to
_DRAWS = 300
_EXPONENTS = (0.02, 2.0)


def learning_curve(
    datasets: Sequence[Dataset],
    run: Run,
    training: Training,
    *,
    sizes: Sequence[int] = SIZES,
    repeats: int = 1,
) -> pd.DataFrame:
    """Train from random weights on more and more faces, and fit a power law to the share of wrong answers.

    Every training takes as many steps as one on all faces: fewer faces are seen more often, so that what differs is how
    many different ones there are. Larger samples hold the smaller ones. Finished trainings are saved; started again
    with the same data and budget, only the others are run. Any backend of Keras can run it.

    Parameters
    ----------
    datasets
        Ingested data sets, whose train splits are pooled.
    run
        Run to write to; the files are in its folder ``learning``.
    training
        Hyper-parameters; its seed is that of the first repeat. Epochs count passes over all faces.
    sizes
        Numbers of faces. All faces are added as the last size, and replace what is larger.
    repeats
        Trainings for each size, with another sample and another seed each.

    Returns
    -------
    pandas.DataFrame
        One row per size, repeat and source: ``faces, repeat, dataset, images, accuracy`` with its 95 % interval over
        people ``low, high``, ``log_loss``, ``seconds``.

    Raises
    ------
    UserError
        If a data set is not ingested, the training starts from other weights or learns from teachers, or the run
        cannot be written to.
    """
    if training.start or training.backbone or training.teachers:
        raise UserError("a learning curve begins with random weights: give no other run and no backbone")
    folder = run.folder / "learning"
    storage.check_writable(folder / artifacts.LEARNING_SCORES.name)
    train_split, validation = load_split(datasets, "train"), load_split(datasets, "validation")
    every = len(train_split)
    budget = LearningBudget(
        epochs=training.epochs,
        batch_size=training.batch_size,
        seed=training.seed,
        precision=training.precision,
        datasets=[dataset.name for dataset in datasets],
        data={name: fact.fingerprint for name, fact in seen_data(datasets).items()},
        all_faces=every,
    )
    scores = _finished(folder, budget)
    done = {(score.faces, score.repeat) for score in scores}
    wanted = [(size, repeat) for repeat in range(repeats) for size in (*sorted(n for n in sizes if n < every), every)]
    for number, (size, repeat) in enumerate(wanted):
        if (size, repeat) in done:
            continue
        print(f"{size:,} faces, repeat {repeat + 1} ({number + 1} of {len(wanted)})", flush=True)
        seed, start = training.seed + repeat, time.perf_counter()
        part = _as_many_as(_first(train_split, size, seed), every)
        logits, _ = short_training(part, validation, replace(training, seed=seed))
        seconds = time.perf_counter() - start
        scores.append(LearningScore(faces=size, repeat=repeat, logits=logits.tolist(), seconds=seconds))
        _write(folder, budget, scores, validation)
    return _write(folder, budget, scores, validation)


def _finished(folder: Path, budget: LearningBudget) -> list[LearningScore]:
    path = folder / artifacts.LEARNING_SCORES.name
    kept = artifacts.LEARNING_SCORES.read_file(path) if path.exists() else None
    return list(kept.scores) if kept and kept.budget == budget else []


def _write(folder: Path, budget: LearningBudget, scores: list[LearningScore], validation: Faces) -> pd.DataFrame:
    """Keep what is finished, as scores to resume from, and as a table and its extrapolation to show."""
    table = curve_table(scores, validation, budget.seed)
    fits = extrapolations(scores, validation, budget.seed)
    artifacts.LEARNING_SCORES.write(LearningScores(budget=budget, scores=scores), folder)
    artifacts.LEARNING.write(table, folder)
    artifacts.LEARNING_RECORD.write(LearningRecord(budget=budget, extrapolations=fits), folder)
    return table


def _first(faces: Faces, count: int, seed: int) -> Faces:
    """The first ``count`` of the faces in a random order, so that a larger part holds each smaller one."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(faces))[:count])
    return Faces(faces.table.iloc[rows].reset_index(drop=True), faces.pixels[rows])


def _as_many_as(faces: Faces, count: int) -> Faces:
    """The faces repeated in turn until there are ``count``: an epoch has as many steps whatever the number of faces."""
    rows = np.resize(np.arange(len(faces)), count)
    return Faces(faces.table.iloc[rows].reset_index(drop=True), faces.pixels[rows])


def curve_table(scores: Sequence[LearningScore], validation: Faces, seed: int = 0) -> pd.DataFrame:
    """Accuracy of each training on each source; see `learning_curve`.

    Parameters
    ----------
    scores
        Trainings, with a logit for each of the n faces.
    validation
        The n faces.
    seed
        Random seed of the bootstrap over people.
    """
    rows = []
    for dataset, where in validation.table.groupby("dataset", sort=False).indices.items():
        male = validation.male[where] > 0
        part = validation.table.iloc[where].reset_index(drop=True)
        identity = part.get("identity")
        for score in sorted(scores, key=lambda score: (score.faces, score.repeat)):
            logits = np.asarray(score.logits)[where]
            right = pd.Series((logits > 0) == male)
            low, high = accuracy_interval(right, identity, rng=np.random.default_rng(seed))
            rows.append(
                {
                    "faces": score.faces,
                    "repeat": score.repeat,
                    "dataset": dataset,
                    "images": len(where),
                    "accuracy": float(right.mean()),
                    "low": low,
                    "high": high,
                    "log_loss": float(np.logaddexp(0, np.where(male, -logits, logits)).mean()),
                    "seconds": score.seconds,
                }
            )
    return pd.DataFrame(rows)


def extrapolations(
    scores: Sequence[LearningScore], validation: Faces, seed: int = 0, *, faces: int = FULL
) -> dict[str, Extrapolation]:
    """Power law of the share of wrong answers on each source, and the accuracy that it leads to.

    Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017: wrong answers fall with a power of the
    number of faces, towards a floor that wrong labels set. The interval is that of the fit to resampled validation
    people; it does not tell whether the law goes on beyond what was tried.

    Parameters
    ----------
    scores, validation, seed
        As in `curve_table`.
    faces
        Number of faces to extrapolate to.

    Returns
    -------
    dict
        Source -> its law. A source is left out where fewer than four sizes were tried, or no law can be fitted.
    """
    sizes = np.array(sorted({score.faces for score in scores}), float)
    found: dict[str, Extrapolation] = {}
    if len(sizes) < _FEWEST:
        return found
    rng = np.random.default_rng(seed)
    for dataset, where in validation.table.groupby("dataset", sort=False).indices.items():
        male = validation.male[where] > 0
        wrong = np.array(
            [
                np.mean([(np.asarray(s.logits)[where] > 0) != male for s in scores if s.faces == size], axis=0)
                for size in sizes
            ]
        )
        law = _power_law(sizes, wrong.mean(axis=1), len(where))
        if law is None:
            continue
        drawn = []
        for times in resamples(person_numbers(validation.table.iloc[where]), _DRAWS, rng):
            shares = times @ wrong.T / times.sum(axis=1, keepdims=True)
            laws = (_power_law(sizes, share, len(where)) for share in shares)
            drawn += [_at(one, faces) for one in laws if one is not None]
        low, high = interval(1 - np.array(drawn)) if drawn else (np.nan, np.nan)
        floor, scale, exponent = law
        found[str(dataset)] = Extrapolation(
            floor=floor,
            scale=scale,
            exponent=exponent,
            faces=faces,
            accuracy=1 - _at(law, faces),
            interval=(float(low), float(high)),
        )
    return found


Law = tuple[float, float, float]  # floor, scale, exponent: floor + scale * faces ** -exponent


def _at(law: Law, faces: float) -> float:
    floor, scale, exponent = law
    return floor + scale * faces**-exponent


def _power_law(sizes: np.ndarray, wrong: np.ndarray, images: int) -> Law | None:
    """Least squares, weighted by the binomial error of each share; None if it does not converge."""
    largest = sizes.max()
    share = np.maximum(wrong, 0.5 / images)  # no share is known to be 0

    def law(size: np.ndarray, floor: float, excess: float, exponent: float) -> np.ndarray:
        return floor + excess * (size / largest) ** -exponent

    least = float(share.min())
    try:
        (floor, excess, exponent), _ = curve_fit(
            law,
            sizes,
            wrong,
            p0=(0.5 * least, 0.5 * least, 0.4),
            sigma=np.sqrt(share * (1 - np.minimum(share, 1 - 0.5 / images)) / images),
            bounds=((0, 0, _EXPONENTS[0]), (least, 1, _EXPONENTS[1])),
        )
    except RuntimeError:
        return None
    return float(floor), float(excess * largest**exponent), float(exponent)
