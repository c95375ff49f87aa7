"""Two runs on the same images: every measure with the interval of its difference, and their curves over each other."""

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.stats import sign_test, wilson
from analysis.core.words import p_value, percent, signed
from analysis.figures import theme
from analysis.figures.rows import in_percent, points, with_errors

_RESAMPLES = 1000
_BINS = 10  # of the reliability diagram
_STEPS = 200  # points of a curve, at most
_LEAST = 20  # images that can be compared
MEASURES = {  # name -> whether more is better, and how it is written
    "Accuracy": (True, "percent"),
    "Balanced accuracy": (True, "percent"),
    "Area under ROC": (True, "number"),
    "Brier score": (False, "number"),
    "Log loss": (False, "number"),
}


def same_images(first: pd.DataFrame, second: pd.DataFrame, source: str, split: str) -> pd.DataFrame:
    """Put the scores of two runs side by side, of the images that are in one split of one data set in both.

    Parameters
    ----------
    first, second
        ``dataset, image_id, split, label, p_male``.
    source, split
        Which images.

    Returns
    -------
    pandas.DataFrame
        ``male`` (bool), ``first`` and ``second``: probabilities of "male".

    Raises
    ------
    UserError
        If there are fewer than 20.
    """
    chosen = [
        each.loc[(each["dataset"] == source) & (each["split"] == split), ["image_id", "label", "p_male"]]
        for each in (first, second)
    ]
    both = chosen[0].merge(chosen[1], on=["image_id", "label"], suffixes=("_first", "_second"))
    if len(both) < _LEAST:
        raise UserError(
            f"both runs scored {len(both)} images of the {split} split of {source!r}, which is too few: choose a whole "
            "data set that both were evaluated on"
        )
    return pd.DataFrame(
        {"male": both["label"] == "male", "first": both["p_male_first"], "second": both["p_male_second"]}
    )


def compared(images: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Measure both runs and their difference.

    Parameters
    ----------
    images
        From `same_images`.
    seed
        Random seed of the bootstrap, which draws the same images for both runs.

    Returns
    -------
    pandas.DataFrame
        ``first, second, difference, low, high``, a row for each of `MEASURES`; NaN where there is one label only.
    """
    male = images["male"].to_numpy(bool)
    count = len(images)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _RESAMPLES).astype(np.float32)
    weights = np.concatenate([np.ones((1, count), np.float32), drawn])
    with np.errstate(invalid="ignore", divide="ignore"):
        both = [_measured(images[run].to_numpy(float), male, weights) for run in ("first", "second")]
    rows = {}
    for name in MEASURES:
        first, second = (each[name] for each in both)
        apart = first - second
        known = apart[1:][np.isfinite(apart[1:])]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        rows[name] = [first[0], second[0], apart[0], low, high]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["first", "second", "difference", "low", "high"])


def _measured(score: np.ndarray, male: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of one run for each row of weights (resample, image)."""
    total = weights.sum(axis=1)
    right = ((score >= 0.5) == male).astype(np.float32)
    of_male, of_female = weights @ male, weights @ ~male
    order = np.argsort(score, kind="stable")
    # Of equal scores half counts, as in the Mann-Whitney statistic.
    _, place = np.unique(score[order], return_inverse=True)
    starts = np.flatnonzero(np.r_[True, np.diff(place) > 0])
    females = np.add.reduceat((weights * ~male)[:, order], starts, axis=1)
    males = np.add.reduceat((weights * male)[:, order], starts, axis=1)
    wins = (males * (np.cumsum(females, axis=1) - females / 2)).sum(axis=1)
    safe = np.clip(score, 1e-6, 1 - 1e-6)
    loss = -np.where(male, np.log(safe), np.log1p(-safe)).astype(np.float32)
    return {
        "Accuracy": weights @ right / total,
        "Balanced accuracy": (weights @ (right * male) / of_male + weights @ (right * ~male) / of_female) / 2,
        "Area under ROC": wins / (of_male * of_female),
        "Brier score": weights @ ((score - male) ** 2).astype(np.float32) / total,
        "Log loss": weights @ loss / total,
    }


def difference_table(measures: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Both runs' measures and their difference with its interval, formatted for display.

    Parameters
    ----------
    measures
        From `compared`.
    first, second
        Names of the runs.
    """
    rows = {}
    for name, row in measures.iterrows():
        better, how = MEASURES[str(name)]
        beyond = row["low"] > 0 or row["high"] < 0
        ahead = "–" if not beyond else first if (row["difference"] > 0) == better else second

        def write(value: float, how: str = how) -> str:
            return percent(value) if how == "percent" else f"{value:.4f}"

        def change(value: float, how: str = how) -> str:
            return signed(100 * value, 1) if how == "percent" else signed(value, 4)

        rows[name] = [
            write(row["first"]),
            write(row["second"]),
            f"{change(row['difference'])} ({change(row['low'])} to {change(row['high'])})".replace(" ", "\u00a0"),
            ahead,
        ]
    columns = [first, second, "Difference (95 % interval)", "Better beyond chance"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def difference_reading(images: pd.DataFrame, first: str, second: str) -> str:
    """Images that only one of the runs has right, and whether chance could do as much."""
    male = images["male"].to_numpy(bool)
    right = [(images[run].to_numpy(float) >= 0.5) == male for run in ("first", "second")]
    gained, lost = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return (
        f"On the same {len(images):,} images, {gained:,} are right in {first} alone and {lost:,} in {second} alone "
        f"({p_value(sign_test(gained, lost))}, sign test). Differences are {first} minus {second}, accuracies in "
        "points; intervals and test count each image by itself, so that they are somewhat narrow where a person is on "
        "several."
    )


def roc_of_both(images: pd.DataFrame, first: str, second: str) -> hv.Overlay:
    """ROC curves of both runs over each other; arguments as in `difference_reading`."""
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - 14 MB, for this chart alone

    male = images["male"].to_numpy(bool)
    layers: list[hv.core.Dimensioned] = [theme.diagonal()]
    for run, name, colour, dash in _both(first, second):
        taken, found, _ = roc_curve(male, images[run])
        kept = np.unique(np.r_[: len(found) : max(1, len(found) // _STEPS), len(found) - 1])
        table = pd.DataFrame({"x": 100 * taken[kept], "y": 100 * found[kept], "run": name})
        tips = [("run", "@run"), ("female taken for male", "@x{0.0} %"), ("male found", "@y{0.0} %")]
        layers.append(
            hv.Curve(table, "x", ["y", "run"], label=name).opts(
                color=colour, line_dash=dash, tools=["hover"], hover_tooltips=tips
            )
        )
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Which tells apart better?",
            height=420,
            max_width=560,
            xlabel="Female predicted male (%)",
            ylabel="Male predicted male (%)",
            xlim=(-2, 102),
            ylim=(-2, 102),
            show_grid=True,
            **theme.names_of([first, second]),
        )
    )


def reliability_of_both(images: pd.DataFrame, first: str, second: str) -> hv.Overlay:
    """Reliability of both runs over each other, with 95 % intervals; arguments as in `difference_reading`."""
    layers: list[hv.core.Dimensioned] = [theme.diagonal()]
    tips = [
        ("run", "@run"),
        ("mean predicted", "@confidence{0.0} %"),
        ("labelled male", "@share{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("images", "@images{0,0}"),
    ]
    for run, name, colour, _ in _both(first, second):
        place = np.minimum((images[run] * _BINS).astype(int), _BINS - 1)
        bins = images.groupby(place).agg(confidence=(run, "mean"), share=("male", "mean"), images=("male", "size"))
        ends = [wilson(round(row.share * row.images), row.images) for row in bins.itertuples()]
        bins = bins.reset_index(drop=True).assign(
            low=[low for low, _ in ends], high=[high for _, high in ends], run=name
        )
        bins = with_errors(in_percent(bins, "confidence", "share", "low", "high"), "share")
        layers += [
            hv.ErrorBars(bins, "confidence", ["share", "below", "above"]).opts(color=colour, line_width=2),
            points(bins, "confidence", "share", tips, label=name, color=colour, size=9, alpha=0.9),
        ]
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Which is better calibrated?",
            height=420,
            max_width=560,
            xlabel="Predicted probability of male (%)",
            ylabel="Images labelled male (%)",
            xlim=(-3, 103),
            ylim=(-3, 103),
            show_grid=True,
            **theme.names_of([first, second]),
        )
    )


def _both(first: str, second: str) -> list[tuple[str, str, str, str]]:
    return [("first", first, theme.CATEGORIES[0], "solid"), ("second", second, theme.CATEGORIES[1], "dashed")]
