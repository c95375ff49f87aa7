"""A search can be stopped and gone on with, by several processes; its samplers differ; its table is whole."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.results import Run

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed"),
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials whose losses are a function of their learning rate, in place of trainings."""
    from model.training import search as module

    def losses(network, kept, part, validation, training, history):
        for epoch in (1, 2):
            loss = abs(np.log10(training.learning_rate) + 3) / epoch
            yield {"epoch": epoch, "val_loss": loss, "val_accuracy": 1 - loss / 4}

    monkeypatch.setattr(module, "fit", losses)
    monkeypatch.setattr(module, "compiled", lambda training, faces: None)
    monkeypatch.setattr(module, "keeper", lambda pupil, training: pupil)


def run_search(run: str, trials: int, sampler: str = "tpe", seed: int = 0) -> pd.DataFrame:
    from model.training.search import search

    return search([Dataset.open("demo")], Run.open(run), trials=trials, sampler=sampler, epochs=2, faces=64, seed=seed)


@pytest.mark.usefixtures("quick", "demo")
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_search_ends_with_the_trials_asked_for_and_what_they_were(sampler: str) -> None:
    from model.training.search import SPACE

    table = run_search(f"by-{sampler}", 6, sampler)
    assert len(table) == 6
    assert set(SPACE) <= set(table)
    if sampler == "grid":
        assert all(table[name].isin(values).all() for name, (_, values) in SPACE.items())
    record = json.loads((paths.run_folder(f"by-{sampler}") / "search/search.json").read_text())
    assert record["trials"] == 6
    assert record["best"]["learning_rate"] == table.loc[table["value"].idxmin(), "learning_rate"]


@pytest.mark.usefixtures("quick", "demo")
def test_search_started_again_goes_on_with_the_same_study() -> None:
    first = run_search("again", 4)
    second = run_search("again", 9)
    assert len(second) == 9
    pd.testing.assert_frame_equal(second.head(4), first)
    assert len(run_search("again", 9)) == 9


@pytest.mark.usefixtures("quick", "demo")
def test_what_matters_alone_is_found_to_matter_most() -> None:
    run_search("matters", 30, "random")
    record = json.loads((paths.run_folder("matters") / "search/search.json").read_text())
    assert max(record["importance"], key=record["importance"].get) == "learning_rate"


@pytest.mark.usefixtures("quick", "demo")
def test_a_study_keeps_its_budget() -> None:
    from model.training.search import search

    run_search("budget", 2)
    with pytest.raises(UserError, match="another budget"):
        search([Dataset.open("demo")], Run.open("budget"), trials=4, sampler="tpe", epochs=5, faces=64)


@pytest.mark.usefixtures("demo")
def test_unknown_sampler_is_named() -> None:
    with pytest.raises(UserError, match="no sampler 'best'"):
        run_search("unknown", 1, "best")


@pytest.mark.slow
def test_a_real_trial_trains_and_scores(demo: Path) -> None:
    table = run_search("real", 1)
    assert table.loc[0, "state"] == "complete"
    assert 0 < table.loc[0, "value"] < 5
    assert 0 <= table.loc[0, "accuracy"] <= 1


def test_a_run_that_cannot_be_written_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training.ablation import ablate
    from model.training.learning_curve import learning_curve
    from model.training.search import search
    from model.training.train import Training

    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    (tmp_path / "runs").write_text("a file in the way")
    run, few = Run.open("run"), {"epochs": 1, "faces": 64}
    for work in (
        lambda: search([], run, trials=1, sampler="tpe", **few),
        lambda: ablate([], run, **few),
        lambda: learning_curve([], run, Training()),
    ):
        with pytest.raises(UserError, match="cannot be written"):
            work()


@pytest.mark.usefixtures("quick", "demo")
def test_a_study_that_cannot_be_opened_says_so_and_goes_on_later() -> None:
    run_search("small", 2)
    study = paths.run_folder("small") / "search/study.db"
    kept = study.read_bytes()
    study.unlink()
    study.mkdir()  # SQLite cannot open it
    with pytest.raises(UserError, match=r"study\.db cannot be written \(unable to open"):
        run_search("small", 3)
    study.rmdir()
    study.write_bytes(kept)
    assert len(run_search("small", 3)) == 3
