"""What TensorFlow does in its own way: reading batches ahead, and training on several devices or machines.

The environment variable ``TF_CONFIG`` lists the machines, which must all see the same ``MEANFACE_HOME``. The first
worker writes checkpoints and the run.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import keras

from analysis.core.errors import UserError
from model.training.batches import Batches, Pictures, Targets

Strategy = Any  # tf.distribute.Strategy, of a library that may be missing


def open_strategy(name: str) -> Strategy | None:
    """Make a strategy by name.

    Parameters
    ----------
    name
        "one", "mirrored" (all devices of this machine) or "multi-worker" (the machines of ``TF_CONFIG``).

    Returns
    -------
    tf.distribute.Strategy or None
        None trains in this process alone, as "one" does and "multi-worker" with a single machine.

    Raises
    ------
    UserError
        If ``TF_CONFIG`` is needed and does not describe a cluster, or Keras' backend is not TensorFlow.
    """
    if name == "one":
        return None
    if keras.backend.backend() != "tensorflow":
        raise UserError(f"`--strategy {name}` needs TensorFlow: set KERAS_BACKEND=tensorflow, or train on one device")
    import tensorflow as tf

    if name == "multi-worker":
        try:
            workers = json.loads(os.environ.get("TF_CONFIG", "{}"))["cluster"]["worker"]
        except (KeyError, TypeError, json.JSONDecodeError):
            raise UserError(
                'set TF_CONFIG to {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": N}} '
                "on every machine before training with `--strategy multi-worker`"
            ) from None
        return tf.distribute.MultiWorkerMirroredStrategy() if len(workers) > 1 else None
    return tf.distribute.MirroredStrategy()


def is_chief(strategy: Strategy | None) -> bool:
    """Whether this process writes the run."""
    resolver = strategy.cluster_resolver if strategy else None
    return resolver is None or not resolver.task_type or resolver.task_id == 0


def prefetched(batches: Batches) -> Any:
    """Batches as Keras should read them: on TensorFlow through ``tf.data``, without the tuning that Keras asks for.

    There is nothing to tune, and the tuner's thread delays the end of each epoch by ten seconds.
    """
    return _tensorflow_data(batches) if keras.backend.backend() == "tensorflow" else batches


def _tensorflow_data(batches: Batches) -> Any:
    import tensorflow as tf

    def each() -> Iterator[tuple[Pictures, Targets]]:
        for step in range(len(batches)):
            yield batches[step]

    signature = tf.nest.map_structure(lambda values: tf.TensorSpec((None, *values.shape[1:]), values.dtype), batches[0])
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA  # there are no files
    data = tf.data.Dataset.from_generator(each, output_signature=signature)
    # With a known length, Keras reads the data set to its end and leaves no generator waiting.
    data = data.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return data.prefetch(4).with_options(options)


def fit_together(strategy: Strategy, network: keras.Model, batches: Batches) -> dict[str, float]:
    """Train one epoch synchronously on several replicas: gradients and metrics are summed over all.

    ``keras.Model.fit`` cannot (Keras 3.15): it reduces nested batches and scalar logs over the workers, which
    TensorFlow's collective strategy does not support.

    Parameters
    ----------
    strategy
        Strategy with several replicas.
    network
        Compiled in the strategy's scope.
    batches
        Global batches, which are split between the workers.

    Returns
    -------
    dict
        Metric name -> value over the epoch.
    """
    import tensorflow as tf

    faces, targets = batches[0]
    with strategy.scope():  # losses and metrics create their variables on first use
        outputs = network(faces)
        network.compute_loss(faces, targets, outputs)
        network.compute_metrics(faces, targets, outputs)
        network.optimizer.build(network.trainable_variables)
        network.reset_metrics()

    @tf.function
    def step(batch: Any) -> None:
        strategy.run(network.train_step, args=(batch,))

    for batch in strategy.experimental_distribute_dataset(_tensorflow_data(batches)):
        step(batch)
    return {name: float(value) for name, value in network.get_metrics_result().items()}
