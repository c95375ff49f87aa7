"""Temperature and band: chosen so that every source is served, and found again where they are known."""

import numpy as np
import pytest

from analysis.results.records import Band
from model.evaluation.calibration import at_least, calibration, choose_band, fit_temperature
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


def test_band_is_the_narrowest_that_is_right_often_enough() -> None:
    p = np.array([0.01] * 60 + [0.4] * 10 + [0.6] * 10 + [0.99] * 60)
    male = np.array([False] * 60 + [True, False] * 5 + [True, False] * 5 + [True] * 60)
    band = choose_band(p, male)
    assert 0.01 <= band.low < 0.4
    assert 0.6 < band.high <= 0.99
    assert choose_band(p[male == (p > 0.5)], male[male == (p > 0.5)]) == Band(low=0.5, high=0.5)
    assert choose_band(np.array([0.9] * 4), np.array([False] * 4)) == Band(low=0.0, high=1.0)


def test_an_easy_source_does_not_pay_for_a_hard_one(rng: np.random.Generator) -> None:
    p = rng.uniform(0.5, 1, 11_000)
    source = np.array(["easy"] * 10_000 + ["hard"] * 1_000)
    wrong = (source == "hard") & (p < 0.8) & (rng.uniform(size=11_000) < 0.15)
    assert choose_band(p, ~wrong) == Band(low=0.5, high=0.5)
    band = choose_band(p, ~wrong, source)
    assert 0.7 < band.high < 0.81
    decided = (p >= band.high) & (source == "hard")
    assert (~wrong)[decided].mean() >= 0.99


def test_a_share_of_right_answers_that_there_are_at_least() -> None:
    assert at_least(299, 299) == pytest.approx(0.05 ** (1 / 299))  # the rule of three, exactly
    assert at_least(298, 298) < 0.99 < at_least(299, 299)
    assert at_least(0, 10) == 0
