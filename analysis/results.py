"""Reads a run: the stored results that the site, the explorer and the API show.

Knows the files of a run and what is in each; knows nothing of how they were computed or how they are drawn. A run is
a folder, ``runs/RUN`` or the published ``results``::

    run.json                      name, when, code version, data sets with their fingerprints, configuration
    study/study.json              counts and provenance of the study
    study/labels.parquet          label, split, images, identities
    study/attributes.parquet      scope, attribute, label, images, positives, prevalence, low, high
    study/quality.parquet         label, measure, unit, bin_left, bin_right, images
    study/average_faces.zarr.zip  mean, spread, sem (label, y, x, channel); count (label); effect (y, x)
    study/hypothesis.json         the verdict: effect, p, controls, nearest-average accuracy
    model/metrics.json            per split: accuracy, intervals, confusion, report, calibration, coverage
    model/history.parquet         a row an epoch
    model/predictions.parquet     image_id, dataset, split, label, p_male, decision: never an image
    model/model.onnx, model.json  the serving file and what it needs to be read
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from analysis import paths
from analysis.errors import UserError


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
    def quality(self) -> pd.DataFrame:
        """Histograms of brightness, contrast, sharpness and size by label."""
        return pd.read_parquet(self._path("study/quality.parquet"))

    @cached_property
    def average_faces(self) -> xr.Dataset:
        """``mean``, ``spread``, ``sem`` in [0, 1] (label, y, x, channel), ``count`` (label) and ``effect`` (y, x).

        Channels are R, G, B; ``effect`` is Hedges' g of CIELAB lightness, male minus female, per pixel.
        """
        from zarr.storage import ZipStore  # noqa: PLC0415 - reading the other results does without Zarr

        with ZipStore(self._path("study/average_faces.zarr.zip"), mode="r") as store:
            return xr.open_zarr(store, consolidated=False).load()

    @cached_property
    def hypothesis(self) -> dict[str, Any]:
        """``hypothesis.json``: the verdict and all the numbers that it rests on."""
        return self._json("study/hypothesis.json")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``: ``splits`` (split -> metrics), ``sources`` (data set -> metrics), ``band`` and more."""
        return self._json("model/metrics.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """Loss, accuracy, val_loss, val_accuracy and learning_rate of each epoch, counted from 1."""
        return pd.read_parquet(self._path("model/history.parquet"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """``image_id, dataset, split, label, p_male, decision`` of every scored image."""
        return pd.read_parquet(self._path("model/predictions.parquet"))

    @property
    def model_folder(self) -> Path:
        """Folder of the serving file."""
        return self.folder / "model"


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
