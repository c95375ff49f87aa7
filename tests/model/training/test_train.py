"""Training that is killed goes on and ends alike; evaluation chooses on validation and only there."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.data.sources import demo_source, register
from analysis.results import Results, Run
from model.evaluation.evaluate import evaluate
from model.evaluation.promise import choose_band

# Looked for, not imported: TensorFlow's logging would take hold of the stream that pytest captures while it collects.
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def small():
    from model.training.architecture import Architecture
    from model.training.train import Training

    return Training(
        epochs=2, batch_size=64, architecture=Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1))
    )


@pytest.fixture(scope="module")
def trained(demo_home: Path, small) -> Path:
    from model.training.train import train

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        train([Dataset.open("demo")], Run.open("whole"), small)
        evaluate(Run.open("whole"))
        return paths.run_folder("whole")


def test_training_leaves_weights_history_and_serving_file(trained: Path) -> None:
    history = pd.read_parquet(trained / "model/history.parquet")
    assert history["epoch"].tolist() == [1, 2]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(history)
    assert history["kept"].tolist() == [False, True]  # the only one at the last size
    assert (trained / "model/model.keras").exists()
    assert not (trained / "checkpoint").exists()


def train_and_kill(run: str, training, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until the first epoch is saved, and no further."""
    from model.training import train as module

    real = module._save

    def killed(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            module.train([Dataset.open("demo")], Run.open(run), training)


def test_killed_training_goes_on_and_ends_with_the_same_result(
    trained: Path, demo: Path, small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training.train import train

    train_and_kill("killed", small, monkeypatch)
    history = train([Dataset.open("demo")], Run.open("killed"), small)
    whole = pd.read_parquet(trained / "model/history.parquet")
    pd.testing.assert_frame_equal(history, whole, rtol=1e-3)
    evaluate(Run.open("killed"))
    ours = Results(paths.run_folder("killed")).predictions["p_male"]
    np.testing.assert_allclose(ours, Results(trained).predictions["p_male"], atol=1e-3)


@pytest.mark.parametrize("kill", [False, True])
def test_what_is_kept_is_the_epoch_with_the_lowest_validation_loss_at_the_last_size(
    demo: Path, small, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    from dataclasses import replace

    import keras

    from model.training import train as module

    losses = {1: 0.1, 2: 0.5, 3: 0.3, 4: 0.4}  # the first is lower, but of small pictures
    seen = {}
    real = module.fit

    def fit(network, kept, *others):
        for row in real(network, kept, *others):
            seen[row["epoch"]] = kept.get_weights()
            yield row | {"val_loss": losses[row["epoch"]], "val_group_loss": losses[row["epoch"]]}

    monkeypatch.setattr(module, "fit", fit)
    training = replace(small, epochs=4, learning_rate=0.01)
    if kill:  # after the epoch that is kept
        real_save, saved = module._save, []

        def killed(*arguments):
            real_save(*arguments)
            saved.append(1)
            if len(saved) == 3:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, "_save", killed)
            patch.setattr(module, "_PAUSE", 0.0)
            with pytest.raises(KeyboardInterrupt):
                module.train([Dataset.open("demo")], Run.open(f"best-{kill}"), training)
    history = module.train([Dataset.open("demo")], Run.open(f"best-{kill}"), training)
    assert history.loc[history["kept"], "epoch"].tolist() == [3]
    served = keras.saving.load_model(paths.run_folder(f"best-{kill}") / "model/model.keras")
    weights = [weight.ravel() for weight in served.get_weights()[:3]]
    np.testing.assert_allclose(np.concatenate(weights), np.concatenate([w.ravel() for w in seen[3][:3]]), atol=1e-7)
    assert np.abs(seen[3][0] - seen[4][0]).max() > 1e-4


def test_other_configuration_starts_anew(demo: Path, small, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from model.training.train import train

    train_and_kill("changed", small, monkeypatch)
    assert len(train([Dataset.open("demo")], Run.open("changed"), replace(small, epochs=1, seed=5))) == 1


def test_evaluation_reports_every_split_and_calibrates_the_card(trained: Path) -> None:
    metrics = Results(trained).metrics
    assert {split: measured.images for split, measured in metrics.splits.items()} == {
        "train": 280, "validation": 60, "test": 60,
    }  # fmt: skip
    card = json.loads((trained / "model/model.json").read_text())
    assert card["temperature"] == metrics.temperature
    assert card["band"] == metrics.band.as_json()
    predictions = Results(trained).predictions
    assert list(predictions.columns) == [
        "image_id",
        "dataset",
        "split",
        "label",
        "p_male",
        "decision",
        "map_x",
        "map_y",
    ]
    assert len(predictions) == 400


def test_splits_share_no_image(trained: Path) -> None:
    predictions = Results(trained).predictions
    assert predictions.groupby(["dataset", "image_id"])["split"].nunique().max() == 1


def test_test_split_chooses_nothing(trained: Path) -> None:
    metrics, predictions = Results(trained).metrics, Results(trained).predictions
    validation = predictions[predictions["split"] == "validation"]
    band, _ = choose_band(validation["p_male"].to_numpy(), (validation["label"] == "male").to_numpy())
    assert band == metrics.band


def test_data_ingested_anew_is_not_scored_with_an_old_model(trained: Path, demo: Path) -> None:
    record = json.loads((trained / "run.json").read_text())
    record["steps"]["train"]["data"]["demo"] = "another"
    other = paths.run_folder("other")
    (other / "model").mkdir(parents=True)
    for name in ("model.json", "model.onnx"):
        (other / "model" / name).write_bytes((trained / "model" / name).read_bytes())
    (other / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="ingested anew"):
        evaluate(Run.open("other"))


def test_untrained_run_and_missing_data_say_what_to_run(home: Path, small) -> None:
    from model.training.train import train

    with pytest.raises(UserError, match="meanface train"):
        evaluate(Run.open("nothing"))
    register(demo_source(), "demo")
    with pytest.raises(UserError, match="meanface ingest demo"):
        train([Dataset.open("demo")], Run.open("run"), small)


def test_what_is_served_and_begun_with_answers_as_the_trained_network(small) -> None:
    from dataclasses import replace

    from model.training.architecture import begin_with, build, layer_weights, serving_network
    from model.training.head import LastLayer

    architecture = replace(small.architecture, attributes=39, ages=9, races=5)
    network = build(architecture, seed=1)
    faces = np.random.default_rng(0).uniform(0, 255, (4, 40, 40, 3)).astype(np.float32)
    wanted = network.predict(faces, verbose=0)["male"]
    mirrored = network.predict(faces[:, :, ::-1], verbose=0)["male"]
    served = serving_network(network, architecture)
    np.testing.assert_allclose(served.predict(faces, verbose=0), (wanted + mirrored) / 2, atol=1e-5)
    np.testing.assert_allclose(served.predict(faces[:, :, ::-1], verbose=0), (wanted + mirrored) / 2, atol=1e-5)
    doubled = serving_network(network, architecture, LastLayer(np.zeros(8), float(np.log(2))))
    np.testing.assert_allclose(doubled.predict(faces, verbose=0), wanted + mirrored, atol=1e-5)
    other = build(architecture, seed=2)
    assert np.abs(other.predict(faces, verbose=0)["male"] - wanted).max() > 1e-4
    begin_with(other, layer_weights(served))
    np.testing.assert_allclose(other.predict(faces, verbose=0)["male"], wanted, atol=1e-5)


def test_network_with_more_blocks_begins_with_the_answers_of_a_smaller_one(small) -> None:
    from dataclasses import replace

    from model.training.architecture import begin_with, build, layer_weights, serving_network

    faces = np.random.default_rng(0).uniform(0, 255, (4, 40, 40, 3)).astype(np.float32)
    network = build(small.architecture, seed=1)
    served = serving_network(network, small.architecture)
    deeper = build(replace(small.architecture, blocks=(2, 3)), seed=2)
    begin_with(deeper, layer_weights(served))
    wanted = network.predict(faces, verbose=0)["male"]
    np.testing.assert_allclose(deeper.predict(faces, verbose=0)["male"], wanted, atol=1e-5)
    assert all(np.ptp(layer.get_weights()[0]) > 0 for layer in deeper.layers if layer.name.endswith("first"))
    with pytest.raises(ValueError, match="lacks"):
        begin_with(build(replace(small.architecture, blocks=(1,), filters=(4,))), layer_weights(served))


def test_taught_training_goes_on_and_is_scored_against_the_labels(
    trained: Path, demo_home: Path, small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from model.training.augment import Augmentation
    from model.training.train import Training, train

    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    assert isinstance(small, Training)
    taught = replace(small, teachers=("whole",), augmentation=Augmentation(mix=0.5))
    history = train([Dataset.open("demo")], Run.open("taught"), taught)
    assert history["accuracy"].between(0.3, 1).all()  # no target is exactly 0 or 1
    train_and_kill("taught-killed", taught, monkeypatch)
    again = train([Dataset.open("demo")], Run.open("taught-killed"), taught)
    pd.testing.assert_frame_equal(again, history, rtol=1e-4)
    with pytest.raises(UserError, match="nobody"):
        train([Dataset.open("demo")], Run.open("untaught"), replace(small, teachers=("nobody",)))
    narrow = replace(small, teachers=("whole",), architecture=replace(small.architecture, height=32, width=32))
    with pytest.raises(UserError, match="must not see more than its pupil"):
        train([Dataset.open("demo")], Run.open("untaught"), narrow)


def test_a_teacher_sees_its_own_part_of_its_pupils_pictures(trained: Path, demo_home: Path, small, monkeypatch) -> None:
    from dataclasses import replace

    import keras

    from model.predict import window
    from model.training.learner import open_teacher

    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    faces = np.random.default_rng(0).integers(0, 256, (3, 109, 89, 3), np.uint8)
    served = keras.saving.load_model(trained / "model/model.keras")
    wanted = 1 / (1 + np.exp(-served.predict(window(faces, 40, 40).astype(np.float32), verbose=0)))
    whole = open_teacher("whole", replace(small.architecture, height=104, width=88))
    found = whole.probabilities(window(faces, 104, 88).astype(np.float32))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_run_trained_without_tensorflow_is_finished_by_the_same_command_elsewhere(
    trained: Path, demo_home: Path, small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.training import train as module

    monkeypatch.setenv("MEANFACE_HOME", str(demo_home))
    run = Run.open("elsewhere")
    with monkeypatch.context() as patch:
        patch.setattr(module, "can_export", lambda: False)
        history = module.train([Dataset.open("demo")], run, small)
    assert (run.folder / "model/model.keras").exists()
    assert not (run.folder / "model/model.onnx").exists()
    monkeypatch.setattr(module, "compiled", None)  # trains no more
    again = module.train([Dataset.open("demo")], run, small)
    pd.testing.assert_frame_equal(again, history)
    evaluate(run)
    ours = Results(run.folder).predictions["p_male"]
    np.testing.assert_allclose(ours, Results(trained).predictions["p_male"], atol=1e-3)


def test_mean_of_a_short_training_does_not_reach_back_to_its_random_weights(small) -> None:
    from dataclasses import replace

    from model.training.train import compiled

    def decay(epochs: int, faces: int) -> float:
        return compiled(replace(small, epochs=epochs), faces).optimizer.ema_momentum

    assert decay(30, 280) == pytest.approx(1 - 10 / 120)  # a tenth of 30 epochs of 4 whole steps
    assert decay(40, 20_783) == small.average  # long enough for what was asked for
    assert decay(1, 64) == 0  # of a single step there is no mean


def test_an_epoch_goes_on_from_the_weights_and_not_from_their_mean(demo: Path, small) -> None:
    from dataclasses import replace

    from model.training.examples import load_split
    from model.training.train import compiled, fit, keeper

    faces, validation = load_split([Dataset.open("demo")], "train"), load_split([Dataset.open("demo")], "validation")
    training = replace(small, epochs=30)  # long enough for a mean over several steps
    network = compiled(training, len(faces))
    next(fit(network, keeper(network, training), faces, validation, training, []))
    trained = [variable.numpy() for variable in network.trainable_variables]
    network.optimizer.take_mean(network.trainable_variables)
    moved = [
        np.abs(variable - before).max() for variable, before in zip(network.trainable_variables, trained, strict=True)
    ]
    assert max(moved) > 1e-4


def test_training_begins_with_a_run_of_the_same_architecture_only(trained: Path, demo: Path, small) -> None:
    from dataclasses import replace

    from model.training.train import compiled

    begun = compiled(replace(small, start=("whole",)), 280)
    kept = compiled(small, 280)
    assert np.abs(begun.get_weights()[0] - kept.get_weights()[0]).max() > 0
    wider = replace(small, start=("whole",), architecture=replace(small.architecture, filters=(8, 16)))
    with pytest.raises(UserError, match="another architecture"):
        compiled(wider, 280)
    with pytest.raises(UserError, match="no weights to begin with"):
        compiled(replace(small, start=("nothing",)), 280)


def test_training_may_begin_with_the_mean_of_runs(trained: Path, demo: Path, small) -> None:
    from dataclasses import replace

    from model.training.train import compiled, train

    train([Dataset.open("demo")], Run.open("other-seed"), replace(small, epochs=1, seed=1))
    train(
        [Dataset.open("demo")],
        Run.open("wider"),
        replace(small, epochs=1, architecture=replace(small.architecture, filters=(8, 8))),
    )
    one, other, both = (
        compiled(replace(small, start=start), 280).get_weights()
        for start in (("whole",), ("other-seed",), ("whole", "other-seed"))
    )
    assert np.abs(one[0] - other[0]).max() > 1e-4
    np.testing.assert_allclose(both[0], (one[0] + other[0]) / 2, atol=1e-7)
    with pytest.raises(UserError, match="whole and wider: of another architecture"):
        compiled(replace(small, start=("whole", "wider")), 280)


def test_training_in_half_precision_serves_a_float32_network(demo: Path, small) -> None:
    from dataclasses import replace

    import keras

    from model.training.train import train

    trained = replace(small, precision="mixed_bfloat16")
    half = train([Dataset.open("demo")], Run.open("half"), trained)
    full = train([Dataset.open("demo")], Run.open("full"), small)
    assert half["loss"].iloc[0] == pytest.approx(full["loss"].iloc[0], rel=0.02)
    assert half["loss"].iloc[0] != full["loss"].iloc[0]
    served = keras.saving.load_model(paths.run_folder("half") / "model/model.keras")
    assert {weight.dtype for weight in served.weights} == {"float32"}
    assert served.get_layer("one_side").get_layer("stem_1").compute_dtype == "float32"
