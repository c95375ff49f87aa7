"""Time of the permutation test as matrix products, and as a loop: python benchmarks/hypothesis.py [DATASET]

Prints the seconds of 5,000 permutations of the labels of the people of an ingested data set (default: celeba), with the
maximum over all pixels of L*, a* and b*; the seconds per permutation of two loops, timed on a few of the same
permutations in the same run; and the ratios. The first loop is the test as it is usually written, with means and
deviations of both groups in each step. The second uses the same algebra as the matrix products (one product of a
contrast with the images, and the total sum of squares computed once), and shows what thousands of permutations at once
add to that. Last, the same test with 10,177 people, as many as CelebA has, drawn with replacement and with a little
noise.
"""

import os
import sys
import time
from collections.abc import Callable

import numpy as np

from analysis.data.dataset import Dataset
from analysis.hypothesis import effect
from analysis.hypothesis.people import average_by_person

PERMUTATIONS = 5000
LOOPED = 8  # permutations on which a loop is timed
IDENTITIES = 10_177  # of CelebA


def usual(images: np.ndarray, labels: np.ndarray) -> float:
    one, zero = images[labels], images[~labels]
    n1, n0 = len(one), len(zero)
    pooled = np.sqrt(((n1 - 1) * one.var(axis=0, ddof=1) + (n0 - 1) * zero.var(axis=0, ddof=1)) / (n1 + n0 - 2))
    g = (1 - 3 / (4 * (n1 + n0 - 2) - 1)) * (one.mean(axis=0) - zero.mean(axis=0)) / pooled
    return float(np.abs(g).max())


def algebraic(images: np.ndarray, labels: np.ndarray) -> float:
    n, n1 = len(labels), int(labels.sum())
    difference = effect.contrast(labels) @ images
    g = difference / np.sqrt(1 - n1 * (n - n1) / (n * (n - 2)) * difference**2)
    return float((1 - 3 / (4 * (n - 2) - 1)) * np.abs(g).max())


def seconds_per_permutation(
    work: Callable[[np.ndarray, np.ndarray], float], images: np.ndarray, labels: np.ndarray
) -> float:
    work(images, labels[0])
    began = time.perf_counter()
    for labelling in labels:
        work(images, labelling)
    return (time.perf_counter() - began) / len(labels)


def tested(images: np.ndarray, male: np.ndarray) -> tuple[float, effect.PermutationTest]:
    began = time.perf_counter()
    test = effect.permutation_test(images, male, permutations=PERMUTATIONS, rng=np.random.default_rng(0))
    return time.perf_counter() - began, test


def main(name: str) -> None:
    dataset = Dataset.open(name)
    people = average_by_person(dataset.faces, dataset.manifest)
    images, male = people.images[:, :], people.male  # the loops read whole rows
    size = f"{len(images):,} people x {images.shape[1]:,} numbers"
    print(f"{name}: {size}, {len(os.sched_getaffinity(0))} cores, threads {os.environ.get('OMP_NUM_THREADS', 'all')}")
    seconds, test = tested(images, male)
    print(f"matrix products: {PERMUTATIONS:,} permutations in {seconds:.1f} s (p = {test.p_value:.4f})")
    labels = effect.permute(effect.contrast(male), LOOPED, np.random.default_rng(0)) > 0
    centred = images - images.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0) / (len(images) - 2))
    for kind, work, values in (("usual", usual, images), ("same algebra", algebraic, scaled)):
        maxima = [work(values, labelling) for labelling in labels[:2]]
        np.testing.assert_allclose(maxima, test.null_maximum[:2], rtol=1e-2)
        loop = seconds_per_permutation(work, values, labels)
        print(
            f"loop, {kind}: {loop:.3f} s per permutation, timed on {LOOPED}; {PERMUTATIONS:,} would take "
            f"{loop * PERMUTATIONS:,.0f} s, {loop * PERMUTATIONS / seconds:.0f} times as long"
        )
    del centred, scaled
    rng = np.random.default_rng(1)
    drawn = rng.integers(len(images), size=IDENTITIES)
    many = images[drawn]
    many += rng.standard_normal(many.shape, dtype=np.float32)
    seconds, _ = tested(many, male[drawn])
    print(f"{IDENTITIES:,} people: {PERMUTATIONS:,} permutations in {seconds:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "celeba")
