"""Fits the components of the quick engine and compresses the faces of a data set with them.

The coefficients of a face could be turned back into a picture of that person: they stay in ``data/NAME/average``,
beside the faces, and are never published.
"""

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.utils.extmath import randomized_svd

from analysis.averages.compressed import ZERO, CompressedEngine, Facts, average_folder
from analysis.averages.exact import sums
from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES, MIN_FACES
from analysis.data.cube import blocks
from analysis.data.dataset import Dataset

# Largest number of faces that the components are fitted on, drawn from the train split: 0.5 GB as float32, once.
SAMPLE = 4096
# Principal components of faces and of squared distances, and further components that separate the averages of groups.
PRINCIPAL, BETWEEN = (256, 96), (48, 32)
# The residual of a face, 17 steps, shrinks to 17 / sqrt(768) = 0.6 in the mean of 768 random faces.
EXACT_BELOW = 768
_ROWS = 256  # faces compressed at a time
_ROOM = 1.25  # range of the codes relative to that of the sample; coefficients beyond are clipped
_FACTORS = ("age_band", "race", "split")
_MEASURES = ("brightness", "contrast", "sharpness")
_QUANTILES = 5


def build_engine(
    dataset: Dataset, table: pd.DataFrame, *, exact_below: int = EXACT_BELOW, seed: int = 0, progress: bool = True
) -> CompressedEngine:
    """Fit components on the train faces of a data set and compress all its faces with them.

    Principal components (Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011)
    explain most of the variance between single faces, but not how the average of a small group differs, such as that of
    people with hats. Components are therefore added for the residuals of the averages of known groups: each label with
    each attribute, age, race, split, and fifth of brightness, contrast and sharpness.

    Parameters
    ----------
    dataset
        An ingested data set.
    table
        As from `analysis.averages.filters.load_table`.
    exact_below
        Number of faces below which a subset is read instead of estimated.
    seed
        Random seed of the sample and of the decomposition.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    CompressedEngine
        The new engine in ``data/NAME/average``.

    Raises
    ------
    UserError
        If there are fewer than 16 usable faces.
    """
    faces = dataset.faces
    usable = (table["status"] == "ok").to_numpy(dtype=bool)
    train = usable & (table["split"] == "train").to_numpy(dtype=bool)
    fitted_on = train if train.sum() >= MIN_FACES else usable  # a data set for tests only has no train split
    if fitted_on.sum() < MIN_FACES:
        raise UserError(f"{dataset.name!r} has fewer than {MIN_FACES} usable faces: too few for components")
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(fitted_on)
    drawn = np.sort(rng.choice(chosen, min(SAMPLE, len(chosen)), replace=False))
    sample = _gather(faces, drawn, progress)
    centre, bases = _principal(sample, seed)
    bases = _with_groups(faces, groups(table, fitted_on), centre, bases, progress)
    split = len(bases[0])
    basis = np.concatenate(bases)
    explained, variance, largest = 0.0, 0.0, np.zeros(len(basis), dtype=np.float32)
    for part in np.array_split(sample, range(_ROWS, len(sample), _ROWS)):
        centred, _ = coefficients = _coefficients(part.astype(np.float32), centre, bases)
        explained += np.square(centred).sum(dtype=np.float64) / len(sample)
        variance += np.square(part - centre[0], dtype=np.float32).sum(dtype=np.float64) / len(sample)
        np.maximum(largest, np.abs(np.concatenate(coefficients, axis=1)).max(axis=0), out=largest)
    del sample
    scale = largest * _ROOM / (ZERO - 1)
    scale[scale == 0] = 1
    values = basis.shape[1]
    with storage.replacing(average_folder(dataset)) as folder:
        folder.mkdir()
        (folder / "basis.f32").write_bytes(basis.astype(np.float32).tobytes())
        np.save(folder / "centre.npy", centre)
        np.save(folder / "scale.npy", scale)
        totals = np.zeros(len(basis), dtype=np.int64)
        with (folder / "codes.u8").open("wb") as codes, (folder / "pixels.u8").open("wb") as pixels:
            for _, block in blocks(faces, "Compressing faces" if progress else None):
                flat = np.ascontiguousarray(block).reshape(len(block), values)
                pixels.write(flat.data)
                unscaled = np.concatenate(_coefficients(flat.astype(np.float32), centre, bases), axis=1)
                coded = (np.rint(unscaled / scale).clip(1 - ZERO, ZERO - 1) + ZERO).astype(np.uint8)
                codes.write(coded.data)
                totals += coded.sum(axis=0, dtype=np.int64)
        np.save(folder / "totals.npy", totals)
        Facts(
            dataset=dataset.name,
            fingerprint=dataset.fingerprint,
            images=faces.sizes["image"],
            height=faces.sizes["y"],
            width=faces.sizes["x"],
            mean_components=split,
            spread_components=len(basis) - split,
            exact_below=exact_below,
            residual=float(np.sqrt(max(0.0, variance - explained) / values)),
            seed=seed,
        ).write(folder)
    return CompressedEngine(average_folder(dataset))


def groups(table: pd.DataFrame, inside: np.ndarray) -> np.ndarray:
    """Groups whose averages the components reproduce.

    Parameters
    ----------
    table
        As from `analysis.averages.filters.load_table`.
    inside
        bool (image,): faces to choose from.

    Returns
    -------
    numpy.ndarray
        bool (group, image): each label, and each label with each attribute, each age band, race and split, and each
        fifth of brightness, contrast and sharpness; groups of 16 faces or more.
    """
    factors = [table[column] for column in (*_FACTORS, *CELEBA_ATTRIBUTES) if column in table]
    for column in _MEASURES:
        if column in table:
            factors.append(pd.qcut(table[column].astype(float), _QUANTILES, labels=False, duplicates="drop"))
    members = []
    for label in sorted(table.loc[inside, "label"].dropna().unique()):
        labelled = inside & (table["label"] == label).to_numpy(dtype=bool)
        members.append(labelled)
        for factor in factors:
            for value in sorted(factor.dropna().unique()):
                if factor.name in CELEBA_ATTRIBUTES and not value:
                    continue  # it follows from the averages of the label and of those with the attribute
                members.append(labelled & (factor == value).fillna(False).to_numpy(dtype=bool))
    return np.stack([rows for rows in members if rows.sum() >= MIN_FACES] or [inside])


def _gather(faces: xr.DataArray, chosen: np.ndarray, progress: bool) -> np.ndarray:
    """Pixels of some faces, uint8 (image, value), read chunk by chunk."""
    sample = np.empty((len(chosen), int(np.prod(faces.shape[1:]))), dtype=np.uint8)
    wanted = np.zeros(faces.sizes["image"], dtype=bool)
    wanted[chosen] = True
    for start, block in blocks(faces, "Drawing faces" if progress else None, wanted):
        first, last = np.searchsorted(chosen, [start, start + len(block)])
        sample[first:last] = block[chosen[first:last] - start].reshape(last - first, sample.shape[1])
    return sample


def _principal(sample: np.ndarray, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Mean and mean square distance, float32 (2, value), and principal components of both, float32 (k, value)."""
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = sample.astype(np.float32)
    centred -= mean
    bases = [_leading(centred, PRINCIPAL[0], seed)]
    np.square(centred, out=centred)
    square = centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred -= square
    bases.append(_leading(centred, PRINCIPAL[1], seed))
    return np.stack([mean, square]), bases


def _leading(matrix: np.ndarray, count: int, seed: int) -> np.ndarray:
    count = min(count, *matrix.shape)
    _, _, vectors = randomized_svd(matrix, count, n_oversamples=16, n_iter=2, random_state=seed, flip_sign=False)
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _with_groups(
    faces: xr.DataArray, members: np.ndarray, centre: np.ndarray, bases: list[np.ndarray], progress: bool
) -> list[np.ndarray]:
    """Both bases, extended by the leading components of the residuals of the groups' averages."""
    total, squares = sums(faces, members, progress=progress)
    n = members.sum(axis=1).reshape(-1, 1)
    mean, square = total.reshape(len(n), -1) / n, squares.reshape(len(n), -1) / n
    centre = centre.astype(np.float64)
    averages = (mean - centre[0], square - 2 * centre[0] * mean + centre[0] ** 2 - centre[1])
    result = []
    for average, basis, count in zip(averages, bases, BETWEEN, strict=True):
        left = average - (average @ basis.T) @ basis
        # The larger a group, the more certain its average, and the larger its weight.
        _, _, vectors = np.linalg.svd(left * np.sqrt(n), full_matrices=False)
        joined = np.concatenate([basis, vectors[:count]])
        result.append(np.ascontiguousarray(np.linalg.qr(joined.T.astype(np.float64))[0].T, dtype=np.float32))
    return result


def _coefficients(pixels: np.ndarray, centre: np.ndarray, bases: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of faces and of their squared distances, float32 (image, component) each."""
    deviation = pixels - centre[0]
    of_faces = deviation @ bases[0].T
    np.square(deviation, out=deviation)
    deviation -= centre[1]
    return of_faces, deviation @ bases[1].T
