"""What the long tests found: collected, published and shown."""

import json
from pathlib import Path

from synthetic import write_results

from analysis.figures.reliability import reliability_reading, reliability_table
from analysis.results import Results, Run
from analysis.results.artifacts import RELIABILITY
from analysis.results.publish import publish
from analysis.results.records import ReliabilityRecord

FOUND = {
    "created": "2026-01-02T03:04:05+00:00",
    "code": {"version": "0.2.0", "commit": None},
    "inputs": 12_000,
    "requests": 3_000,
    "failures": 0,
    "hangs": 0,
    "photo_memory": 210,
    "server_memory": 800,
    "photo_ratio": 1.2,
    "throughput_ratio": 0.9,
    "crowded_ratio": 2.5,
    "kills": {"fetch": 10, "ingest": 12},
}


def test_the_table_and_the_sentence_say_what_was_found() -> None:
    found = ReliabilityRecord(**FOUND)
    table = reliability_table(found)
    assert table["Result"].tolist()[:4] == ["12,000", "3,000", "0", "0"]
    assert table["Result"].iloc[-1] == "fetch 10, ingest 12"
    assert "15,000 broken photos and requests, none failed or hung; after each of 22 kills" in reliability_reading(
        found
    )
    worse = found.model_copy(update={"failures": 3})
    assert "3 failed or hung" in reliability_reading(worse)


def test_what_is_known_of_the_service_stays_when_another_run_is_published(home: Path) -> None:
    write_results(home / "runs/synthetic")
    content = home / "runs/synthetic/model/model.onnx"
    content.write_bytes(b"onnx")
    publish(Run.open("synthetic"), home / "results")
    assert not Results(home / "results").has_reliability
    RELIABILITY.write(ReliabilityRecord(**FOUND), home / "results")
    publish(Run.open("synthetic"), home / "results")
    assert Results(home / "results").reliability.kills == {"fetch": 10, "ingest": 12}
    assert json.loads((home / "results/reliability.json").read_text())["inputs"] == 12_000
