"""Experiments beside the published training: ablation, learning curve, and a search of hyper-parameters."""

import holoviews as hv
import hvplot.pandas  # noqa: F401 - gives tables `.hvplot`
import numpy as np
import pandas as pd

from analysis.core.words import listed, percent, signed
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, intervals, points, with_errors
from analysis.results.records import AblationRecord, LearningRecord, SearchRecord

NAMES = {
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "label_smoothing": "label smoothing",
    "auxiliary": "weight of other heads",
    "balance": "balance of groups",
    "batch_size": "batch size",
    "width": "channels of the first stage",
    "light": "strength of light changes",
    "rotation": "largest rotation",
    "hide": "share with covered part",
}
LOGARITHMIC = {"learning_rate", "weight_decay"}


@guided(
    "Each row is a short training from random weights with one thing changed. Left of the line the change makes it "
    "worse, right of it better than the defaults; bars are paired 95 % intervals, and those that cross the line may be "
    "chance.",
    view="metrics?view=training",
)
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
    tips = [
        ("changed", "@variant"),
        ("data set", "@dataset"),
        ("change", "@difference{+0.0} points"),
        ("95 % interval", "@low{+0.0} to @high{+0.0}"),
        ("accuracy", "@accuracy{0.0} %"),
        ("validation images", "@images{0,0}"),
    ]
    layers: list[hv.core.Dimensioned] = [hv.VLine(0).opts(line_dash="solid", line_width=1)]
    for place, (name, colour) in enumerate(zip(names, theme.CATEGORIES, strict=False)):
        results = in_percent(compared[compared["dataset"] == name], "difference", "low", "high", "accuracy")
        # Data sets side by side within a variant's row.
        offset = (place - (len(names) - 1) / 2) * -0.24
        results = results.assign(row=[len(order) - 1 - order.index(variant) + offset for variant in results["variant"]])
        layers.append(intervals(results, "difference", "row", tips, color=colour, label=name, size=8))
    return hv.Overlay(layers).opts(
        **theme.chart(
            "What does each part add?",
            height=90 + 34 * len(order),
            xlabel="Change of accuracy (points)",
            ylabel="",
            yticks=[(len(order) - 1 - place, variant) for place, variant in enumerate(order)],
            ylim=(-0.6, len(order) - 0.4),
            show_grid=True,
            **theme.over_names(order),
            **theme.names_of(names),
        )
    )


def ablation_reading(ablation: pd.DataFrame, budget: AblationRecord) -> str:
    """Budget of the ablation, largest loss and gain, and number of significant changes in either direction."""
    compared = ablation.dropna(subset=["difference"])
    mean = compared.groupby("variant")["difference"].mean()
    seeds = compared[compared["variant"] == "another seed"]["difference"].abs()
    worse, better = (compared[clear]["variant"].nunique() for clear in (compared["high"] < 0, compared["low"] > 0))
    reading = (
        f"Each variant was trained from random weights for {budget.epochs} epochs on {budget.faces:,} faces and scored "
        f"on the validation splits. The lowest accuracy comes with “{mean.idxmin()}” ({100 * mean.min():+.1f} points "
        f"on average), the highest with “{mean.idxmax()}” ({100 * mean.max():+.1f}); of {len(mean)} changes, {worse} "
        f"made accuracy significantly worse on some data set and {better} better"
    )
    if len(seeds):
        reading += f", and another seed alone moves accuracy by up to {100 * seeds.max():.1f} points"
    return reading.replace("-", "−") + "."


def ablation_table(ablation: pd.DataFrame) -> pd.DataFrame:
    """Results of the ablation, formatted for display: one row per variant, two columns per data set."""
    rows = []
    for variant, results in ablation.groupby("variant", sort=False):
        row: dict[str, str] = {"Changed": str(variant)}
        for _, result in results.iterrows():
            change, low, high = (signed(100 * result[key], 1) for key in ("difference", "low", "high"))
            row[f"{result['dataset']}: accuracy"] = percent(result["accuracy"])
            row[f"{result['dataset']}: change (95 % interval)"] = (
                "–" if pd.isna(result["difference"]) else f"{change} ({low} to {high})"
            )
        row["Minutes"] = f"{results['seconds'].iloc[0] / 60:.1f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("Changed")


@guided(
    "Both axes are logarithmic, so that a power law is a straight line. The steeper a line falls, the more "
    "further faces help.",
    view="metrics?view=training",
)
def learning_chart(learning: pd.DataFrame, record: LearningRecord) -> hv.Overlay:
    """Share of wrong answers against the number of training faces, both logarithmic, with the fitted power laws.

    Parameters
    ----------
    learning
        ``faces, repeat, dataset, images, accuracy, low, high``; shares in [0, 1].
    record
        ``learning.json``, whose laws are drawn on to the number of faces that they are extrapolated to.
    """
    table = learning.assign(
        wrong=1 - learning["accuracy"], low=1 - learning["high"], high=1 - learning["low"], source=learning["dataset"]
    )
    least = 0.5 / table["images"]  # a logarithmic axis has no zero
    table = in_percent(table.assign(**{name: table[name].clip(lower=least) for name in ("wrong", "low", "high")}),
                       "wrong", "low", "high")  # fmt: skip
    names = list(dict.fromkeys(table["dataset"]))
    tips = [
        ("data set", "@source"),
        ("training faces", "@faces{0,0}"),
        ("wrong", "@wrong{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("validation images", "@images{0,0}"),
    ]
    layers: list[hv.core.Dimensioned] = []
    ends = [table["faces"].min(), table["faces"].max()]
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        rows = with_errors(table[table["dataset"] == name], "wrong")
        law = record.extrapolations.get(name)
        if law is not None:
            faces = np.geomspace(rows["faces"].min(), law.faces, 60)
            line = hv.Curve((faces, 100 * np.maximum(law.floor + law.scale * faces**-law.exponent, 1e-4)))
            layers.append(line.opts(color=colour, line_dash="dashed", line_width=1.5))
            ends.append(law.faces)
        layers += [
            hv.ErrorBars(rows, "faces", ["wrong", "below", "above"]).opts(color=colour, line_width=1.5),
            points(rows, "faces", "wrong", tips, label=name, color=colour, size=8),
        ]
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Would more faces help?",
            height=380,
            xlabel="Training faces (logarithmic)",
            ylabel="Wrong (%, logarithmic)",
            logx=True,
            logy=True,
            xlim=(0.8 * min(ends), 1.25 * max(ends)),
            ylim=(0.7 * float(table["low"].min()), 1.4 * float(table["high"].max())),
            xformatter="%d",
            show_grid=True,
            **theme.names_of(names),
        )
    )


def learning_reading(learning: pd.DataFrame, record: LearningRecord) -> str:
    """Accuracy with the fewest and with the most faces, and where the power laws lead."""
    budget = record.budget
    parts = []
    for name, rows in learning.groupby("dataset", sort=False):
        mean = rows.groupby("faces")["accuracy"].mean()
        parts.append(
            f"on {name} from {percent(mean.iloc[0])} with {mean.index[0]:,} faces to {percent(mean.iloc[-1])} with "
            f"{mean.index[-1]:,}"
        )
    text = (
        f"From random weights, with as many steps as {budget.epochs} passes over all {budget.all_faces:,} faces take, "
        f"accuracy on the validation splits goes {listed(parts)}."
    )
    led = [
        f"{percent(law.accuracy)} on {name} (95 % interval {percent(law.interval[0])} to {percent(law.interval[1])})"
        for name, law in record.extrapolations.items()
    ]
    if not led:
        return f"{text} That is too little for a power law."
    faces = next(iter(record.extrapolations.values())).faces
    return (
        f"{text} Power laws that are fitted to this (dashed) lead with {faces:,} faces to {listed(led)}, if they go on "
        "and further faces are like these."
    )


@guided(
    "The longer a bar, the more the result of a trial depended on that setting, within the range that was searched.",
    view="metrics?view=training",
)
def importance_chart(record: SearchRecord) -> hv.Overlay:
    """Share of the variance of the log loss that each hyper-parameter explains.

    Parameters
    ----------
    record
        ``search.json``; its ``importance`` maps names to shares in [0, 1].
    """
    ranked = sorted(record.importance.items(), key=lambda pair: pair[1])
    table = pd.DataFrame({"name": [NAMES.get(name, name) for name, _ in ranked], "share": [v for _, v in ranked]})
    bars = in_percent(table, "share").hvplot.barh(
        x="name",
        y="share",
        color=theme.CATEGORIES[0],
        line_color=None,
        bar_width=0.68,
        responsive=True,
        hover_tooltips=[("hyper-parameter", "@name"), ("explains", "@share{0.0} %")],
    )
    return hv.Overlay([bars]).opts(
        **theme.chart(
            "Which setting matters?",
            height=80 + 30 * len(ranked),
            max_width=760,
            invert_axes=True,  # so that x and y change places
            xlabel="",
            ylabel="Variance explained (%)",
            ylim=(0, None),
            show_grid=True,
            **theme.over_names(table["name"]),
        )
    )


def importance_reading(record: SearchRecord) -> str:
    """Size of the search, and the most important settings."""
    first = sorted(record.importance.items(), key=lambda pair: -pair[1])[:3]
    ranked = ", ".join(f"{NAMES.get(name, name)} ({percent(share)})" for name, share in first)
    return (
        f"{record.trials} trials, each from random weights and of {record.epochs} epochs on {record.faces:,} faces, "
        f"proposed by the {record.sampler} sampler; unpromising trials were stopped early. Log loss on the validation "
        f"splits depends most on {ranked}."
    )


@guided(
    "Each line is a trial; it crosses each axis at the setting that it used. Dark lines are good trials: where "
    "they meet, a setting matters.",
    view="metrics?view=training",
)
def parallel_coordinates(trials: pd.DataFrame) -> hv.Overlay:
    """Every finished trial as a line through its settings; the better a trial, the darker its line.

    Parameters
    ----------
    trials
        ``trial, state, value`` (log loss), ``accuracy`` and one column per hyper-parameter.
    """
    names = [name for name in NAMES if name in trials]
    finished = trials.dropna(subset=["value"]).sort_values("value", ascending=False)
    places, ticks = {}, []
    for name in names:
        values = np.log10(finished[name]) if name in LOGARITHMIC else finished[name].astype(float)
        low, high = float(values.min()), float(values.max())
        places[name] = (values - low) / (high - low or 1)
        ends = (10**low, 10**high) if name in LOGARITHMIC else (low, high)
        ticks += [(names.index(name), 0.0, _short(ends[0])), (names.index(name), 1.0, _short(ends[1]))]
    # Ranks, not values: with one very bad trial, all others would have the same colour.
    rank = finished["value"].rank(pct=True).to_numpy()
    lines = [
        {
            ("x", "y"): [(place, places[name].iloc[row]) for place, name in enumerate(names)],
            "rank": 1 - rank[row],
            "trial": int(finished["trial"].iloc[row]),
            "loss": float(finished["value"].iloc[row]),
            "accuracy": 100 * float(finished["accuracy"].iloc[row]),
            "state": finished["state"].iloc[row],
        }
        for row in range(len(finished))
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
    # Every other one stands farther out, so that neighbours keep apart on a phone.
    low_ends = hv.Labels([(x, -0.05 - 0.06 * (x % 2), text) for x, y, text in ticks if y == 0]).opts(
        text_font_size="11px"
    )
    high_ends = hv.Labels([(x, 1.05 + 0.06 * (x % 2), text) for x, y, text in ticks if y == 1]).opts(
        text_font_size="11px"
    )
    return hv.Overlay([axes, paths, low_ends, high_ends]).opts(
        **theme.chart(
            "Which settings work together?",
            height=420,
            xlabel="",
            ylabel="",
            xticks=[(place, NAMES[name]) for place, name in enumerate(names)],
            xrotation=90,
            yaxis=None,
            xlim=(-0.95, len(names) - 0.05),
            ylim=(-0.17, 1.17),
        )
    )


def _short(value: float) -> str:
    """Three digits, with a minus sign that is not a hyphen, also in an exponent."""
    return f"{value:.3g}".replace("-", "−")


def parallel_coordinates_reading(trials: pd.DataFrame, record: SearchRecord) -> str:
    """The best trial, its settings, and the number of trials stopped early."""
    best = trials.loc[trials["value"].idxmin()]
    settings = ", ".join(f"{NAMES.get(name, name)} {value:.3g}" for name, value in record.best.items())
    pruned = int((trials["state"] == "pruned").sum())
    return (
        f"Darker lines are better trials; {pruned} of {len(trials)} were stopped early. The best short training, "
        f"number {int(best['trial'])}, reached a log loss of {best['value']:.3f} and an accuracy of "
        f"{percent(best['accuracy'])} on validation faces with {settings}."
    )
