"""Distribution strategies: training in one process, on several devices or on several machines.

The environment variable ``TF_CONFIG`` lists the machines, which must all see the same ``MEANFACE_HOME``. The first
worker writes checkpoints and the run.
"""

import json
import os

import keras
import tensorflow as tf

from analysis.core.errors import UserError


def open_strategy(name: str) -> tf.distribute.Strategy:
    """Make a strategy by name.

    Parameters
    ----------
    name
        "one", "mirrored" (all devices of this machine) or "multi-worker" (the machines of ``TF_CONFIG``).

    Returns
    -------
    tf.distribute.Strategy

    Raises
    ------
    UserError
        If ``TF_CONFIG`` is needed and does not describe a cluster.
    """
    if name == "multi-worker":
        try:
            workers = json.loads(os.environ.get("TF_CONFIG", "{}"))["cluster"]["worker"]
        except (KeyError, TypeError, json.JSONDecodeError):
            raise UserError(
                'set TF_CONFIG to {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": N}} '
                "on every machine before training with `--strategy multi-worker`"
            ) from None
        if len(workers) > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy() if name == "mirrored" else tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id == 0


def fit_together(strategy: tf.distribute.Strategy, network: keras.Model, batches: tf.data.Dataset) -> dict[str, float]:
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
    faces, targets = next(iter(batches))
    with strategy.scope():  # losses and metrics create their variables on first use
        outputs = network(faces)
        network.compute_loss(faces, targets, outputs)
        network.compute_metrics(faces, targets, outputs)
        network.optimizer.build(network.trainable_variables)
        network.reset_metrics()

    @tf.function
    def step(batch: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> None:
        strategy.run(network.train_step, args=(batch,))

    for batch in strategy.experimental_distribute_dataset(batches):
        step(batch)
    return {name: float(value) for name, value in network.get_metrics_result().items()}
