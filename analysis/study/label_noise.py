"""Which labels are likely wrong, and of which faces: confident learning on scores of people that were not learned from.

Knows the cube, labels, people and attributes; shows no image, names no person, and knows nothing of the network, whose
scores of the images it learned from would only repeat their labels. The classifier of the study is a modest one that
can be fitted many times over: histograms of oriented gradients (Dalal and Triggs, "Histograms of oriented gradients for
human detection", CVPR 2005), their principal components, and logistic regression.
"""

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from analysis.core.errors import UserError
from analysis.core.people import person_names
from analysis.core.schema import CELEBA_ATTRIBUTES, LABELS
from analysis.core.stats import wilson
from analysis.data.cube import blocks
from analysis.results.records import LabelNoise

FOLDS = 5
COMPONENTS = 256
_FITTED_ON = 8192  # images that the components are fitted on at most: 120 MB
_WINDOW = (80, 96)  # width and height that faces are resized to, in whole cells of 8 pixels
_SMALLEST = 30  # images of a group whose share says anything


def doubted_labels(
    faces: xr.DataArray, manifest: pd.DataFrame, *, seed: int = 0, progress: bool = True
) -> tuple[LabelNoise, pd.DataFrame]:
    """Estimate how many labels are wrong, and in which groups labels are doubted more often.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel), rows as in the manifest.
    manifest
        ``image_id, label, split, status`` and, where known, ``identity`` and attributes.
    seed
        Of the folds.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    facts : LabelNoise
        With ``folds`` and ``accuracy`` of the out-of-fold scores.
    groups : pandas.DataFrame
        ``kind`` ("all", "label" or "attribute"), ``group``, ``images``, ``doubted`` (count), ``share``, and ``low`` and
        ``high``, its 95 % Wilson interval, in [0, 1]; groups of 30 images or more.

    Raises
    ------
    UserError
        If a label has fewer people than there are folds.
    """
    scored = out_of_fold_scores(faces, manifest, seed=seed, progress=progress).assign(dataset="studied")
    facts, issues = label_errors(scored)
    right = (scored["p_male"] >= 0.5) == (scored["label"] == "male")
    rows = manifest[manifest["status"] == "ok"]
    doubted = rows["image_id"].isin(set(issues["image_id"]))
    known = [name for name in CELEBA_ATTRIBUTES if name in rows]
    groups: list[tuple[str, str, pd.Series]] = [("all", "all faces", pd.Series(True, rows.index))]
    groups += [("label", label, rows["label"] == label) for label in LABELS]
    groups += [("attribute", name, rows[name].fillna(False).astype(bool)) for name in known]
    records = []
    for kind, group, inside in groups:
        images, found = int(inside.sum()), int(doubted[inside].sum())
        if images >= _SMALLEST or kind == "all":
            records.append((kind, group, images, found, found / images, *wilson(found, images)))
    columns = ["kind", "group", "images", "doubted", "share", "low", "high"]
    return facts.changed(folds=FOLDS, accuracy=float(right.mean())), pd.DataFrame(records, columns=columns)


def label_errors(scored: pd.DataFrame) -> tuple[LabelNoise, pd.DataFrame]:
    """Estimate how many labels of one source are wrong, and name the images that are the most suspect.

    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021. It
    needs scores of a model that did not learn from these labels: the validation and test splits have them, while for
    training images the network would have to be trained on folds.

    Parameters
    ----------
    scored
        ``dataset, image_id, split, label, p_male`` of one source, both labels, none of them trained on.

    Returns
    -------
    facts : LabelNoise
        Without ``folds`` and ``accuracy``.
    issues : pandas.DataFrame
        ``source, image_id, split, given, suggested, self_confidence`` (probability of the given label), the most
        suspect first.
    """
    male = (scored["label"] == "male").to_numpy(np.int64)
    p_male = scored["p_male"].to_numpy(np.float64)
    probabilities = np.column_stack([1 - p_male, p_male])
    joint = compute_confident_joint(male, probabilities, calibrate=True)
    order = find_label_issues(male, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    found = scored.iloc[order]
    issues = pd.DataFrame(
        {
            "source": found["dataset"],
            "image_id": found["image_id"],
            "split": found["split"],
            "given": found["label"],
            "suggested": np.where(male[order] == 1, "female", "male"),
            "self_confidence": probabilities[order, male[order]],
        }
    ).reset_index(drop=True)
    counts = issues["given"].value_counts()
    facts = LabelNoise(
        images=len(scored),
        issues=len(issues),
        noise_rate=float(1 - np.trace(joint) / np.sum(joint)),
        suggested={
            "female to male": int(counts.get("female", 0)),
            "male to female": int(counts.get("male", 0)),
        },
    )
    return facts, issues


def out_of_fold_scores(
    faces: xr.DataArray, manifest: pd.DataFrame, *, folds: int = FOLDS, seed: int = 0, progress: bool = True
) -> pd.DataFrame:
    """Score every usable image by a classifier that was fitted on other people.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel), rows as in the manifest.
    manifest
        ``image_id, label, split, status`` and, where known, ``identity``.
    folds
        Parts that people are divided into; each is scored by a classifier fitted on the others.
    seed
        Of the division and of the components.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    pandas.DataFrame
        ``image_id, label, split, p_male`` of every usable image; ``p_male`` in [0, 1].

    Raises
    ------
    UserError
        If a label has fewer people than there are folds.
    """
    usable = (manifest["status"] == "ok").to_numpy()
    rows = manifest[usable].reset_index(drop=True)
    people = person_names(rows)
    fewest = people.groupby(rows["label"]).nunique().reindex(LABELS, fill_value=0)
    if fewest.min() < folds:
        raise UserError(
            f"only {fewest.min()} people are labelled {fewest.idxmin()}: likely wrong labels are found on {folds} "
            "parts of the people, ingest more images"
        )
    features = _components(faces, usable, seed, progress)
    male = (rows["label"] == "male").to_numpy()
    classifier = LogisticRegression(C=0.3, max_iter=300)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(classifier, features, male, groups=people, cv=parts, method="predict_proba")
    return rows[["image_id", "label", "split"]].assign(p_male=scores[:, 1])


def _components(faces: xr.DataArray, usable: np.ndarray, seed: int, progress: bool) -> np.ndarray:
    """Principal components of the gradients, float32 (usable image, component). They know no label: no fold is told."""
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(usable)
    sample = np.sort(rng.choice(chosen, min(_FITTED_ON, len(chosen)), replace=False))
    fitted = PCA(min(COMPONENTS, len(sample) - 1), svd_solver="randomized", random_state=seed)
    fitted.fit(np.concatenate([gradients(faces[part].to_numpy()) for part in np.array_split(sample, 16) if len(part)]))
    found = [
        fitted.transform(gradients(pixels[usable[start : start + len(pixels)]]))
        for start, pixels in blocks(faces, "Gradients" if progress else None)
        if usable[start : start + len(pixels)].any()
    ]
    return np.concatenate(found).astype(np.float32)


def gradients(faces: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients.

    Parameters
    ----------
    faces
        uint8 (n, y, x, 3), RGB.

    Returns
    -------
    numpy.ndarray
        float32 (n, 3564): of 9 directions in cells of 8 by 8 pixels, normalised in blocks of 2 by 2 cells.
    """
    descriptor = cv2.HOGDescriptor(_WINDOW, (16, 16), (8, 8), (8, 8), 9)
    return np.stack([descriptor.compute(cv2.resize(face, _WINDOW, interpolation=cv2.INTER_AREA)) for face in faces])
