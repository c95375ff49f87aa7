"""A score for every image from a classifier that never saw the person: what confident learning asks for.

Knows the cube, labels and people; knows nothing of the network, whose scores of the images it learned from would only
repeat their labels. The classifier is a modest one that a study can fit many times over: histograms of oriented
gradients (Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005), their principal
components, and logistic regression.
"""

import cv2
import numpy as np
import pandas as pd
import xarray as xr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from analysis.average_face import blocks
from analysis.errors import UserError
from analysis.people import person_names

FOLDS = 5
COMPONENTS = 256
_FITTED_ON = 8192  # images that the components are fitted on at most: 120 MB
_WINDOW = (80, 96)  # width and height that faces are resized to, in whole cells of 8 pixels


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
    fewest = people.groupby(rows["label"]).nunique().reindex(["female", "male"], fill_value=0)
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
