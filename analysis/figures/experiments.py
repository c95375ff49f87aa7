"""What was tried before the published training: each part left out in turn, and a search of hyper-parameters."""

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.words import percent
from analysis.figures import theme

_NAMES = {
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "label_smoothing": "label smoothing",
    "auxiliary": "weight of other heads",
    "balance": "balance of groups",
    "batch_size": "batch size",
    "width": "width of the network",
    "light": "strength of light changes",
    "rotation": "largest rotation",
    "hide": "share with covered part",
}
_LOGARITHMIC = {"learning_rate", "weight_decay"}


def ablation_chart(ablation: pd.DataFrame) -> hv.Overlay:
    """Change of accuracy on each data set when one thing is changed, with paired 95 % intervals.

    Parameters
    ----------
    ablation
        ``variant, dataset, images, accuracy, log_loss, difference, low, high``; shares in [0, 1].
    """
    compared = ablation.dropna(subset=["difference"])
    order = compared.groupby("variant")["difference"].mean().sort_values(ascending=False).index.tolist()
    names = list(dict.fromkeys(compared["dataset"]))
    layers: list[hv.Element] = [hv.VLine(0).opts(color=theme.QUIET, line_width=1)]
    for place, (name, colour) in enumerate(zip(names, theme.CATEGORIES, strict=False)):
        found = compared[compared["dataset"] == name].copy()
        offset = (place - (len(names) - 1) / 2) * -0.24
        found["y"] = [len(order) - 1 - order.index(variant) + offset for variant in found["variant"]]
        for key in ("difference", "low", "high"):
            found[key] = 100 * found[key].astype(float)
        found["accuracy"] *= 100
        layers.append(
            hv.Segments(found, ["low", "y", "high", "y"], label=name).opts(color=colour, line_width=2, alpha=0.75)
        )
        layers.append(
            hv.Points(found, ["difference", "y"], ["variant", "dataset", "low", "high", "accuracy", "images"]).opts(
                color=colour,
                size=8,
                tools=["hover"],
                hover_tooltips=[
                    ("changed", "@variant"),
                    ("data set", "@dataset"),
                    ("change", "@difference{+0.0} points"),
                    ("95 % interval", "@low{+0.0} to @high{+0.0}"),
                    ("accuracy", "@accuracy{0.0} %"),
                    ("validation images", "@images"),
                ],
            )
        )
    return hv.Overlay(layers).opts(
        **theme.chart(
            "What is each worth?",
            height=90 + 34 * len(order),
            xlabel="Change of accuracy (points)",
            ylabel="",
            yticks=[(len(order) - 1 - place, variant) for place, variant in enumerate(order)],
            ylim=(-0.6, len(order) - 0.4),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def ablation_reading(ablation: pd.DataFrame, budget: dict[str, Any]) -> str:
    """Budget of the comparison, what cost most when left out, and how many changes made no difference."""
    compared = ablation.dropna(subset=["difference"])
    mean = compared.groupby("variant")["difference"].mean()
    seeds = compared[compared["variant"] == "another seed"]["difference"].abs()
    clear = compared[(compared["high"] < 0) | (compared["low"] > 0)]["variant"].nunique()
    reading = (
        f"Each variant was trained for {budget['epochs']} epochs on {budget['faces']:,} faces and scored on the "
        f"validation splits. The largest loss comes with “{mean.idxmin()}” ({100 * mean.min():+.1f} points on "
        f"average), the largest gain with “{mean.idxmax()}” ({100 * mean.max():+.1f}); {clear} of {len(mean)} changes "
        "differ clearly from the reference on some data set"
    )
    if len(seeds):
        reading += f", and another seed alone moves accuracy by up to {100 * seeds.max():.1f} points"
    return reading.replace("-", "−") + "."


def ablation_table(ablation: pd.DataFrame) -> pd.DataFrame:
    """The log of what was tried, as text: a row a variant, a pair of columns a data set."""
    rows = []
    for variant, found in ablation.groupby("variant", sort=False):
        row: dict[str, str] = {"Changed": str(variant)}
        for _, one in found.iterrows():
            row[f"{one['dataset']}: accuracy"] = percent(one["accuracy"])
            row[f"{one['dataset']}: change (95 % interval)"] = (
                "–"
                if pd.isna(one["difference"])
                else (
                    f"{100 * one['difference']:+.1f} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})".replace(
                        "-", "−"
                    )
                )
            )
        row["Minutes"] = f"{found['seconds'].iloc[0] / 60:.1f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("Changed")


def importance_chart(record: dict[str, Any]) -> hv.Overlay:
    """Share of the variance of the log loss that each hyper-parameter explains.

    Parameters
    ----------
    record
        ``search.json``; its ``importance`` maps names to shares in [0, 1].
    """
    found = sorted(record["importance"].items(), key=lambda pair: pair[1])
    table = pd.DataFrame(
        {
            "left": 0.0,
            "bottom": np.arange(len(found)) - 0.34,
            "right": [100 * share for _, share in found],
            "top": np.arange(len(found)) + 0.34,
            "name": [_NAMES.get(name, name) for name, _ in found],
        }
    )
    bars = hv.Rectangles(table, ["left", "bottom", "right", "top"], ["name"]).opts(
        color=theme.CATEGORIES[0],
        line_color=None,
        tools=["hover"],
        hover_tooltips=[("hyper-parameter", "@name"), ("explains", "@right{0.0} %")],
    )
    return hv.Overlay([bars]).opts(
        **theme.chart(
            "Which setting matters?",
            height=80 + 30 * len(found),
            max_width=760,
            xlabel="Variance explained (%)",
            ylabel="",
            yticks=list(enumerate(table["name"])),
            xlim=(0, None),
            show_grid=True,
        )
    )


def importance_reading(record: dict[str, Any]) -> str:
    """How large the search was, and the settings that mattered most."""
    first = sorted(record["importance"].items(), key=lambda pair: -pair[1])[:3]
    told = ", ".join(f"{_NAMES.get(name, name)} ({percent(share)})" for name, share in first)
    return (
        f"{record['trials']} trials of {record['epochs']} epochs on {record['faces']:,} faces each, chosen by the "
        f"{record['sampler']} sampler; those that fell behind were stopped early. Log loss on the validation splits "
        f"depends most on {told}."
    )


def parallel_coordinates(trials: pd.DataFrame) -> hv.Overlay:
    """Every finished trial as a line through its settings; the better, the darker, on top.

    Parameters
    ----------
    trials
        ``trial, state, value`` (log loss), ``accuracy`` and a column a hyper-parameter.
    """
    names = [name for name in _NAMES if name in trials]
    shown = trials.dropna(subset=["value"]).sort_values("value", ascending=False)
    places, ticks = {}, []
    for name in names:
        values = np.log10(shown[name]) if name in _LOGARITHMIC else shown[name].astype(float)
        low, high = float(values.min()), float(values.max())
        places[name] = (values - low) / (high - low or 1)
        ends = (10**low, 10**high) if name in _LOGARITHMIC else (low, high)
        ticks += [(names.index(name), 0.0, f"{ends[0]:.3g}"), (names.index(name), 1.0, f"{ends[1]:.3g}")]
    # Ranks, not values: one very bad trial would leave the others without a difference in colour.
    rank = shown["value"].rank(pct=True).to_numpy()
    lines = [
        {
            ("x", "y"): [(place, places[name].iloc[row]) for place, name in enumerate(names)],
            "rank": 1 - rank[row],
            "trial": int(shown["trial"].iloc[row]),
            "loss": float(shown["value"].iloc[row]),
            "accuracy": 100 * float(shown["accuracy"].iloc[row]),
            "state": shown["state"].iloc[row],
        }
        for row in range(len(shown))
    ]
    paths = hv.Contours(lines, ["x", "y"], ["rank", "trial", "loss", "accuracy", "state"]).opts(
        color="rank",
        cmap=theme.SEQUENTIAL,
        clim=(0, 1),
        line_width=2,
        alpha=0.8,
        tools=["hover"],
        hover_tooltips=[
            ("trial", "@trial (@state)"),
            ("log loss", "@loss{0.000}"),
            ("accuracy", "@accuracy{0.0} %"),
        ],
    )
    axes = hv.Segments([(place, 0, place, 1) for place in range(len(names))]).opts(color=theme.QUIET, line_width=1)
    low_ends = hv.Labels([(x, -0.06, text) for x, y, text in ticks if y == 0]).opts(**theme.words(size=11))
    high_ends = hv.Labels([(x, 1.06, text) for x, y, text in ticks if y == 1]).opts(**theme.words(size=11))
    return hv.Overlay([axes, paths, low_ends, high_ends]).opts(
        **theme.chart(
            "Which settings go together?",
            height=420,
            xlabel="",
            ylabel="",
            xticks=[(place, _NAMES[name]) for place, name in enumerate(names)],
            xrotation=35,
            yaxis=None,
            xlim=(-0.5, len(names) - 0.5),
            ylim=(-0.12, 1.12),
        )
    )


def parallel_coordinates_reading(trials: pd.DataFrame, record: dict[str, Any]) -> str:
    """The best trial, its settings, and how many were stopped early."""
    best = trials.loc[trials["value"].idxmin()]
    settings = ", ".join(f"{_NAMES.get(name, name)} {value:.3g}" for name, value in record["best"].items())
    pruned = int((trials["state"] == "pruned").sum())
    return (
        f"Darker lines are better trials; {pruned} of {len(trials)} were stopped early. The best, number "
        f"{int(best['trial'])}, reached a log loss of {best['value']:.3f} and an accuracy of "
        f"{percent(best['accuracy'])} with {settings}."
    )
