"""Manifest and cube -> the study part of a run: labels, attributes, quality, average faces and the hypothesis.

Knows what is counted and stored; knows nothing of how it is drawn. See ``analysis.results`` for the files.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from analysis import hypothesis, paths
from analysis.average_face import average_faces
from analysis.components import build_engine
from analysis.cooccurrence import cooccurrence_table
from analysis.doubts import doubted_labels
from analysis.duplicates import duplicate_table
from analysis.errors import UserError
from analysis.gallery import build_gallery, measure_agreement
from analysis.identities import identity_table
from analysis.ingest import load_faces, load_facts, load_manifest
from analysis.run import record_step
from analysis.samples import sample_grid
from analysis.sources import CELEBA_ATTRIBUTES, open_source
from analysis.subsets import load_table
from analysis.zarr_zip import write_zarr_zip

QUALITY = {
    "brightness": "mean luma, 0 to 1",
    "contrast": "standard deviation of luma, 0 to 1",
    "sharpness": "log10 of the variance of the Laplacian",
    "width": "pixels",
}


def label_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Images and identities of each label and split.

    Parameters
    ----------
    manifest
        Rows with ``label``, ``split`` and, where known, ``identity``.

    Returns
    -------
    pandas.DataFrame
        ``label, split, images, identities``; ``identities`` is NA where the source knows none.
    """
    groups = manifest.groupby(["label", "split"], observed=True)
    table = groups.size().rename("images").reset_index()
    known = "identity" in manifest and manifest["identity"].notna().any()
    table["identities"] = pd.array(groups["identity"].nunique() if known else [pd.NA] * len(table), dtype="Int64")
    return table


def attribute_table(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Prevalence of each attribute by label, with its 95 % Wilson interval.

    Parameters
    ----------
    rows
        ``label`` and boolean attribute columns.
    scope
        Written into the table: "images" or "metadata".

    Returns
    -------
    pandas.DataFrame
        ``scope, attribute, label, images, positives, prevalence, low, high``; the last three in [0, 1].
    """
    names = [name for name in CELEBA_ATTRIBUTES if name in rows and rows[name].notna().any()]
    records = []
    for label, group in rows.groupby("label", observed=True):
        for name in names:
            values = group[name].dropna().astype(bool)
            if values.empty:
                continue
            interval = binomtest(int(values.sum()), len(values)).proportion_ci(method="wilson")
            records.append(
                {
                    "scope": scope,
                    "attribute": name,
                    "label": label,
                    "images": len(values),
                    "positives": int(values.sum()),
                    "prevalence": float(values.mean()),
                    "low": float(interval.low),
                    "high": float(interval.high),
                }
            )
    columns = ["scope", "attribute", "label", "images", "positives", "prevalence", "low", "high"]
    return pd.DataFrame(records, columns=columns)


def quality_table(manifest: pd.DataFrame, bins: int = 40) -> pd.DataFrame:
    """Histograms of image quality by label.

    Parameters
    ----------
    manifest
        Rows with ``label`` and the measures of `QUALITY`.
    bins
        Bins a measure, over its 0.5th to 99.5th percentile; what lies outside counts in the outer bins.

    Returns
    -------
    pandas.DataFrame
        ``label, measure, unit, bin_left, bin_right, images``.
    """
    tables = []
    for measure, unit in QUALITY.items():
        values = manifest[measure].astype(float)
        if measure == "sharpness":
            values = np.log10(values.clip(lower=1e-3))
        low, high = values.quantile([0.005, 0.995])
        if math.isclose(low, high):  # all images have one size: one bin says so
            low, high, count = low - 0.5, high + 0.5, 1
        else:
            count = bins
        edges = np.linspace(low, high, count + 1)
        for label, group in values.groupby(manifest["label"], observed=True):
            images, _ = np.histogram(group.clip(low, high), edges)
            tables.append(
                pd.DataFrame(
                    {
                        "label": label,
                        "measure": measure,
                        "unit": unit,
                        "bin_left": edges[:-1],
                        "bin_right": edges[1:],
                        "images": images,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def study(
    name: str,
    run: str,
    *,
    compare: Sequence[str] = (),
    permutations: int = 5000,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Study an ingested data set and write the study part of a run.

    Parameters
    ----------
    name
        Name of the data set.
    run
        Name of the run; ``runs/RUN/study`` is replaced.
    compare
        Other ingested data sets, whose difference maps are compared with this one's.
    permutations
        Of the hypothesis test.
    seed
        Of everything that is drawn.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    dict
        What ``study.json`` holds.

    Raises
    ------
    UserError
        If the data set is not ingested, a label has no usable image or a test has too few people.
    """
    facts, manifest, faces = load_facts(name), load_manifest(name), load_faces(name)
    usable = manifest[manifest["status"] == "ok"]
    for label in ("female", "male"):
        if (usable["label"] == label).sum() < 2:
            raise UserError(f"{name!r} has fewer than two usable images labelled {label}: both labels are needed")
    if name in compare:
        raise UserError(f"{name!r} cannot be compared with itself: name another data set")
    others = {other: (load_faces(other), load_manifest(other)) for other in compare}
    metadata = open_source(name).metadata
    averages = average_faces(faces, manifest["label"].where(manifest["status"] == "ok"), progress=progress)
    findings = hypothesis.examine(
        faces, manifest, others=others, permutations=permutations, seed=seed, progress=progress
    )
    table = load_table(name)
    gallery = build_gallery(name, table, progress=progress)
    engine = build_engine(name, table, seed=seed, progress=progress)
    agreement = measure_agreement(name, table, engine, seed=seed, progress=progress)
    noise, doubts = doubted_labels(faces, manifest, seed=seed, progress=progress)
    scopes = {"images": usable} | ({} if metadata is None else {"metadata": metadata})
    tables = {
        "labels": label_table(usable),
        "attributes": pd.concat([attribute_table(rows, scope) for scope, rows in scopes.items()], ignore_index=True),
        "cooccurrence": pd.concat([cooccurrence_table(rows, scope) for scope, rows in scopes.items()]),
        "identities": pd.concat([identity_table(rows, scope) for scope, rows in scopes.items()]),
        "quality": quality_table(usable),
        "duplicates": duplicate_table(manifest),
        "doubts": doubts,
    }
    samples = sample_grid(faces, manifest, seed=seed)
    conflicts = facts["conflicts"]
    known = "identity" in usable and usable["identity"].notna().any()
    summary = {
        "dataset": name,
        "fingerprint": facts["fingerprint"],
        "images": len(usable),
        "identities": int(usable["identity"].nunique()) if known else None,
        "metadata_images": None if metadata is None else len(metadata),
        "status": {key: facts["status"].get(key, 0) for key in ("ok", "broken", "no_face", "excluded")},
        "aligned_by": {key: int((usable["aligned_by"] == key).sum()) for key in ("landmarks", "source")},
        "duplicates": {
            "exact": conflicts["exact"],
            "near": conflicts["near"],
            "across_splits": conflicts["duplicates_across_splits"],
        },
        "identities_across_splits": conflicts["identities_across_splits"],
        "label_noise": noise,
        "frame": {"height": faces.sizes["y"], "width": faces.sizes["x"]},
    }
    with paths.replacing(paths.run_folder(run) / "study") as folder:
        folder.mkdir()
        _write_json(folder / "study.json", summary)
        findings.write(folder)
        for file, table in tables.items():
            table.to_parquet(folder / f"{file}.parquet", index=False)
        write_zarr_zip(averages, folder / "average_faces.zarr.zip")
        write_zarr_zip(samples, folder / "samples.zarr.zip")
        write_zarr_zip(gallery, folder / "subsets.zarr.zip")
        _write_json(folder / "engines.json", agreement)
    configuration = {"dataset": name, "compare": list(compare), "permutations": permutations, "seed": seed}
    record_step(run, "study", configuration, data={name: facts, **{other: load_facts(other) for other in compare}})
    return summary


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
