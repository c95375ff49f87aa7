"""Runs: what each step of a run was made from, and how a run becomes the published one.

Knows ``run.json`` and folders; knows nothing of what the steps compute.
"""

import contextlib
import datetime
import importlib.metadata
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from analysis.core import paths, storage
from analysis.core.errors import UserError

_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python-headless",
    "scikit-learn",
    "onnxruntime",
    "holoviews",
)


def code_version() -> dict[str, str | None]:
    """Version of the package and, in a Git checkout, the commit that is checked out."""
    commit = None
    if not paths.INSTALLED:  # a virtual environment may lie in a checkout of something else
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            commit = subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=paths.PROJECT, capture_output=True, text=True, check=True
            ).stdout.strip()
    return {"version": importlib.metadata.version("meanface"), "commit": commit}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def record_step(run: str, step: str, configuration: dict[str, Any], *, data: dict[str, dict[str, Any]]) -> None:
    """Write into ``run.json`` what a step was made from.

    Parameters
    ----------
    run
        Name of the run.
    step
        "study", "train" or "evaluate".
    configuration
        Everything that the step's result depends on besides data and code.
    data
        Data set name -> facts with ``fingerprint`` and ``images``.
    """
    path = paths.run_folder(run) / "run.json"
    record: dict[str, Any] = {"run": run, "data": {}, "steps": {}}
    if path.exists():
        record = json.loads(path.read_text("utf-8"))
    record["created"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record["code"] = code_version()
    record["versions"] = _versions()
    for name, facts in data.items():
        record["data"][name] = {"fingerprint": facts["fingerprint"], "images": facts["images"]}
    record["steps"][step] = {
        **configuration,
        "data": {name: facts["fingerprint"] for name, facts in data.items()},
        "code": record["code"],
    }
    with storage.replacing(path) as new:
        new.write_text(json.dumps(record, indent=1), encoding="utf-8")


PUBLISHED = (
    "run.json",
    "study/study.json",
    "study/hypothesis.json",
    "study/hypothesis_regions.parquet",
    "study/hypothesis_confounders.parquet",
    "study/hypothesis_balance.parquet",
    "study/hypothesis_elsewhere.parquet",
    "study/hypothesis_maps.zarr.zip",
    "study/labels.parquet",
    "study/attributes.parquet",
    "study/cooccurrence.parquet",
    "study/identities.parquet",
    "study/duplicates.parquet",
    "study/doubts.parquet",
    "study/samples.zarr.zip",
    "study/quality.parquet",
    "study/average_faces.zarr.zip",
    "study/subsets.zarr.zip",
    "study/engines.json",
    "model/metrics.json",
    "model/history.parquet",
    "model/predictions.parquet",
    "model/curves.parquet",
    "model/groups.parquet",
    "model/cross_source.parquet",
    "model/robustness.parquet",
    "model/label_issues.parquet",
    "model/explanation.zarr.zip",
    "model/model.json",
    "model/model.onnx",
)
WHERE_PRESENT = (
    "ablation/ablation.parquet",
    "ablation/ablation.json",
    "search/search.parquet",
    "search/search.json",
)
MAX_WEIGHTS = 10_000_000  # bytes of the float Keras file above which it stays in the run


def publish(run: str, target: Path) -> list[str]:
    """Make a run the published one, atomically: readers see the old one or the new one.

    Parameters
    ----------
    run
        Name of a run with all its parts.
    target
        Folder of the published run.

    Returns
    -------
    list of str
        Files published, relative to ``target``.

    Raises
    ------
    UserError
        If the run is missing a part, or its parts come from different data.
    """
    source = paths.run_folder(run)
    missing = [name for name in PUBLISHED if not (source / name).exists()]
    if missing:
        raise UserError(f"run {run!r} is not complete, {missing[0]} is missing: run study, train and evaluate first")
    _check_one_data(json.loads((source / "run.json").read_text("utf-8")))
    names = [*PUBLISHED, *(name for name in WHERE_PRESENT if (source / name).exists())]
    weights = source / "model" / "model.keras"
    if weights.exists() and weights.stat().st_size < MAX_WEIGHTS:
        names.append("model/model.keras")
    with storage.replacing(target) as new:
        for name in names:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, new / name)
        if (target / "LICENSE").exists():  # the terms that results/ is under outlive the run
            shutil.copy2(target / "LICENSE", new / "LICENSE")
    return names


def _check_one_data(record: dict[str, Any]) -> None:
    seen: dict[str, str] = {}
    for step, configuration in record["steps"].items():
        for name, fingerprint in configuration["data"].items():
            if seen.setdefault(name, fingerprint) != fingerprint:
                raise UserError(
                    f"step {step!r} of run {record['run']!r} used another version of {name!r} than the steps before: "
                    "run study, train and evaluate again"
                )
