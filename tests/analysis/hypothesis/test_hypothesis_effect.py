"""Effect sizes, the permutation test and intervals: right by definition, and quick for the right reason."""

import numpy as np
import pytest
from made_faces import made_faces
from scipy import stats

from analysis.hypothesis import effect
from analysis.hypothesis.people import average_by_person
from analysis.hypothesis.regions import REGIONS, pools, region_map


def test_hedges_g_agrees_with_its_definition(rng: np.random.Generator) -> None:
    images = rng.normal(50, 5, (30, 4)).astype(np.float32)
    male = np.arange(30) < 12
    one, zero = images[male].astype(float), images[~male].astype(float)
    pooled = np.sqrt((11 * one.var(axis=0, ddof=1) + 17 * zero.var(axis=0, ddof=1)) / 28)
    expected = (1 - 3 / (4 * 28 - 1)) * (one.mean(axis=0) - zero.mean(axis=0)) / pooled
    np.testing.assert_allclose(effect.hedges_g(images, male[None])[0], expected, rtol=1e-4)
    np.testing.assert_allclose(effect.pooled_deviation(images, male), pooled, rtol=1e-4)


def test_pixel_that_never_varies_has_no_effect(rng: np.random.Generator) -> None:
    images = np.full((20, 3), 7, dtype=np.float32)
    images[:, 1] = rng.normal(size=20)
    g = effect.hedges_g(images, (np.arange(20) < 9)[None])[0]
    assert g[0] == g[2] == 0
    assert np.isfinite(g).all()


def test_permutation_test_agrees_with_a_loop(rng: np.random.Generator) -> None:
    images = rng.normal(size=(25, 7)).astype(np.float32)
    male = np.arange(25) < 10
    found = effect.permutation_test(images, male, permutations=40, rng=np.random.default_rng(5))
    rows = effect.permute(effect.contrast(male), 40, np.random.default_rng(5))
    looped = [np.abs(effect.hedges_g(images, (row > 0)[None])[0]).max() for row in rows]
    np.testing.assert_allclose(found.null_maximum, looped, rtol=1e-4)
    np.testing.assert_allclose(found.g, effect.hedges_g(images, male[None])[0], rtol=1e-5)
    expected = (1 + (np.array(looped) >= np.abs(found.g).max()).sum()) / 41
    assert found.p_value == pytest.approx(expected)


def test_effect_and_p_value_agree_with_scipy_over_all_permutations(rng: np.random.Generator) -> None:
    n1, n0 = 5, 6
    images = rng.normal(size=(n1 + n0, 8)).astype(np.float32)
    images[:n1, 3] += 1.2
    male = np.arange(n1 + n0) < n1

    def g(one: np.ndarray, zero: np.ndarray) -> np.ndarray:
        t = stats.ttest_ind(images[one.astype(int)], images[zero.astype(int)], axis=0).statistic
        return t * np.sqrt(1 / n1 + 1 / n0) * (1 - 3 / (4 * (n1 + n0 - 2) - 1))

    people = (np.arange(n1), np.arange(n1, n1 + n0))  # SciPy permutes people, and so all pixels of an image together
    exact = stats.permutation_test(
        people,
        lambda one, zero: np.abs(g(one, zero)).max(),
        n_resamples=np.inf,
        alternative="greater",
        vectorized=False,
    )
    assert len(exact.null_distribution) == 462  # 11 over 5: each labelling once
    assert 0.02 < exact.pvalue < 0.5, "a case that could tell"

    sampled = effect.permutation_test(images, male, permutations=20_000, rng=rng)
    np.testing.assert_allclose(sampled.g, g(*people), rtol=1e-4)
    assert sampled.maximum == pytest.approx(exact.statistic, rel=1e-4)
    error = np.sqrt(exact.pvalue * (1 - exact.pvalue) / 20_000)
    assert abs(sampled.p_value - exact.pvalue) < 4 * error
    # A quantile of a discrete distribution is one of its steps, so shares beyond values are compared instead.
    for value in np.quantile(exact.null_distribution, [0.5, 0.8, 0.95]):
        share = (exact.null_distribution > value + 1e-4).mean()
        assert (sampled.null_maximum > value + 1e-4).mean() == pytest.approx(share, abs=0.015)


def test_p_values_of_a_true_null_are_spread_evenly(rng: np.random.Generator) -> None:
    values = [
        effect.permutation_test(
            rng.normal(size=(40, 30)).astype(np.float32), np.arange(40) < 20, permutations=99, rng=rng
        ).p_value
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(np.array(values) <= 0.05) <= 0.10
    assert 0.4 < np.mean(values) < 0.6


def test_labels_are_exchanged_within_strata_only(rng: np.random.Generator) -> None:
    male = np.array([True, True, False, False, False, True, False, False])
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    exchanged = effect.permute(effect.contrast(male), 50, rng, strata) > 0
    assert (exchanged[:, :4].sum(axis=1) == 2).all()
    assert (exchanged[:, 4:].sum(axis=1) == 1).all()
    assert len(np.unique(exchanged, axis=0)) > 10


def test_matched_test_sees_no_effect_that_strata_explain(rng: np.random.Generator) -> None:
    strata = np.repeat([0, 1], 150)
    male = rng.random(300) < np.where(strata == 1, 0.8, 0.2)
    images = (rng.normal(size=(300, 20)) + strata[:, None]).astype(np.float32)
    plain = effect.permutation_test(images, male, permutations=199, rng=rng)
    assert plain.p_value < 0.01
    counts = np.array([[(male[strata == s] == label).sum() for label in (False, True)] for s in (0, 1)])
    weights = np.where(male, counts[strata, 0], counts[strata, 1]) / counts.sum(axis=1)[strata]
    everywhere = np.ones(20, dtype=bool)
    matched = effect.matched_test(
        images,
        effect.contrast(male, weights),
        strata,
        effect.pooled_deviation(images, male),
        permutations=199,
        rng=rng,
        pools=np.full((20, 1), 1 / 20, dtype=np.float32),
        inside=everywhere,
    )
    assert matched.p_value > 0.01
    assert matched.maximum < plain.maximum / 2


def test_bootstrap_of_nobody_left_out_is_the_sample(rng: np.random.Generator) -> None:
    images = rng.normal(size=(30, 5)).astype(np.float32)
    male = np.arange(30) < 14
    weights = np.eye(5, dtype=np.float32)
    observed, resampled = effect.bootstrap_g(images, male, np.ones((2, 30), dtype=np.float32), weights)
    np.testing.assert_allclose(observed, np.abs(effect.hedges_g(images, male[None])[0]), rtol=1e-4)
    np.testing.assert_allclose(resampled, np.stack([observed, observed]), rtol=1e-5)
    drawn = effect.draw_people(male, 6, rng)
    assert (drawn[:, male].sum(axis=1) == 14).all()
    assert (drawn[:, ~male].sum(axis=1) == 16).all()


def test_interval_narrows_with_people_and_takes_noise_off() -> None:
    widths = []
    for n in (60, 600):
        faces, manifest = made_faces(n, shift=25)
        people = average_by_person(faces, manifest)
        names, weights = pools(people.shape, 3)
        drawn = effect.draw_people(people.male, 200, np.random.default_rng(0))
        plain, resampled = effect.bootstrap_g(people.images, people.male, drawn, weights)
        estimate, low, high = effect.basic_interval(plain, resampled)
        whole = names.index(("whole picture", 0))
        assert estimate[whole] < plain[whole]
        assert low[whole] < estimate[whole] < high[whole]
        widths.append(high[whole] - low[whole])
    assert widths[1] < widths[0]


def test_masks_divide_the_frame_and_lie_where_the_landmarks_are() -> None:
    where = region_map()
    assert set(np.unique(where)) == set(range(len(REGIONS)))

    def at(x: float, y: float) -> str:
        return REGIONS[where[round(y), round(x)]]

    assert at(34.5, 55.8) == at(54.3, 56.0) == "eyes"
    assert at(43.9, 67.3) == "nose"
    assert at(35.9, 76.0) == at(52.6, 76.4) == at(44.3, 78) == "mouth"
    assert at(34.5, 49) == at(54.3, 49) == "brows"
    assert at(30, 66) == at(58, 66) == "cheeks"
    assert at(44.3, 88) == "jaw"
    assert at(44.3, 40) == "forehead"
    assert at(44.3, 20) == at(15, 65) == "hair"
    assert at(2, 2) == at(44.3, 105) == "background"


def test_pools_average_maps_over_masks_also_when_scaled() -> None:
    names, weights = pools((109, 89), 3)
    where = region_map()
    maps = np.stack([where, where * 0 + 1, where * 0 + 2]).astype(np.float32).reshape(-1)
    means = dict(zip(names, maps @ weights, strict=True))
    assert means[("nose", 0)] == pytest.approx(REGIONS.index("nose"), rel=1e-5)
    assert means[("hair", None)] == pytest.approx((REGIONS.index("hair") + 1 + 2) / 3, rel=1e-5)
    _, halved = pools((54, 44), 3)
    np.testing.assert_allclose(halved.sum(axis=0), 1, atol=1e-4)


def test_labels_that_come_back_count_as_large_though_rounded(rng: np.random.Generator) -> None:
    maximum = np.array([2.0, 2.0 * (1 - 1e-6), 1.5, 3.0], dtype=np.float32)
    assert effect.as_large(maximum, np.float32(2.0)) == 3
    np.testing.assert_array_equal(effect.as_large(maximum, np.array([1.0, 2.9, 4.0])), [4, 1, 0])
    # Of 3 against 3 there are 20 labellings, ten of them mirrored: many permutations are the observed one again.
    images = rng.normal(size=(6, 50)).astype(np.float32)
    test = effect.permutation_test(images, np.arange(6) < 3, permutations=400, rng=rng)
    assert (1 + effect.as_large(test.null_maximum, np.float32(test.maximum))) / 401 == pytest.approx(test.p_value)
    assert test.p_value >= 0.05
