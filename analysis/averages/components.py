"""Few components that the averages of small groups share; see `analysis.averages.aggregates`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numcodecs import Blosc
from sklearn.utils.extmath import randomized_svd

_RIDGE = 50.0  # faces' worth of doubt that a covariate matters at all


@dataclass(frozen=True)
class Components:
    """Common components of the averages of groups and of the slopes of a linear model.

    Attributes
    ----------
    centre
        float32 (...): average of all faces.
    basis
        float32 (component, ...): each one's largest value is 1, so that coefficients have the unit of what is averaged.
    coefficient
        float32 (group, component).
    slope
        float32 (dataset, covariate, component).
    """

    centre: np.ndarray
    basis: np.ndarray
    coefficient: np.ndarray
    slope: np.ndarray

    def variables(
        self, prefix: str, group: str, component: str, dims: tuple[str, ...]
    ) -> dict[str, tuple[object, np.ndarray]]:
        """The arrays as variables of a data set, each name after a prefix; names of dimensions are given."""
        return {
            f"{prefix}centre": (dims, self.centre),
            f"{prefix}basis": ((component, *dims), self.basis),
            f"{prefix}coefficient": ((group, component), self.coefficient),
            f"{prefix}slope": (("dataset", "covariate", component), self.slope),
        }


def fit_components(
    means: np.ndarray,
    faces: np.ndarray,
    crossed: Sequence[np.ndarray],
    moments: Sequence[np.ndarray],
    images: Sequence[int],
    *,
    components: int,
    seed: int,
) -> Components:
    """Find few components that averages of groups, and the slopes of what faces within a group differ by, share.

    Parameters
    ----------
    means
        float (group, ...): average of each group.
    faces
        int (group,): faces of each; a group without takes no part and gets NaN.
    crossed
        For each data set, float (covariate, ...): sum of `within_groups` times what is averaged.
    moments
        For each data set, float (covariate, covariate): sum of products of `within_groups`.
    images
        For each data set, how many faces it has.
    components
        Number of components, at most.
    seed
        Random seed of the decomposition.
    """
    shape = means.shape[1:]
    flat = means.reshape(len(means), -1)
    has = faces > 0
    centre = np.average(flat[has], axis=0, weights=faces[has])
    slopes, scales = [], []
    for total, products, count in zip(crossed, moments, images, strict=True):
        spread = np.sqrt(np.diag(products))
        scale = np.where(spread > 0, 1 / np.maximum(spread, 1e-12), 0)  # to a sum of squares of 1
        ridge = _RIDGE / count * np.eye(len(scale))
        slopes.append(
            np.linalg.solve(products * np.outer(scale, scale) + ridge, total.reshape(len(scale), -1) * scale[:, None])
        )
        scales.append(scale)
    # A slope counts as much as the squares of what it explains.
    joined = np.concatenate([(flat[has] - centre) * np.sqrt(faces[has])[:, None], *slopes])
    count = min(components, *joined.shape)
    _, _, vectors = randomized_svd(joined, count, n_iter=4, random_state=seed)
    size = np.abs(vectors).max(axis=1, keepdims=True)
    back = vectors * size
    coefficient = np.full((len(flat), count), np.nan, dtype=np.float32)
    coefficient[has] = (flat[has] - centre) @ back.T
    return Components(
        centre=centre.reshape(shape).astype(np.float32),
        basis=(vectors / size).reshape(count, *shape).astype(np.float32),
        coefficient=coefficient,
        slope=np.stack([(slope * scale[:, None]) @ back.T for slope, scale in zip(slopes, scales, strict=True)]).astype(
            np.float32
        ),
    )


def encode(arrays: xr.Dataset, prefix: str, *, centre: float, coefficient: float) -> None:
    """Say how components are stored: as whole multiples of such steps, a missing coefficient as the least."""
    packed = Blosc("zstd", 9, Blosc.BITSHUFFLE)
    for name, dtype, scale in (
        ("centre", "uint16", centre),
        ("basis", "int8", 1 / 127),
        ("coefficient", "int16", coefficient),
        ("slope", "float32", None),
    ):
        missing = np.iinfo(dtype).max if dtype == "uint16" else -(2 ** (np.dtype(dtype).itemsize * 8 - 1))
        coded = {} if scale is None else {"scale_factor": scale, "_FillValue": missing}
        arrays[prefix + name].encoding = {"dtype": dtype, **coded, "compressors": packed}
