"""Runs: what each step of a run was made from, and how a run becomes the published one."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.core import paths, storage, switch
from analysis.core.errors import UserError
from analysis.results import artifacts
from analysis.results.artifacts import ARTIFACTS, STEPS
from analysis.results.reader import Run
from analysis.results.records import Code, Data, EvaluateOptions, RunRecord, Steps, StudyOptions, TrainOptions
from analysis.results.stored import Artifact, Binary

_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python-headless",
    "scikit-learn",
    "onnxruntime",
    "holoviews",
)

_STEPS: dict[type, str] = {StudyOptions: "study", TrainOptions: "train", EvaluateOptions: "evaluate"}

README = "README.md"
_OPENING = """# What is in each file

One run's stored results: all that the report, the explorer and the API show is read from here. This page is made from
`analysis/results/artifacts.py`, where each file is declared.

Tables are Parquet (`pandas.read_parquet`), arrays are Zarr in a zip file (`analysis.core.zarr_zip.read_zarr_zip`),
the rest is JSON: there a name is the way to a value, and `*` stands for any key or item. Intervals are 95 % ones.
"""


def code_version() -> Code:
    """Version of the package and, in a Git checkout, the commit that is checked out."""
    commit = None
    if not paths.INSTALLED:  # a virtual environment may lie in a checkout of something else
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            commit = subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=paths.PROJECT, capture_output=True, text=True, check=True
            ).stdout.strip()
    return Code(version=importlib.metadata.version("meanface"), commit=commit)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def record_step(run: Run, options: StudyOptions | TrainOptions | EvaluateOptions, *, data: Mapping[str, Data]) -> None:
    """Write into ``run.json`` what a step was made from.

    Parameters
    ----------
    run
        The run, which may be new.
    options
        What the step was given; their class says which step it is.
    data
        The data sets that the step saw, by name.
    """
    path = run.folder / artifacts.RUN.path
    before = artifacts.RUN.read(run.folder) if path.exists() else None
    code = code_version()
    step = _STEPS[type(options)]
    given = {name: getattr(options, name) for name in options.model_fields_set}
    made_from = {**given, "data": {name: facts.fingerprint for name, facts in data.items()}, "code": code}
    record = RunRecord(
        run=before.run if before else run.name,
        data={**(before.data if before else {}), **data},
        steps=(before.steps if before else Steps()).changed(**{step: made_from}),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        code=code,
        versions=_versions(),
    )
    artifacts.RUN.write(record, run.folder)


def publish(run: Run, target: Path, *, without_recipe: bool = False) -> list[str]:
    """Make a run the published one in one step: readers see the old one or the new one, whole.

    What a killed process left of an earlier attempt is cleared first; see `analysis.core.switch`.

    Parameters
    ----------
    run
        A run with all its parts.
    target
        Folder of the published run.
    without_recipe
        Publish a run that nobody can make again, too; its model card says so.

    Returns
    -------
    list of str
        Files published, relative to ``target``.

    Raises
    ------
    UserError
        If there is no such run, a part of it is missing or damaged, its parts come from different data, it has no
        recipe, or the target cannot be written or holds something other than a published run.
    """
    source = run.folder
    if not source.is_dir():
        raise UserError(no_such_run(run))
    kept = [artifact for artifact in ARTIFACTS if _is_published(artifact, source)]
    missing = [artifact for artifact in kept if not (source / artifact.path).exists()]
    if missing:
        needed = {artifact.made_by for artifact in missing}
        commands = [f"`{step.replace('RUN', run.name)}`" for step in STEPS if step in needed]
        raise UserError(
            f"run {run.name!r} is not complete, {missing[0].path} is missing: run {', then '.join(commands)}"
        )
    if target != paths.home() / "results":
        storage.check_replaceable(target, (artifact.path for artifact in ARTIFACTS))
    storage.check_writable(target, sum((source / artifact.path).stat().st_size for artifact in kept))
    for artifact in kept:
        artifact.read(source)
    _check_model(source)
    record = artifacts.RUN.read(source)
    _check_one_data(record)
    _check_one_model(source)
    if not (without_recipe or (record.steps.train and record.steps.train.recipe)):
        raise UserError(
            f"run {run.name!r} cannot be made again, since it or an ancestor has no recipe: train it with "
            "`meanface train --recipe`, or publish it with `--without-recipe`, which its model card then says"
        )
    switch.clear_leftovers(target.parent, again=True)
    with storage.replacing(target) as new:
        for artifact in kept:
            (new / artifact.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / artifact.path, new / artifact.path)
        (new / README).write_text(description(), encoding="utf-8")
        # The terms that results/ is under, and what is known of the service, outlive the run.
        for stays in ("LICENSE", *(artifact.path for artifact in ARTIFACTS if artifact.published == "stays")):
            if (target / stays).exists():
                shutil.copy2(target / stays, new / stays)
    return [*(artifact.path for artifact in kept), README]


def no_such_run(run: Run, *, started_by: str = "study", also: Sequence[str] = ()) -> str:
    """Name the runs that there are, those of ``also`` among them, or else the command that starts one."""
    folder = run.folder.parent
    children = folder.iterdir() if folder.is_dir() else ()
    here = {path.name for path in children if path.is_dir() and not path.name.startswith(".")}
    others = sorted(here | {*also})
    where = f"neither in {folder} nor published" if also else f"in {folder}"
    start = f"start one with `meanface {started_by} NAME --run {run.name}`"
    remedy = f"choose one of {', '.join(others)}" if others else start
    return f"there is no run {run.name!r} {where}: {remedy}"


def _is_published(artifact: Artifact, source: Path) -> bool:
    path = source / artifact.path
    if artifact.published == "where present":
        limit = artifact.largest if isinstance(artifact, Binary) else None
        return path.exists() and (limit is None or path.stat().st_size < limit)
    return artifact.published == "always"


def _check_model(source: Path) -> None:
    card = artifacts.CARD.read(source)
    file = (source / artifacts.CARD.path).with_name(card.file)
    if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != card.sha256:
        made_by = artifacts.SERVING_FILE.made_by
        raise UserError(f"{file} is damaged, or not the file that {artifacts.CARD.name} describes: run `{made_by}`")


def _check_one_data(record: RunRecord) -> None:
    seen: dict[str, str] = {}
    for key, step in record.steps:
        for name, fingerprint in (step.data if step else {}).items():
            if seen.setdefault(name, fingerprint) != fingerprint:
                raise UserError(
                    f"step {key!r} of run {record.run!r} used another version of {name!r} than the steps before: "
                    "run study, train and evaluate again"
                )


def _check_one_model(source: Path) -> None:
    """Raise UserError if another model than the run's was measured beside the other package."""
    if not (source / artifacts.PEERS.path).exists():
        return
    measured = set(artifacts.PEERS.read(source)["sha256"])
    if measured != {artifacts.CARD.read(source).sha256}:
        raise UserError(
            f"{artifacts.PEERS.path} of run {source.name!r} was measured with another model: run "
            f"`{artifacts.PEERS.made_by}` again, or delete it"
        )


def description() -> str:
    """``README.md`` of a published run: what is in each of its files."""
    parts = [_OPENING]
    for artifact in ARTIFACTS:
        where = "" if artifact.published == "always" else f" ({artifact.published})"
        parts.append(f"## {artifact.path}\n\n{artifact.meaning} Written by `{artifact.made_by}`{where}.\n")
        rows = [f"| `{name}` | {type_} | {unit} | {meaning} |\n" for name, type_, unit, meaning in artifact.described()]
        if rows:
            parts.append("| name | type | unit | meaning |\n|:---|:---|:---|:---|\n" + "".join(rows))
    return "\n".join(parts)
