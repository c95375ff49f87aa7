"""Ablation: repeat one short training with one thing changed at a time.

Uses the train and validation splits only, never the test split.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from analysis.core import storage
from analysis.core.people import interval, resamples
from analysis.data.dataset import Dataset
from analysis.results import Run, artifacts
from analysis.results.records import AblationRecord, AblationScores, VariantScore
from model.training.augment import Augmentation
from model.training.examples import Faces, load_split, seen_data
from model.training.search import sample
from model.training.train import Training, compiled, fit, keeper, seen_at, with_heads

REFERENCE = "defaults"
_DRAWS = 2000
_WATCHED = 500  # validation faces scored after each epoch; all are scored at the end
_NO_AUGMENTATION = Augmentation(
    rotation=0, scale=0, stretch=0, shift=0, tight=0, coarse=0, blur=0, jpeg=0, hide=0, grey=0, light=0, noise=0
)


@dataclass(frozen=True)
class Variant:
    """A training that differs from the reference in one thing.

    Attributes
    ----------
    name
        Description of the change.
    change
        Function from the reference training to this variant's.
    datasets
        Data sets to train on; None for all.
    """

    name: str
    change: Callable[[Training], Training] = lambda training: training
    datasets: tuple[str, ...] | None = None


def _augmented(**changes: float) -> Callable[[Training], Training]:
    return lambda training: replace(training, augmentation=replace(training.augmentation, **changes))


def variants(run: str, names: list[str]) -> list[Variant]:
    """All variants: the reference first, then one change each.

    Parameters
    ----------
    run
        Name of a trained run: the teacher in the distilled variant.
    names
        Names of the data sets; with several, each one alone is a variant, too.
    """
    tried = [
        Variant(REFERENCE),
        Variant("another seed", lambda training: replace(training, seed=training.seed + 1)),
        Variant("no auxiliary heads", lambda training: replace(training, auxiliary=0.0)),
        Variant("no balancing of groups", lambda training: replace(training, balance=0.0)),
        Variant("no augmentation", lambda training: replace(training, augmentation=_NO_AUGMENTATION)),
        Variant("place and scale fixed", _augmented(rotation=0, scale=0, stretch=0, shift=0)),
        Variant("light and colour fixed", _augmented(light=0, grey=0)),
        Variant("always sharp and clean", _augmented(coarse=0, blur=0, jpeg=0, noise=0)),
        Variant("nothing covered or cut", _augmented(hide=0, tight=0)),
        Variant("strong to the end", lambda training: replace(training, calm=1.0)),
        Variant("other faces shine through", _augmented(mix=0.4)),
        Variant("no label smoothing", lambda training: replace(training, label_smoothing=0.0)),
        Variant("no weight averaging", lambda training: replace(training, average=0.0)),
        Variant("full size throughout", lambda training: replace(training, sizes=(1.0,))),
        Variant(
            "two thirds as wide",
            lambda training: replace(
                training,
                architecture=replace(
                    training.architecture, filters=tuple(round(f * 2 / 3) for f in training.architecture.filters)
                ),
            ),
        ),
        Variant("with a teacher", lambda training: replace(training, teachers=(run,))),
    ]
    if len(names) > 1:
        tried += [Variant(f"{name} alone", datasets=(name,)) for name in names]
    return tried


def ablate(datasets: Sequence[Dataset], run: Run, *, epochs: int, faces: int, seed: int = 0) -> pd.DataFrame:
    """Train every variant on a small budget and compare it with the reference on the same validation faces.

    Finished variants are saved; started again with the same data and budget, only the others are trained.

    Parameters
    ----------
    datasets
        Ingested data sets.
    run
        A trained run; the table is ``ablation/ablation.parquet`` in its folder.
    epochs, faces
        Epochs per variant, and faces sampled from the training split.
    seed
        Random seed for training and bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per variant and source: ``variant, dataset, images, accuracy, log_loss``, the difference of the accuracy
        from the reference with its 95 % interval ``difference, low, high`` (paired bootstrap over images; empty for
        the reference), ``seconds, parameters``.

    Raises
    ------
    UserError
        If a data set is not ingested, the teacher run is not trained, or the run cannot be written to.
    """
    storage.check_writable(run.folder / "ablation" / artifacts.ABLATION_SCORES.name)
    facts, names = seen_data(datasets), [dataset.name for dataset in datasets]
    train_split, validation = load_split(datasets, "train"), load_split(datasets, "validation")
    trained = run.results.run.steps.train
    budget = AblationRecord(
        epochs=epochs,
        faces=faces,
        seed=seed,
        datasets=names,
        data={name: fact.fingerprint for name, fact in facts.items()},
        teacher=trained.code if trained else None,
    )
    short = Training(epochs=epochs, sizes=(0.4, 0.6), average=0.99, warmup=1.0, seed=seed)
    folder = run.folder / "ablation"
    scores = _finished(folder, budget)
    tried = variants(run.name, names)
    for number, variant in enumerate(tried):
        if variant.name in scores:
            continue
        print(f"{variant.name} ({number + 1} of {len(tried)})", flush=True)
        part = sample(_of(train_split, variant.datasets or names), faces, seed)
        start = time.perf_counter()
        logits, parameters = short_training(part, validation, variant.change(short))
        scores[variant.name] = VariantScore(
            logits=logits.tolist(), seconds=time.perf_counter() - start, parameters=parameters
        )
        _write(folder, budget, scores, validation)
    return _write(folder, budget, scores, validation)


def _write(folder: Path, budget: AblationRecord, scores: dict[str, VariantScore], validation: Faces) -> pd.DataFrame:
    """Keep what is finished, as scores to resume from and as a table to show."""
    table = compared(scores, validation, budget.seed)
    artifacts.ABLATION_SCORES.write(AblationScores(budget=budget, scores=scores), folder)
    artifacts.ABLATION.write(table, folder)
    artifacts.ABLATION_BUDGET.write(budget, folder)
    return table


def _finished(folder: Path, budget: AblationRecord) -> dict[str, VariantScore]:
    path = folder / artifacts.ABLATION_SCORES.name
    kept = artifacts.ABLATION_SCORES.read_file(path) if path.exists() else None
    return dict(kept.scores) if kept and kept.budget == budget else {}


def _of(faces: Faces, names: Sequence[str]) -> Faces:
    rows = np.flatnonzero(faces.table["dataset"].isin(names).to_numpy())
    return Faces(faces.table.iloc[rows].reset_index(drop=True), faces.pixels[rows])


def short_training(part: Faces, validation: Faces, training: Training) -> tuple[np.ndarray, int]:
    """Logits (n,) on the validation split after a training of which no file is kept, and the number of parameters."""
    keras.backend.clear_session()
    training = with_heads(training, part)
    pupil = compiled(training, len(part))
    kept = keeper(pupil, training)
    for row in fit(pupil, kept, part, sample(validation, _WATCHED), training, []):
        print(f"  validation: accuracy {row['val_accuracy']:.4f}", flush=True)
    plain = seen_at(validation, training.architecture, training.sizes[-1])
    return kept.predict(plain, batch_size=256, verbose=0)["male"][:, 0], kept.count_params()


def compared(scores: dict[str, VariantScore], validation: Faces, seed: int = 0) -> pd.DataFrame:
    """Table of variants from their logits; see `ablate`.

    Parameters
    ----------
    scores
        By variant; the reference must be among them.
    validation
        The n faces.
    seed
        Random seed of the bootstrap.
    """
    male = validation.male > 0
    rng = np.random.default_rng(seed)
    reference = np.asarray(scores[REFERENCE].logits) > 0
    rows = []
    for dataset, where in validation.table.groupby("dataset", sort=False).indices.items():
        draws = np.concatenate(list(resamples(np.arange(len(where)), _DRAWS, rng)))
        base = (reference == male)[where].astype(np.float32)
        for name, score in scores.items():
            logits = np.asarray(score.logits)[where]
            gain = ((logits > 0) == male[where]).astype(np.float32) - base
            low, high = interval(draws @ gain / len(where))
            same = name == REFERENCE
            rows.append(
                {
                    "variant": name,
                    "dataset": dataset,
                    "images": len(where),
                    "accuracy": float((base + gain).mean()),
                    "log_loss": float(np.logaddexp(0, np.where(male[where], -logits, logits)).mean()),
                    "difference": None if same else float(gain.mean()),
                    "low": None if same else float(low),
                    "high": None if same else float(high),
                    "seconds": score.seconds,
                    "parameters": score.parameters,
                }
            )
    return pd.DataFrame(rows)
