"""Judges a run: what its serving file is worth, written as the run's model results.

Temperature and the uncertain band are chosen on the validation split; the test split is scored once and chooses
nothing. TensorFlow is not needed: what is measured is the file that is served. How each thing is measured is known
to the modules that are called here.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics
from tqdm import tqdm

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval
from analysis.core.schema import LABELS, SPLITS
from analysis.core.zarr_zip import write_zarr_zip
from analysis.results import Run
from analysis.results.publish import record_step
from analysis.study.label_noise import label_errors
from model.evaluation.calibration import RIGHT, calibration, choose_band, fit_temperature
from model.evaluation.cross_source import compared_before, cross_source, score_rival
from model.evaluation.curves import ranking
from model.evaluation.explain import explain
from model.evaluation.fairness import group_metrics
from model.evaluation.robustness import robustness
from model.evaluation.scores import AGES, TrainedRun, check_both_labels, check_disjoint, decided, parts, score_splits
from model.training.dataset import dataset_facts

DEGRADED = 1000  # test images of each source whose degraded copies are scored
EXPLAINED, MASKS = 256, 200  # test images that are explained, and how many masked copies of each are scored


def evaluate(run: Run, *, compare: Sequence[Run] = (), brief: bool = False, seed: int = 0) -> dict[str, Any]:
    """Score every split of the data that a run was trained on and write what was found.

    Parameters
    ----------
    run
        A trained run.
    compare
        Other runs that were trained and evaluated: scored on the same test images, for the tables of sources
        and of groups. What was done about a gap shows against a run from before it was done. What these were compared
        with in turn, on the same data, stays in the table of sources.
    brief
        Leave out what takes longest and no comparison needs: worse photos and explanations. What an earlier evaluation
        wrote of them is removed, so that the run cannot be published with parts that do not belong together.
    seed
        Of everything that is drawn.

    Returns
    -------
    dict
        What ``metrics.json`` holds.

    Raises
    ------
    UserError
        If the run is not trained, its data set was ingested anew since, splits share an image or a person, a split
        lacks a label, or a run to compare with has seen the test images.
    """
    trained = TrainedRun.load(run)
    facts = dataset_facts(trained.datasets)
    for name, fact in facts.items():
        if fact["fingerprint"] != trained.fingerprints[name]:
            raise UserError(f"{name!r} was ingested anew since run {run.name!r} was trained: train it again")
    scored, test = score_splits(trained.predictor, trained.datasets)
    check_disjoint(scored)
    check_both_labels(scored)
    chosen = choose(scored[scored["split"] == "validation"])
    scored = decided(scored, chosen["temperature"], chosen["band"])
    trained.predictor.card.update(temperature=chosen["temperature"], band=chosen["band"])
    measured, curves = _measure(scored, trained.dataset_names, seed)
    unseen = scored[scored["split"] == "test"]
    compared = [(trained, unseen), *(score_rival(other, test) for other in dict.fromkeys(compare) if other != run)]
    noise, issues = _suspect(scored[scored["split"] != "train"])
    folder = run.folder / "model"
    result = {
        "datasets": trained.dataset_names,
        "splits": measured["sources"][trained.dataset_names[0]],
        **measured,
        **chosen,
        "label_noise": noise,
        "parameters": trained.predictor.card["parameters"],
        "input": {key: trained.predictor.card["input"][key] for key in ("height", "width")},
        "serving_bytes": (folder / trained.predictor.card["file"]).stat().st_size,
    }
    tables = {
        "predictions": scored[["image_id", "dataset", "split", "label", "p_male", "decision"]],
        "curves": curves,
        "groups": _groups(compared, seed),
        "cross_source": _cross_source(compared, seed),
        "label_issues": issues,
    }
    if brief:
        for name in ("robustness.parquet", "explanation.zarr.zip"):
            (folder / name).unlink(missing_ok=True)
    else:
        tables["robustness"] = robustness(trained.predictor, test, images=DEGRADED, seed=seed, progress=True)
        explanation = explain(trained.predictor, test, faces=EXPLAINED, masks=MASKS, seed=seed, progress=True)
        with storage.replacing(folder / "explanation.zarr.zip") as new:
            write_zarr_zip(explanation, new)
    for name, table in tables.items():
        with storage.replacing(folder / f"{name}.parquet") as new:
            table.to_parquet(new, index=False)
    card = trained.predictor.card | {"test_accuracy": result["splits"]["test"]["accuracy"]}
    for name, value in (("metrics.json", result), ("model.json", card)):
        with storage.replacing(folder / name) as new:
            new.write_text(json.dumps(value, indent=1), encoding="utf-8")
    configuration = {
        "seed": seed,
        "right_share_wanted": RIGHT,
        "compare": [other.name for other in compare],
        "brief": brief,
    }
    record_step(run.name, "evaluate", configuration, data=facts)
    return result


def choose(validation: pd.DataFrame) -> dict[str, Any]:
    """Choose temperature and band on the validation split, and nothing else.

    Parameters
    ----------
    validation
        ``dataset, label, logit`` and, where known, ``age``; a row an image.

    Returns
    -------
    dict
        ``temperature`` (every source weighs the same), ``temperatures`` (what each source would choose for itself),
        ``band`` (each source is right often enough outside of it), ``band_ages`` and ``right_share_wanted``. The band
        is chosen on faces within those ages and of unknown age: the looks of small children hardly tell a label, and
        a band that is wide enough for them leaves little decided of anybody.
    """
    logits = validation["logit"].to_numpy()
    male = (validation["label"] == "male").to_numpy()
    source = validation["dataset"].to_numpy()
    temperature = fit_temperature(logits, male, source)
    own = {str(name): fit_temperature(logits[source == name], male[source == name]) for name in dict.fromkeys(source)}
    p_male = decided(validation, temperature, {"low": 0.5, "high": 0.5})["p_male"].to_numpy()
    age = validation["age"].astype("Float64") if "age" in validation else pd.Series(pd.NA, validation.index, "Float64")
    meant = (age.isna() | age.between(*AGES)).fillna(True).to_numpy(bool)
    return {
        "temperature": temperature,
        "temperatures": own,
        "band": choose_band(p_male[meant], male[meant], source[meant]),
        "band_ages": list(AGES) if age.notna().any() else None,
        "right_share_wanted": RIGHT,
    }


def _measure(scored: pd.DataFrame, datasets: list[str], seed: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """``sources`` and ``subsets``: name -> split -> metrics; and the curves of all of them."""
    sources, subsets = parts(scored, datasets)
    found: dict[str, Any] = {"sources": {}, "subsets": {}}
    tables = []
    work = [(kind, name, split) for kind, named in (("sources", sources), ("subsets", subsets)) for name in named
            for split in SPLITS]  # fmt: skip
    for kind, name, split in tqdm(work, desc="Measuring", unit="part"):
        part = scored[(sources | subsets)[name] & (scored["split"] == split)]
        facts, curves = ranking(part, rng=np.random.default_rng(seed))
        found[kind].setdefault(name, {})[split] = split_metrics(part, seed=seed) | facts
        tables.append(curves.assign(source=name, split=split))
    return found, pd.concat(tables, ignore_index=True)


def _suspect(scored: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    found = {str(name): label_errors(part) for name, part in scored.groupby("dataset", sort=False)}
    return {name: facts for name, (facts, _) in found.items()}, pd.concat(
        [issues for _, issues in found.values()], ignore_index=True
    )


def _cross_source(compared: list[tuple[TrainedRun, pd.DataFrame]], seed: int) -> pd.DataFrame:
    """The run's rows, its rivals', and what these were compared with before; what is measured now counts."""
    (own, _), *rivals = compared
    now = [cross_source(trained, scored, seed=seed) for trained, scored in compared]
    before = [compared_before(rival.run, own.fingerprints) for rival, _ in rivals]
    return pd.concat([*now, *before], ignore_index=True).drop_duplicates(["run", "source"], ignore_index=True)


def _groups(compared: list[tuple[TrainedRun, pd.DataFrame]], seed: int) -> pd.DataFrame:
    return pd.concat(
        [
            group_metrics(part, rng=np.random.default_rng(seed)).assign(run=trained.run.name)
            for trained, unseen in compared
            for _, part in unseen.groupby("dataset", sort=False)
        ],
        ignore_index=True,
    )


def split_metrics(scored: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Everything that is reported of one split but for its ranking, which `model.evaluation.curves.ranking` measures.

    Parameters
    ----------
    scored
        ``label``, ``p_male``, ``decision`` and, where known, ``identity``; a row an image.
    seed
        Of the bootstrap over people.

    Returns
    -------
    dict
        See ``analysis.results.reader`` for ``metrics.json``; shares and probabilities in [0, 1]. In ``confusion`` rows
        are the annotators' labels and columns the model's, both in the order of ``labels``.
    """
    truth, p_male = scored["label"], scored["p_male"].to_numpy(np.float64)
    male = (truth == "male").to_numpy()
    predicted = np.where(p_male >= 0.5, "male", "female")
    right = pd.Series(predicted == truth.to_numpy())
    people = scored["identity"].reset_index(drop=True) if "identity" in scored else None
    low, high = accuracy_interval(right, people, rng=np.random.default_rng(seed))
    sure = (scored["decision"] != "uncertain").to_numpy()
    return {
        "images": len(scored),
        "accuracy": float(right.mean()),
        "accuracy_interval": [low, high],
        "balanced_accuracy": float(metrics.balanced_accuracy_score(truth, predicted)),
        "log_loss": float(metrics.log_loss(male, p_male, labels=[False, True])),
        "brier": float(metrics.brier_score_loss(male, p_male)),
        "confusion": {
            "labels": list(LABELS),
            "matrix": metrics.confusion_matrix(truth, predicted, labels=LABELS).tolist(),
        },
        "report": metrics.classification_report(truth, predicted, labels=LABELS, output_dict=True, zero_division=0),
        "calibration": calibration(p_male, male),
        "decided": {
            "coverage": float(sure.mean()),
            "accuracy": float(right[sure].mean()) if sure.any() else None,
            "uncertain": int((~sure).sum()),
        },
    }
