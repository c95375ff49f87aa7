"""Controls that can fail: comparisons in which there is nothing to find, and how often the test cries wolf.

Knows people and photos; knows nothing of figures.
"""

import numpy as np
from scipy.stats import binomtest

from analysis.hypothesis import effect
from analysis.hypothesis.effect import ALPHA
from analysis.hypothesis.people import People, Photos
from analysis.results.records import Control, FalsePositiveRate, FalsePositives


def three_controls(people: People, *, permutations: int, rng: np.random.Generator) -> dict[str, Control]:
    """Run the test on labels shuffled once, and on each label's people split at random.

    Parameters
    ----------
    people
        One image a person.
    permutations
        Exchanges of each control.
    rng
        Draws labels, splits and exchanges.

    Returns
    -------
    dict
        By name.
    """

    def control(images: np.ndarray, groups: np.ndarray) -> Control:
        result = effect.permutation_test(images, rng.permutation(groups), permutations=permutations, rng=rng)
        return Control(p_value=result.p_value, max_abs_g=result.maximum)

    def within(male: bool) -> Control:
        images = people.images[people.male == male]
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


def _p_values(images: np.ndarray, observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """P value of each observed contrast, all against the same exchanges."""
    rows = np.concatenate([observed, null])
    # Halves of equal size: the size of g orders contrasts as the difference per deviation does.
    _, maximum, _ = effect.largest_effects(
        images, rows, effect=lambda difference, _: difference, scale=effect.per_deviation
    )
    chance = np.sort(maximum[len(observed) :])
    larger = len(chance) - np.searchsorted(chance, maximum[: len(observed)], side="left")
    return (1 + larger) / (1 + len(chance))


def false_positives(
    people: People, photos: Photos, *, splits: int, permutations: int, rng: np.random.Generator
) -> FalsePositives:
    """Share of random splits within one label that the test calls a difference, at 5 %.

    Half of the splits are among people labelled female, half among those labelled male; people keep all their photos.
    All splits of one label are judged by the same exchanges, since the exchanges of each would be draws from the same
    distribution. For comparison, the test that takes photos for the unit judges splits of the same kind: with several
    photos of a person on one side, it finds differences that are only between persons.

    Parameters
    ----------
    people
        One image a person.
    photos
        Single photos, for the test that takes them for the unit.
    splits
        In all, of both labels.
    permutations
        Exchanges of each label.
    rng
        Draws splits and exchanges.

    Returns
    -------
    FalsePositives
        With ``by_photo`` where somebody has several photos.
    """
    half = splits // 2
    found: dict[str, list[np.ndarray]] = {"by_identity": [], "by_photo": []}
    table = photos.table
    several = bool(table.loc[table["kept"], "person"].duplicated().any())
    for male in (False, True):
        images = people.images[people.male == male]
        row = effect.contrast(np.arange(len(images)) % 2 == 0)
        found["by_identity"].append(
            _p_values(images, effect.exchange(row, half, rng), effect.exchange(row, permutations, rng))
        )
        if several:
            chosen = table["kept"].to_numpy() & (photos.male == male)
            _, codes = np.unique(table.loc[chosen, "person"], return_inverse=True)
            sides = rng.permuted(np.broadcast_to(np.arange(codes.max() + 1) % 2 == 0, (half, codes.max() + 1)), axis=1)
            observed = np.stack([effect.contrast(side[codes]) for side in sides])
            null = effect.exchange(effect.contrast(np.arange(chosen.sum()) % 2 == 0), permutations, rng)
            found["by_photo"].append(_p_values(photos.images[chosen], observed, null))
    rates = {name: _rate(values) for name, values in found.items() if values}
    return FalsePositives(alpha=ALPHA, permutations=permutations, **rates)
