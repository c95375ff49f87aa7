"""Judges the serving file: metrics, calibration, abstention -> metrics.json, predictions.parquet, the model's card.

Knows scores and labels. Temperature and the uncertain band are chosen on the validation split; the test split is
scored once and chooses nothing. TensorFlow is not needed: what is measured is the file that is served.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from sklearn import metrics
from tqdm import tqdm

from analysis import paths
from analysis.errors import UserError
from analysis.hypothesis import accuracy_interval
from analysis.results import Results
from analysis.run import record_step
from analysis.splits import SPLITS
from model.dataset import dataset_facts, load_split
from model.predict import Predictor, calibrated, decision

LABELS = ["female", "male"]
RIGHT = 0.99  # share of decided cases that must be right on the validation split
_BINS = 15
_CURVE_POINTS = 300


def evaluate(run: str, *, seed: int = 0) -> dict[str, Any]:
    """Score every split of the data that a run was trained on and write what was found.

    ``splits`` are those of the first data set, the one that the run studies; ``sources`` holds the test split of each.

    Parameters
    ----------
    run
        Name of a trained run.
    seed
        Of the bootstrap.

    Returns
    -------
    dict
        What ``metrics.json`` holds.

    Raises
    ------
    UserError
        If the run is not trained, or its data set was ingested anew since.
    """
    folder = paths.run_folder(run)
    if not (folder / "model" / "model.json").exists():
        raise UserError(f"run {run!r} has no trained model: run `meanface train NAME --run {run}` first")
    record = Results(folder).run["steps"]["train"]
    facts = dataset_facts(record["datasets"])
    for name, fact in facts.items():
        if fact["fingerprint"] != record["data"][name]:
            raise UserError(f"{name!r} was ingested anew since run {run!r} was trained: train it again")
    predictor = Predictor.load(folder / "model")
    tables = []
    for split in tqdm(SPLITS, desc="Scoring", unit="split"):
        faces = load_split(record["datasets"], split)
        columns = [name for name in ("image_id", "dataset", "split", "label", "identity") if name in faces.table]
        tables.append(faces.table[columns].assign(logit=predictor.logits(faces.pixels)))
    scored = pd.concat(tables, ignore_index=True)
    validation = scored[scored["split"] == "validation"]
    temperature = fit_temperature(validation["logit"].to_numpy(), (validation["label"] == "male").to_numpy())
    scored["p_male"] = calibrated(scored["logit"].to_numpy(), temperature)
    validation = scored[scored["split"] == "validation"]
    band = choose_band(validation["p_male"].to_numpy(), (validation["label"] == "male").to_numpy())
    scored["decision"] = [decision(p, band) for p in scored["p_male"]]
    result = {
        "datasets": record["datasets"],
        "splits": {
            split: split_metrics(group, seed=seed)
            for split, group in scored[scored["dataset"] == record["datasets"][0]].groupby("split", sort=False)
        },
        "sources": {
            name: split_metrics(group, seed=seed)
            for name, group in scored[scored["split"] == "test"].groupby("dataset", sort=False)
        },
        "temperature": temperature,
        "band": band,
        "right_share_wanted": RIGHT,
        "parameters": predictor.card["parameters"],
        "input": {key: predictor.card["input"][key] for key in ("height", "width")},
        "serving_bytes": (folder / "model" / predictor.card["file"]).stat().st_size,
    }
    card = predictor.card | {
        "temperature": temperature,
        "band": band,
        "test_accuracy": result["splits"]["test"]["accuracy"],
    }
    with paths.replacing(folder / "model" / "predictions.parquet") as new:
        predictions = scored[["image_id", "dataset", "split", "label", "p_male", "decision"]]
        predictions.to_parquet(new, index=False)
    for name, value in (("metrics.json", result), ("model.json", card)):
        with paths.replacing(folder / "model" / name) as new:
            new.write_text(json.dumps(value, indent=1), encoding="utf-8")
    record_step(run, "evaluate", {"seed": seed, "right_share_wanted": RIGHT}, data=facts)
    return result


def fit_temperature(logits: np.ndarray, male: np.ndarray) -> float:
    """Temperature that minimises the log loss.

    Parameters
    ----------
    logits
        float (n,), of a split that was not trained on.
    male
        bool (n,).

    Returns
    -------
    float
        In [0.05, 20].
    """

    def loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, np.where(male, -scaled, scaled))))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def choose_band(p_male: np.ndarray, male: np.ndarray, right: float = RIGHT) -> dict[str, float]:
    """Narrowest band around one half outside of which the wanted share of cases is right.

    Parameters
    ----------
    p_male
        float (n,) in [0, 1], of the validation split.
    male
        bool (n,).
    right
        Wanted share.

    Returns
    -------
    dict
        ``low`` and ``high``; scores strictly between are "uncertain". Both 0.5 where nothing needs to be held back.
        Where no band is wide enough, 0 and 1: everything is uncertain.
    """
    distance = np.abs(p_male.astype(np.float64) - 0.5)
    correct = (p_male >= 0.5) == male
    order = np.argsort(-distance, kind="stable")
    share = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    # Equal scores stand or fall together: a band may end only where the next score differs.
    last = np.append(np.diff(distance[order]) != 0, True)
    allowed = np.flatnonzero((share >= right) & last)
    if not len(allowed):
        return {"low": 0.0, "high": 1.0}
    if allowed[-1] == len(order) - 1:
        return {"low": 0.5, "high": 0.5}
    edge = float((distance[order][allowed[-1]] + distance[order][allowed[-1] + 1]) / 2)
    return {"low": 0.5 - edge, "high": 0.5 + edge}


def split_metrics(scored: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Everything that is reported of one split.

    Parameters
    ----------
    scored
        ``label``, ``p_male``, ``decision`` and, where known, ``identity``; a row an image.
    seed
        Of the bootstrap over people.

    Returns
    -------
    dict
        See ``analysis.results`` for ``metrics.json``; shares and probabilities in [0, 1].
    """
    truth, p_male = scored["label"], scored["p_male"].to_numpy(np.float64)
    male = (truth == "male").to_numpy()
    predicted = np.where(p_male >= 0.5, "male", "female")
    right = pd.Series(predicted == truth.to_numpy())
    people = scored["identity"].reset_index(drop=True) if "identity" in scored else None
    low, high = accuracy_interval(right, people, rng=np.random.default_rng(seed))
    decided = (scored["decision"] != "uncertain").to_numpy()
    false_rate, true_rate, _ = metrics.roc_curve(male, p_male)
    # Hundreds of points draw the curve; thousands only weigh.
    kept = np.unique(np.linspace(0, len(false_rate) - 1, min(_CURVE_POINTS, len(false_rate))).round().astype(int))
    return {
        "images": len(scored),
        "accuracy": float(right.mean()),
        "accuracy_interval": [low, high],
        "balanced_accuracy": float(metrics.balanced_accuracy_score(truth, predicted)),
        "roc_auc": float(metrics.roc_auc_score(male, p_male)),
        "log_loss": float(metrics.log_loss(male, p_male, labels=[False, True])),
        "brier": float(metrics.brier_score_loss(male, p_male)),
        "confusion": {"labels": LABELS, "matrix": metrics.confusion_matrix(truth, predicted, labels=LABELS).tolist()},
        "report": metrics.classification_report(truth, predicted, labels=LABELS, output_dict=True, zero_division=0),
        "calibration": calibration(p_male, male),
        "roc": {
            "false_positive_rate": false_rate[kept].tolist(),
            "true_positive_rate": true_rate[kept].tolist(),
        },
        "decided": {
            "coverage": float(decided.mean()),
            "accuracy": float(right[decided].mean()) if decided.any() else None,
            "uncertain": int((~decided).sum()),
        },
    }


def calibration(p_male: np.ndarray, male: np.ndarray, bins: int = _BINS) -> dict[str, Any]:
    """Reliability of the probabilities in bins of equal width.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.

    Parameters
    ----------
    p_male
        float (n,) in [0, 1].
    male
        bool (n,).
    bins
        How many.

    Returns
    -------
    dict
        ``ece``: expected calibration error in [0, 1]; ``bins``: ``left, right, images, confidence`` (mean of
        ``p_male``) and ``share_male``, the last two None in an empty bin.
    """
    edges = np.linspace(0, 1, bins + 1)
    where = np.clip(np.digitize(p_male, edges) - 1, 0, bins - 1)
    rows, error = [], 0.0
    for index in range(bins):
        inside = where == index
        count = int(inside.sum())
        confidence = float(p_male[inside].mean()) if count else None
        share = float(male[inside].mean()) if count else None
        if confidence is not None and share is not None:
            error += count / len(p_male) * abs(confidence - share)
        rows.append(
            {
                "left": float(edges[index]),
                "right": float(edges[index + 1]),
                "images": count,
                "confidence": confidence,
                "share_male": share,
            }
        )
    return {"ece": error, "bins": rows}
