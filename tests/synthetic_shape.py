"""The shape of faces with made-up numbers, as `synthetic.write_results` needs it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from analysis.averages.shape_free import CROSSED, SCALE, STEPS
from analysis.hypothesis.contrast import FEATURES
from analysis.results import artifacts
from analysis.results.records import AverageAccuracy, ShapeComparison, ShapeRecord
from analysis.shape.geometry import DISTANCES

TITLES = {
    "people": "Averages of people",
    "all": "As photographed",
    "pose": "Same pose and smile",
    "weights": "… and age, hair and brightness",
    "bare_weights": "Bare faces, and all of that the same",
}
AXIS = np.linspace(-4, 4, 121)


def write_shape(folder: Path, rng: np.random.Generator) -> None:
    """Write the files of the shape; the chin width differs most, by g = 1.2 between averages of people."""
    artifacts.SHAPE.write(_record(), folder)
    artifacts.SHAPE_DISTANCES.write(_distances(), folder)
    artifacts.SHAPE_GROUPS.write(_groups(), folder)
    artifacts.SHAPE_MAPS.write(_maps(rng), folder)
    artifacts.SHAPE_FREE.write(_pictures(rng), folder)
    artifacts.CONTRAST.write(_contrast(), folder)


def accuracy() -> AverageAccuracy:
    return AverageAccuracy(
        accuracy=0.8,
        interval=(0.74, 0.86),
        images=100,
        split="test",
        balanced=0.79,
        balanced_interval=(0.72, 0.85),
        majority=0.6,
    )


def _comparisons() -> list[ShapeComparison]:
    return [
        ShapeComparison(
            key=key,
            title=title,
            how="nothing" if place < 2 else "overlap weights",
            held=[] if place < 2 else ["Yaw"],
            people={"female": 300 - 20 * place, "male": 200 - 10 * place},
            effective={"female": 290.0 - 30 * place, "male": 190.0 - 20 * place},
            permutations=1000,
            p_value=1 / 1001,
            largest="chin width",
            g=1.2 - 0.15 * place,
            critical=0.15,
            standard_error=0.09,
        )
        for place, (key, title) in enumerate(TITLES.items())
    ]


def _record() -> ShapeRecord:
    return ShapeRecord(
        photos=990,
        missed=10,
        resamples=100,
        comparisons=_comparisons(),
        elsewhere={"other": _comparisons()[:3]},
        agreement={"other": 0.93},
        pose={label: {"yaw": 0.5, "pitch": -0.4, "roll": 1.0} for label in ("female", "male")},
        accuracy=accuracy(),
        same_elsewhere=True,
    )


def _effects() -> dict[str, float]:
    sizes = dict(zip(DISTANCES, np.linspace(-0.8, 0.9, len(DISTANCES)), strict=True))
    return sizes | {"chin width": 1.2}


def _distances() -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for dataset, keys in (("synthetic", list(TITLES)), ("other", list(TITLES)[:3])):
        for place, key in enumerate(keys):
            for name, g in _effects().items():
                left = g * (1 - 0.12 * place)
                facts = {"dataset": dataset, "comparison": key, "distance": name}
                interval = {"g": left, "low": left - 0.1, "high": left + 0.1, "p_value": 1 / 1001}
                rows.append({**facts, "female": 0.7, "male": 0.7 + 0.05 * g, **interval, "overlap": 1 - abs(left) / 3})
    return pd.DataFrame(rows)


def _groups() -> pd.DataFrame:
    rows = []
    for kind, group in (("age", "20–39"), ("race", "Black")):
        for name, g in _effects().items():
            facts = {"dataset": "other", "kind": kind, "group": group, "females": 90, "males": 80, "distance": name}
            rows.append({**facts, "g": g, "low": g - 0.2, "high": g + 0.2})
    return pd.DataFrame(rows)


def _mesh(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1, 1.5, (468, 2)).astype(np.float32)


def _maps(rng: np.random.Generator) -> xr.Dataset:
    female = _mesh(rng)
    bells = [[np.exp(-((AXIS + sign * g / 2) ** 2) / 2) for sign in (1, -1)] for g in _effects().values()]
    return xr.Dataset(
        {
            "shape": (("label", "point", "axis"), np.stack([female, 1.02 * female])),
            "displacement_g": (("point", "axis"), 0.4 * female),
            "beyond_chance": (("point",), np.arange(468) % 4 > 0),
            "bell": (("distance", "label", "deviation"), np.array(bells, dtype=np.float32)),
        },
        coords={
            "label": ["female", "male"],
            "axis": ["x", "y"],
            "distance": list(DISTANCES),
            "deviation": AXIS.astype(np.float32),
        },
    )


def _pictures(rng: np.random.Generator) -> xr.Dataset:
    steps = [*((step, step) for step in STEPS), *CROSSED]
    grey = np.linspace(60, 200, len(steps)).astype(np.uint8)
    pictures = np.ones((len(steps), 109 * SCALE, 89 * SCALE, 3), np.uint8) * grey[:, None, None, None]
    return xr.Dataset(
        {
            "picture": (("step", "tall", "wide", "channel"), pictures),
            "shape_of": (("step",), np.array([shape for shape, _ in steps])),
            "texture_of": (("step",), np.array([texture for _, texture in steps])),
            "points": (("label", "point", "axis"), np.stack([_mesh(rng), _mesh(rng)])),
            "count": (("label",), np.array([590, 400])),
            "sharpness": (("kind", "label"), np.array([[7.5, 6.0], [9.0, 7.8]])),
        },
        coords={
            "label": ["female", "male"],
            "axis": ["x", "y"],
            "channel": ["R", "G", "B"],
            "kind": ["aligned", "shape-free"],
        },
    )


def _contrast() -> pd.DataFrame:
    groups = [
        ("synthetic", "all", "everybody", -0.7),
        ("synthetic", "bare", "neither make-up nor beard", -0.5),
        ("other", "all", "everybody", -0.4),
        ("other", "age", "0–9", 0.0),
    ]
    rows = []
    for dataset, kind, group, g in groups:
        for feature in FEATURES:
            facts = {"dataset": dataset, "kind": kind, "group": group, "females": 90, "males": 80, "feature": feature}
            means = {"female": 0.3, "male": 0.3 + 0.1 * g}
            rows.append({**facts, **means, "g": g, "low": g - 0.1, "high": g + 0.1, "p_value": 1 / 1001})
    return pd.DataFrame(rows)
