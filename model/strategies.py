"""Where training runs: in one process, on several devices, or on several machines. Knows TensorFlow's strategies only.

Machines are described to TensorFlow by the environment variable ``TF_CONFIG``; all of them must see the same
``MEANFACE_HOME``. The first worker writes checkpoints and the run.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from analysis.errors import UserError


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
        If ``TF_CONFIG`` is needed and names no cluster.
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
    """Whether this process is the one that writes."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id == 0


def shard(strategy: tf.distribute.Strategy, part: Callable[[int, int], tf.data.Dataset]) -> Any:
    """Give each process its part of the batches.

    Parameters
    ----------
    strategy
        Where training runs.
    part
        (worker, workers) -> batches of that worker, its rows of each global batch.

    Returns
    -------
    tf.data.Dataset or tf.distribute.DistributedDataset
        What ``keras.Model.fit`` takes.
    """
    if strategy.num_replicas_in_sync == 1:
        return part(0, 1)

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        # A machine with several devices feeds them in turn, each with a part as large.
        devices = strategy.num_replicas_in_sync // context.num_input_pipelines
        parts = [
            part(context.input_pipeline_id * devices + device, strategy.num_replicas_in_sync)
            for device in range(devices)
        ]
        return tf.data.Dataset.choose_from_datasets(parts, tf.data.Dataset.range(devices).repeat())

    return strategy.distribute_datasets_from_function(of_worker)
