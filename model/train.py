"""Training: ingested faces in, ``runs/RUN/model`` with weights, history and serving file out; resumable.

Knows the network and the data; judging the result is ``model.evaluate``'s.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from analysis import paths
from analysis.errors import UserError
from analysis.run import record_step
from analysis.sources import CELEBA_ATTRIBUTES
from model.architecture import Architecture, build, serving_network
from model.augment import augment
from model.dataset import UNKNOWN, Faces, dataset_facts, load_split
from model.export import export
from model.predict import window


@dataclass(frozen=True)
class Training:
    """Hyper-parameters of training.

    Attributes
    ----------
    epochs, batch_size
        Passes over the training split; faces a step.
    learning_rate, warmup
        Peak of the cosine schedule, reached after this many epochs.
    weight_decay
        Of AdamW.
    label_smoothing
        Share of the target moved to the other label.
    attribute_weight
        Weight of the auxiliary loss, the mean over CelebA's 39 other attributes; 0 trains without.
    seed
        Of weights, order and augmentation.
    architecture
        Of the network.
    """

    epochs: int = 32
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 2.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    attribute_weight: float = 1.0
    seed: int = 0
    architecture: Architecture = field(default_factory=Architecture)


@keras.saving.register_keras_serializable("meanface")
def known_binary_crossentropy(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy from logits, averaged over the targets that are known (not -1); one value a face."""
    known = tf.cast(tf.not_equal(target, UNKNOWN), logits.dtype)
    loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(target, 0.0), logits)
    return tf.reduce_sum(loss * known, axis=-1) / tf.maximum(tf.reduce_sum(known, axis=-1), 1.0)


def train(names: list[str], run: str, training: Training) -> pd.DataFrame:
    """Train a network and write the model part of a run.

    After each epoch everything that the rest depends on (weights, optimiser, history) is saved; order and
    augmentation depend on seed, epoch and step alone. Training that was killed and is started again with the same
    data and configuration goes on where it stopped.

    Parameters
    ----------
    names
        Ingested data sets; their train splits are trained on, their validation splits watched.
    run
        Name of the run.
    training
        Hyper-parameters.

    Returns
    -------
    pandas.DataFrame
        History: ``epoch, loss, accuracy, val_loss, val_accuracy, learning_rate``.

    Raises
    ------
    UserError
        If a data set is not ingested or a split is empty.
    """
    facts = dataset_facts(names)
    train_split, validation = load_split(names, "train"), load_split(names, "validation")
    auxiliary = training.attribute_weight > 0 and bool((train_split.attributes != UNKNOWN).any())
    architecture = Architecture(
        **asdict(training.architecture) | {"attributes": len(CELEBA_ATTRIBUTES) if auxiliary else 0}
    )
    configuration = {**asdict(training), "architecture": asdict(architecture), "datasets": names}
    identity = {"configuration": configuration, "data": {name: each["fingerprint"] for name, each in facts.items()}}
    folder = paths.run_folder(run) / "checkpoint"
    network, history = _resume(folder, identity)
    if network is None:
        network = build(architecture, training.seed)
        _compile(network, training, steps=-(-len(train_split) // training.batch_size))
    targets = _targets(validation, architecture)
    shown = window(validation.pixels, architecture.height, architecture.width)
    for epoch in range(len(history), training.epochs):
        fitted = network.fit(
            _batches(train_split, architecture, training, epoch),
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=1,
        ).history
        scores = network.evaluate(shown, targets, batch_size=256, verbose=0, return_dict=True)
        prefix = "male_" if architecture.attributes else ""
        history.append(
            {
                "epoch": epoch + 1,
                "loss": fitted[f"{prefix}loss"][0],
                "accuracy": fitted[f"{prefix}accuracy"][0],
                "val_loss": scores[f"{prefix}loss"],
                "val_accuracy": scores[f"{prefix}accuracy"],
                "learning_rate": float(network.optimizer.learning_rate),
            }
        )
        print(
            f"  validation: loss {history[-1]['val_loss']:.4f}, accuracy {history[-1]['val_accuracy']:.4f}", flush=True
        )
        _save(folder, network, history, identity)
    return _finish(run, network, pd.DataFrame(history), configuration, facts)


def _compile(network: keras.Model, training: Training, steps: int) -> None:
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, round(steps * (training.epochs - training.warmup))),
        warmup_target=training.learning_rate,
        warmup_steps=max(1, round(steps * training.warmup)),
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    smooth = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=training.label_smoothing)
    losses: dict[str, Any] = {"male": smooth}
    weights = {"male": 1.0}
    if "attributes" in network.output:
        losses["attributes"], weights["attributes"] = known_binary_crossentropy, training.attribute_weight
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    network.compile(optimizer, losses, loss_weights=weights, metrics={"male": [accuracy]}, jit_compile=False)


def _targets(faces: Faces, architecture: Architecture) -> dict[str, np.ndarray]:
    targets = {"male": faces.male[:, None]}
    if architecture.attributes:
        targets["attributes"] = faces.attributes
    return targets


def _batches(faces: Faces, architecture: Architecture, training: Training, epoch: int) -> tf.data.Dataset:
    """One epoch of augmented batches; the same for the same seed and epoch."""
    order = np.random.default_rng([training.seed, epoch]).permutation(len(faces))
    targets = _targets(faces, architecture)
    height, width = architecture.height, architecture.width

    def batches() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]]:
        for step, start in enumerate(range(0, len(order), training.batch_size)):
            rows = order[start : start + training.batch_size]
            seed = np.array([training.seed, epoch * 1_000_003 + step], np.int32)
            yield faces.pixels[rows], {name: values[rows] for name, values in targets.items()}, seed

    signature = (
        tf.TensorSpec((None, *faces.pixels.shape[1:]), tf.uint8),
        {name: tf.TensorSpec((None, values.shape[1]), tf.float32) for name, values in targets.items()},
        tf.TensorSpec((2,), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.map(lambda x, y, seed: (augment(x, seed, height, width), y), num_parallel_calls=2)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(-(-len(order) // training.batch_size)))
    return dataset.prefetch(2)


def _save(folder: Path, network: keras.Model, history: list[dict[str, float]], identity: dict[str, Any]) -> None:
    with paths.replacing(folder) as new:
        new.mkdir()
        network.save(new / "network.keras")
        (new / "state.json").write_text(json.dumps({"history": history, **identity}), encoding="utf-8")


def _resume(folder: Path, identity: dict[str, Any]) -> tuple[keras.Model | None, list[dict[str, float]]]:
    state_path = folder / "state.json"
    if not state_path.exists():
        return None, []
    state = json.loads(state_path.read_text("utf-8"))
    if {key: state[key] for key in identity} != json.loads(json.dumps(identity)):
        return None, []  # another configuration or other data: from the start
    print(f"Going on after epoch {len(state['history'])}", flush=True)
    return keras.saving.load_model(folder / "network.keras"), state["history"]


def _finish(
    run: str, network: keras.Model, history: pd.DataFrame, configuration: dict[str, Any], facts: dict[str, Any]
) -> pd.DataFrame:
    if history.empty:
        raise UserError("no epoch was trained: give `--epochs` of 1 or more")
    served = serving_network(network)
    with paths.replacing(paths.run_folder(run) / "model") as new:
        new.mkdir()
        served.save(new / "model.keras")
        history.to_parquet(new / "history.parquet", index=False)
        architecture = configuration["architecture"]
        export(served, new, height=architecture["height"], width=architecture["width"], run=run)
    record_step(run, "train", configuration, data=facts)
    shutil.rmtree(paths.run_folder(run) / "checkpoint")
    return history
