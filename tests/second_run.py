"""A second complete run: the synthetic one with every name, number and claim changed.

What a page says of both runs alike does not come from results.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from synthetic import write_results

from analysis.results import Results, artifacts
from analysis.results.stored import Arrays

NAMES = {"synthetic": "portraits", "other": "street", "earlier": "former"}
SHRUNK, GROWN = 0.83, 3  # of measures, of counts
_DIGEST = 64  # letters of a SHA-256
_KEPT = {  # they name a place, a size that other files share, or what all runs have alike
    *(
        "bits",
        "height",
        "width",
        "frame",
        "x",
        "y",
        "epoch",
        "kept",
        "level",
        "intact",
        "bin_left",
        "bin_right",
        "trial",
    ),
    *("seed", "point", "band_ages"),
}
BACKBONE = {
    "package": "@else/where",
    "version": "7.8.9",
    "licence": "Apache-2.0",
    "trained_on": "Thousands, photos of people in a shop",
    "sha256": "ab" * 32,
}


def write_second(folder: Path, scratch: Path) -> Results:
    """Write the second run.

    Parameters
    ----------
    folder
        Of the run.
    scratch
        Folder for the first run, whose numbers are changed.
    """
    first = write_results(scratch).folder
    for file in sorted(path for path in first.rglob("*") if path.is_file()):
        target = folder / file.relative_to(first)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json":
            target.write_text(json.dumps(_changed(json.loads(file.read_text("utf-8")))), "utf-8")
        elif file.suffix == ".parquet":
            _changed_table(pd.read_parquet(file)).to_parquet(target, index=False)
    for artifact in vars(artifacts).values():
        if isinstance(artifact, Arrays):
            artifact.write(_changed_arrays(artifact.read(first)), (folder / artifact.path).parent)
    _claim(folder)
    return Results(folder)


def _claim(folder: Path) -> None:
    """Turn every claim of the first run into its opposite."""
    record = json.loads((folder / "run.json").read_text("utf-8"))
    record["steps"]["train"] |= {"start": ["former"], "backbones": [BACKBONE], "recipe": None, "epochs": 1}
    record["steps"]["evaluate"]["looks"]["gone"] = ["lost"]
    (folder / "run.json").write_text(json.dumps(record), "utf-8")
    study = json.loads((folder / "study/study.json").read_text("utf-8"))
    study |= {"identities": None, "metadata_images": None, "identities_across_splits": 7}
    study["duplicates"]["across_splits"] = 8
    (folder / "study/study.json").write_text(json.dumps(study), "utf-8")
    for kind in ("ablation", "search", "learning"):
        shutil.rmtree(folder / kind)
    found = json.loads((folder / "study/hypothesis.json").read_text("utf-8"))
    found |= {"verdict": "no difference", "shade": "no difference", "shape": None, "shape_criteria": None}
    nearest = found["nearest_average"]
    nearest |= {"accuracy": nearest["majority"], "interval": [nearest["majority"] - 0.1, nearest["majority"] + 0.1]}
    (folder / "study/hypothesis.json").write_text(json.dumps(found), "utf-8")
    for name in (
        "shape.json",
        "shape_distances.parquet",
        "shape_groups.parquet",
        "shape_maps.zarr.zip",
        "shape_free.zarr.zip",
    ):
        (folder / "study" / name).unlink()
    groups = pd.read_parquet(folder / "model/groups.parquet")
    groups["gap_low"] = 0.0
    groups.to_parquet(folder / "model/groups.parquet", index=False)


def _changed_arrays(found: xr.Dataset) -> xr.Dataset:
    found = found.load()
    for name, values in found.data_vars.items():
        if name in _KEPT:
            continue
        if np.issubdtype(values.dtype, np.floating):
            found[name] = (values.dims, (SHRUNK * values.to_numpy()).astype(values.dtype))
        elif name in {"count", "people", "members", "shared"}:
            found[name] = (values.dims, GROWN * values.to_numpy())
    for name, values in found.coords.items():
        if values.dtype.kind in "UOT":
            found = found.assign_coords({name: (values.dims, [_name(str(text)) for text in values.to_numpy()])})
    return found.assign_attrs({name: _changed(value, name) for name, value in found.attrs.items()})


def _name(text: str) -> str:
    for old, new in NAMES.items():
        text = text.replace(old, new)
    return text[::-1] if len(text) == _DIGEST else text


def _changed(value: Any, key: str = "") -> Any:
    if key in _KEPT or isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return _name(value)
    if isinstance(value, int):
        return GROWN * value
    if isinstance(value, float):
        return SHRUNK * value
    if isinstance(value, list):
        return [_changed(item, key) for item in value]
    return {_name(name): _changed(item, name) for name, item in value.items()}


def _changed_table(table: pd.DataFrame) -> pd.DataFrame:
    for name in table.columns.difference(list(_KEPT)):
        column = table[name]
        if pd.api.types.is_bool_dtype(column):
            continue
        if pd.api.types.is_integer_dtype(column):
            table[name] = GROWN * column
        elif pd.api.types.is_float_dtype(column):
            table[name] = SHRUNK * column
        elif not pd.api.types.is_datetime64_any_dtype(column):
            table[name] = column.map(lambda text: _name(text) if isinstance(text, str) else text)
    return table
