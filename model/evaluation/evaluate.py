"""Judges a run: what its serving file is worth, written as the run's model results.

Temperature and the uncertain band are chosen on the validation split; the test split is scored once and chooses
nothing. TensorFlow is not needed: what is measured is the file that is served. How each thing is measured is known
to the modules that are called here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn import metrics
from tqdm import tqdm

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval
from analysis.core.schema import LABELS, SPLITS
from analysis.results import Run, artifacts
from analysis.results.publish import record_step
from analysis.results.records import (
    Band,
    Confusion,
    Decided,
    EvaluateOptions,
    Frame,
    LabelNoise,
    MetricsRecord,
    Ranking,
    Report,
    SplitMetrics,
    Thresholds,
)
from analysis.results.stored import Table
from analysis.study.label_noise import label_errors
from model.evaluation.calibration import calibration, fit_temperature
from model.evaluation.cells import cells
from model.evaluation.cross_source import compared_before, cross_source, score_rival
from model.evaluation.curves import ranking
from model.evaluation.explain import explain
from model.evaluation.fairness import group_metrics
from model.evaluation.looks import looks_at_test
from model.evaluation.middle import middle_scores
from model.evaluation.network_map import face_map
from model.evaluation.paired import paired
from model.evaluation.promise import RIGHT, bounds, choose_band, promise_table
from model.evaluation.robustness import degraded_faces, example_face, robustness
from model.evaluation.scores import AGES, TrainedRun, check_both_labels, check_disjoint, decided, parts, score_splits
from model.training.examples import seen_data

DEGRADED = 1000  # test images of each source whose degraded copies are scored
EXPLAINED, MASKS = 256, 200  # test images that are explained, and how many masked copies of each are scored


def evaluate(run: Run, *, compare: Sequence[Run] = (), brief: bool = False, seed: int = 0) -> MetricsRecord:
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
        Leave out what takes longest and no comparison needs: worse photos, explanations and the map of faces. What an
        earlier evaluation wrote of them is removed, so that the run cannot be published with parts that do not belong
        together.
    seed
        Of everything that is drawn.

    Returns
    -------
    MetricsRecord
        What ``metrics.json`` holds.

    Raises
    ------
    UserError
        If the run is not trained, its data set was ingested anew since, splits share an image or a person, a split
        lacks a label, a run to compare with has seen the test images, or the run cannot be written to.
    """
    storage.check_writable(run.folder / "model")
    trained = TrainedRun.load(run)
    facts = seen_data(trained.datasets)
    for name, fact in facts.items():
        if fact.fingerprint != trained.fingerprints[name]:
            raise UserError(f"{name!r} was ingested anew since run {run.name!r} was trained: train it again")
    scored, test = score_splits(trained.predictor, trained.datasets)
    check_disjoint(scored)
    check_both_labels(scored)
    chosen = choose(scored[scored["split"] == "validation"])
    scored = decided(scored, chosen.temperature, chosen.band)
    card = trained.predictor.card.changed(temperature=chosen.temperature, band=chosen.band)
    trained = replace(trained, predictor=trained.predictor.with_card(card))
    sources, subsets, curves = _measure(scored, trained.dataset_names, seed)
    unseen = scored[scored["split"] == "test"]
    compared = [(trained, unseen), *(score_rival(other, test) for other in dict.fromkeys(compare) if other != run)]
    noise, issues = _suspect(scored[scored["split"] != "train"])
    folder = run.folder / "model"
    result = MetricsRecord(
        datasets=trained.dataset_names,
        splits=sources[trained.dataset_names[0]],
        sources=sources,
        subsets=subsets,
        **dict(chosen),
        label_noise=noise,
        parameters=card.parameters,
        input=Frame(height=card.input.height, width=card.input.width),
        serving_bytes=(folder / card.file).stat().st_size,
    )
    predictions = scored[["image_id", "dataset", "split", "label", "p_male", "decision"]]
    if not brief:
        places, record = face_map(trained.predictor, trained.datasets, seed=seed)
        predictions = predictions.assign(map_x=places[:, 0], map_y=places[:, 1])
        result = result.changed(map=record)
    tables: dict[Table, pd.DataFrame] = {
        artifacts.PREDICTIONS: predictions,
        artifacts.CURVES: curves,
        artifacts.GROUPS: _groups(compared, seed),
        artifacts.CROSS_SOURCE: _cross_source(compared, seed),
        artifacts.PAIRED: paired(unseen, {rival.run.name: rows for rival, rows in compared[1:]}, seed=seed),
        artifacts.CELLS: cells(unseen),
        artifacts.PROMISE: promise_table(scored),
        artifacts.MIDDLE: middle_scores(scored, trained.dataset_names),
        artifacts.LABEL_ISSUES: issues,
    }
    if brief:
        for left_out in (artifacts.ROBUSTNESS, artifacts.DEGRADED, artifacts.EXPLANATION):
            (folder / left_out.name).unlink(missing_ok=True)
    else:
        tables[artifacts.ROBUSTNESS] = robustness(trained.predictor, test, images=DEGRADED, seed=seed, progress=True)
        artifacts.DEGRADED.write(degraded_faces(example_face(), seed=seed), folder)
        explanation = explain(trained.predictor, test, faces=EXPLAINED, masks=MASKS, seed=seed, progress=True)
        artifacts.EXPLANATION.write(explanation, folder)
    for artifact, table in tables.items():
        artifact.write(table, folder)
    artifacts.METRICS.write(result, folder)
    artifacts.CARD.write(card.changed(test_accuracy=result.splits["test"].accuracy), folder)
    options = EvaluateOptions(
        seed=seed,
        right_share_wanted=RIGHT,
        compare=[other.name for other in compare],
        brief=brief,
        looks=looks_at_test(run, trained.fingerprints),
    )
    record_step(run, options, data=facts)
    return result


def choose(validation: pd.DataFrame) -> Thresholds:
    """Choose temperature and band on the validation split, and nothing else.

    Parameters
    ----------
    validation
        ``dataset, label, logit`` and, where known, ``age``; a row an image.

    Returns
    -------
    Thresholds
        The band as of `model.evaluation.promise.choose_band`. It is chosen on faces within ``band_ages`` and of unknown
        age: the looks of small children hardly tell a label, and a band that is wide enough for them leaves little
        decided of anybody.
    """
    logits = validation["logit"].to_numpy()
    male = (validation["label"] == "male").to_numpy()
    source = validation["dataset"].to_numpy()
    temperature = fit_temperature(logits, male, source)
    own = {str(name): fit_temperature(logits[source == name], male[source == name]) for name in dict.fromkeys(source)}
    p_male = decided(validation, temperature, Band(low=0.5, high=0.5))["p_male"].to_numpy()
    age = validation["age"].astype("Float64") if "age" in validation else pd.Series(pd.NA, validation.index, "Float64")
    meant = (age.isna() | age.between(*AGES)).fillna(True).to_numpy(bool)
    band, promises = choose_band(p_male[meant], male[meant], source[meant])
    return Thresholds(
        temperature=temperature,
        temperatures=own,
        band=band,
        promises=promises,
        band_ages=AGES if age.notna().any() else None,
        right_share_wanted=RIGHT,
    )


Measured = dict[str, dict[str, SplitMetrics]]  # source or subset -> split -> metrics


def _measure(scored: pd.DataFrame, datasets: list[str], seed: int) -> tuple[Measured, Measured, pd.DataFrame]:
    """Metrics of sources and of subsets, and the curves of all of them."""
    sources, subsets = parts(scored, datasets)
    measured: tuple[Measured, Measured] = ({}, {})
    tables = []
    work = [(into, name, rows, split) for into, named in zip(measured, (sources, subsets), strict=True)
            for name, rows in named.items() for split in SPLITS]  # fmt: skip
    for into, name, rows, split in tqdm(work, desc="Measuring", unit="part"):
        part = scored[rows & (scored["split"] == split)]
        ranks, curves = ranking(part, rng=np.random.default_rng(seed))
        into.setdefault(name, {})[split] = split_metrics(part, ranks, seed=seed)
        tables.append(curves.assign(source=name, split=split))
    return *measured, pd.concat(tables, ignore_index=True)


def _suspect(scored: pd.DataFrame) -> tuple[dict[str, LabelNoise], pd.DataFrame]:
    noise = {str(name): label_errors(part) for name, part in scored.groupby("dataset", sort=False)}
    return {name: facts for name, (facts, _) in noise.items()}, pd.concat(
        [issues for _, issues in noise.values()], ignore_index=True
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


def split_metrics(scored: pd.DataFrame, ranks: Ranking, *, seed: int = 0) -> SplitMetrics:
    """Everything that is reported of one split.

    Parameters
    ----------
    scored
        ``label``, ``p_male``, ``decision`` and, where known, ``identity``; one row per image.
    ranks
        Of the same images, from `model.evaluation.curves.ranking`.
    seed
        Of the bootstrap over people.

    Returns
    -------
    SplitMetrics
    """
    truth, p_male = scored["label"], scored["p_male"].to_numpy(np.float64)
    male = (truth == "male").to_numpy()
    predicted = np.where(p_male >= 0.5, "male", "female")
    right = pd.Series(predicted == truth.to_numpy())
    people = scored["identity"].reset_index(drop=True) if "identity" in scored else None
    low, high = accuracy_interval(right, people, rng=np.random.default_rng(seed))
    sure = (scored["decision"] != "uncertain").to_numpy()
    of_decided = bounds(int(right[sure].sum()), int(sure.sum())) if sure.any() else (None, None)
    report = metrics.classification_report(truth, predicted, labels=LABELS, output_dict=True, zero_division=0)
    return SplitMetrics(
        images=len(scored),
        accuracy=float(right.mean()),
        accuracy_interval=(low, high),
        balanced_accuracy=float(metrics.balanced_accuracy_score(truth, predicted)),
        log_loss=float(metrics.log_loss(male, p_male, labels=[False, True])),
        brier=float(metrics.brier_score_loss(male, p_male)),
        confusion=Confusion(
            labels=list(LABELS), matrix=metrics.confusion_matrix(truth, predicted, labels=LABELS).tolist()
        ),
        report=Report.model_validate(report),
        calibration=calibration(p_male, male),
        decided=Decided(
            coverage=float(sure.mean()),
            accuracy=float(right[sure].mean()) if sure.any() else None,
            accuracy_low=of_decided[0],
            accuracy_high=of_decided[1],
            uncertain=int((~sure).sum()),
        ),
        **dict(ranks),
    )
