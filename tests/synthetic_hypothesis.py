"""The test of the hypothesis with made-up numbers, as `synthetic.write_results` needs it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from analysis.hypothesis.regions import REGIONS, WHOLE
from analysis.hypothesis.test import Findings
from analysis.hypothesis.verdict import QUESTIONS
from analysis.results.records import HypothesisRecord

PARTS = (*REGIONS, *WHOLE)
TITLES = {
    "all": ("As photographed", "nothing"),
    "exact": ("Same expression, age, accessories and brightness", "exact cells"),
    "weights": ("… and hair", "overlap weights"),
    "bare": ("Bare faces only", "restriction"),
    "bare_weights": ("Bare faces, and all of that the same", "restriction and overlap weights"),
}
COVARIATES = {
    "Smiling": ("expression", -0.4),
    "Young": ("age", -0.6),
    "Eyeglasses": ("accessories", 0.4),
    "Wavy_Hair": ("hair", -0.7),
    "Brightness": ("brightness", -0.2),
    "Wearing_Lipstick": ("make-up", -2.7),
    "Mustache": ("beard", 0.5),
}


def write_hypothesis(folder: Path, effect: np.ndarray, rng: np.random.Generator) -> None:
    """Write the files of the test; ``effect`` is Hedges' g of lightness (y, x)."""
    maps = _maps(effect)
    size = np.abs(maps["effect"].to_numpy())
    chance = 0.06 + rng.gamma(6, 0.012, 1000).clip(0, 0.2)
    critical = float(np.quantile(chance, 0.95))
    record = HypothesisRecord.model_validate(_record(size, critical, chance))
    Findings(record, _regions(), _confounders(), _balance(), _elsewhere(), maps).write(folder)


def _maps(effect: np.ndarray) -> xr.Dataset:
    three = np.stack([effect, 0.5 * effect, -0.3 * effect]).astype(np.float32)
    rows, columns = effect.shape[0] // 2, effect.shape[1] // 2
    half = three[:, : 2 * rows : 2, : 2 * columns : 2]
    shares = np.linspace(1, 0.5, len(TITLES), dtype=np.float32)[:, None, None, None]
    return xr.Dataset(
        {
            "effect": (("channel", "y", "x"), three),
            "held_equal": (("comparison", "channel", "half_y", "half_x"), shares * half),
            "elsewhere": (("dataset", "channel", "half_y", "half_x"), 0.8 * half[None]),
        },
        coords={"channel": ["L", "a", "b"], "comparison": list(TITLES), "dataset": ["other"]},
    )


def _accuracies(level: float) -> dict[str, Any]:
    def found(accuracy: float) -> dict[str, Any]:
        interval = [accuracy - 0.03, accuracy + 0.03]
        of_both = {"balanced": accuracy, "balanced_interval": [accuracy - 0.04, accuracy + 0.04], "majority": 0.6}
        return {"accuracy": accuracy, "interval": interval, "images": 100, "split": "test", **of_both}

    discriminant = found(level + 0.15) | {"components": 50, "explained": 0.9}
    return {"nearest_average": found(level), "discriminant": discriminant}


def _record(size: np.ndarray, critical: float, chance: np.ndarray) -> dict[str, Any]:
    edges = np.linspace(0.06, 0.26, 41)
    beyond = (size > critical).reshape(3, -1)
    comparisons = [
        {
            "key": key,
            "title": title,
            "how": how,
            "held": [],
            "people": {"female": 300 - 20 * place, "male": 200 - 10 * place},
            "effective": {"female": 290.0 - 30 * place, "male": 190.0 - 20 * place},
            "p_value": 1 / 201,
            "max_abs_g_face": 0.5,
            "critical_abs_g_face": 0.2,
        }
        for place, (key, (title, how)) in enumerate(TITLES.items())
    ]
    overlap = [
        {"kind": kind, "attribute": name, "female": 0.8, "male": 0.01, "fewest": fewest, "matchable": fewest >= 30}
        for (name, (kind, _)), fewest in zip(COVARIATES.items(), (80, 70, 60, 50, 0, 5, 0), strict=True)
        if kind != "brightness"
    ]
    face = {"g": -0.45, "channel": "L", "region": "jaw", "p_value": 1 / 1001}
    held = dict.fromkeys(QUESTIONS, True)
    return {
        "statement": "Men and women have gender-specific facial features that differentiate them.",
        "verdict": "supported",
        "shade": "supported",
        "criteria": held,
        "shape": "supported",
        "shape_criteria": held,
        "p_value": 1 / 1001,
        "alpha": 0.05,
        "permutations": 1000,
        "control_permutations": 200,
        "resamples": 100,
        "unit": "identity",
        "identities": {"female": 300, "male": 200},
        "mixed_label_identities": 0,
        "identities_left_out": 0,
        "max_abs_g": float(size.max()),
        "largest": face | {"g": -float(size.max()), "region": "background"},
        "largest_in_face": face,
        "critical_abs_g": critical,
        "area_significant": float(beyond.any(axis=0).mean()),
        "area_counting": 0.4,
        "area_significant_by_channel": dict(zip("Lab", beyond.mean(axis=1).tolist(), strict=True)),
        "mean_abs_g": 0.21,
        "mean_abs_g_interval": [0.19, 0.23],
        "mean_abs_g_by_chance": 0.04,
        "null_max_abs_g": {
            "bin_left": edges[:-1].tolist(),
            "bin_right": edges[1:].tolist(),
            "count": np.histogram(chance, edges)[0].tolist(),
        },
        "survives": {
            "comparison": "bare_weights",
            "title": TITLES["bare_weights"][0],
            "p_value": 1 / 201,
            "share": 0.6,
            "interval": [0.45, 0.75],
        },
        "confounders": {
            "photos": 500,
            "permutations": 200,
            "resamples": 40,
            "comparisons": comparisons,
            "overlap": overlap,
            "fewest": 30,
        },
        "controls": {
            "shuffled_labels": {"p_value": 0.61, "max_abs_g": 0.12},
            "within_female": {"p_value": 0.34, "max_abs_g": 0.15},
            "within_male": {"p_value": 0.22, "max_abs_g": 0.17},
        },
        "false_positives": {
            "alpha": 0.05,
            "permutations": 200,
            "by_identity": {"hits": 9, "splits": 200, "rate": 0.045, "interval": [0.021, 0.084]},
            "by_photo": {"hits": 31, "splits": 200, "rate": 0.155, "interval": [0.108, 0.213]},
        },
        **_accuracies(0.66),
        "carried_over": {"other": _accuracies(0.6)},
    }


def _regions() -> pd.DataFrame:
    rows = []
    for place, region in enumerate(PARTS):
        for channel, factor in (("L", 1.0), ("a", 0.8), ("b", 0.6), ("all", 0.8)):
            mean = factor * (0.4 - 0.03 * place)
            facts = {"region": region, "channel": channel, "share": 0.05}
            interval = {"mean_abs_g": mean, "low": mean - 0.02, "high": mean + 0.02, "by_chance": 0.04}
            rows.append({**facts, **interval, "max_abs_g": 2 * mean, "beyond_chance": 0.6})
    return pd.DataFrame(rows)


def _confounders() -> pd.DataFrame:
    rows = []
    for step, key in enumerate(TITLES):
        for place, region in enumerate(PARTS):
            share, half = 1 - step * (0.05 + 0.01 * place), 0.08 * (step > 0)
            mean = share * (0.4 - 0.03 * place)
            interval = {"mean_abs_g": mean, "low": mean - 0.02, "high": mean + 0.02, "by_chance": 0.03 + 0.005 * step}
            left = {"survives": share, "survives_low": share - half, "survives_high": share + half}
            rows.append({"comparison": key, "region": region, **interval, **left})
    return pd.DataFrame(rows)


def _balance() -> pd.DataFrame:
    rows = []
    for key in TITLES:
        for name, (kind, apart) in COVARIATES.items():
            held = key == "bare_weights" or (key != "all" and kind not in ("hair", "make-up", "beard"))
            difference = 0.01 if held else apart
            rows.append({"comparison": key, "kind": kind, "covariate": name, "held": held, "difference": difference})
    return pd.DataFrame(rows)


def _elsewhere() -> pd.DataFrame:
    groups = [("all", "everybody", 0.7), ("age", "0–9", 0.4), ("age", "20–39", 0.7), ("race", "Black", 0.5)]
    rows = []
    for kind, group, r in groups:
        for channel in ("L", "a", "b", "all"):
            facts = {"dataset": "other", "kind": kind, "group": group, "female": 400, "male": 300, "channel": channel}
            value = r + {"L": 0.05, "a": 0.0, "b": -0.1, "all": 0.0}[channel]
            rows.append({**facts, "correlation": value, "low": value - 0.1, "high": value + 0.1})
    return pd.DataFrame(rows)
