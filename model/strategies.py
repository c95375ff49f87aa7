"""Where training runs: in one process, on several devices, or on several machines. Knows TensorFlow's strategies only.

Machines are described to TensorFlow by the environment variable ``TF_CONFIG``; all of them must see the same
``MEANFACE_HOME``. The first worker writes checkpoints and the run.
"""

import json
import os

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
