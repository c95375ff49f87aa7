"""The last layer fitted again: a cue that misleads a rare group loses its weight."""

import numpy as np
import pytest

from model.training.head import LastLayer, balanced, group_losses, refit


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Two features: one tells the label, the other a style that women mostly have and men never."""
    n = 4000
    male = rng.random(n) < 0.5
    styled = ~male & (rng.random(n) < 0.9)
    features = np.column_stack([np.where(male, 1.0, -1.0), np.where(styled, -2.0, 2.0)]) + rng.normal(0, 0.7, (n, 2))
    groups = [np.flatnonzero(male), np.flatnonzero(styled), np.flatnonzero(~male & ~styled)]
    weights = np.zeros(n)
    for rows in groups:
        weights[rows] = n / 3 / len(rows)
    return features, male, weights, groups


MISLED = LastLayer(np.array([0.2, 2.0]), 0.0)


def accuracy(layer: LastLayer, features: np.ndarray, male: np.ndarray) -> float:
    return float(((layer.logits(features) > 0) == male).mean())


def test_women_without_the_cue_are_right_afterwards(data: tuple) -> None:
    features, male, weights, groups = data
    bare = groups[2]
    assert accuracy(MISLED, features[bare], male[bare]) < 0.1
    mended = balanced(MISLED, (features, male, weights), (features, male), groups)
    assert accuracy(mended, features[bare], male[bare]) > 0.85
    before, after = (group_losses(layer.logits(features), male, groups) for layer in (MISLED, mended))
    assert after[2] < before[2]
    assert after.mean() < before.mean()


def test_a_strong_pull_leaves_the_layer_where_it_is(data: tuple) -> None:
    features, male, weights, _ = data
    held = refit(MISLED, features, male, weights, 1e6)
    np.testing.assert_allclose(held.weights, MISLED.weights, atol=1e-4)
    assert held.bias == pytest.approx(MISLED.bias, abs=1e-4)


def test_a_layer_that_cannot_be_bettered_is_kept(data: tuple) -> None:
    features, male, weights, groups = data
    best = refit(MISLED, features, male, weights, 0.0)
    noise = np.random.default_rng(1).normal(size=features.shape)
    assert balanced(best, (noise, male, weights), (features, male), groups) is best


def test_the_minimum_is_the_one_of_logistic_regression(data: tuple) -> None:
    from sklearn.linear_model import LogisticRegression

    features, male, weights, _ = data
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(features, male, sample_weight=weights)
    found = refit(MISLED, features, male, weights, 0.0)
    np.testing.assert_allclose(found.weights, oracle.coef_[0], rtol=1e-3)
    assert found.bias == pytest.approx(oracle.intercept_[0], abs=1e-3)
