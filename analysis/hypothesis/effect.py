"""Effect sizes of many groupings of people at once, with their permutation test and bootstrap, as matrix products.

A grouping is a row of weights over people, a contrast: 1 / n1 for each person of group 1 and -1 / n0 for each person of
group 0. The differences of the groups' means for thousands of groupings and pixels are then one matrix product,
contrasts times images. Nothing else depends on the number of groupings: the sum of squares within the groups, by whose
root the effect size is divided, is the total sum of squares, which is computed once, minus n1 n0 / n times the squared
difference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from analysis.core.people import interval
from analysis.hypothesis.matrix import WIDTH, Columns

ALPHA = 0.05
_ROWS = 1000  # contrasts per matrix product; with as many columns as are read at a time, the result takes 4 MB


def contrast(group: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Row of weights whose product with images is the mean of group 1 minus the mean of group 0.

    Parameters
    ----------
    group
        bool (person,): True marks group 1.
    weights
        float (..., person), not negative: weight of each person in the mean of the person's group; None for equal
        weights.

    Returns
    -------
    numpy.ndarray
        float32 (..., person).
    """
    weights = np.ones(len(group)) if weights is None else np.asarray(weights, dtype=np.float64)
    one, zero = weights * group, weights * ~group
    tiny = np.finfo(np.float64).tiny  # a group without any weight gives zeros, not a division by zero
    share = one / np.maximum(one.sum(-1, keepdims=True), tiny) - zero / np.maximum(zero.sum(-1, keepdims=True), tiny)
    return share.astype(np.float32)


def permute(row: np.ndarray, count: int, rng: np.random.Generator, strata: np.ndarray | None = None) -> np.ndarray:
    """Permute the weights of a contrast between people at random, and so their labels.

    Parameters
    ----------
    row
        float32 (person,), or bool (person,): labels, which take a quarter of the memory.
    count
        Number of permutations.
    rng
        Random generator of the permutations.
    strata
        int (person,): weights are permuted within each stratum; None permutes among everybody.

    Returns
    -------
    numpy.ndarray
        (count, person), of the type of ``row``.
    """
    return _with_permutations(row, count, rng, strata)[1:]


def _with_permutations(
    row: np.ndarray, count: int, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """A row and its permutations, (1 + count, person); in one array, since thousands of people make it large."""
    rows = np.empty((1 + count, len(row)), dtype=row.dtype)
    rows[:] = row
    if strata is None:
        rng.permuted(rows[1:], axis=1, out=rows[1:])
        return rows
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        rows[1:, inside] = rng.permuted(np.broadcast_to(row[inside], (count, len(inside))), axis=1)
    return rows


def _parts(images: Columns) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of pixels, copies."""
    for start in range(0, images.shape[1], WIDTH):
        part = slice(start, start + WIDTH)
        block = images[:, part]
        yield part, block.copy() if isinstance(images, np.ndarray) else block


def _centred(images: Columns) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of pixels, centred: without that, sums of numbers near 50 would lose digits in float32."""
    for part, block in _parts(images):
        np.subtract(block, block.mean(axis=0, dtype=np.float64).astype(np.float32), out=block)
        yield part, block


def per_deviation(block: np.ndarray) -> np.ndarray:
    """Divide centred numbers by their standard deviation with n - 2 degrees of freedom; 0 where nothing varies.

    In place.
    """
    deviation = np.sqrt(np.einsum("np,np->p", block, block, dtype=np.float64) / (len(block) - 2))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    block *= scale.astype(np.float32)
    return block


def _hedges(difference: np.ndarray, n1: int, n0: int) -> np.ndarray:
    """Hedges' g from the difference of means in units of `per_deviation`; in place."""
    n = n1 + n0
    within = 1 - (n1 * n0 / (n * (n - 2))) * difference**2
    np.sqrt(np.maximum(within, 1e-12, out=within), out=within)
    difference *= 1 - 3 / (4 * (n - 2) - 1)
    difference /= within
    return difference


def hedges_g(images: Columns, groups: np.ndarray) -> np.ndarray:
    """Standardised mean difference of two groups, for many groupings with the same group sizes.

    Hedges, "Distribution theory for Glass's estimator of effect size", Journal of Educational Statistics 6(2), 1981:
    g = J (m1 - m0) / s, with the pooled standard deviation s and J = 1 - 3 / (4 (n1 + n0 - 2) - 1).

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    groups
        bool (grouping, person): True marks group 1, of the same size in every grouping.

    Returns
    -------
    numpy.ndarray
        float32 (grouping, pixel): group 1 minus group 0; 0 where nothing varies.
    """
    n1 = int(groups[0].sum())
    rows = np.stack([contrast(group) for group in groups])
    result = np.empty((len(groups), images.shape[1]), dtype=np.float32)
    for part, block in _centred(images):
        result[:, part] = _hedges(rows @ per_deviation(block), n1, len(block) - n1)
    return result


def pooled_deviation(images: Columns, group: np.ndarray) -> np.ndarray:
    """Pooled standard deviation within the two groups, of each pixel; float32 (pixel,)."""
    deviation = np.empty(images.shape[1], dtype=np.float32)
    for part, block in _parts(images):
        one, zero = block[group], block[~group]
        squares = one.var(axis=0, dtype=np.float64) * len(one) + zero.var(axis=0, dtype=np.float64) * len(zero)
        deviation[part] = np.sqrt(squares / (len(images) - 2))
    return deviation


def weighted_effects(images: Columns, rows: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Differences of weighted means in units of a given standard deviation.

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    rows
        float32 (contrast, person).
    deviation
        float32 (pixel,).

    Returns
    -------
    numpy.ndarray
        float32 (contrast, pixel); 0 where nothing varies.
    """
    result = np.empty((len(rows), images.shape[1]), dtype=np.float32)
    for part, block in _centred(images):
        result[:, part] = rows @ block
    return np.divide(result, deviation, out=np.zeros_like(result), where=deviation > 1e-6)


@dataclass(frozen=True)
class PermutationTest:
    """Result of `permutation_test`.

    Attributes
    ----------
    g
        float32 (pixel,): observed effect.
    null_maximum
        float32 (permutation,): maximum of abs(g) over the pixels under permuted labels.
    null_pooled
        float64 (pool,): weighted means of abs(g) under permuted labels, averaged over all permutations; empty without
        pools.
    p_value
        Family-wise: share of labellings, the observed one included, whose maximum is at least the observed one.
    maximum
        Maximum of abs(g) over the tested pixels.
    """

    g: np.ndarray
    null_maximum: np.ndarray
    null_pooled: np.ndarray
    p_value: float
    maximum: float

    @property
    def critical(self) -> float:
        """Value of abs(g) that 5 % of the permutations exceed anywhere in the image."""
        return float(np.quantile(self.null_maximum, 1 - ALPHA))


def largest_effects(
    images: Columns,
    rows: np.ndarray,
    *,
    effect: Callable[[np.ndarray, slice], np.ndarray],
    scale: Callable[[np.ndarray], np.ndarray] = lambda block: block,
    pools: np.ndarray | None = None,
    inside: np.ndarray | None = None,
    description: str | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Largest effect of every contrast anywhere in the image; the maps are never in memory together.

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    rows
        float32 (contrast, person), or bool (grouping, person): True marks group 1, and people of a group weigh alike.
    effect
        Function from differences (contrast, pixel), and the slice of the pixels that they are of, to effects; may work
        in place.
    scale
        Function that is applied to centred blocks of images before the product.
    pools
        float32 (pixel, pool): weights of the means of absolute effects.
    inside
        bool (pixel,): pixels among which the largest is searched; None for all.
    description
        Name of a progress bar on stderr; None shows none.

    Returns
    -------
    first : numpy.ndarray
        float32 (pixel,): map of the first contrast.
    maximum : numpy.ndarray
        float32 (contrast,): largest absolute value.
    pooled : numpy.ndarray
        float64 (contrast, pool): means of the absolute values.
    """
    first = np.empty(images.shape[1], dtype=np.float32)
    maximum = np.zeros(len(rows), dtype=np.float32)
    pooled = np.zeros((len(rows), 0 if pools is None else pools.shape[1]))
    total = -(-images.shape[1] // WIDTH)
    for part, centred in tqdm(_centred(images), desc=description, total=total, disable=description is None):
        block = scale(centred)
        for start in range(0, len(rows), _ROWS):
            some = slice(start, start + _ROWS)
            size = effect(_contrasts(rows[some]) @ block, part)
            if start == 0:
                first[part] = size[0]
            np.abs(size, out=size)
            if pools is not None:
                pooled[some] += size @ pools[part]
            if inside is not None:
                size = size[:, inside[part]]
            maximum[some] = np.maximum(maximum[some], size.max(axis=1, initial=0))
    return first, maximum, pooled


def _contrasts(rows: np.ndarray) -> np.ndarray:
    """Contrasts of groupings; contrasts as they are."""
    if rows.dtype != bool:
        return rows
    one = rows.sum(axis=1, keepdims=True)
    return np.where(rows, (1 / one).astype(np.float32), (-1 / (rows.shape[1] - one)).astype(np.float32))


def permutation_test(
    images: Columns,
    group: np.ndarray,
    *,
    permutations: int,
    rng: np.random.Generator,
    pools: np.ndarray | None = None,
    description: str | None = None,
) -> PermutationTest:
    """Permute labels between people and compare the largest Hedges' g anywhere in the image.

    The maximum statistic controls the family-wise error over all pixels: Nichols and Holmes, "Nonparametric
    permutation tests for functional neuroimaging", Human Brain Mapping 15, 2002.

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    group
        bool (person,).
    permutations
        Number of permutations.
    rng
        Random generator of the permutations.
    pools
        float32 (pixel, pool): weights of means of abs(g), such as those of `analysis.hypothesis.regions.pools`.
    description
        Name of a progress bar on stderr; None shows none.

    Returns
    -------
    PermutationTest
    """
    n1, n0 = int(group.sum()), int((~group).sum())
    rows = _with_permutations(group, permutations, rng)
    g, maximum, pooled = largest_effects(
        images,
        rows,
        effect=lambda difference, _: _hedges(difference, n1, n0),
        scale=per_deviation,
        pools=pools,
        description=description,
    )
    return PermutationTest(g, maximum[1:], pooled[1:].mean(axis=0), _share(maximum), float(maximum[0]))


def matched_test(
    images: Columns,
    row: np.ndarray,
    strata: np.ndarray,
    deviation: np.ndarray,
    *,
    permutations: int,
    rng: np.random.Generator,
    pools: np.ndarray,
    inside: np.ndarray,
) -> PermutationTest:
    """Permute weights within strata of people, and compare the largest effect among some pixels.

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    row
        float32 (person,): contrast of weighted means.
    strata
        int (person,): stratum of each person.
    deviation
        float32 (pixel,): unit of the effects.
    permutations, rng, pools
        As in `permutation_test`.
    inside
        bool (pixel,): pixels among which the largest is searched.

    Returns
    -------
    PermutationTest
    """
    unit = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    rows = _with_permutations(row, permutations, rng, strata)
    g, maximum, pooled = largest_effects(
        images, rows, effect=lambda difference, part: difference * unit[part], pools=pools, inside=inside
    )
    return PermutationTest(g, maximum[1:], pooled[1:].mean(axis=0), _share(maximum), float(maximum[0]))


def as_large(maximum: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Count the permutations whose maximum is at least each observed one, int64 of the shape of ``observed``.

    The maximum of a permutation that repeats or mirrors the observed labels may be lower by rounding: it counts as
    equal.
    """
    permuted = np.sort(maximum)
    return len(permuted) - np.searchsorted(permuted, np.asarray(observed) * (1 - 1e-5), side="left")


def _share(maximum: np.ndarray) -> float:
    """Share of labellings whose maximum is at least that of the first, the observed one."""
    return float(as_large(maximum, maximum[0]) / len(maximum))


def draw_people(group: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """How often each person is in each bootstrap resample, drawn within the groups; float32 (count, person)."""
    drawn = np.zeros((count, len(group)), dtype=np.float32)
    for member in (group, ~group):
        size = int(member.sum())
        drawn[:, member] = rng.multinomial(size, np.full(size, 1 / size), size=count)
    return drawn


def bootstrap_g(
    images: Columns, group: np.ndarray, drawn: np.ndarray, pools: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means of abs(Hedges' g) of the sample and of bootstrap resamples, each in its own standard deviations.

    Parameters
    ----------
    images
        float32 (person, pixel), an array or on disk.
    group
        bool (person,).
    drawn
        float32 (resample, person), from `draw_people`.
    pools
        float32 (pixel, pool).

    Returns
    -------
    observed : numpy.ndarray
        float64 (pool,).
    resampled : numpy.ndarray
        float64 (resample, pool).
    """
    counts = np.concatenate([np.ones((1, len(group)), dtype=np.float32), drawn])
    n1, n0 = int(group.sum()), int((~group).sum())
    correction = np.float32(1 - 3 / (4 * (n1 + n0 - 2) - 1))
    means = np.zeros((len(counts), pools.shape[1]))
    for part, block in _centred(images):
        # A resample weights people: its sum of squares within a group needs another product.
        (mean1, squares1), (mean0, squares0) = (_sums(counts[:, member], block[member]) for member in (group, ~group))
        deviation = np.sqrt(np.maximum(squares1 + squares0, 0) / (n1 + n0 - 2))
        g = np.divide(mean1 - mean0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
        means += np.abs(correction * g, out=g) @ pools[part]
    return means[0], means[1:]


def _sums(counts: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and sum of squares about it, of each resample."""
    n = np.float32(len(block))
    mean = counts @ block / n
    return mean, counts @ block**2 - n * mean**2


def basic_interval(observed: np.ndarray, resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bias-corrected estimates and 95 % basic bootstrap intervals of means of absolute values.

    Noise increases a mean of absolute values, in the sample and once more in its resamples. What the resamples add is
    subtracted from the estimate and from both ends (Davison and Hinkley, "Bootstrap Methods and their Application",
    1997, 2.1 and 5.2). Where there is no effect, nearly half of the noise remains; compare with the level under
    permutation.

    Parameters
    ----------
    observed
        float (pool,): plain estimates.
    resampled
        float (resample, pool).

    Returns
    -------
    tuple of numpy.ndarray
        Estimate, low and high end, each (pool,) and not below 0.
    """
    low, high = interval(resampled)
    estimate, below, above = (np.maximum(2 * observed - bound, 0) for bound in (resampled.mean(axis=0), high, low))
    return estimate, below, above
