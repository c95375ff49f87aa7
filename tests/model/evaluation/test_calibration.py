"""The temperature, chosen so that every source is served, is found again where it is known; honest scores are told."""

import numpy as np
import pytest

from model.evaluation.calibration import calibration, fit_temperature
from model.predict import calibrated


def test_temperature_is_found_again(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, 20_000)
    male = rng.uniform(size=20_000) < calibrated(logits, 1.0)
    assert fit_temperature(logits * 3, male) == pytest.approx(3, rel=0.05)


def test_a_large_source_has_no_larger_say_in_the_temperature(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, 22_000)
    male = rng.uniform(size=22_000) < calibrated(logits, 1.0)
    source = np.array(["large"] * 20_000 + ["small"] * 2_000)
    stretched = np.where(source == "large", logits, 4 * logits)
    alone = fit_temperature(stretched, male)
    fair = fit_temperature(stretched, male, source)
    repeated = np.concatenate([np.arange(20_000), np.repeat(np.arange(20_000, 22_000), 10)])
    assert fair > alone * 1.2
    assert fair == pytest.approx(fit_temperature(stretched[repeated], male[repeated]), rel=1e-3)


def test_calibration_error_of_honest_and_overconfident_scores(rng: np.random.Generator) -> None:
    p = rng.uniform(size=20_000)
    male = rng.uniform(size=20_000) < p
    honest = calibration(p, male)
    assert honest.ece < 0.015
    assert sum(each.images for each in honest.bins) == 20_000
    assert len(honest.bins) == 15
    assert calibration(np.where(p > 0.5, 1.0, 0.0), male).ece > 0.2
