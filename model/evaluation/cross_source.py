"""Comparison of runs on the same test images: the training data of each run, and its metrics on each source."""

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval
from analysis.results import Run
from model.evaluation.calibration import calibration
from model.evaluation.scores import TrainedRun, decided, parts
from model.training.examples import Faces


def score_rival(run: Run, test: Faces) -> tuple[TrainedRun, pd.DataFrame]:
    """Score the same test images with another run, with its own temperature and band.

    Parameters
    ----------
    run
        A run that was trained and evaluated.
    test
        Test images of all sources.

    Returns
    -------
    rival : TrainedRun
    scored : pandas.DataFrame
        ``test``'s table with ``logit``, ``p_male`` and ``decision``.

    Raises
    ------
    UserError
        If the run is not trained or not evaluated, or has seen any of the images before it was tested.
    """
    rival = TrainedRun.load(run)
    if not (run.folder / "model" / "predictions.parquet").exists():
        raise UserError(f"run {run.name!r} is not evaluated: run `meanface evaluate {run.name}` first")
    seen = run.results.predictions
    seen = seen[seen["split"] != "test"]
    both = test.table[["dataset", "image_id"]].merge(seen[["dataset", "image_id"]])
    if len(both):
        raise UserError(
            f"run {run.name!r} was trained or calibrated on {len(both):,} of the test images: train it again"
        )
    logits = test.table.assign(logit=rival.predictor.logits(test.pixels))
    return rival, decided(logits, rival.predictor.card.temperature, rival.predictor.card.band)


def cross_source(trained: TrainedRun, scored: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Measure one run on the test split of every source.

    Parameters
    ----------
    trained
        The run.
    scored
        Test images of all sources with ``p_male`` and ``decision``.
    seed
        Random seed of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        ``run, trained_on`` (data sets, joined by " + "), ``source, images, accuracy, low, high`` (95 %, people
        resampled), ``ece``, ``coverage`` and ``decided_accuracy``; one row per source or subset, shares in [0, 1].
    """
    sources, subsets = parts(scored, list(dict.fromkeys(scored["dataset"])))
    rows = []
    for name, inside in (sources | subsets).items():
        part = scored[inside]
        male = (part["label"] == "male").to_numpy()
        p_male = part["p_male"].to_numpy(np.float64)
        right = pd.Series((p_male >= 0.5) == male)
        held = (part["decision"] == "uncertain").to_numpy()
        identities = part["identity"].reset_index(drop=True) if "identity" in part else None
        low, high = accuracy_interval(right, identities, rng=np.random.default_rng(seed))
        rows.append(
            {
                "run": trained.run.name,
                "trained_on": " + ".join(trained.dataset_names),
                "source": name,
                "images": len(part),
                "accuracy": float(right.mean()),
                "low": low,
                "high": high,
                "ece": calibration(p_male, male).ece,
                "coverage": float((~held).mean()),
                "decided_accuracy": float(right[~held].mean()) if (~held).any() else np.nan,
            }
        )
    return pd.DataFrame(rows)


def compared_before(rival: Run, fingerprints: dict[str, str]) -> pd.DataFrame:
    """Rows of the runs with which a rival was compared in its own evaluation, so that those runs need not be kept.

    Parameters
    ----------
    rival
        An evaluated run.
    fingerprints
        Data set -> fingerprint of the test data; evaluations on other data are ignored.

    Returns
    -------
    pandas.DataFrame
        Rows like those of `cross_source`, of other runs than the rival; empty if there are none.
    """
    results = rival.results
    step = results.run.steps.evaluate
    if step is None or step.data != fingerprints:
        return pd.DataFrame()
    return results.cross_source[results.cross_source["run"] != rival.name]
