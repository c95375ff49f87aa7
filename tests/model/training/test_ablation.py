"""The ablation compares every variant with the reference on the same faces and keeps what is finished."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.dataset import Dataset
from analysis.results import Run
from analysis.results.records import VariantScore
from model.training.examples import Faces

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")


def validation(n: int = 200) -> Faces:
    table = pd.DataFrame({"dataset": ["celeba"] * n, "label": ["female", "male"] * (n // 2)})
    return Faces(table, np.zeros((n, 1, 1, 3), np.uint8))


def scores(**right: float) -> dict[str, VariantScore]:
    """Logits of which a share is on the right side, the first ones."""
    side = np.tile([-2.0, 2.0], 100)
    return {
        name: VariantScore(
            logits=np.where(np.arange(200) < share * 200, side, -side).tolist(), seconds=1.0, parameters=7
        )
        for name, share in right.items()
    }


def test_difference_and_interval_are_those_of_the_same_faces() -> None:
    from model.training.ablation import compared

    table = compared(scores(**{"defaults": 0.9, "worse": 0.8}), validation())
    reference, worse = table.to_dict("records")
    assert reference["accuracy"] == pytest.approx(0.9)
    assert pd.isna(reference["difference"])
    assert worse["difference"] == pytest.approx(-0.1)
    assert -0.16 < worse["low"] < worse["difference"] < worse["high"] < -0.04


def test_a_variant_that_is_the_reference_differs_by_nothing() -> None:
    from model.training.ablation import compared

    table = compared(scores(**{"defaults": 0.9, "same": 0.9}), validation())
    assert table.loc[1, ["difference", "low", "high"]].tolist() == [0, 0, 0]


def test_finished_variants_are_not_trained_again(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.results.publish import record_step
    from analysis.results.records import Data, TrainOptions
    from model.training import ablation

    seen = {"demo": Data(fingerprint="x", images=1)}
    record_step(Run.open("ablated"), TrainOptions(datasets=["demo"], epochs=1), data=seen)
    trained: list[str] = []

    def stopped(part, faces, training):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append("one")
        return np.where(faces.male > 0, 1.0, -1.0), 5

    monkeypatch.setattr(ablation, "short_training", stopped)
    with pytest.raises(KeyboardInterrupt):
        ablation.ablate([Dataset.open("demo")], Run.open("ablated"), epochs=1, faces=64)
    monkeypatch.setattr(
        ablation, "short_training", lambda part, faces, training: (trained.append("two"), (faces.male, 5))[1]
    )
    table = ablation.ablate([Dataset.open("demo")], Run.open("ablated"), epochs=1, faces=64)
    variants = ablation.variants("ablated", ["demo"])
    assert trained.count("two") == len(variants) - 3
    assert table["variant"].tolist() == [variant.name for variant in variants]
    assert (demo / "runs/ablated/ablation/ablation.parquet").exists()


def test_every_variant_changes_something() -> None:
    from model.training.ablation import variants
    from model.training.train import Training

    tried = variants("celeba", ["celeba", "utkface"])
    for variant in tried[1:]:
        assert variant.change(Training()) != Training() or variant.datasets is not None, variant.name
    assert len({variant.name for variant in tried}) == len(tried)
