"""A small complete run with made-up numbers: what tests of pages, figures and the API read."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from synthetic_data_study import write_data_study
from synthetic_evidence import write_evidence
from synthetic_faces import write_faces
from synthetic_hypothesis import write_hypothesis
from synthetic_shape import write_shape

from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.results import Results, artifacts
from analysis.results.stored import Json

LABELS = ["female", "male"]
BAND = {"low": 0.3, "high": 0.7}
IMAGES = {"train": (480, 320), "validation": (60, 40), "test": (60, 40)}
HEIGHT, WIDTH = 109, 89
ENGINES = {
    "images": 1000,
    "mean_components": 304,
    "spread_components": 128,
    "residual": 18.4,
    "exact_below": 768,
    "bytes_a_face": 432,
    "subsets": 57,
    "worst_mean": 0.672,
    "median_mean": 0.361,
    "worst_spread": 1.03,
    "median_spread": 0.349,
    "worst_subset": "label == 'male' and Wearing_Hat",
    "worst_subset_count": 802,
}
LABEL_NOISE = {
    "images": 1000,
    "issues": 12,
    "noise_rate": 0.0171,
    "suggested": {"female to male": 7, "male to female": 5},
    "folds": 5,
    "accuracy": 0.894,
}
LOOKS = {
    "evaluations": {"synthetic": {"first": 2, "synthetic": 1}, "other": {"synthetic": 1}},
    "uncounted": ["first"],
}
MAP = {
    "method": "t-SNE",
    "images": 2000,
    "features": 192,
    "perplexity": 30.0,
    "seed": 0,
    "neighbours": 15,
    "kept": 0.41,
    "by_chance": 0.0075,
}
FINGERPRINT = hashlib.sha256(b"synthetic").hexdigest()
SERVING_FILE = b"onnx"  # what the model card describes; whoever needs the file writes it


def write_results(folder: Path) -> Results:
    """Write every file of a run except ``model.onnx``, the same each time; needs no data set and no model."""
    rng = np.random.default_rng(20)
    (folder / "study").mkdir(parents=True)
    (folder / "model").mkdir()
    _write_study(folder / "study", rng)
    _write_model(folder / "model", rng)
    write_faces(folder / "study", artifacts.PREDICTIONS.read(folder), _faces(), np.random.default_rng(23))
    write_experiments(folder, np.random.default_rng(21))
    made_from = {
        "data": {name: FINGERPRINT for name in ("synthetic", "other")},
        "code": {"version": "0.1.0", "commit": None},
    }
    _record(
        artifacts.RUN,
        folder,
        {
            "run": "synthetic",
            "created": "2025-01-02T03:04:05+00:00",
            "code": made_from["code"],
            "data": {name: {"fingerprint": FINGERPRINT, "images": 1000} for name in ("synthetic", "other")},
            "steps": {
                "study": {"dataset": "synthetic", "permutations": 1000, "seed": 0, **made_from},
                "train": {
                    "datasets": ["synthetic", "other"],
                    "epochs": 12,
                    "seed": 0,
                    "recipe": {"stages": [{"run": "synthetic", "datasets": ["synthetic", "other"]}]},
                    **made_from,
                },
                "evaluate": {"seed": 0, "compare": ["earlier"], "looks": LOOKS, **made_from},
            },
            "versions": {"python": "3.11", "numpy": np.__version__},
        },
    )
    return Results(folder)


def write_experiments(folder: Path, rng: np.random.Generator) -> None:
    """An ablation of five variants on two data sets and a search of twenty trials."""
    (folder / "ablation").mkdir()
    (folder / "search").mkdir()
    changes = {"defaults": 0.0, "another seed": 0.002, "no augmentation": -0.06, "no heads": -0.01, "wider": 0.004}
    rows = [
        {
            "variant": variant,
            "dataset": dataset,
            "images": 300,
            "accuracy": 0.9 + change,
            "log_loss": 0.25 - change,
            "difference": None if variant == "defaults" else change,
            "low": None if variant == "defaults" else change - 0.01,
            "high": None if variant == "defaults" else change + 0.01,
            "seconds": 90.0,
            "parameters": 700_000,
        }
        for variant, change in changes.items()
        for dataset in ("synthetic", "other")
    ]
    _write_learning_curve(folder / "learning")
    artifacts.ABLATION.write(pd.DataFrame(rows), folder / "ablation")
    budget = {"epochs": 4, "faces": 800, "seed": 0, "datasets": ["synthetic", "other"]}
    _record(artifacts.ABLATION_BUDGET, folder / "ablation", budget)
    trials = pd.DataFrame(
        {
            "trial": range(20),
            "state": ["complete", "complete", "complete", "pruned"] * 5,
            "value": rng.uniform(0.3, 0.7, 20),
            "accuracy": rng.uniform(0.7, 0.9, 20),
            "seconds": rng.uniform(20, 40, 20),
            "learning_rate": 10 ** rng.uniform(-3.5, -2, 20),
            "light": rng.uniform(0, 1.5, 20),
            "batch_size": rng.choice([32, 64, 128], 20),
        }
    )
    artifacts.SEARCH.write(trials, folder / "search")
    best = trials.loc[trials["value"].idxmin(), ["learning_rate", "light", "batch_size"]].to_dict()
    importance = {"learning_rate": 0.7, "batch_size": 0.2, "light": 0.1}
    record = {"sampler": "tpe", "trials": 20, "epochs": 3, "faces": 800, "importance": importance, "best": best}
    _record(artifacts.SEARCH_RECORD, folder / "search", record)


def _write_learning_curve(folder: Path) -> None:
    """Wrong answers that fall with the square root of the number of faces towards 2 %."""
    sizes = (500, 1000, 2000, 4000)
    rows = [
        {
            "faces": faces,
            "repeat": 0,
            "dataset": dataset,
            "images": 300,
            "accuracy": accuracy,
            "low": accuracy - 0.03,
            "high": min(accuracy + 0.03, 1.0),
            "log_loss": 2 * (1 - accuracy),
            "seconds": 60.0,
        }
        for dataset, scale in (("synthetic", 2.0), ("other", 4.0))
        for faces in sizes
        for accuracy in [0.98 - scale * faces**-0.5]
    ]
    artifacts.LEARNING.write(pd.DataFrame(rows), folder)
    laws = {
        dataset: {"floor": 0.02, "scale": scale, "exponent": 0.5, "faces": 160_000, "accuracy": accuracy,
                  "interval": [accuracy - 0.02, accuracy + 0.01]}
        for dataset, scale, accuracy in (("synthetic", 2.0, 0.975), ("other", 4.0, 0.97))
    }  # fmt: skip
    budget = {"epochs": 4, "batch_size": 64, "seed": 0, "precision": "float32", "datasets": ["synthetic", "other"],
              "data": {}, "all_faces": 4000}  # fmt: skip
    _record(artifacts.LEARNING_RECORD, folder, {"budget": budget, "extrapolations": laws})


def _record(artifact: Json[Any], folder: Path, fields: dict[str, Any]) -> None:
    artifact.write(artifact.record.model_validate(fields), folder)


def _write_study(folder: Path, rng: np.random.Generator) -> None:
    _record(
        artifacts.STUDY,
        folder,
        {
            "dataset": "synthetic",
            "fingerprint": FINGERPRINT,
            "images": 1000,
            "identities": 500,
            "metadata_images": 5000,
            "status": {"ok": 1000, "broken": 1, "no_face": 2, "excluded": 3},
            "aligned_by": {"landmarks": 990, "source": 10},
            "duplicates": {"exact": 1, "near": 4, "across_splits": 0},
            "identities_across_splits": 0,
            "label_noise": LABEL_NOISE,
            "frame": {"height": HEIGHT, "width": WIDTH},
        },
    )
    labels = pd.DataFrame(
        [(label, split, n[i], n[i] // 2) for split, n in IMAGES.items() for i, label in enumerate(LABELS)],
        columns=["label", "split", "images", "identities"],
    )
    artifacts.LABELS.write(labels.astype({"identities": "Int64"}), folder)
    artifacts.ATTRIBUTES.write(_attributes(rng), folder)
    write_data_study(folder, rng)
    artifacts.QUALITY.write(_quality(), folder)
    faces = _faces()
    artifacts.AVERAGE_FACES.write(faces.drop_vars("effect"), folder)
    artifacts.SUBSETS.write(_subsets(faces), folder)
    _record(artifacts.ENGINES, folder, ENGINES)
    write_hypothesis(folder, faces["effect"].to_numpy(), rng)
    write_shape(folder, np.random.default_rng(22))


def _attributes(rng: np.random.Generator) -> pd.DataFrame:
    names = [name for name in CELEBA_ATTRIBUTES if name != "Male"]
    rows = []
    for scope, sizes in (("images", (600, 400)), ("metadata", (3000, 2000))):
        for name, pair in zip(names, rng.uniform(0.02, 0.95, (len(names), 2)), strict=True):
            for label, images, share in zip(LABELS, sizes, pair, strict=True):
                positives = round(images * share)
                prevalence = positives / images
                half = 1.96 * np.sqrt(prevalence * (1 - prevalence) / images)
                low, high = max(0.0, prevalence - half), min(1.0, prevalence + half)
                rows.append((scope, name, label, images, positives, prevalence, low, high))
    columns = ["scope", "attribute", "label", "images", "positives", "prevalence", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _quality() -> pd.DataFrame:
    measures = {
        "brightness": ("mean luma, 0 to 1", 0.2, 0.8, 0.5, 0.1),
        "contrast": ("standard deviation of luma, 0 to 1", 0.1, 0.35, 0.2, 0.04),
        "sharpness": ("log10 of the variance of the Laplacian", 2.0, 3.4, 2.7, 0.2),
    }
    tables = []
    for measure, (unit, low, high, centre, width) in measures.items():
        edges = np.linspace(low, high, 41)
        middle = (edges[:-1] + edges[1:]) / 2
        for label, n, shift in (("female", 600, 0.2), ("male", 400, -0.2)):
            weight = np.exp(-(((middle - centre) / width - shift) ** 2) / 2)
            images = np.floor(n * weight / weight.sum()).astype(int)
            images[np.argmax(images)] += n - images.sum()
            facts = {"label": label, "measure": measure, "unit": unit}
            tables.append(pd.DataFrame({**facts, "bin_left": edges[:-1], "bin_right": edges[1:], "images": images}))
    for label, n in (("female", 600), ("male", 400)):
        facts = {"label": label, "measure": "width", "unit": "pixels"}
        tables.append(pd.DataFrame({**facts, "bin_left": [88.5], "bin_right": [89.5], "images": [n]}))
    return pd.concat(tables, ignore_index=True)


def _faces() -> xr.Dataset:
    """Smooth ovals with eyes and a mouth: nobody, but upright and face-like."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)

    def spot(row: float, column: float, height: float, width: float) -> np.ndarray:
        return np.exp(-(((y - row) / height) ** 2 + ((x - column) / width) ** 2) / 2)

    features = spot(48, 30, 4, 7) + spot(48, 59, 4, 7) + 0.8 * spot(82, 44, 3, 10)
    tone = 0.35 + 0.4 * spot(58, 44, 34, 24) - 0.3 * features
    jaw = spot(90, 44, 10, 26) - 0.5 * spot(20, 44, 12, 30)
    mean = np.stack([np.stack([tone * c + s * jaw for c in (1.0, 0.85, 0.75)], -1) for s in (0.04, -0.04)])
    spread = np.broadcast_to(0.12 + 0.1 * (1 - spot(58, 44, 40, 30))[..., None], mean.shape)
    count = np.array([600, 400])
    dims = ("label", "y", "x", "channel")
    return xr.Dataset(
        {
            "mean": (dims, mean.clip(0, 1).astype(np.float32)),
            "spread": (dims, spread.astype(np.float32)),
            "sem": (dims, (spread / np.sqrt(count)[:, None, None, None]).astype(np.float32)),
            "count": ("label", count),
            "effect": (("y", "x"), (-0.6 * jaw).astype(np.float32)),
        },
        coords={"label": LABELS, "channel": ["R", "G", "B"]},
    )


def _subsets(faces: xr.Dataset) -> xr.Dataset:
    """All faces, each label, and each label with two attributes: the label's average, a little lighter or darker."""
    every = {"all faces": ("", 1000, faces[["mean", "spread"]].mean("label"))}
    for label, count in zip(LABELS, faces["count"].values, strict=True):
        own = faces[["mean", "spread"]].sel(label=label, drop=True)
        every[label] = (f"label == '{label}'", int(count), own)
        for name, shift in (("Smiling", 0.05), ("Eyeglasses", -0.05)):
            lit = own.assign(mean=(own["mean"] + shift).clip(0, 1))
            every[f"{label}, {name.lower()}"] = (f"label == '{label}' and {name}", int(count) // 4, lit)
    found = xr.concat([average for _, _, average in every.values()], "subset")
    counts = np.array([count for _, count, _ in every.values()])
    labels = [name.split(",")[0] for name in every]
    same = np.array([[one == two or "all faces" in (one, two) for two in labels] for one in labels])
    return found.assign(
        count=("subset", counts),
        people=("subset", counts // 2),
        filter=("subset", [filter_ for filter_, _, _ in every.values()]),
        shared=(("subset", "other"), np.minimum.outer(counts, counts) * same),
    ).assign_coords(subset=list(every))


def _write_model(folder: Path, rng: np.random.Generator) -> None:
    scored = _scored(rng)
    artifacts.PREDICTIONS.write(scored, folder)
    sources = {
        name: {split: _split(part[part["split"] == split]) for split in IMAGES}
        for name, part in scored.groupby("dataset", sort=False)
    }
    subset = {split: _split(scored.query("dataset == 'other' and split == @split").iloc[::2]) for split in IMAGES}
    subsets = {"other, ages 10-80": subset}
    splits = sources["synthetic"]
    noise = {"images": 200, "issues": 4, "noise_rate": 0.021, "suggested": {"female to male": 3, "male to female": 1}}
    _record(
        artifacts.METRICS,
        folder,
        {
            "datasets": list(sources),
            "splits": splits,
            "sources": sources,
            "subsets": subsets,
            "temperature": 1.2,
            "temperatures": {"synthetic": 1.1, "other": 1.4},
            "band": BAND,
            "promises": {
                "synthetic": {"made": "confident", "images": 1000, "decided": 900, "right": 899, "at_least": 0.9948},
                "other": {"made": "sample", "images": 1000, "decided": 800, "right": 795, "at_least": 0.9869},
            },
            "right_share_wanted": 0.99,
            "band_ages": [10, 80],
            "label_noise": {name: noise for name in sources},
            "parameters": 123456,
            "input": {"height": 80, "width": 80},
            "serving_bytes": 500000,
            "map": MAP,
        },
    )
    _record(
        artifacts.CARD,
        folder,
        {
            "file": "model.onnx",
            "sha256": hashlib.sha256(SERVING_FILE).hexdigest(),
            "bits": 8,
            "accuracy_lost": 0.001,
            "input": {"height": 80, "width": 80, "frame": [HEIGHT, WIDTH]},
            "parameters": 123456,
            "temperature": 1.2,
            "band": BAND,
            "labels": LABELS,
            "run": "synthetic",
            "test_accuracy": splits["test"]["accuracy"],
        },
    )
    epoch = np.arange(1, 13)
    history = {
        "epoch": epoch,
        "loss": 0.08 + 0.6 * np.exp(-epoch / 3),
        "accuracy": 0.97 - 0.35 * np.exp(-epoch / 3),
        "val_loss": 0.14 + 0.5 * np.exp(-epoch / 3) + 0.004 * (epoch - 8).clip(0),
        "val_accuracy": 0.945 - 0.3 * np.exp(-epoch / 3) - 0.001 * (epoch - 8).clip(0),
        "learning_rate": 1e-3 * 0.8**epoch,
    }
    history["kept"] = history["val_loss"] == history["val_loss"].min()
    artifacts.HISTORY.write(pd.DataFrame(history), folder)
    named = {**sources, **subsets}
    artifacts.CURVES.write(_curves(named), folder)
    artifacts.GROUPS.write(_groups(rng), folder)
    artifacts.CROSS_SOURCE.write(_cross_source(named), folder)
    artifacts.ROBUSTNESS.write(_robustness(), folder)
    artifacts.LABEL_ISSUES.write(_label_issues(scored), folder)
    artifacts.EXPLANATION.write(_explanation(), folder)
    write_evidence(folder, scored)


def _scored(rng: np.random.Generator) -> pd.DataFrame:
    tables = []
    for dataset, apart in (("synthetic", 2.5), ("other", 1.8)):
        for split, sizes in IMAGES.items():
            for label, n in zip(LABELS, sizes, strict=True):
                logit = rng.normal(apart if label == "male" else -apart, 1.7, n)
                facts = {"dataset": dataset, "split": split, "label": label}
                tables.append(pd.DataFrame({**facts, "p_male": 1 / (1 + np.exp(-logit))}))
    scored = pd.concat(tables, ignore_index=True)
    scored.insert(0, "image_id", [f"{i:06d}.jpg" for i in range(len(scored))])
    p = scored["p_male"]
    scored["decision"] = np.select([p <= BAND["low"], p >= BAND["high"]], LABELS, "uncertain")
    drawn = np.random.default_rng(24).normal(size=(len(scored), 2))
    scored["map_x"] = (np.log(p / (1 - p)) + drawn[:, 0]).round(1).astype(np.float32)
    scored["map_y"] = (3 * drawn[:, 1]).round(1).astype(np.float32)
    return scored


def _curves(named: dict[str, Any]) -> pd.DataFrame:
    x = np.linspace(0, 1, 41)
    heights = {"roc": x**0.1, "pr_female": 1 - 0.4 * x**8, "pr_male": 1 - 0.6 * x**9}
    return pd.concat(
        [
            pd.DataFrame({"curve": curve, "x": x, "y": y, "low": y * 0.97, "high": np.minimum(1, y * 1.02)}).assign(
                source=name, split=split
            )
            for name in named
            for split in IMAGES
            for curve, y in heights.items()
        ],
        ignore_index=True,
    )


def _groups(rng: np.random.Generator) -> pd.DataFrame:
    """Two runs; "other" knows ages and races, "synthetic" three attributes."""
    known = {
        "other": {
            "label": LABELS,
            "age": ["0-9", "10-19", "20-39", "40-59", "60+"],
            "race": ["Asian", "Black", "Indian", "Other", "White"],
        },
        "synthetic": {
            "label": LABELS,
            **{name: ["with", "without"] for name in ("Young", "Eyeglasses", "5_o_Clock_Shadow")},
        },
    }
    rows = []
    for run, level in (("synthetic", 0.95), ("earlier", 0.9)):
        for source, features in known.items():
            for feature, groups in features.items():
                accuracy = level - rng.uniform(0, 0.1, len(groups))
                best = accuracy.max()
                for group, each in zip(groups, accuracy, strict=True):
                    gap = best - each
                    rows.append(
                        {
                            "source": source,
                            "feature": feature,
                            "group": group,
                            "images": 50,
                            "accuracy": each,
                            "accuracy_low": each - 0.03,
                            "accuracy_high": each + 0.03,
                            "coverage": 0.8,
                            "decided_accuracy": np.nan if group == "0-9" else 0.99,
                            "selection_rate": 0.5,
                            "false_male_rate": np.nan if group == "male" else 1 - each,
                            "false_female_rate": np.nan if group == "female" else 1 - each,
                            "gap": gap,
                            "gap_low": gap - 0.02 if gap else 0.0,
                            "gap_high": gap + 0.02 if gap else 0.0,
                            "run": run,
                        }
                    )
    return pd.DataFrame(rows)


def _cross_source(named: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for run, trained_on, loss in (("synthetic", "synthetic + other", 0.0), ("earlier", "synthetic", 0.05)):
        for name, splits in named.items():
            test = splits["test"]
            low, high = test["accuracy_interval"]
            rows.append(
                {
                    "run": run,
                    "trained_on": trained_on,
                    "source": name,
                    "images": test["images"],
                    "accuracy": test["accuracy"] - loss,
                    "low": low - loss,
                    "high": high - loss,
                    "ece": test["calibration"]["ece"],
                    "coverage": test["decided"]["coverage"],
                    "decided_accuracy": test["decided"]["accuracy"],
                }
            )
    return pd.DataFrame(rows)


def _robustness() -> pd.DataFrame:
    kinds = {
        "blur": ("standard deviation in pixels of 109 rows", [0, 1, 2, 3, 4, 6], 0),
        "noise": ("standard deviation in grey levels (0 to 255)", [0, 10, 20, 30, 45, 60], 0),
        "JPEG quality": ("1 to 100, 100 left uncompressed", [5, 10, 20, 40, 60, 100], 100),
        "resolution": ("rows of the face, enlarged again", [12, 16, 24, 36, 60, 109], 109),
        "rotation": ("degrees to either side", [0, 5, 10, 20, 30, 45], 0),
        "occlusion": ("% of the face covered by grey", [0, 5, 10, 20, 30, 40], 0),
        "brightness": ("photographic stops", [-4, -3, -2, -1, 0, 1, 2], 0),
    }
    rows = []
    for source, top in (("synthetic", 0.95), ("other", 0.9)):
        for name, (unit, levels, intact) in kinds.items():
            span = max(abs(level - intact) for level in levels)
            for level in levels:
                accuracy = top - 0.4 * (abs(level - intact) / span) ** 2
                rows.append((source, name, unit, float(level), level == intact, 100, accuracy))
    columns = ["source", "degradation", "unit", "level", "intact", "images", "accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(low=table["accuracy"] - 0.03, high=table["accuracy"] + 0.03)


def _label_issues(scored: pd.DataFrame) -> pd.DataFrame:
    held = scored[scored["split"] != "train"]
    own = np.where(held["label"] == "male", held["p_male"], 1 - held["p_male"])
    doubted = held.assign(self_confidence=own).sort_values("self_confidence").groupby("dataset", sort=False).head(4)
    return pd.DataFrame(
        {
            "source": doubted["dataset"],
            "image_id": doubted["image_id"],
            "split": doubted["split"],
            "given": doubted["label"],
            "suggested": np.where(doubted["label"] == "male", "female", "male"),
            "self_confidence": doubted["self_confidence"],
        }
    ).reset_index(drop=True)


def _explanation() -> xr.Dataset:
    faces = _faces()
    share = np.linspace(0, 1, 21)
    falls = np.stack([0.95 - 0.45 * share**power for power in (0.2, 0.6, 1.0)])
    probability = np.stack([falls, 0.5 + 0.45 * share ** np.array([[0.1], [0.4], [0.8]])])
    area = np.trapezoid(probability, share, axis=-1)
    advantage = (area - area[:, :1]) * np.array([[1], [-1]])
    pair = ("walk", "order")
    size = np.abs(faces["effect"].to_numpy())
    return xr.Dataset(
        {
            "heat": (("label", "y", "x"), np.stack([2 * size, 3 * size]).astype(np.float32)),
            "face": (("label", "y", "x", "channel"), faces["mean"].to_numpy()),
            "count": ("label", np.array([128, 128])),
            "probability": ((*pair, "share"), probability.astype(np.float32)),
            "area": (pair, area),
            "advantage": (pair, advantage),
            "advantage_low": (pair, advantage - 0.02),
            "advantage_high": (pair, advantage + 0.02),
        },
        coords={
            "label": LABELS,
            "channel": ["R", "G", "B"],
            "walk": ["deletion", "insertion"],
            "order": ["explanation", "centre first", "random patches"],
            "share": share,
        },
        attrs={"faces": 256, "masks": 200, "blur": 8.0},
    )


def _split(scored: pd.DataFrame) -> dict[str, Any]:
    p, male = scored["p_male"].to_numpy(), (scored["label"] == "male").to_numpy()
    guess = p >= 0.5
    right = guess == male
    matrix = [[int((guess[male == t] == g).sum()) for g in (False, True)] for t in (False, True)]
    decided = (scored["decision"] != "uncertain").to_numpy()
    accuracy, half = float(right.mean()), 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / len(right))
    order = np.argsort(-p)
    false_rate = np.concatenate([[0], np.cumsum(~male[order]) / (~male).sum()])
    true_rate = np.concatenate([[0], np.cumsum(male[order]) / male.sum()])
    bins = _bins(p, male)
    filled = [b for b in bins if b["images"]]
    clipped = p.clip(1e-9, 1 - 1e-9)
    return {
        "images": len(scored),
        "accuracy": accuracy,
        "accuracy_interval": [accuracy - half, min(1.0, accuracy + half)],
        "balanced_accuracy": float(np.mean([matrix[i][i] / sum(matrix[i]) for i in (0, 1)])),
        "roc_auc": float(np.trapezoid(true_rate, false_rate)),
        "roc_auc_interval": [0.94, 0.99],
        "average_precision": {"female": 0.985, "male": 0.972},
        "average_precision_interval": {"female": [0.975, 0.992], "male": [0.95, 0.984]},
        "log_loss": float(-np.mean(np.log(np.where(male, clipped, 1 - clipped)))),
        "brier": float(np.mean((p - male) ** 2)),
        "confusion": {"labels": LABELS, "matrix": matrix},
        "report": _report(matrix, accuracy),
        "calibration": {
            "ece": sum(b["images"] * abs(b["confidence"] - b["share_male"]) for b in filled) / len(p),
            "bins": bins,
        },
        "decided": {
            "coverage": float(decided.mean()),
            "accuracy": float(right[decided].mean()),
            "uncertain": int((~decided).sum()),
        },
    }


def _bins(p: np.ndarray, male: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for i in range(15):
        inside = np.minimum((p * 15).astype(int), 14) == i
        n = int(inside.sum())
        confidence = float(p[inside].mean()) if n else None
        share = float(male[inside].mean()) if n else None
        rows.append({"left": i / 15, "right": (i + 1) / 15, "images": n, "confidence": confidence, "share_male": share})
    return rows


def _report(matrix: list[list[int]], accuracy: float) -> dict[str, Any]:
    """What scikit-learn's classification_report gives, without loading it."""
    counts = np.array(matrix, dtype=float)
    recall, precision = np.diag(counts) / counts.sum(axis=1), np.diag(counts) / counts.sum(axis=0)
    table = np.array([precision, recall, 2 * precision * recall / (precision + recall)])
    support = counts.sum(axis=1)
    columns = {
        "female": (table[:, 0], support[0]),
        "male": (table[:, 1], support[1]),
        "macro avg": (table.mean(axis=1), support.sum()),
        "weighted avg": (table @ support / support.sum(), support.sum()),
    }
    keys = ("precision", "recall", "f1-score")
    rows: dict[str, Any] = {
        name: dict(zip(keys, map(float, values), strict=True)) | {"support": float(n)}
        for name, (values, n) in columns.items()
    }
    return rows | {"accuracy": accuracy}
