"""Scores of a run's model on ingested faces: a table with one row per image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from analysis.core.errors import UserError
from analysis.core.schema import LABELS, SPLITS
from analysis.data.dataset import Dataset
from analysis.results import Run
from analysis.results.records import Band
from model.predict import Predictor, calibrated, decision
from model.training.examples import Faces, known_people, load_split, source_names

FEWEST = 50  # images needed in each split for a part to be reported separately
AGES = (10, 80)  # ages of the additional subset of sources with ages


@dataclass(frozen=True)
class TrainedRun:
    """A trained run and its serving file.

    Attributes
    ----------
    run
        The run.
    predictor
        Its serving file.
    datasets
        Data sets that it was trained on; the first is the one that the run studies.
    fingerprints
        Data set -> fingerprint of the ingested data that it was trained on.
    """

    run: Run
    predictor: Predictor
    datasets: list[Dataset]
    fingerprints: dict[str, str]

    @classmethod
    def load(cls, run: Run) -> "TrainedRun":
        """Open a trained run.

        Raises
        ------
        UserError
            If it is not trained, or its serving file is not the one that its card describes.
        """
        folder = run.folder / "model"
        if not (folder / "model.json").exists():
            raise UserError(f"run {run.name!r} has no trained model: run `meanface train NAME --run {run.name}` first")
        step = run.results.run.steps.train
        if step is None:
            raise UserError(f"run {run.name!r} does not say what it was trained on: train it again")
        datasets = [Dataset.open(name) for name in step.datasets]
        return cls(run, Predictor.load(folder), datasets, step.data)

    @property
    def dataset_names(self) -> list[str]:
        """Names of the data sets that it was trained on."""
        return [dataset.name for dataset in self.datasets]


def score_splits(predictor: Predictor, datasets: Sequence[Dataset]) -> tuple[pd.DataFrame, Faces]:
    """Score every usable face of every split.

    Parameters
    ----------
    predictor
        The serving file.
    datasets
        Ingested data sets.

    Returns
    -------
    scored : pandas.DataFrame
        The manifests' columns, ``dataset`` and ``logit``.
    test : Faces
        The test split with its pixels, in the order of its rows in ``scored``.
    """
    tables = []
    for split in tqdm(SPLITS, desc="Scoring", unit="split"):
        faces = load_split(datasets, split)
        tables.append(faces.table.assign(logit=predictor.logits(faces.pixels)))
    return pd.concat(tables, ignore_index=True), faces  # SPLITS end with "test"


def decided(scored: pd.DataFrame, temperature: float, band: Band) -> pd.DataFrame:
    """Add ``p_male`` in [0, 1] and ``decision`` ("female", "male" or "uncertain") to a table with ``logit``."""
    p_male = calibrated(scored["logit"].to_numpy(), temperature)
    return scored.assign(p_male=p_male, decision=[decision(p, band) for p in p_male])


def check_disjoint(scored: pd.DataFrame) -> None:
    """Check that no picture and no person is in two splits: results on one would not be independent of another.

    Parameters
    ----------
    scored
        ``dataset, split, image_id`` and, where known, ``hash``, ``near_duplicate_of``, ``identity`` and
        ``celeba_identity``.

    Raises
    ------
    UserError
        If an image, its file's content, a near duplicate of it or a person is in two splits.
    """
    named = scored["dataset"].astype("string") + " " + scored["image_id"].astype("string")
    keys = {"image": named}
    if "hash" in scored:
        keys["picture"] = scored["hash"]
    keys["person"] = known_people(scored)
    for what, key in keys.items():
        spread = scored["split"].groupby(key).nunique()
        if (spread > 1).any():
            raise UserError(
                f"{int((spread > 1).sum())} cases of one {what} in two splits: ingest the data again, which keeps "
                "them apart, and train again"
            )
    if "near_duplicate_of" in scored:
        twins = scored[scored["near_duplicate_of"].notna()]
        original = twins["dataset"].astype("string") + " " + twins["near_duplicate_of"].astype("string")
        other = original.map(pd.Series(scored["split"].to_numpy(), index=named))
        if (other.notna() & (other != twins["split"])).any():
            raise UserError("near duplicates are in two splits: ingest the data again and train again")


def check_both_labels(scored: pd.DataFrame) -> None:
    """Check that each split of each source has both labels.

    Raises
    ------
    UserError
        If a label is missing.
    """
    for (name, split), labels in scored.groupby(["dataset", "split"], sort=False)["label"]:
        if labels.nunique() < 2:
            missing = (set(LABELS) - set(labels)).pop()
            raise UserError(f"the {split} split of {name!r} holds no image labelled {missing}: ingest more images")


def parts(scored: pd.DataFrame, datasets: list[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Find the rows of each source, and of the subsets that are reported as well.

    Parameters
    ----------
    scored
        ``dataset`` and, where known, ``age``.
    datasets
        Names in the order in which they are reported.

    Returns
    -------
    sources, subsets : dict
        Name -> bool (n,). Sources with ages have a subset of ages 10 to 80, for which results of other models are
        published: "NAME, ages 10-80". Parts of a data set, where its table of labels has a column ``source``, are
        also subsets: "NAME, PART". Subsets in which a split lacks a label, and parts of fewer than 50 images in a
        split, are omitted.
    """
    sources = {name: (scored["dataset"] == name).to_numpy() for name in datasets}
    subsets = {}
    low, high = AGES
    for name, rows in sources.items():
        if "age" not in scored or not scored.loc[rows, "age"].notna().any():
            continue
        subsets[f"{name}, ages {low}-{high}"] = rows & scored["age"].between(low, high).fillna(False).to_numpy(bool)
    source = source_names(scored)
    sizes = scored.groupby([source, scored["split"].to_numpy()]).size().groupby(level=0).min()
    subsets |= {str(name): source == name for name in sizes.index[sizes >= FEWEST] if name not in sources}
    return sources, {name: inside for name, inside in subsets.items() if _complete(scored, inside)}


def _complete(scored: pd.DataFrame, inside: np.ndarray) -> bool:
    """Whether both labels are in each split."""
    labels = scored[inside].groupby("split")["label"].nunique()
    return labels.reindex(scored["split"].unique(), fill_value=0).min() == 2
