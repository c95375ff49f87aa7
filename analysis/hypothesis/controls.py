"""Negative controls: comparisons without a true difference, and the false-positive rate of the test."""

import numpy as np
from scipy.stats import binomtest

from analysis.hypothesis import effect
from analysis.hypothesis.effect import ALPHA
from analysis.hypothesis.matrix import Columns, Rows
from analysis.hypothesis.people import People, Photos
from analysis.results.records import Control, FalsePositiveRate, FalsePositives


def three_controls(people: People, *, permutations: int, rng: np.random.Generator) -> dict[str, Control]:
    """Run the test on shuffled labels, and on a random split of the people of each label.

    Parameters
    ----------
    people
        One image per person.
    permutations
        Number of permutations of each control.
    rng
        Random generator of labels, splits and permutations.

    Returns
    -------
    dict
        Name -> result.
    """

    def control(images: Columns, groups: np.ndarray) -> Control:
        result = effect.permutation_test(images, rng.permutation(groups), permutations=permutations, rng=rng)
        return Control(p_value=result.p_value, max_abs_g=result.maximum)

    def within(male: bool) -> Control:
        images = Rows(people.images, people.male == male)
        return control(images, np.arange(len(images)) % 2 == 0)

    return {
        "shuffled_labels": control(people.images, people.male),
        "within_female": within(False),
        "within_male": within(True),
    }


def _rate(p_values: list[np.ndarray]) -> FalsePositiveRate:
    p = np.concatenate(p_values)
    hits, splits = int((p <= ALPHA).sum()), len(p)
    interval = binomtest(hits, splits).proportion_ci(method="exact")
    return FalsePositiveRate(hits=hits, splits=splits, rate=hits / splits, interval=(interval.low, interval.high))


def _p_values(images: Columns, observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """P value of each observed contrast, from the same permutations for all."""
    rows = np.concatenate([observed, null])
    # With halves of equal size, g ranks contrasts like the difference divided by the total deviation.
    _, maximum, _ = effect.largest_effects(
        images, rows, effect=lambda difference, _: difference, scale=effect.per_deviation
    )
    as_large = effect.as_large(maximum[len(observed) :], maximum[: len(observed)])
    return np.asarray((1 + as_large) / (1 + len(null)))


def false_positives(
    people: People, photos: Photos, *, splits: int, permutations: int, rng: np.random.Generator
) -> FalsePositives:
    """Share of random splits within one label that are significant at the 5 % level.

    Half of the splits are of people labelled female, half of people labelled male; all photos of a person stay
    together. All splits of one label are tested with the same permutations, since those of each split would be draws
    from the same distribution. For comparison, splits of the same kind are tested with photos as the unit: as several
    photos of a person are on one side, that test finds differences that are only between persons.

    Parameters
    ----------
    people
        One image per person.
    photos
        Single photos, for the test with photos as the unit.
    splits
        Number of splits, of both labels together.
    permutations
        Number of permutations for each label.
    rng
        Random generator of splits and permutations.

    Returns
    -------
    FalsePositives
        ``by_photo`` is absent where nobody has several photos.
    """
    half = splits // 2
    p_values: dict[str, list[np.ndarray]] = {"by_identity": [], "by_photo": []}
    table = photos.table
    several = bool(table.loc[table["kept"], "person"].duplicated().any())
    for male in (False, True):
        images = Rows(people.images, people.male == male)
        row = effect.contrast(np.arange(len(images)) % 2 == 0)
        p_values["by_identity"].append(
            _p_values(images, effect.permute(row, half, rng), effect.permute(row, permutations, rng))
        )
        if several:
            chosen = table["kept"].to_numpy() & (photos.male == male)
            _, codes = np.unique(table.loc[chosen, "person"], return_inverse=True)
            sides = rng.permuted(np.broadcast_to(np.arange(codes.max() + 1) % 2 == 0, (half, codes.max() + 1)), axis=1)
            observed = np.stack([effect.contrast(side[codes]) for side in sides])
            null = effect.permute(effect.contrast(np.arange(chosen.sum()) % 2 == 0), permutations, rng)
            p_values["by_photo"].append(_p_values(Rows(photos.images, chosen), observed, null))
    rates = {name: _rate(values) for name, values in p_values.items() if values}
    return FalsePositives(alpha=ALPHA, permutations=permutations, **rates)
