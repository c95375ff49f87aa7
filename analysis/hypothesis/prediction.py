"""Do averages predict the label? Two simple classifiers: the nearest average, and a linear discriminant.

Both are fitted on the train split and tested on the test split, on people that they have not seen.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from analysis.core.errors import UserError
from analysis.core.people import accuracy_interval, interval, resampled_means
from analysis.hypothesis.matrix import row_blocks
from analysis.hypothesis.people import Photos
from analysis.results.records import AverageAccuracies, AverageAccuracy

COMPONENTS = (10, 20, 50, 100, 200)  # numbers of components to choose from on the validation split
_FITTED_ON = 8192  # photos that the components are fitted on, at most: 230 MB at half size


@dataclass(frozen=True)
class LinearRule:
    """Predicts "male" where the product of an image with the weights is above the offset.

    Attributes
    ----------
    weights
        float32 (pixel,).
    offset
        Threshold of the product.
    lightness_only
        Whether the weights apply to `standardised_lightness` instead of all colours.
    """

    weights: np.ndarray
    offset: float
    lightness_only: bool

    def predict_male(self, images: np.ndarray) -> np.ndarray:
        """Bool (photo,): whether each photo is predicted male."""
        features = standardised_lightness(images) if self.lightness_only else images
        return features @ self.weights > self.offset


@dataclass(frozen=True)
class Classifiers:
    """Both classifiers, fitted on the train split of one data set.

    Attributes
    ----------
    nearest, discriminant
        Nearest average; linear discriminant.
    components
        Number of principal components that the discriminant uses.
    explained
        Share of the variance that they explain, in [0, 1].
    trained
        Number of photos in the train split.
    """

    nearest: LinearRule
    discriminant: LinearRule
    components: int
    explained: float
    trained: int


def standardised_lightness(images: np.ndarray) -> np.ndarray:
    """Lightness minus the mean of each photo, divided by its deviation: exposure is not a feature of the face.

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
    """Fit both classifiers on the train split.

    The nearest average gives a face the label of the closer one of the two average faces, by standardised lightness.
    The linear discriminant (Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7,
    1936) uses principal components of the colours, as many as are most accurate on the validation split, and a shrunk
    covariance (Ledoit and Wolf, 2004).

    Parameters
    ----------
    photos
        Photos with ``split`` in their table.
    seed
        Random seed of the randomised principal components.

    Raises
    ------
    UserError
        If a label is missing in the train split or the test split is empty.
    """
    split = photos.table["split"].to_numpy() if "split" in photos.table else np.full(len(photos.table), "")
    train, male = split == "train", photos.male
    if not ((split == "test").any() and (train & male).any() and (train & ~male).any()):
        raise UserError("the nearest-average test needs both labels in train and a test split: ingest more images")
    sums = np.zeros((2, photos.images.shape[1] // 3))
    for part, block in row_blocks(photos.images):
        standard = standardised_lightness(block)
        for label in (False, True):
            sums[int(label)] += standard[train[part] & (male[part] == label)].sum(axis=0, dtype=np.float64)
    averages = (sums / [[(train & ~male).sum()], [(train & male).sum()]]).astype(np.float32)
    # |x - a|^2 < |x - b|^2 is linear in x: one product per face is enough.
    nearest = LinearRule(
        averages[1] - averages[0], float(np.sum(averages[1] ** 2) - np.sum(averages[0] ** 2)) / 2, True
    )
    chosen = np.flatnonzero(train)
    if len(chosen) > _FITTED_ON:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, _FITTED_ON, replace=False))
    sample = _photos(photos, np.isin(np.arange(len(train)), chosen))
    most = min(max(COMPONENTS), len(sample) - 2, sample.shape[1])
    pca = PCA(most, svd_solver="randomized", iterated_power=3, random_state=seed, copy=False).fit(sample)
    del sample  # centred in place
    projected = np.concatenate([pca.transform(block) for _, block in row_blocks(photos.images)])
    scores, validation = projected[train], split == "validation"
    held_out = projected[validation] if validation.any() else None
    fitted: list[tuple[float, int, LinearDiscriminantAnalysis]] = []
    for count in sorted({min(count, most) for count in COMPONENTS}):
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scores[:, :count], male[train])
        # Without a validation split there is nothing to choose by: all components are used.
        score = float(count)
        if held_out is not None:
            score = float((model.predict(held_out[:, :count]) == male[validation]).mean())
        fitted.append((score, count, model))
    _, count, model = max(fitted, key=lambda candidate: (candidate[0], -candidate[1]))
    weights = (model.coef_[0] @ pca.components_[:count]).astype(np.float32)
    discriminant = LinearRule(weights, float(pca.mean_ @ weights - model.intercept_[0]), False)
    explained = float(pca.explained_variance_ratio_[:count].sum())
    return Classifiers(nearest, discriminant, count, explained, int(train.sum()))


def _photos(photos: Photos, chosen: np.ndarray) -> np.ndarray:
    """Some photos, bool (photo,), as an array, float32 (photo, channel * pixel)."""
    images = np.empty((int(chosen.sum()), photos.images.shape[1]), dtype=np.float32)
    at = 0
    for part, block in row_blocks(photos.images):
        few = block[chosen[part]]
        images[at : at + len(few)] = few
        at += len(few)
    return images


def accuracies(classifiers: Classifiers, photos: Photos, *, rng: np.random.Generator) -> AverageAccuracies:
    """Accuracy of both classifiers on the test split.

    Parameters
    ----------
    classifiers
        As from `fit`.
    photos
        Photos of the same data set or of another one.
    rng
        Random generator of the bootstrap over people.

    Returns
    -------
    AverageAccuracies
    """
    test = (photos.table["split"] == "test").to_numpy()
    people = photos.table.loc[test, "person"].reset_index(drop=True)

    def measured(rule: LinearRule) -> AverageAccuracy:
        said = [rule.predict_male(block[test[part]]) for part, block in row_blocks(photos.images)]
        return measured_accuracy(np.concatenate(said), photos.male[test], people, rng=rng)

    nearest = measured(classifiers.nearest)  # in this order, as both draw from one generator
    discriminant = measured(classifiers.discriminant)
    return AverageAccuracies(
        nearest_average=nearest,
        discriminant=discriminant.changed(components=classifiers.components, explained=classifiers.explained),
    )


def measured_accuracy(
    said_male: np.ndarray, male: np.ndarray, people: pd.Series, *, rng: np.random.Generator
) -> AverageAccuracy:
    """Accuracy of answers on the test split, plain and with both labels counting alike.

    Parameters
    ----------
    said_male, male
        bool (photo,): answers and labels.
    people
        Person of each photo, numbered from 0.
    rng
        Random generator of the bootstrap over people.
    """
    hits = said_male == male
    low, high = accuracy_interval(pd.Series(hits), people, rng=rng)
    labels = np.stack([~male, male], axis=1)
    known = labels[:, labels.any(axis=0)]  # a split of a single label has one share
    drawn = resampled_means(hits, known, pd.factorize(people)[0], 1000, rng).mean(axis=1)
    balanced_low, balanced_high = interval(drawn)
    return AverageAccuracy(
        accuracy=float(hits.mean()),
        interval=(low, high),
        images=len(hits),
        split="test",
        balanced=float(np.mean([hits[column].mean() for column in known.T])),
        balanced_interval=(float(balanced_low), float(balanced_high)),
        majority=float(labels.mean(axis=0).max()),
    )
