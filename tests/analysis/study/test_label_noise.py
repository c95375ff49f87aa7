"""Exchanged labels are found, counted in their direction, and told by id alone."""

import numpy as np
import pandas as pd
import pytest

from analysis.study.label_noise import label_errors


def test_exchanged_labels_are_found_and_counted(rng: np.random.Generator) -> None:
    n = 2000
    male = rng.uniform(size=n) < 0.5
    p_male = 1 / (1 + np.exp(-rng.normal(np.where(male, 5, -5), 1.5)))
    exchanged = np.zeros(n, bool)
    exchanged[rng.choice(np.flatnonzero(male), 60, replace=False)] = True
    scored = pd.DataFrame(
        {
            "dataset": "made up",
            "image_id": [f"{i}.jpg" for i in range(n)],
            "split": "test",
            "label": np.where(male ^ exchanged, "male", "female"),
            "p_male": p_male,
        }
    )
    facts, issues = label_errors(scored)
    truly = set(scored.loc[exchanged, "image_id"])
    assert len(truly & set(issues["image_id"])) >= 0.75 * len(truly)
    assert len(set(issues["image_id"]) - truly) <= 10
    assert facts.noise_rate == pytest.approx(0.03, abs=0.01)
    assert facts.suggested["female to male"] == (issues["given"] == "female").sum() >= 40
    assert facts.issues == len(issues)
    assert issues["self_confidence"].is_monotonic_increasing
    assert list(issues) == ["source", "image_id", "split", "given", "suggested", "self_confidence"]
