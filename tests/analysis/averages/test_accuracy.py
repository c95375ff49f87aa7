"""The expected error of an average that is made of small groups."""

import numpy as np
import pandas as pd
import pytest

from analysis.averages.accuracy import AT_RANDOM, ExpectedError

IMAGES, GROUP = 2000, 20


@pytest.fixture
def faces(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Group of each face, and one number of each: 3 around 10 times the group's number."""
    group = rng.permutation(np.arange(IMAGES) // GROUP)
    return group, 10.0 * group + rng.normal(0, 3, IMAGES)


def expected(group: np.ndarray, counted: np.ndarray | None = None, beyond: float = 0.0) -> ExpectedError:
    """What is expected where faces at random err by what they have to, and others by ``beyond`` more."""
    sizes = np.array([100.0, 500.0])
    least = 3 * np.sqrt((1 - sizes / IMAGES) / sizes)
    errors = pd.DataFrame(
        {
            "dataset": "made",
            "kind": [AT_RANDOM, "range of a measure"],
            "faces": sizes,
            "error": np.hypot(least, [0, beyond]),
        }
    )
    counted = np.ones(IMAGES, bool) if counted is None else counted
    return ExpectedError(errors, "error", np.full(IMAGES, "made"), group, counted)


@pytest.mark.parametrize(("kind", "size"), [("any", 16), ("any", 300), ("any", 1900), ("of few groups", 60)])
def test_the_error_follows_size_and_coverage(
    faces: tuple[np.ndarray, np.ndarray], rng: np.random.Generator, kind: str, size: int
) -> None:
    group, values = faces
    means = np.bincount(group, values) / GROUP
    of = expected(group)
    errors, said = [], []
    for _ in range(300):
        among = (
            np.arange(IMAGES) if kind == "any" else np.flatnonzero(np.isin(group, rng.choice(100, 5, replace=False)))
        )
        chosen = np.zeros(IMAGES, bool)
        chosen[rng.choice(among, size, replace=False)] = True
        errors.append(means[group[chosen]].mean() - values[chosen].mean())
        said.append(of(chosen))
    assert np.mean(said) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.15)


def test_whole_groups_err_by_what_does_not_shrink(faces: tuple[np.ndarray, np.ndarray]) -> None:
    group, _ = faces
    whole = np.isin(group, range(30))
    assert expected(group)(whole) == pytest.approx(0, abs=1e-6)
    assert expected(group, beyond=1.5)(whole) == pytest.approx(1.5)
    few = np.flatnonzero(whole)[:16]
    assert expected(group, beyond=1.5)(np.isin(np.arange(IMAGES), few)) > 1.5


def test_faces_that_no_average_counts_do_not_lower_the_error(faces: tuple[np.ndarray, np.ndarray]) -> None:
    group, _ = faces
    counted = np.arange(IMAGES) % 2 == 0
    chosen = np.arange(IMAGES) < 200
    of = expected(group, counted)
    assert of(chosen) == of(chosen & counted)


def test_data_sets_share_in_the_error_and_an_unknown_one_leaves_it_open(faces: tuple[np.ndarray, np.ndarray]) -> None:
    group, _ = faces
    dataset = np.where(group < 50, "made", "other")
    errors = pd.DataFrame({"dataset": ["made"], "kind": AT_RANDOM, "faces": 100.0, "error": 0.3})
    of = ExpectedError(errors, "error", dataset, group, np.ones(IMAGES, bool))
    few = np.arange(IMAGES) < 200
    assert of(few & (group < 50)) > 0
    assert np.isnan(of(few))
    both = pd.concat([errors, errors.assign(dataset="other", error=0.0)])
    of_both = ExpectedError(both, "error", dataset, group, np.ones(IMAGES, bool))
    share = (few & (group < 50)).sum() / few.sum()
    assert of_both(few) == pytest.approx(share * of_both(few & (group < 50)))
