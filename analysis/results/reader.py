"""Reads a run: the stored results that the site, the explorer and the API show.

A run is a folder, ``runs/RUN`` or the published ``results``; `analysis.results.artifacts` declares its files and their
content. This module is independent of how they are computed and drawn.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.results import artifacts
from analysis.results.records import MetricsRecord


@dataclass(frozen=True)
class Results:
    """One run's stored results, each read and checked on first use.

    Each attribute has the name of a file that `analysis.results.artifacts` declares, and holds its content: a table as
    a data frame, arrays as an xarray data set, a JSON file as a record of `analysis.results.records`.

    Parameters
    ----------
    folder
        A run's folder.

    Raises
    ------
    UserError
        When an attribute is read, if its file is missing, damaged or of another version.
    """

    folder: Path

    run = artifacts.RUN
    reliability = artifacts.RELIABILITY
    study = artifacts.STUDY
    labels = artifacts.LABELS
    attributes = artifacts.ATTRIBUTES
    cooccurrence = artifacts.COOCCURRENCE
    identities = artifacts.IDENTITIES
    duplicates = artifacts.DUPLICATES
    doubts = artifacts.DOUBTS
    samples = artifacts.SAMPLES
    quality = artifacts.QUALITY
    average_faces = artifacts.AVERAGE_FACES
    subsets = artifacts.SUBSETS
    faces = artifacts.FACES
    aggregates = artifacts.AGGREGATES
    aggregate_errors = artifacts.AGGREGATE_ERRORS
    aggregate_shapes = artifacts.AGGREGATE_SHAPES
    aggregate_shape_errors = artifacts.AGGREGATE_SHAPE_ERRORS
    engines = artifacts.ENGINES
    hypothesis = artifacts.HYPOTHESIS
    regions = artifacts.REGIONS
    confounders = artifacts.CONFOUNDERS
    balance = artifacts.BALANCE
    elsewhere = artifacts.ELSEWHERE
    effects = artifacts.EFFECTS
    shape = artifacts.SHAPE
    shape_distances = artifacts.SHAPE_DISTANCES
    shape_groups = artifacts.SHAPE_GROUPS
    shape_maps = artifacts.SHAPE_MAPS
    shape_free = artifacts.SHAPE_FREE
    contrast = artifacts.CONTRAST
    metrics = artifacts.METRICS
    card = artifacts.CARD
    history = artifacts.HISTORY
    predictions = artifacts.PREDICTIONS
    curves = artifacts.CURVES
    groups = artifacts.GROUPS
    cross_source = artifacts.CROSS_SOURCE
    paired = artifacts.PAIRED
    peers = artifacts.PEERS
    cells = artifacts.CELLS
    promise = artifacts.PROMISE
    middle = artifacts.MIDDLE
    robustness = artifacts.ROBUSTNESS
    degraded = artifacts.DEGRADED
    label_issues = artifacts.LABEL_ISSUES
    explanation = artifacts.EXPLANATION
    ablation = artifacts.ABLATION
    ablation_budget = artifacts.ABLATION_BUDGET
    learning = artifacts.LEARNING
    learning_record = artifacts.LEARNING_RECORD
    search = artifacts.SEARCH
    search_record = artifacts.SEARCH_RECORD

    @property
    def network(self) -> MetricsRecord | None:
        """Metrics of the network; None before one is evaluated."""
        try:
            return self.metrics
        except UserError:
            return None

    @property
    def has_shape(self) -> bool:
        """Whether `meanface study` found landmarks, and so measured the shape of faces."""
        return (self.folder / artifacts.SHAPE.path).exists()

    @property
    def has_shape_free(self) -> bool:
        """Whether the run has shape-free averages, which need 16 people of each label."""
        return (self.folder / artifacts.SHAPE_FREE.path).exists()

    @property
    def has_faces(self) -> bool:
        """Whether the run has a row per image, and the averages of small groups; older runs have neither."""
        return all((self.folder / each.path).exists() for each in (artifacts.FACES, artifacts.AGGREGATES))

    @property
    def has_face_shapes(self) -> bool:
        """Whether small groups have shape and texture, too, which need landmarks."""
        return self.has_faces and (self.folder / artifacts.AGGREGATE_SHAPES.path).exists()

    @property
    def has_ablation(self) -> bool:
        """Whether `meanface ablate` was run."""
        return (self.folder / artifacts.ABLATION_BUDGET.path).exists()

    @property
    def has_learning(self) -> bool:
        """Whether `meanface curve` was run."""
        return (self.folder / artifacts.LEARNING_RECORD.path).exists()

    @property
    def has_search(self) -> bool:
        """Whether `meanface search` was run."""
        return (self.folder / artifacts.SEARCH_RECORD.path).exists()

    @property
    def has_peers(self) -> bool:
        """Whether the model was measured beside another package, with `benchmarks/peers.py`."""
        return (self.folder / artifacts.PEERS.path).exists()

    @property
    def has_promise(self) -> bool:
        """Whether the promise was tested by source and group, as newer runs do."""
        return (self.folder / artifacts.PROMISE.path).exists()

    @property
    def has_reliability(self) -> bool:
        """Whether the figures of `make torture` are there."""
        return (self.folder / artifacts.RELIABILITY.path).exists()

    @property
    def model_folder(self) -> Path:
        """Folder of the serving file."""
        return self.folder / "model"


@dataclass(frozen=True)
class Run:
    """A run: the folder of its steps, and the results that they have written so far.

    Attributes
    ----------
    name
        Name of the run.
    folder
        ``runs/NAME``, or the published ``results``; it need not exist before a step has written to it.
    """

    name: str
    folder: Path

    @classmethod
    def open(cls, name: str) -> "Run":
        """Open ``runs/NAME``, which can still be empty.

        Raises
        ------
        UserError
            If the name is not that of one folder.
        """
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise UserError(f"{name!r} is no name of a run: give the name of one folder in runs/")
        return cls(name, paths.run_folder(name))

    @classmethod
    def published(cls) -> "Run":
        """Open the published run.

        Raises
        ------
        UserError
            If no run is published.
        """
        results = published()
        return cls(results.run.run, results.folder)

    @cached_property
    def results(self) -> Results:
        """Results that the run's steps have stored."""
        return Results(self.folder)


def published(folder: Path | None = None) -> Results:
    """Read the published run, or the run in ``folder``.

    Raises
    ------
    UserError
        If there is no run.
    """
    folder = folder or paths.results_folder()
    if not (folder / artifacts.RUN.path).exists():
        raise UserError(f"no published run in {folder}: make one with `meanface publish RUN`")
    return Results(folder)
