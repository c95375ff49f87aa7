"""Collects what the long tests of reliability find: `make torture` writes it to ``results/reliability.json``."""

import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.results.artifacts import RELIABILITY
from analysis.results.publish import code_version
from analysis.results.records import ReliabilityRecord

_SUMS = ("inputs", "requests", "failures", "hangs")  # over tests; of the memory the most, of all else the last
_found: dict[str, Any] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for name, figures in report.user_properties:
            if name == "reliability":
                _add(figures)


def _add(figures: Mapping[str, Any]) -> None:
    for name, value in figures.items():
        if name == "kills":
            _found[name] = _found.get(name, {}) | value
        else:
            _found[name] = _found.get(name, 0) + value if name in _SUMS else max(_found.get(name, 0), value)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the figures, beside those of tests that were not run this time, once none is missing."""
    folder = os.environ.get("MEANFACE_FIGURES")
    if not folder or not _found:
        return
    notes = Path(folder) / ".reliability.json"
    before = json.loads(notes.read_text()) if notes.exists() else {}
    kills = before.get("kills", {}) | _found.get("kills", {})
    made = {"created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    figures = before | _found | made | ({"kills": kills} if kills else {})
    notes.write_text(json.dumps(figures))
    if not ReliabilityRecord.model_fields.keys() - figures.keys() - {"code"}:
        RELIABILITY.write(ReliabilityRecord(**figures, code=code_version()), Path(folder))
        notes.unlink()
