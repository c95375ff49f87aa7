"""How the options of ``meanface train`` become a training."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from model.commands import app


@pytest.mark.parametrize(
    ("options", "calm", "rotation"),
    [
        ([], 0.6, 1.0),
        (["--augmentation", "0.5"], 1.0, 0.5),  # as strong to the end, as the help says
        (["--augmentation", "0.5", "--calm", "0.8"], 0.8, 0.5),
        (["--calm", "0.8"], 0.8, 1.0),
    ],
)
def test_augmentation_is_scaled_and_calmed_as_the_help_says(
    monkeypatch: pytest.MonkeyPatch, options: list[str], calm: float, rotation: float
) -> None:
    from model.training.augment import Augmentation

    trainings = []

    def fit(_names, _run, training, _strategy):
        trainings.append(training)
        return pd.DataFrame({"kept": [True], "epoch": [1], "val_accuracy": [0.9]})

    monkeypatch.setattr("model.training.train.train", fit)
    result = CliRunner().invoke(app, ["train", "demo", *options])
    assert result.exit_code == 0, result.output
    assert trainings[0].calm == calm
    assert trainings[0].augmentation.rotation == rotation * Augmentation().rotation
