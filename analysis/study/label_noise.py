"""Label errors: confident learning on out-of-sample scores, and the groups of faces with the most suspected errors.

The network cannot be used for images that it was trained on: its scores would only repeat their labels. The study uses
a simple classifier that is quick to cross-validate: histograms of oriented gradients (Dalal and Triggs, "Histograms of
oriented gradients for human detection", CVPR 2005), their principal components, and logistic regression.
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
_FITTED_ON = 8192  # largest number of images that the components are fitted on: 120 MB
_WINDOW = (80, 96)  # width and height that faces are resized to, in pixels; multiples of the cells' 8
_SMALLEST = 30  # images that a group needs for its share to be informative


def doubted_labels(
    faces: xr.DataArray, manifest: pd.DataFrame, *, seed: int = 0, progress: bool = True
) -> tuple[LabelNoise, pd.DataFrame]:
    """Estimate how many labels are wrong, and the share of suspected errors in each group.

    Parameters
    ----------
    faces
        uint8, dims (image, y, x, channel), rows as in the manifest.
    manifest
        ``image_id, label, split, status`` and, where known, ``identity`` and attributes.
    seed
        Random seed of the folds and the components.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    noise : LabelNoise
        The estimate, with ``folds`` and ``accuracy`` of the out-of-fold scores.
    groups : pandas.DataFrame
        ``kind`` ("all", "label" or "attribute"), ``group``, ``images``, ``doubted`` (count), ``share``, and ``low`` and
        ``high``, its 95 % Wilson interval, in [0, 1]; groups of 30 images or more.

    Raises
    ------
    UserError
        If a label has fewer people than there are folds.
    """
    scored = out_of_fold_scores(faces, manifest, seed=seed, progress=progress).assign(dataset="studied")
    noise, issues = label_errors(scored)
    right = (scored["p_male"] >= 0.5) == (scored["label"] == "male")
    rows = manifest[manifest["status"] == "ok"]
    doubted = rows["image_id"].isin(set(issues["image_id"]))
    known = [name for name in CELEBA_ATTRIBUTES if name in rows]
    groups: list[tuple[str, str, pd.Series]] = [("all", "all faces", pd.Series(True, rows.index))]
    groups += [("label", label, rows["label"] == label) for label in LABELS]
    groups += [("attribute", name, rows[name].fillna(False).astype(bool)) for name in known]
    records = []
    for kind, group, inside in groups:
        images, count = int(inside.sum()), int(doubted[inside].sum())
        if images >= _SMALLEST or kind == "all":
            records.append((kind, group, images, count, count / images, *wilson(count, images)))
    columns = ["kind", "group", "images", "doubted", "share", "low", "high"]
    return noise.changed(folds=FOLDS, accuracy=float(right.mean())), pd.DataFrame(records, columns=columns)


def label_errors(scored: pd.DataFrame) -> tuple[LabelNoise, pd.DataFrame]:
    """Estimate how many labels of one source are wrong, and list the images with suspected errors.

    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021. The
    method needs scores of a model that was not trained on these labels: for the network, those of the validation and
    test splits.

    Parameters
    ----------
    scored
        ``dataset, image_id, split, label, p_male`` of images of one source that the model was not trained on; both
        labels occur.

    Returns
    -------
    noise : LabelNoise
        The estimate, without ``folds`` and ``accuracy``.
    issues : pandas.DataFrame
        ``source, image_id, split, given, suggested, self_confidence`` (probability of the given label), the lowest
        first.
    """
    male = (scored["label"] == "male").to_numpy(np.int64)
    p_male = scored["p_male"].to_numpy(np.float64)
    probabilities = np.column_stack([1 - p_male, p_male])
    joint = compute_confident_joint(male, probabilities, calibrate=True)
    order = find_label_issues(male, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    suspected = scored.iloc[order]
    issues = pd.DataFrame(
        {
            "source": suspected["dataset"],
            "image_id": suspected["image_id"],
            "split": suspected["split"],
            "given": suspected["label"],
            "suggested": np.where(male[order] == 1, "female", "male"),
            "self_confidence": probabilities[order, male[order]],
        }
    ).reset_index(drop=True)
    counts = issues["given"].value_counts()
    noise = LabelNoise(
        images=len(scored),
        issues=len(issues),
        noise_rate=float(1 - np.trace(joint) / np.sum(joint)),
        suggested={
            "female to male": int(counts.get("female", 0)),
            "male to female": int(counts.get("male", 0)),
        },
    )
    return noise, issues


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
        Number of parts that people are divided into; each is scored by a classifier fitted on the others.
    seed
        Random seed of the folds and the components.
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
            f"only {fewest.min()} people are labelled {fewest.idxmin()}: label errors are estimated by "
            f"cross-validation over people with {folds} folds, ingest more images"
        )
    features = _components(faces, usable, seed, progress)
    male = (rows["label"] == "male").to_numpy()
    classifier = LogisticRegression(C=0.3, max_iter=300)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(classifier, features, male, groups=people, cv=parts, method="predict_proba")
    return rows[["image_id", "label", "split"]].assign(p_male=scores[:, 1])


def _components(faces: xr.DataArray, usable: np.ndarray, seed: int, progress: bool) -> np.ndarray:
    """Principal components of the gradients, float32 (usable image, component).

    Labels are not used, so that one fit for all folds reveals none of them.
    """
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(usable)
    sample = np.sort(rng.choice(chosen, min(_FITTED_ON, len(chosen)), replace=False))
    fitted = PCA(min(COMPONENTS, len(sample) - 1), svd_solver="randomized", random_state=seed, copy=False)
    fitted.fit(np.concatenate([_gradients(faces[part].to_numpy()) for part in np.array_split(sample, 16) if len(part)]))
    components = np.empty((len(chosen), fitted.n_components_), dtype=np.float32)
    at = 0
    for start, pixels in blocks(faces, "Gradients" if progress else None, usable):
        found = fitted.transform(_gradients(pixels[usable[start : start + len(pixels)]]))
        components[at : at + len(found)] = found
        at += len(found)
    return components


def _gradients(faces: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of RGB faces, uint8 (n, y, x, 3); float32 (n, 3564).

    They have 9 directions in cells of 8 by 8 pixels, normalised in blocks of 2 by 2 cells.
    """
    descriptor = cv2.HOGDescriptor(_WINDOW, (16, 16), (8, 8), (8, 8), 9)
    return np.stack([descriptor.compute(cv2.resize(face, _WINDOW, interpolation=cv2.INTER_AREA)) for face in faces])
