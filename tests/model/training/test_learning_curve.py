"""The learning curve finds the law that wrong answers follow, compares like with like, and keeps what is finished."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Results, Run
from analysis.results.records import LearningScore
from model.training.examples import Faces

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")


def validation(number: int) -> Faces:
    table = pd.DataFrame({"dataset": "celeba", "label": ["female", "male"] * (number // 2)})
    return Faces(table, np.zeros((number, 1, 1, 3), np.uint8))


def test_a_power_law_with_a_floor_is_found_again() -> None:
    from model.training.learning_curve import curve_table, extrapolations

    faces = validation(20_000)
    scores = []
    for size in (500, 1000, 2000, 4000, 8000, 16_000):
        wrong = 0.01 + 2 * size**-0.5
        logits = np.where(faces.male > 0, 1.0, -1.0)
        order = np.random.default_rng(size).permutation(len(logits))
        logits[order[: round(wrong * len(logits))]] *= -1
        scores.append(LearningScore(faces=size, repeat=0, logits=logits.tolist(), seconds=1.0))
    table = curve_table(scores, faces)
    assert table["accuracy"].tolist() == pytest.approx([0.99 - 2 * n**-0.5 for n in table["faces"]], abs=1e-4)
    assert (table["low"] < table["accuracy"]).all() and (table["accuracy"] < table["high"]).all()
    law = extrapolations(scores, faces, faces=160_000)["celeba"]
    assert law.exponent == pytest.approx(0.5, abs=0.1)
    assert law.accuracy == pytest.approx(0.985, abs=0.004)
    assert law.interval[0] < law.accuracy < law.interval[1]
    assert law.floor + law.scale * 160_000**-law.exponent == pytest.approx(1 - law.accuracy)
    assert extrapolations(scores[:3], faces) == {}


def test_trainings_have_equal_steps_and_samples_are_nested_and_finished_ones_are_kept(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training import learning_curve as module
    from model.training.train import Training

    seen: list[set[str]] = []

    def trained(part, faces, training):
        if len(seen) == 2:
            raise KeyboardInterrupt
        assert len(part) == 280
        seen.append(set(part.table["image_id"]))
        return np.where(faces.male > 0, 1.0, -1.0), 5

    monkeypatch.setattr(module, "short_training", trained)
    training, run = Training(epochs=2), Run.open("curve")
    with pytest.raises(KeyboardInterrupt):
        module.learning_curve([Dataset.open("demo")], run, training, sizes=(100, 50, 9999))
    assert [len(part) for part in seen] == [50, 100] and seen[0] < seen[1]
    seen.clear()
    table = module.learning_curve([Dataset.open("demo")], run, training, sizes=(100, 50, 9999))
    assert [len(part) for part in seen] == [280]
    assert table["faces"].tolist() == [50, 100, 280]
    results = Results(run.folder)
    assert results.has_learning
    assert results.learning_record.budget.all_faces == 280
    assert results.learning_record.extrapolations == {}


def test_a_curve_does_not_begin_with_another_run() -> None:
    from model.training.learning_curve import learning_curve
    from model.training.train import Training

    with pytest.raises(UserError, match="random weights"):
        learning_curve([], Run.open("curve"), Training(start=("other",)))
