"""Train a network on ingested faces and write ``runs/RUN/model``: weights, history and serving file. Resumable.

Evaluation is a separate step: ``model.evaluation.evaluate``.
"""

import contextlib
import json
import math
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from keras import ops
from tensorboard.summary import Writer

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.data.backbones import DLIB, MOBILEFACENET, open_backbone
from analysis.data.dataset import Dataset
from analysis.results import Run, artifacts
from analysis.results.publish import record_step
from analysis.results.records import Backbone, Data, Recipe, Stage, TrainOptions
from model.predict import window
from model.training import dlib, mobilefacenet
from model.training.architecture import Architecture, begin_with, build, layer_weights, serving_network
from model.training.augment import Augmentation
from model.training.batches import Batches
from model.training.examples import AGE_EDGES, RACES, UNKNOWN, Faces, load_split, seen_data
from model.training.export import FILE, NETWORK, can_export, export
from model.training.head import LastLayer, balanced, group_losses, log_losses
from model.training.learner import Learner, learner, open_teacher
from model.training.sampler import draw_epoch, groups, sampling_weights, watched_groups
from model.training.strategies import Strategy, fit_together, is_chief, prefetched
from model.training.style import predict_style, with_style
from model.training.temperature import factors, fit_sharpness


@dataclass(frozen=True)
class Training:
    """Hyper-parameters of training.

    Attributes
    ----------
    epochs, batch_size
        Number of epochs (each as long as the training split) and faces per step.
    sizes
        Picture sizes relative to the aligned face, each used for an equal share of the epochs: small pictures train
        several times faster (Tan and Le, "EfficientNetV2", ICML 2021). The stages of the network halve the sides; with
        the default architecture, sides must be multiples of 16.
    calm
        Factor that scales augmentation during the last of ``sizes``, so that training ends, and normalisation is
        estimated, on pictures closer to plain photos.
    learning_rate, warmup
        Peak of the cosine schedule, and epochs until it is reached.
    weight_decay
        Weight decay of AdamW.
    label_smoothing
        Share of the target that goes to the other label.
    auxiliary
        Weight of each auxiliary loss: CelebA's 39 other attributes, UTKFace's age and race, where the source has
        them; 0 trains without.
    balance
        0 samples all faces equally often, 1 all groups of source, label, style and age; see `model.training.sampler`.
        Above 0 the last layer is refitted at the end if groups gain by it on average; see `model.training.head`.
    average
        Decay per step of the running mean of the weights, which is what is saved; 0 saves the weights themselves. A
        short training uses a smaller decay: its mean covers a tenth of the steps, not the random initial weights.
    teachers, teaching
        Teacher runs, and the share of the target that their mean probability replaces; see `model.training.learner`.
    start
        Initialise from this run; blocks that it lacks start as the identity, auxiliary heads are new. Several runs are
        averaged (Wortsman et al., "Model Soups", ICML 2022); they must share an architecture and should share an
        ancestor. Empty: random initial weights.
    backbone
        Initialise from this network of others, which was fetched before; see `analysis.data.backbones`. The
        architecture must be its own; see `BACKBONES`.
    precision
        Keras' dtype policy in training: float32 or mixed_bfloat16; the result is float32.
    seed
        Random seed for weights, order and augmentation.
    augmentation
        Strength of augmentation.
    architecture
        Hyper-parameters of the network.
    """

    epochs: int = 40
    batch_size: int = 64
    sizes: tuple[float, ...] = (0.8, 1.0)
    calm: float = 0.6
    learning_rate: float = 1.2e-3
    warmup: float = 2.0
    weight_decay: float = 0.1
    label_smoothing: float = 0.05
    auxiliary: float = 0.5
    balance: float = 0.3
    average: float = 0.998
    teachers: tuple[str, ...] = ()
    teaching: float = 0.7
    start: tuple[str, ...] = ()
    backbone: str = ""
    precision: str = "float32"
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    architecture: Architecture = field(default_factory=Architecture)

    def size(self, epoch: int) -> float:
        """Picture size in an epoch (counted from 0)."""
        return self.sizes[self._part(epoch)]

    def strength(self, epoch: int) -> Augmentation:
        """Strength of augmentation in an epoch (counted from 0)."""
        last = self._part(epoch) == len(self.sizes) - 1
        return self.augmentation.scaled(self.calm) if last else self.augmentation

    def best(self, history: list[dict[str, float]]) -> int:
        """Epoch (from 0) at the last size with the lowest loss, groups counting alike; if none, the last epoch."""
        last = [epoch for epoch in range(len(history)) if self._part(epoch) == len(self.sizes) - 1]
        return min(last, key=lambda epoch: history[epoch]["val_group_loss"]) if last else len(history) - 1

    def _part(self, epoch: int) -> int:
        return min(len(self.sizes) - 1, epoch * len(self.sizes) // max(1, self.epochs))


# Architectures that begin with a network of others: the face, enlarged towards the size of faces that it has learned
# from. Of dlib's the last two blocks are left out, and a face is seen without its mirror image: it then takes as long
# as both take in the network from random weights.
BACKBONES = {
    DLIB: Architecture(
        height=60, width=60, body="dlib", filters=dlib.WIDTHS[:4], blocks=(3, 4, 3, 2), enlarged=1.95, mirrored=False
    ),
    MOBILEFACENET: Architecture(
        height=74,
        width=60,
        body="mobilefacenet",
        filters=mobilefacenet.WIDTHS,
        blocks=mobilefacenet.BLOCKS,
        enlarged=1.4667,
        mirrored=False,
    ),
}


@keras.saving.register_keras_serializable("meanface")
def known_binary_crossentropy(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy from logits, averaged over the known targets (not -1); one value per face."""
    known = ops.cast(ops.not_equal(target, UNKNOWN), logits.dtype)
    loss = ops.binary_crossentropy(ops.maximum(target, 0.0), logits, from_logits=True)
    return ops.sum(loss * known, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)


@keras.saving.register_keras_serializable("meanface")
def known_crossentropy(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy from logits of a class number, float (n, 1); 0 where it is unknown (-1); one value per face."""
    known = ops.cast(ops.not_equal(target[:, 0], UNKNOWN), logits.dtype)
    number = ops.cast(ops.maximum(target[:, 0], 0.0), "int32")
    return known * ops.sparse_categorical_crossentropy(number, logits, from_logits=True)


@keras.saving.register_keras_serializable("meanface")
def same_side(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """1.0 where logit and target agree on the label; teachers and mixing may have moved the target off 0 and 1."""
    return ops.cast(ops.equal(target > 0.5, logits > 0.0), logits.dtype)


@keras.saving.register_keras_serializable("meanface")
class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW that keeps a running mean of the weights and leaves the weights themselves alone.

    Keras overwrites the weights with their mean at the end of every ``fit``. Here each epoch is one ``fit``, and
    training that restarts from the mean every time loses much of what it has just learnt. One ``fit`` with Keras'
    callbacks was tried instead; see "Keras' callbacks for the loop's book-keeping" in ``docs/experiments.md``.
    """

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """Do nothing; `take_mean` does on request what Keras does here."""

    def take_mean(self, variables: list[keras.Variable]) -> None:
        """Overwrite the weights with their running mean."""
        super().finalize_variable_values(variables)


_ROOM = 64 << 20  # bytes that checkpoints and model take at least
_PAUSE = 60.0  # seconds between checkpoints, at least: on an accelerator an epoch takes less time than one
_FORMAT = 3  # version of the checkpoint files
_SETTLING = 30  # batches to re-estimate normalisation on; its moving average spans about 20
_LOSSES = {"attributes": known_binary_crossentropy, "age": known_crossentropy, "race": known_crossentropy}


def train(datasets: Sequence[Dataset], run: Run, training: Training, strategy: Strategy | None = None) -> pd.DataFrame:
    """Train a network and write the model part of a run.

    The result is the running mean of the weights after the best epoch: the one at the last of ``sizes`` with the
    lowest log loss on validation faces, groups counting alike (early stopping without stopping: Prechelt, "Early
    Stopping - But When?", 1998; by groups: Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts",
    ICLR 2020, who take the worst; here that is one whose labels are doubtful, which no epoch does well on).
    After an epoch, but not more than once a minute, weights, their running mean, optimiser and history are saved
    together; order and augmentation depend only on seed, epoch and step. A killed training resumes from there when it
    is started again with the same data and configuration. Scalars for TensorBoard go to ``runs/RUN/logs``.

    Parameters
    ----------
    datasets
        Ingested data sets: training uses their train splits, the choice of the epoch their validation splits.
    run
        Run to write; its folder ``model`` is replaced.
    training
        Hyper-parameters.
    strategy
        Distribution strategy; default: this process only. See `model.training.strategies`.

    Returns
    -------
    pandas.DataFrame
        History: ``epoch, loss, accuracy, val_loss, val_accuracy, val_group_loss, val_worst_loss, val_worst_accuracy,
        learning_rate, kept``; losses and accuracies are those of the label, on augmented faces and (``val_``) on the
        plain validation split with the averaged weights, both at the picture size of the epoch; ``val_group_loss`` is
        the mean of the losses of groups of at least `model.training.sampler.FEWEST` faces, ``val_worst_`` refers to
        the worst of them; ``kept`` marks the epoch whose weights are saved.

    Raises
    ------
    UserError
        If a data set is not ingested, a split is empty, a teacher or the backbone is missing, or the run cannot be
        written to.
    """
    storage.check_writable(run.folder / "model", _ROOM)
    if training.start and training.backbone:
        raise UserError("a training begins with runs or with a backbone: leave out `--start` or `--backbone`")
    if training.backbone:
        open_backbone(training.backbone)  # which says now, not after the splits are read, that it is not here
    facts = seen_data(datasets)
    train_split, validation = load_split(datasets, "train"), load_split(datasets, "validation")
    training = with_heads(training, train_split)
    if training.start or training.backbone:
        train_split, validation = _with_styles(training, train_split, validation)
    configuration = {**asdict(training), "datasets": [dataset.name for dataset in datasets]}
    data = {name: fact.fingerprint for name, fact in facts.items()}
    identity = {"configuration": configuration, "data": data, "format": _FORMAT}
    folder = run.folder
    if _trained_elsewhere(run, configuration, data):
        print("Trained already, on a machine without TensorFlow: writing the serving file", flush=True)
        _export(run, folder / "model", training, train_split, validation)
        return artifacts.HISTORY.read(folder)
    with strategy.scope() if strategy else contextlib.nullcontext():
        teachers = [open_teacher(name, training.architecture) for name in training.teachers]
        pupil, best, history = _resume(folder / "checkpoint", identity)
        if pupil is None:
            pupil = compiled(training, len(train_split))
        pupil.learn_from(teachers, training.teaching)
    kept = keeper(pupil, training)
    logs = Writer(str(folder / "logs"))
    saved = -math.inf
    for row in fit(pupil, kept, train_split, validation, training, history, strategy):
        history.append(row)
        if training.best(history) == len(history) - 1:
            best = kept.get_weights()
        print(f"  validation: loss {row['val_loss']:.4f}, accuracy {row['val_accuracy']:.4f}", flush=True)
        for name, value in row.items():
            logs.add_scalar(name, value, int(row["epoch"]))
        logs.flush()
        if is_chief(strategy) and time.monotonic() - saved >= _PAUSE:
            _save(folder / "checkpoint", pupil, best, history, identity)
            saved = time.monotonic()
    logs.close()
    if not history:
        raise UserError("no epoch was trained: give `--epochs` of 1 or more")
    table = pd.DataFrame(history)
    table["kept"] = table.index == training.best(history)
    if is_chief(strategy):
        kept.set_weights(best)
        if training.balance:
            _balance_last_layer(kept, training, train_split, validation)
        _finish(run, kept, table, training, configuration, facts, (train_split, validation))
    return table


def with_heads(training: Training, faces: Faces) -> Training:
    """The same training with a head for each auxiliary target that is known for some of the faces."""
    known = {
        "attributes": len(CELEBA_ATTRIBUTES) * bool((faces.attributes != UNKNOWN).any()),
        "ages": (len(AGE_EDGES) + 1) * bool((faces.age_class != UNKNOWN).any()),
        "races": len(RACES) * bool((faces.race_class != UNKNOWN).any()),
    }
    if not training.auxiliary:
        known = dict.fromkeys(known, 0)
    architecture = replace(
        training.architecture, attributes=known["attributes"], ages=known["ages"], races=known["races"]
    )
    return replace(training, architecture=architecture)


def compiled(training: Training, faces: int) -> Learner:
    """Network and optimiser for a training on this many faces."""
    network = build(training.architecture, training.seed, training.precision)
    try:
        if training.start:
            begin_with(network, _initial_weights(training.start))
        elif training.backbone:
            begin_with(network, _backbone_weights(training))
    except ValueError:
        begun = " and ".join(training.start) or training.backbone
        raise UserError(
            f"{begun}: of another architecture; begin with runs of the same, or with one of fewer blocks"
        ) from None
    steps = max(1, faces // training.batch_size)
    average = min(training.average, max(0.0, 1 - 10 / max(1, steps * training.epochs)))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, round(steps * (training.epochs - training.warmup))),
        warmup_target=training.learning_rate,
        warmup_steps=max(1, round(steps * min(training.warmup, training.epochs / 4))),
    )
    optimizer = AveragingAdamW(
        schedule,
        weight_decay=training.weight_decay,
        clipnorm=1.0,
        use_ema=training.average > 0,
        ema_momentum=average,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    heads = training.architecture.heads
    pupil = learner(network, *_side_lengths(training, 0))
    pupil.compile(
        optimizer,
        {
            "male": keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=training.label_smoothing),
            **{name: _LOSSES[name] for name in heads},
        },
        loss_weights={"male": 1.0, **dict.fromkeys(heads, training.auxiliary)},
        metrics={"male": [keras.metrics.MeanMetricWrapper(same_side, name="accuracy")]},
        jit_compile=keras.backend.backend() == "jax",  # slower than TensorFlow's and PyTorch's kernels on processors
    )
    return pupil


def _side_lengths(training: Training, epoch: int) -> tuple[int, int]:
    """Rows and columns of the pictures of an epoch, counted from 0."""
    size = training.size(epoch)
    return round(training.architecture.height * size), round(training.architecture.width * size)


def keeper(pupil: Learner, training: Training) -> keras.Model:
    """Second network, float32, for the running mean of the weights; without averaging, the network itself."""
    return build(training.architecture) if training.average else pupil.network


def _backbone_weights(training: Training) -> dict[str, list[np.ndarray]]:
    folder, _ = open_backbone(training.backbone)
    if training.backbone == DLIB:
        return dlib.read_dlib(folder, training.architecture.blocks)
    side = round(training.architecture.width * training.architecture.enlarged)
    return mobilefacenet.read_mobilefacenet(folder, side)


def _initial_weights(runs: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
    """Weights of the network that a run serves, layer by layer; of several runs, their mean.

    Raises
    ------
    UserError
        If a run has no weights.
    ValueError
        If the runs differ in their architecture.
    """
    served = []
    for name in runs:
        path = Run.open(name).folder / "model" / NETWORK
        if not path.exists():
            raise UserError(f"run {name!r} has no weights to begin with: run `meanface train NAME --run {name}` first")
        served.append(layer_weights(keras.saving.load_model(path)))
    shapes = [{name: [array.shape for array in arrays] for name, arrays in weights.items()} for weights in served]
    if any(weights != shapes[0] for weights in shapes):
        raise ValueError("different architectures have no mean")
    return {
        name: [np.mean(arrays, axis=0) for arrays in zip(*(weights[name] for weights in served), strict=True)]
        for name in served[0]
    }


def fit(
    pupil: Learner,
    kept: keras.Model,
    train_split: Faces,
    validation: Faces,
    training: Training,
    history: list[dict[str, float]],
    strategy: Strategy | None = None,
) -> Iterator[dict[str, float]]:
    """Train epoch by epoch from where the history ends; yields one row of history per epoch.

    ``kept`` (see `keeper`) holds the running mean of the network's weights after each epoch. The network and the
    optimiser of ``pupil`` are those that are trained.
    """
    architecture = training.architecture
    weights = sampling_weights(groups(train_split), training.balance)
    watched = watched_groups(validation)
    targets = _targets(train_split, architecture)
    prefix = "male_" if architecture.heads else ""
    for epoch in range(len(history), training.epochs):
        rows = draw_epoch(weights, [training.seed, epoch])
        batches = _batches(train_split.pixels, targets, rows, training, epoch)
        with strategy.scope() if strategy else contextlib.nullcontext():
            pupil = pupil.at_size(*_side_lengths(training, epoch))
        if strategy and strategy.num_replicas_in_sync > 1:
            fitted = fit_together(strategy, pupil, batches)
        else:
            epoch_history = pupil.fit(prefetched(batches), initial_epoch=epoch, epochs=epoch + 1, shuffle=False)
            fitted = {name: values[0] for name, values in epoch_history.history.items()}
        if kept is not pupil.network:
            settle(kept, pupil, batches)
        plain = seen_at(validation, architecture, training.size(epoch))
        scores = kept.predict(plain, batch_size=256, verbose=0)["male"][:, 0]
        row = {
            "epoch": epoch + 1,
            "loss": fitted[f"{prefix}loss"],
            "accuracy": fitted[f"{prefix}accuracy"],
            **_validated(scores, validation.male > 0, watched),
            "learning_rate": float(pupil.optimizer.learning_rate),
        }
        yield row


def _validated(logits: np.ndarray, male: np.ndarray, watched: list[np.ndarray]) -> dict[str, float]:
    """Log loss and accuracy of the label: over all validation faces, and mean and worst over the watched groups."""
    right = (logits > 0) == male
    losses = group_losses(logits, male, watched)
    return {
        "val_loss": float(log_losses(logits, male).mean()),
        "val_accuracy": float(right.mean()),
        "val_group_loss": float(losses.mean()),
        "val_worst_loss": float(losses.max()),
        "val_worst_accuracy": min(float(right[rows].mean()) for rows in watched),
    }


def _with_styles(training: Training, train_split: Faces, validation: Faces) -> tuple[Faces, Faces]:
    """The splits with the style of women predicted by the initial network where the source does not record it."""
    network = compiled(replace(training, average=0.0), len(train_split)).network
    seen = [_features(network, split, training) for split in (train_split, validation)]
    styles = [
        predict_style(train_split, seen[0], split, of_split)
        for split, of_split in zip((train_split, validation), seen, strict=True)
    ]
    return with_style(train_split, styles[0]), with_style(validation, styles[1])


def _features(network: keras.Model, faces: Faces, training: Training) -> np.ndarray:
    """Input of the last layer for plain faces at full size, float32 (n, features)."""
    features = keras.Model(network.inputs, network.get_layer("features").output)
    return features.predict(seen_at(faces, training.architecture, 1), batch_size=256, verbose=0)


def _balance_last_layer(network: keras.Model, training: Training, train_split: Faces, validation: Faces) -> None:
    """Refit the last layer with equal weight for each group, if that lowers the mean of the groups' losses."""
    weights, bias = network.get_layer("male").get_weights()
    layer = LastLayer(weights[:, 0].astype(np.float64), float(bias[0]))
    fitted, unseen = (_features(network, split, training) for split in (train_split, validation))
    balance = sampling_weights(groups(train_split), 1.0)
    watched = watched_groups(validation)
    best = balanced(layer, (fitted, train_split.male > 0, balance), (unseen, validation.male > 0), watched)
    network.get_layer("male").set_weights(
        [best.weights[:, None].astype(np.float32), np.array([best.bias], dtype=np.float32)]
    )
    before, after = (group_losses(last.logits(unseen), validation.male > 0, watched).mean() for last in (layer, best))
    print(f"Last layer: mean log loss of groups {before:.4f}, fitted again {after:.4f}", flush=True)


def _sharpness(network: keras.Model, training: Training, validation: Faces) -> tuple[LastLayer, tuple[float, float]]:
    """The layer that scales each logit, fitted to validation faces, and the temperatures that it gives 90 % of them."""
    weights, bias = network.get_layer("male").get_weights()
    features = _features(network, validation, training)
    logits = LastLayer(weights[:, 0].astype(np.float64), float(bias[0])).logits(features)
    layer = fit_sharpness(features, logits, validation.male > 0, validation.table["dataset"].to_numpy())
    low, high = np.quantile(1 / factors(layer, features), (0.05, 0.95))
    return layer, (float(low), float(high))


def settle(kept: keras.Model, pupil: Learner, batches: Batches) -> None:
    """Copy the running mean of a network's weights into ``kept`` and re-estimate its normalisation statistics.

    The statistics of the network in training do not fit the mean of its weights, so they are estimated on some batches
    (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018).
    """
    trained = [ops.convert_to_numpy(variable) for variable in pupil.trainable_variables]
    pupil.optimizer.take_mean(pupil.trainable_variables)
    kept.set_weights(pupil.network.get_weights())
    for variable, value in zip(pupil.trainable_variables, trained, strict=True):
        variable.assign(value)
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in kept.layers):
        for step in range(min(_SETTLING, len(batches))):
            kept(pupil.pictures(batches[step][0]), training=True)


def seen_at(faces: Faces, architecture: Architecture, size: float) -> np.ndarray:
    """Plain faces as the network gets them at a picture size: uint8 (n, height * size, width * size, 3)."""
    seen = window(faces.pixels, architecture.height, architecture.width)
    if size == 1:
        return seen
    shape = (round(architecture.width * size), round(architecture.height * size))
    return np.stack([cv2.resize(face, shape, interpolation=cv2.INTER_LINEAR) for face in seen])


def _targets(faces: Faces, architecture: Architecture) -> dict[str, np.ndarray]:
    every = {"attributes": faces.attributes, "age": faces.age_class[:, None], "race": faces.race_class[:, None]}
    return {"male": faces.male[:, None]} | {name: every[name] for name in architecture.heads}


def _batches(
    pixels: np.ndarray, targets: dict[str, np.ndarray], rows: np.ndarray, training: Training, epoch: int
) -> Batches:
    return Batches(
        pixels,
        targets,
        rows,
        batch_size=training.batch_size,
        seed=(training.seed, epoch),
        window=(training.architecture.height, training.architecture.width),
        size=training.size(epoch),
        strength=training.strength(epoch),
    )


def _backbones(training: Training) -> list[Backbone]:
    """Networks of others that the training, or an ancestor of it, started from; each once."""
    known = [open_backbone(training.backbone)[1]] if training.backbone else []
    for name in (*training.start, *training.teachers):
        step = Run.open(name).results.run.steps.train
        known += step.backbones if step else []
    return list({backbone.sha256: backbone for backbone in known}.values())


def _recipe(run: Run, training: Training, configuration: dict[str, Any]) -> Recipe | None:
    """The run's training, after those of its ancestors; None where an ancestor has no recipe."""
    stages: dict[str, Stage] = {}
    for name in (*training.start, *training.teachers):
        step = Run.open(name).results.run.steps.train
        if step is None or step.recipe is None or name == run.name:  # who begins with itself overwrites its ancestor
            return None
        stages |= {stage.run: stage for stage in step.recipe.stages}
    default = asdict(Training())
    chosen = asdict(training)
    chosen["architecture"] |= default["architecture"] | {  # heads follow from the data
        key: value for key, value in chosen["architecture"].items() if key not in ("attributes", "ages", "races")
    }
    given = {key: _changed(value, default[key]) for key, value in chosen.items() if value != default[key]}
    own = Stage(run=run.name, datasets=configuration["datasets"], training=given)
    return Recipe(stages=[*stages.values(), own])


def _changed(value: Any, default: Any) -> Any:
    """An option as plain values; of options with parts, those that differ from their default."""
    if isinstance(value, dict):
        return {key: _changed(part, default[key]) for key, part in value.items() if part != default[key]}
    return list(value) if isinstance(value, tuple) else value


def _save(
    folder: Path,
    pupil: Learner,
    best: list[np.ndarray],
    history: list[dict[str, float]],
    identity: dict[str, Any],
) -> None:
    with storage.replacing(folder) as new:
        new.mkdir()
        pupil.save(new / "learner.keras")
        np.savez(new / "best.npz", *best)
        (new / "state.json").write_text(json.dumps({"history": history, **identity}), encoding="utf-8")


def _resume(folder: Path, identity: dict[str, Any]) -> tuple[Learner | None, list[np.ndarray], list[dict[str, float]]]:
    """Network, weights of the best epoch and history; None and empty lists without a checkpoint to resume from."""
    state_path = folder / "state.json"
    if not state_path.exists():
        return None, [], []
    try:
        state = json.loads(state_path.read_text("utf-8"))
        if {key: state[key] for key in identity} != json.loads(json.dumps(identity)):
            return None, [], []  # another configuration or other data: start over
        with np.load(folder / "best.npz") as file:
            best = [file[name] for name in file.files]
        pupil = keras.saving.load_model(folder / "learner.keras")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        print(f"The checkpoint in {folder} is damaged ({error}): starting over", flush=True)
        return None, [], []
    print(f"Resuming after epoch {len(state['history'])}", flush=True)
    return pupil, best, state["history"]


def _trained_elsewhere(run: Run, configuration: dict[str, Any], data: dict[str, str]) -> bool:
    """Whether all that the run lacks is its serving file."""
    if (run.folder / "model" / FILE).exists() or not (run.folder / "model" / NETWORK).exists() or not can_export():
        return False
    step = run.results.run.steps.train
    if step is None:
        return False
    done = {name: getattr(step, name) for name in configuration}
    return (json.loads(json.dumps(done)), step.data) == (json.loads(json.dumps(configuration)), data)


def _export(run: Run, folder: Path, training: Training, train_split: Faces, validation: Faces) -> None:
    """Write serving file and card into a folder with the network to be served."""
    height, width = training.architecture.height, training.architecture.width
    trained, unseen = (window(split.pixels, height, width) for split in (train_split, validation))
    served = keras.saving.load_model(folder / NETWORK)
    export(served, folder, run=run.name, calibration=trained, validation=unseen, male=validation.male > 0)


def _finish(
    run: Run,
    network: keras.Model,
    history: pd.DataFrame,
    training: Training,
    configuration: dict[str, Any],
    facts: dict[str, Data],
    splits: tuple[Faces, Faces],
) -> None:
    sharpness, temperatures = _sharpness(network, training, splits[1])
    served = serving_network(network, training.architecture, sharpness)
    with storage.replacing(run.folder / "model") as new:
        new.mkdir()
        served.save(new / NETWORK)
        artifacts.HISTORY.write(history, new)
        if can_export():
            _export(run, new, training, *splits)
        else:
            print("The serving file needs TensorFlow: start the same command on a machine with it", flush=True)
    options = TrainOptions(
        **configuration,
        recipe=_recipe(run, training, configuration),
        backbones=_backbones(training),
        face_temperatures=temperatures,
    )
    record_step(run, options, data=facts)
    (run.folder / "checkpoint" / "state.json").unlink(
        missing_ok=True
    )  # without it the rest is no checkpoint, whenever one is killed
    shutil.rmtree(run.folder / "checkpoint", ignore_errors=True)
