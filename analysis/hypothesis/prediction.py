"""Do the averages tell one person from another? Two classifiers that know averages and little else.

Knows photos and splits; knows nothing of the network. Each is made from the train split and tested on the test split,
whose people it never saw.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval
from analysis.hypothesis.people import Photos
from analysis.results.records import AverageAccuracies, AverageAccuracy

COMPONENTS = (10, 20, 50, 100, 200)  # of which the validation split chooses


@dataclass(frozen=True)
class _Half:
    """A linear rule: male where the images' product with the weights is above the offset."""

    weights: np.ndarray
    offset: float
    lightness_only: bool

    def guess(self, images: np.ndarray) -> np.ndarray:
        shown = standardised_lightness(images) if self.lightness_only else images
        return shown @ self.weights > self.offset


@dataclass(frozen=True)
class Classifiers:
    """The two rules, made from one data set's train split.

    Attributes
    ----------
    nearest, discriminant
        Nearest average; linear discriminant.
    components
        How many principal components the discriminant sees.
    explained
        Share of the variance that these hold, in [0, 1].
    trained
        Photos of the train split.
    """

    nearest: _Half
    discriminant: _Half
    components: int
    explained: float
    trained: int


def standardised_lightness(images: np.ndarray) -> np.ndarray:
    """Lightness with each photo's own mean and deviation taken out: how it was lit is no feature of the face.

    Parameters
    ----------
    images
        float32 (photo, channel * pixel), lightness first.

    Returns
    -------
    numpy.ndarray
        float32 (photo, pixel).
    """
    lightness = images[:, : images.shape[1] // 3]
    centred = lightness - lightness.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6)


def fit(photos: Photos, *, seed: int = 0) -> Classifiers:
    """Make both classifiers from the train split.

    The nearest average gives a face, its lightness standardised, the label of the closer of the two average faces. The
    linear discriminant (Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936)
    works on principal components of the colours, as many as the validation split finds best; its covariance is
    shrunk (Ledoit and Wolf, 2004).

    Parameters
    ----------
    photos
        With ``split`` in the table.
    seed
        Of the randomised principal components.

    Raises
    ------
    UserError
        If a label is missing in the train split or the test split is empty.
    """
    split = photos.table["split"].to_numpy() if "split" in photos.table else np.full(len(photos.table), "")
    train, male = split == "train", photos.male
    if not ((split == "test").any() and (train & male).any() and (train & ~male).any()):
        raise UserError("the nearest-average test needs both labels in train and a test split: ingest more images")
    standard = standardised_lightness(photos.images[train])
    averages = standard[~male[train]].mean(axis=0), standard[male[train]].mean(axis=0)
    # |x - a|^2 < |x - b|^2 is linear in x, so one product a face decides.
    nearest = _Half(averages[1] - averages[0], float(np.sum(averages[1] ** 2) - np.sum(averages[0] ** 2)) / 2, True)
    most = min(max(COMPONENTS), int(train.sum()) - 2, photos.images.shape[1])
    pca = PCA(most, svd_solver="randomized", iterated_power=3, random_state=seed).fit(photos.images[train])
    scores = pca.transform(photos.images[train])
    check = split == "validation"
    held = pca.transform(photos.images[check]) if check.any() else None
    found: list[tuple[float, int, LinearDiscriminantAnalysis]] = []
    for count in sorted({min(count, most) for count in COMPONENTS}):
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scores[:, :count], male[train])
        # Without a validation split nothing may choose: all components are taken.
        worth = float((model.predict(held[:, :count]) == male[check]).mean()) if held is not None else float(count)
        found.append((worth, count, model))
    _, count, model = max(found, key=lambda each: (each[0], -each[1]))
    weights = (model.coef_[0] @ pca.components_[:count]).astype(np.float32)
    discriminant = _Half(weights, float(pca.mean_ @ weights - model.intercept_[0]), False)
    explained = float(pca.explained_variance_ratio_[:count].sum())
    return Classifiers(nearest, discriminant, count, explained, int(train.sum()))


def accuracies(classifiers: Classifiers, photos: Photos, *, rng: np.random.Generator) -> AverageAccuracies:
    """What both classifiers are worth on the test split.

    Parameters
    ----------
    classifiers
        From `fit`.
    photos
        Of the same data set or another one.
    rng
        Of the bootstrap over people.

    Returns
    -------
    AverageAccuracies
    """
    test = (photos.table["split"] == "test").to_numpy()
    people = photos.table.loc[test, "person"].reset_index(drop=True)

    def measured(rule: _Half) -> AverageAccuracy:
        hits = pd.Series(rule.guess(photos.images[test]) == photos.male[test])
        low, high = accuracy_interval(hits, people, rng=rng)
        return AverageAccuracy(accuracy=float(hits.mean()), interval=(low, high), images=int(test.sum()), split="test")

    nearest = measured(classifiers.nearest)  # in this order, as both draw from one generator
    discriminant = measured(classifiers.discriminant)
    return AverageAccuracies(
        nearest_average=nearest,
        discriminant=discriminant.changed(components=classifiers.components, explained=classifiers.explained),
    )
