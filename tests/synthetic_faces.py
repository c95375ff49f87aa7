"""A made-up row per image and averages of small groups, as `synthetic.write_results` needs them."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import xarray as xr

from analysis.averages.aggregates import COVARIATES
from analysis.core.schema import RACES
from analysis.results import artifacts
from analysis.shape.geometry import DISTANCES
from analysis.shape.mesh import POINTS

GROUP = 20  # faces of a small group
ATTRIBUTES = ("Smiling", "Eyeglasses", "Young")


def write_faces(folder: Path, scored: pd.DataFrame, faces: xr.Dataset, rng: np.random.Generator) -> None:
    """Write the files into the study folder of a run.

    Parameters
    ----------
    folder
        The study folder.
    scored
        Predictions: "synthetic" has attributes and shapes, "other" ages and races.
    faces
        Averages of the labels; groups lie between them and beyond.
    rng
        Random generator.
    """
    rows = scored[["image_id", "dataset", "split", "label"]].reset_index(drop=True)
    own, male = (rows["dataset"] == "synthetic").to_numpy(), (rows["label"] == "male").to_numpy()
    for name in ATTRIBUTES:
        rows[name] = pd.array(rng.uniform(size=len(rows)) < 0.4, dtype="boolean")
        rows.loc[~own, name] = pd.NA
    rows["age"] = pd.array(rng.integers(1, 90, len(rows)), dtype="Int64")
    rows["race"] = pd.array(rng.choice(RACES, len(rows)), dtype="string")
    rows.loc[own, ["age", "race"]] = pd.NA
    for name, middle, spread in (("brightness", 0.45, 0.12), ("contrast", 0.24, 0.05), ("sharpness", 500, 90)):
        rows[name] = rng.normal(middle, spread, len(rows)).clip(0.02).round(2).astype(np.float32)
    for name in ("yaw", "pitch", "roll", "mouth_corners", "mouth_open", *DISTANCES):
        values = rng.normal(1 + 0.1 * male, 0.1).round(2).astype(np.float32)
        rows[name] = np.where(own, values, np.float32(np.nan))
    key = rows["dataset"] + rows["label"]
    place = rows.groupby(key, sort=False).cumcount() // GROUP
    rows["aggregate"] = pd.factorize(key + place.astype(str))[0]
    artifacts.FACES.write(rows, folder)
    counts = rows.groupby("aggregate").size().to_numpy()
    first = rows.groupby("aggregate")["label"].first() == "male"
    small = [255 * cv2.resize(face, (45, 55), interpolation=cv2.INTER_AREA) for face in faces["mean"].to_numpy()]
    centre, apart = (small[0] + small[1]) / 2, (small[1] - small[0]) / 2
    basis = np.stack([apart / np.abs(apart).max(), np.ones_like(apart)])
    sign = np.where(first, 1, -1) * float(np.abs(apart).max())
    coefficient = np.stack([sign, rng.normal(0, 8, len(counts))], axis=1).astype(np.float32)
    slope = np.zeros((2, len(COVARIATES), 2), dtype=np.float32)
    slope[:, COVARIATES.index("brightness"), 1] = 255
    shape = ("half_y", "half_x", "channel")
    arrays = xr.Dataset(
        {
            "centre": (shape, centre.astype(np.float32)),
            "basis": (("component", *shape), basis.astype(np.float32)),
            "coefficient": (("aggregate", "component"), coefficient),
            "slope": (("dataset", "covariate", "component"), slope),
            "faces": ("aggregate", counts),
            "people": ("aggregate", counts),
        },
        coords={
            "dataset": ["synthetic", "other"],
            "covariate": list(COVARIATES),
            "channel": ["R", "G", "B"],
        },
    )
    artifacts.AGGREGATES.write(arrays, folder)
    records = [
        {
            "dataset": dataset,
            "kind": kind,
            "selections": 100,
            "faces": faces,
            "error": error,
            "error_high": 2 * error,
            "difference": 12.0,
        }
        for dataset in ("synthetic", "other")
        for kind, faces, error in (("random faces", 300.0, 2.6), ("range of a measure", 600.0, 2.0))
    ]
    artifacts.AGGREGATE_ERRORS.write(pd.DataFrame(records), folder)
    _write_shapes(folder, rows, small, rng)


def _write_shapes(folder: Path, rows: pd.DataFrame, small: list[np.ndarray], rng: np.random.Generator) -> None:
    """Shape and texture of the groups: those labelled male are larger."""
    groups = int(rows["aggregate"].max()) + 1
    male = (rows.groupby("aggregate")["label"].first() == "male").to_numpy()
    common = rng.uniform([20, 30], [70, 95], (POINTS, 2)).astype(np.float32)
    half = ("half_y", "half_x", "channel")
    zeros = np.zeros((1, len(COVARIATES), 1), np.float32)
    known = (rows.groupby("aggregate")["dataset"].first() == "synthetic").to_numpy()[:, None]  # others lack landmarks
    arrays = xr.Dataset(
        {
            "shape_centre": (("point", "axis"), common),
            "shape_basis": (("shape_component", "point", "axis"), ((common - common.mean(axis=0)) / 40)[None]),
            "shape_coefficient": (
                ("pool", "shape_component"),
                np.where(known, np.where(male, 1.0, -1.0)[:, None], np.nan),
            ),
            "shape_slope": (("dataset", "covariate", "shape_component"), zeros),
            "texture_centre": (half, ((small[0] + small[1]) / 2).astype(np.float32)),
            "texture_basis": (("texture_component", *half), ((small[1] - small[0]) / 255)[None].astype(np.float32)),
            "texture_coefficient": (
                ("pool", "texture_component"),
                np.where(known, np.where(male, 127.0, -127.0)[:, None], np.nan),
            ),
            "texture_slope": (("dataset", "covariate", "texture_component"), zeros),
            "common": (("point", "axis"), common),
            "detail": (("label", "tall", "wide", "channel"), np.zeros((2, 327, 267, 3), np.int8)),
            "pool": ("aggregate", np.arange(groups)),
            "faces": ("pool", rows.groupby("aggregate").size().to_numpy()),
            "people": ("pool", rows.groupby("aggregate").size().to_numpy()),
        },
        coords={
            "dataset": ["synthetic"],
            "covariate": list(COVARIATES),
            "label": ["female", "male"],
            "axis": ["x", "y"],
            "channel": ["R", "G", "B"],
        },
    )
    artifacts.AGGREGATE_SHAPES.write(arrays, folder)
    table = pd.DataFrame(
        {
            "dataset": "synthetic",
            "kind": ["random faces", "range of a measure"],
            "selections": 100,
            "faces": [300.0, 600.0],
            "points": [0.06, 0.05],
            "points_difference": 0.3,
            "texture": [1.9, 1.8],
            "texture_difference": 9.0,
        }
    )
    artifacts.AGGREGATE_SHAPE_ERRORS.write(table, folder)
