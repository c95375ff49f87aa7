"""Two processes on loopback train one network together; what cannot work says what to set."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from analysis.core.errors import UserError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")

WORKER = """
import sys
from analysis.data.dataset import Dataset
from analysis.results import Run
from model.training.architecture import Architecture
from model.training.strategies import open_strategy
strategy = open_strategy("multi-worker")
from model.training.train import Training, train
small = Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1))
training = Training(epochs=2, batch_size=64, sizes=(1.0,), architecture=small)
history = train([Dataset.open("demo")], Run.open(sys.argv[1]), training, strategy)
print("loss", history["loss"].round(5).tolist(), "replicas", strategy.num_replicas_in_sync)
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.mark.slow
def test_two_workers_train_one_network_and_the_first_writes_it(demo_home: Path) -> None:
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, "together"],
            env=os.environ
            | {
                "MEANFACE_HOME": str(demo_home),
                "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "CUDA_VISIBLE_DEVICES": "-1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        ends = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], ends[0][1][-2000:] + ends[1][1][-2000:]
    first, second = (out.splitlines()[-1] for out, _ in ends)
    assert first == second  # the same losses: gradients and metrics are summed over both
    assert first.endswith("replicas 2")
    model = demo_home / "runs/together/model"
    assert (model / "model.onnx").exists()
    assert len(pd.read_parquet(model / "history.parquet")) == 2


@pytest.mark.parametrize("config", ["", "{}", "not json", '{"cluster": {}}'])
def test_multi_worker_without_a_cluster_says_what_to_set(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.training.strategies import open_strategy

    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match="TF_CONFIG"):
        open_strategy("multi-worker")


def test_one_process_is_its_own_chief() -> None:
    from model.training.strategies import is_chief, open_strategy

    assert is_chief(open_strategy("one"))
    assert is_chief(open_strategy("mirrored"))
