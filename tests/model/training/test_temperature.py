"""The temperature of each face: lower trust where scores are less often right, and nothing learnt from noise."""

import numpy as np
import pytest

from model.evaluation.calibration import calibration
from model.training.head import log_losses
from model.training.temperature import LARGEST, factors, fit_sharpness

FACES = 4000


@pytest.fixture
def faces() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features (the first marks hard faces), logits (three times too large on those), labels and sources."""
    rng = np.random.default_rng(0)
    hard = rng.random(FACES) < 0.4
    features = np.column_stack([hard + rng.normal(0, 0.1, FACES), rng.normal(size=(FACES, 5))])
    true_logits = rng.normal(0, 3, FACES)
    male = rng.random(FACES) < 1 / (1 + np.exp(-true_logits))
    source = np.where(rng.random(FACES) < 0.2, "small", "large")
    return features, np.where(hard, 3, 1) * true_logits, male, source


def test_faces_whose_scores_are_too_sure_get_a_smaller_factor(faces: tuple) -> None:
    features, logits, male, source = faces
    layer = fit_sharpness(features, logits, male, source)
    factor, hard = factors(layer, features), features[:, 0] > 0.5
    assert 0.25 < np.median(factor[hard]) < 0.5  # a third, pulled towards 1 by the penalty
    assert np.median(factor[~hard]) == pytest.approx(1, rel=0.25)
    before, after = (calibration(1 / (1 + np.exp(-z)), male).ece for z in (logits, logits * factor))
    assert after < before / 2
    assert log_losses(logits * factor, male).mean() < log_losses(logits, male).mean()


def test_no_label_changes_however_extreme_the_features(faces: tuple) -> None:
    features, logits, male, source = faces
    layer = fit_sharpness(features, logits, male, source)
    factor = factors(layer, features * 1000)
    assert (np.sign(logits * factor) == np.sign(logits)).all()
    assert np.exp(-LARGEST) <= factor.min() <= factor.max() <= np.exp(LARGEST)


def test_features_that_say_nothing_change_nothing() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, FACES)
    male = rng.random(FACES) < 1 / (1 + np.exp(-logits))
    features = rng.normal(size=(FACES, 40))
    factor = factors(fit_sharpness(features, logits, male, np.full(FACES, "one")), features)
    assert factor.std() < 0.05


def test_too_few_faces_change_nothing() -> None:
    layer = fit_sharpness(np.ones((3, 2)), np.ones(3), np.array([True, False, True]), np.full(3, "one"))
    assert not layer.weights.any()
    assert layer.bias == 0
