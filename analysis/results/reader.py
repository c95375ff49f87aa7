"""Reads a run: the stored results that the site, the explorer and the API show.

Knows the files of a run and what is in each; knows nothing of how they were computed or how they are drawn. A run is
a folder, ``runs/RUN`` or the published ``results``::

    run.json                      name, when, code version, data sets with their fingerprints, configuration
    study/study.json              counts and provenance of the study
    study/labels.parquet          label, split, images, identities
    study/attributes.parquet      scope, attribute, label, images, positives, prevalence, low, high
    study/cooccurrence.parquet    scope, first, second, first_place, second_place, images, both, phi
    study/identities.parquet      scope, images, people, mixed_people, minority_images
    study/duplicates.parquet      kind, same_split, same_label, same_person, images
    study/doubts.parquet          kind, group, images, doubted, share, low, high
    study/samples.zarr.zip        face (picture, y, x, channel); label, members (picture)
    study/quality.parquet         label, measure, unit, bin_left, bin_right, images
    study/average_faces.zarr.zip  mean, spread, sem (label, y, x, channel); count (label)
    study/subsets.zarr.zip        mean, spread (subset, y, x, channel); count, people, filter (subset)
    study/engines.json            how far the quick averages are from the exact ones
    study/hypothesis.json         the verdict: effect, p, what survives matching, controls, accuracies of averages
    study/hypothesis_*.parquet    regions, confounders, balance, elsewhere: the test in parts, with intervals
    study/hypothesis_maps.zarr.zip  effect (channel, y, x), held_equal and elsewhere at half size
    model/metrics.json            per source and split: accuracy, intervals, confusion, report, calibration, coverage
    model/history.parquet         a row an epoch
    model/predictions.parquet     image_id, dataset, split, label, p_male, decision: never an image
    model/curves.parquet          source, split, curve, x, y, low, high: ROC and precision-recall
    model/groups.parquet          run, source, feature, group, images, accuracy, gap and more, with intervals
    model/cross_source.parquet    run, trained_on, source, images, accuracy, low, high, ece, coverage
    model/robustness.parquet      source, degradation, unit, level, intact, images, accuracy, low, high
    model/label_issues.parquet    source, image_id, split, given, suggested, self_confidence: never an image
    model/explanation.zarr.zip    heat (label, y, x), face (label, y, x, channel), count; deletion and insertion
    model/model.onnx, model.json  the serving file and what it needs to be read
    ablation/ablation.parquet     variant, dataset, accuracy, difference, low, high and more; ablation.json, the budget
    search/search.parquet         trial, state, value, accuracy, seconds, settings; search.json: importance, best

The last two are there where `meanface ablate` and `meanface search` were run.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.core.zarr_zip import read_zarr_zip


@dataclass(frozen=True)
class Results:
    """One run's stored results, each read on first use.

    Parameters
    ----------
    folder
        A run's folder; see the module's text for its files.
    """

    folder: Path

    def _path(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise UserError(f"{path} is missing: run `meanface study`, `train`, `evaluate`, then `publish`")
        return path

    def _json(self, name: str) -> dict[str, Any]:
        return json.loads(self._path(name).read_text(encoding="utf-8"))

    @cached_property
    def run(self) -> dict[str, Any]:
        """``run.json``: ``run``, ``created``, ``code``, ``versions``, ``data`` (name -> facts) and ``steps``."""
        return self._json("run.json")

    @cached_property
    def study(self) -> dict[str, Any]:
        """``study.json``: ``images``, ``identities``, ``metadata_images``, ``status``, ``duplicates``, ``frame``."""
        return self._json("study/study.json")

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Images and identities of each label and split."""
        return pd.read_parquet(self._path("study/labels.parquet"))

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """Prevalence in [0, 1] of each attribute and label with its 95 % Wilson interval.

        ``scope`` is "images" (the faces that were studied) or "metadata" (every row of the attribute file).
        """
        return pd.read_parquet(self._path("study/attributes.parquet"))

    @cached_property
    def cooccurrence(self) -> pd.DataFrame:
        """Correlation of every pair of attributes; see ``analysis.study.cooccurrence.cooccurrence_table``."""
        return pd.read_parquet(self._path("study/cooccurrence.parquet"))

    @cached_property
    def identities(self) -> pd.DataFrame:
        """People by the number of their images, and how many of them carry both labels."""
        return pd.read_parquet(self._path("study/identities.parquet"))

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Pictures that repeat an earlier one, by what the copies disagree about."""
        return pd.read_parquet(self._path("study/duplicates.parquet"))

    @cached_property
    def doubts(self) -> pd.DataFrame:
        """Labels that confident learning doubts on out-of-fold scores, counted by group."""
        return pd.read_parquet(self._path("study/doubts.parquet"))

    @cached_property
    def samples(self) -> xr.Dataset:
        """Composites of 16 faces or more each; see ``analysis.study.samples.sample_grid``."""
        return read_zarr_zip(self._path("study/samples.zarr.zip"))

    @cached_property
    def quality(self) -> pd.DataFrame:
        """Histograms of brightness, contrast, sharpness and size by label."""
        return pd.read_parquet(self._path("study/quality.parquet"))

    @cached_property
    def average_faces(self) -> xr.Dataset:
        """``mean``, ``spread``, ``sem`` in [0, 1] (label, y, x, channel; R, G, B) and ``count`` (label)."""
        return read_zarr_zip(self._path("study/average_faces.zarr.zip"))

    @cached_property
    def subsets(self) -> xr.Dataset:
        """Averages of named subsets, each of 16 people or more; see ``analysis.averages.gallery.build_gallery``."""
        return read_zarr_zip(self._path("study/subsets.zarr.zip"))

    @cached_property
    def engines(self) -> dict[str, Any]:
        """How far the quick averages are from the exact ones; see ``analysis.averages.gallery.measure_agreement``."""
        return self._json("study/engines.json")

    @cached_property
    def hypothesis(self) -> dict[str, Any]:
        """``hypothesis.json``: the verdict and all the numbers that it rests on."""
        return self._json("study/hypothesis.json")

    @cached_property
    def regions(self) -> pd.DataFrame:
        """Effect of each part of the picture and channel: ``region, channel, mean_abs_g, low, high, by_chance``."""
        return pd.read_parquet(self._path("study/hypothesis_regions.parquet"))

    @cached_property
    def confounders(self) -> pd.DataFrame:
        """Effect of each part with other things held equal, and the share that survives, with intervals."""
        return pd.read_parquet(self._path("study/hypothesis_confounders.parquet"))

    @cached_property
    def balance(self) -> pd.DataFrame:
        """Standardised difference of the labels in each covariate, before and after it is held equal."""
        return pd.read_parquet(self._path("study/hypothesis_balance.parquet"))

    @cached_property
    def elsewhere(self) -> pd.DataFrame:
        """Correlation of this data set's difference map with others', and with their ages' and races'."""
        return pd.read_parquet(self._path("study/hypothesis_elsewhere.parquet"))

    @cached_property
    def effects(self) -> xr.Dataset:
        """``effect`` (channel, y, x), Hedges' g in L*, a*, b*; ``held_equal`` and ``elsewhere`` at half size."""
        return read_zarr_zip(self._path("study/hypothesis_maps.zarr.zip"))

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``: ``sources`` and ``subsets`` (name -> split -> metrics), ``band``, ``temperature`` and more.

        ``splits`` (split -> metrics) is the first source's, the one that the run studies; a subset is a part of a
        source, such as some ages.
        """
        return self._json("model/metrics.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """Loss, accuracy, val_loss, val_accuracy and learning_rate of each epoch, counted from 1."""
        return pd.read_parquet(self._path("model/history.parquet"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """``image_id, dataset, split, label, p_male, decision`` of every scored image."""
        return pd.read_parquet(self._path("model/predictions.parquet"))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """ROC and precision-recall curves of each source or subset and split, with 95 % bands over people.

        ``source, split, curve, x, y, low, high`` in [0, 1]. Curve "roc": share of female taken for male, share of male
        found; "pr_female", "pr_male": share of the label found, share of those called so that are.
        """
        return pd.read_parquet(self._path("model/curves.parquet"))

    @cached_property
    def groups(self) -> pd.DataFrame:
        """Test metrics of groups: a row for each ``run``, ``source``, ``feature`` and ``group``; shares in [0, 1].

        ``images, accuracy, coverage, decided_accuracy, selection_rate, false_male_rate, false_female_rate`` and
        ``gap`` (accuracy behind the feature's best group), the first and last with ``_low`` and ``_high``. ``run`` is
        this run, then those that it was compared with.
        """
        return pd.read_parquet(self._path("model/groups.parquet"))

    @cached_property
    def cross_source(self) -> pd.DataFrame:
        """Test metrics of this run, then of those compared with, on each source and subset; shares in [0, 1].

        ``run, trained_on, source, images, accuracy, low, high, ece, coverage, decided_accuracy``.
        """
        return pd.read_parquet(self._path("model/cross_source.parquet"))

    @cached_property
    def robustness(self) -> pd.DataFrame:
        """Accuracy in [0, 1] of each ``source`` at each ``level`` (in ``unit``) of each ``degradation``."""
        return pd.read_parquet(self._path("model/robustness.parquet"))

    @cached_property
    def label_issues(self) -> pd.DataFrame:
        """Labels that confident learning doubts: ``source, image_id, split, given, suggested, self_confidence``."""
        return pd.read_parquet(self._path("model/label_issues.parquet"))

    @cached_property
    def explanation(self) -> xr.Dataset:
        """Average heat maps ``heat`` (label, y, x) over average faces ``face`` in [0, 1], and how they were checked.

        ``probability`` (walk, order, share), ``area`` and ``advantage`` with its interval (walk, order); labels are
        those predicted. See ``model.evaluation.explain``.
        """
        return read_zarr_zip(self._path("model/explanation.zarr.zip"))

    @property
    def has_ablation(self) -> bool:
        """Whether `meanface ablate` was run."""
        return (self.folder / "ablation/ablation.json").exists()

    @property
    def has_search(self) -> bool:
        """Whether `meanface search` was run."""
        return (self.folder / "search/search.json").exists()

    @cached_property
    def ablation(self) -> pd.DataFrame:
        """A row a variant of training and data set of the validation split; see ``model.training.ablation``."""
        return pd.read_parquet(self._path("ablation/ablation.parquet"))

    @cached_property
    def ablation_budget(self) -> dict[str, Any]:
        """``epochs``, ``faces`` and more of each variant's training."""
        return self._json("ablation/ablation.json")

    @cached_property
    def search(self) -> pd.DataFrame:
        """A row a finished trial of the hyper-parameter search; see ``model.training.search``."""
        return pd.read_parquet(self._path("search/search.parquet"))

    @cached_property
    def search_record(self) -> dict[str, Any]:
        """``sampler``, ``trials``, ``epochs``, ``faces``, ``importance`` (shares in [0, 1]) and ``best`` settings."""
        return self._json("search/search.json")

    @property
    def model_folder(self) -> Path:
        """Folder of the serving file."""
        return self.folder / "model"


@dataclass(frozen=True)
class Run:
    """A run: where its steps write, and the results that they have written so far.

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
        """Open ``runs/NAME``, which may be empty yet."""
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
        return cls(results.run["run"], results.folder)

    @cached_property
    def results(self) -> Results:
        """What the run's steps have stored."""
        return Results(self.folder)


def published(folder: Path | None = None) -> Results:
    """Read the published run, or the run in ``folder``.

    Raises
    ------
    UserError
        If there is no run.
    """
    folder = folder or paths.results_folder()
    if not (folder / "run.json").exists():
        raise UserError(f"no published run in {folder}: make one with `meanface publish RUN`")
    return Results(folder)
