"""Metrics by group, and the gap between each group and the best one, with intervals."""

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, count, false_negative_rate, false_positive_rate, selection_rate
from sklearn.metrics import accuracy_score

from analysis.core.people import age_band, interval, person_numbers, resampled_means
from analysis.core.schema import CELEBA_ATTRIBUTES, LARGE_GROUP
from model.training.examples import STYLE

RESAMPLES = 1000
SMALLEST = 20  # smallest group: the accuracy of fewer images is too uncertain

COLUMNS = (
    "source",
    "feature",
    "group",
    "images",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "coverage",
    "decided_accuracy",
    "selection_rate",
    "false_male_rate",
    "false_female_rate",
    "gap",
    "gap_low",
    "gap_high",
)


def features(table: pd.DataFrame) -> pd.DataFrame:
    """Features by which the images of one source can be grouped.

    Parameters
    ----------
    table
        ``label`` and, where known, ``source`` (part of the data set), ``age`` in years, ``race`` and CelebA's
        attributes; one row per image.

    Returns
    -------
    pandas.DataFrame
        string columns, index as in ``table``: "label"; "style" ("men", and "women" with and without visible make-up or
        lipstick); "part" of the data set; "age" in bands; "race"; the attributes ("with", "without").
        Missing if the source has no value; a feature without any value is omitted.
    """
    features = pd.DataFrame({"label": table["label"].astype("string")}, index=table.index)
    if set(STYLE) <= set(table.columns):
        styles = table[list(STYLE)].astype("boolean")
        styled = styles.any(axis=1, skipna=False).map({True: "women with make-up", False: "women without make-up"})
        features["style"] = styled.astype("string").mask(table["label"] == "male", "men")
        features.loc[styles.isna().any(axis=1).to_numpy(), "style"] = pd.NA
    if "source" in table:
        features["part"] = table["source"]
    if "age" in table:
        features["age"] = age_band(table["age"])
    if "race" in table:
        features["race"] = table["race"]
    for name in CELEBA_ATTRIBUTES:
        if name in table:
            features[name] = table[name].astype("boolean").map({True: "with", False: "without"})
    return features.astype("string").dropna(axis="columns", how="all")


def group_metrics(scored: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Measure every group of one source.

    The gap is the accuracy of the feature's best group minus the group's own. The best group is determined once, on all
    images, among groups of at least 50 where there are such; intervals are percentiles over resampled people.

    Parameters
    ----------
    scored
        ``dataset``, ``label``, ``p_male``, ``decision`` and the columns that `features` needs; images of one source.
    rng
        Random generator of the resamples.

    Returns
    -------
    pandas.DataFrame
        ``source, feature, group, images``; shares in [0, 1]: ``accuracy`` with ``accuracy_low`` and ``_high``;
        ``coverage`` (decided), ``decided_accuracy``; ``selection_rate`` (called male), ``false_male_rate`` (labelled
        female, called male), ``false_female_rate``; ``gap`` with ``gap_low`` and ``gap_high``. NaN if a group has no
        image to measure on. Groups of fewer than 20 images and features with fewer than two groups are omitted.
    """
    grouped = features(scored)
    truth = (scored["label"] == "male").to_numpy(np.int64)
    called = (scored["p_male"] >= 0.5).to_numpy(np.int64)
    held = (scored["decision"] == "uncertain").to_numpy()
    tables = []
    for feature in grouped:
        groups = grouped[feature]
        sizes = groups.value_counts()
        known = groups.isin(sizes.index[sizes >= SMALLEST]).to_numpy()
        if groups[known].nunique() < 2:
            continue
        tables.append(_by_group(truth[known], called[known], held[known], groups[known]).assign(feature=feature))
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    found = pd.concat(tables, ignore_index=True).assign(source=scored["dataset"].iloc[0])
    large = found["images"] >= LARGE_GROUP
    eligible = large | ~large.groupby(found["feature"]).transform("any")
    best = (
        found["accuracy"].where(eligible).groupby(found["feature"], sort=False).transform("idxmax").to_numpy(np.int64)
    )
    accuracies = _resampled(scored, truth == called, grouped, found, rng)
    gaps = accuracies[:, best] - accuracies
    found["accuracy_low"], found["accuracy_high"] = interval(accuracies)
    found["gap"] = found["accuracy"].to_numpy()[best] - found["accuracy"]
    found["gap_low"], found["gap_high"] = interval(gaps)
    return found[list(COLUMNS)]


def _by_group(truth: np.ndarray, called: np.ndarray, held: np.ndarray, groups: pd.Series) -> pd.DataFrame:
    every = {
        "images": count,
        "accuracy": accuracy_score,
        "selection_rate": selection_rate,
        "false_male_rate": false_positive_rate,
        "false_female_rate": false_negative_rate,
    }
    sliced = groups.astype(object).to_numpy()
    metrics = MetricFrame(metrics=every, y_true=truth, y_pred=called, sensitive_features=sliced).by_group
    metrics["coverage"] = MetricFrame(
        metrics=selection_rate, y_true=truth, y_pred=(~held).astype(np.int64), sensitive_features=sliced
    ).by_group
    if (~held).any():
        metrics["decided_accuracy"] = MetricFrame(
            metrics=accuracy_score, y_true=truth[~held], y_pred=called[~held], sensitive_features=sliced[~held]
        ).by_group
    else:
        metrics["decided_accuracy"] = np.nan
    # The rate of no images is unknown, not 0.
    share_male = pd.Series(truth).groupby(sliced).mean()
    metrics.loc[share_male.index[share_male == 1], "false_male_rate"] = np.nan
    metrics.loc[share_male.index[share_male == 0], "false_female_rate"] = np.nan
    return metrics.astype({"images": int}).rename_axis("group").reset_index()


def _resampled(
    scored: pd.DataFrame, right: np.ndarray, grouped: pd.DataFrame, found: pd.DataFrame, rng: np.random.Generator
) -> np.ndarray:
    """Accuracy of each row of ``found`` in each resample, (resample, row)."""
    inside = members(grouped, found["feature"], found["group"])
    return resampled_means(right, inside, person_numbers(scored), RESAMPLES, rng)


def members(grouped: pd.DataFrame, feature: pd.Series, group: pd.Series) -> np.ndarray:
    """Membership of each image in several groups, bool (image, group).

    Parameters
    ----------
    grouped
        Result of `features`.
    feature, group
        Column of ``grouped`` and its value, one pair per group.
    """
    conditions = [
        (grouped[one] == value).fillna(False).to_numpy(bool) for one, value in zip(feature, group, strict=True)
    ]
    return np.stack(conditions, axis=1) if conditions else np.zeros((len(grouped), 0), bool)
