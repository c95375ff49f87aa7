"""The test of the hypothesis in charts: how large, where, by chance, how sound, and how much averages tell.

Knows the results of the test; knows nothing of how they were computed. Every chart has its reading, a sentence or two
made from the same numbers. ``analysis.figures.confounders`` and ``analysis.figures.elsewhere`` have the rest.
"""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.words import p_value, percent, signed
from analysis.figures import theme
from analysis.figures.rows import intervals, row_chart, row_heights
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS
from analysis.hypothesis.regions import AROUND, FACE, REGIONS, region_map
from analysis.hypothesis.verdict import CONTROLS

CHANNEL_NAMES = {"L": "lightness L*", "a": "green to red a*", "b": "blue to yellow b*"}
_GAP = 6 / 89  # of a map's width, between two maps
_REGION_COLOURS = ("#DDCC77", "#882255", "#332288", "#44AA99", "#CC6677", "#88CCEE", "#AA4499", "#117733", "#999999")
_UNITS = {"by_identity": "people exchanged\n(the test)", "by_photo": "photos exchanged\n(for comparison)"}


def maps_side_by_side(
    maps: Sequence[np.ndarray], names: Sequence[str], title: str, bar: str, critical: float | None = None
) -> hv.Overlay:
    """Maps of one size on one diverging scale, zero in its middle.

    Parameters
    ----------
    maps
        float (y, x) each.
    names
        Written under them.
    title
        The question that they answer.
    bar
        What the scale measures, with its unit.
    critical
        If given, pixels whose absolute value is not above it are grey.
    """
    height, width = maps[0].shape
    limit = float(max(0.1, *(float(np.nanmax(np.abs(each))) for each in maps)))
    layers, ticks = [], []
    for place, (values, name) in enumerate(zip(maps, names, strict=True)):
        left = place * width * (1 + _GAP)
        shown = values if critical is None else np.where(np.abs(values) > critical, values, np.nan)
        image = hv.Image(shown, bounds=(left, 0, left + width, height), vdims=[hv.Dimension("value", label="g")])
        layers.append(
            image.opts(
                cmap=theme.DIVERGING,
                clim=(-limit, limit),
                clipping_colors={"NaN": "#8A889447"},
                tools=["hover"],
                hover_tooltips=[(name, "@image{+0.00} SD")],
                apply_ranges=True,
                **(theme.colour_bar(bar) if place == 0 else {}),
            )
        )
        ticks.append((left + width / 2, name))
    total = width * (len(maps) * (1 + _GAP) - _GAP)
    return hv.Overlay(layers).opts(
        **theme.picture(
            title,
            # Title, names and colour bar take about 110 CSS pixels; exact at 270 pixels a map.
            aspect=total / (height + 110 * total / (270 * len(maps))),
            max_width=330 * len(maps),
            xaxis="bottom",
            yaxis=None,
            xlabel="",
            xticks=ticks,
            show_legend=False,
            backend_opts={"xaxis.major_label_text_font_size": "13px"},
        )
    )


def effect_maps(effects: xr.Dataset, critical: float | None = None) -> hv.Overlay:
    """Hedges' g in lightness and the two colour axes, male minus female, side by side on one scale.

    Parameters
    ----------
    effects
        ``effect`` (channel, y, x).
    critical
        If given, pixels whose abs(g) is not above it are grey: chance gives as much.
    """
    channels = [str(channel) for channel in effects["channel"].values]
    return maps_side_by_side(
        [effects["effect"].sel(channel=channel).to_numpy() for channel in channels],
        [CHANNEL_NAMES[channel] for channel in channels],
        "How large is the difference?",
        "Hedges’ g, male − female (SD)",
        critical,
    )


def effect_maps_reading(hypothesis: dict[str, Any]) -> str:
    """Largest effects in the face and in the picture, and the area beyond chance."""
    face, whole = hypothesis["largest_in_face"], hypothesis["largest"]
    areas = ", ".join(
        f"{percent(area, 0)} in {CHANNEL_NAMES[channel]}"
        for channel, area in hypothesis["area_significant_by_channel"].items()
    )
    opening = f"Within the face the largest effect is g = {signed(face['g'])}, {_where(face)}"
    if (face["region"], face["channel"]) != (whole["region"], whole["channel"]):
        opening += f"; in the whole picture it is {signed(whole['g'])}, {_where(whole)}"
    return (
        f"{opening}. Indigo is lighter, redder or yellower where labelled male, red where labelled female. Of the "
        f"picture, {areas} lie beyond |g| = {hypothesis['critical_abs_g']:.2f}, which chance exceeds anywhere in only "
        "5 % of relabellings."
    )


def _where(place: dict[str, Any]) -> str:
    name = {"L": "lightness", "a": "redness", "b": "yellowness"}[place["channel"]]
    return f"in the {name} of the {place['region']}"


def masks(faces: xr.Dataset) -> hv.Overlay:
    """The parts of the picture as colours over the average of all faces.

    Parameters
    ----------
    faces
        ``mean`` in [0, 1] (label, y, x, channel) and ``count`` (label).
    """
    mean = faces["mean"].weighted(faces["count"].astype(float)).mean("label").transpose("y", "x", "channel").to_numpy()
    where = region_map()
    height, width = where.shape
    colours = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in _REGION_COLOURS])
    strength = np.where(where == REGIONS.index("background"), 0.0, 0.42)[..., None]
    shown = (1 - strength) * mean + strength * colours[where]
    # Parts that lie around others, or twice, are named at a place of their own.
    places: dict[str, tuple[float, float]] = {
        "hair": (44.5, 88),
        "background": (15, 101),
        "jaw": (44.5, 20),
        "forehead": (44.5, 70),
    }
    texts = []
    for place, name in enumerate(REGIONS):
        y, x = np.nonzero(where == place)
        twice = name in ("brows", "eyes", "cheeks")
        side = x < width / 2 if twice else np.ones(len(x), dtype=bool)
        middle = places.get(name, (float(x[side].mean()) + 0.5, height - float(y[side].mean()) - 0.5))
        texts.append((*middle, name))
    return hv.Overlay(
        [
            hv.RGB((shown.clip(0, 1) * 255).round().astype(np.uint8), bounds=(0, 0, width, height)),
            hv.Labels(texts).opts(**theme.words("#FFFFFF", size=12, text_font_style="bold")),
        ]
    ).opts(
        **theme.picture(
            "Which parts are compared?",
            aspect=width / (height + 11),
            max_width=420,
            xaxis=None,
            yaxis=None,
            show_legend=False,
        )
    )


def masks_reading() -> str:
    """How many parts there are and how much of the picture the face covers."""
    face = percent(float((region_map() < len(FACE)).mean()), 0)
    return (
        f"Every face is aligned to the same five landmarks, so fixed masks cover the same part of everybody: "
        f"{len(FACE)} parts of the face, {face} of the picture, and {' and '.join(AROUND)} around it."
    )


def region_chart(regions: pd.DataFrame, channel: str = "all") -> hv.Overlay:
    """Mean abs(g) of each part with its interval, largest first, and what chance gives.

    Parameters
    ----------
    regions
        ``region, channel, mean_abs_g, low, high, by_chance``.
    channel
        "L", "a", "b" or "all".
    """
    chosen = _ranked(regions, channel)
    rows = row_heights(chosen["region"])
    table = chosen.assign(x=chosen["mean_abs_g"], y=chosen["region"].map(rows))
    tips = [
        ("part", "@region"),
        ("mean |g|", "@mean_abs_g{0.000}"),
        ("95 % interval", "@low{0.000} to @high{0.000}"),
        ("by chance", "@by_chance{0.000}"),
    ]
    layers: list[hv.Element] = [*chance_ticks(table)]
    for names, colour in ((FACE, CATEGORIES[0]), (AROUND, theme.QUIET)):
        layers += intervals(table[table["region"].isin(names)], colour, tips)
    return row_chart(
        layers,
        rows,
        "What carries the difference?",
        "Mean |g| (standard deviations)",
        xlim=(0, float(table["high"].max()) * 1.06),
    )


def chance_ticks(table: pd.DataFrame) -> list[hv.Element]:
    """Mark on each row what chance gives; ``table`` has ``by_chance`` and y."""
    ticks = [(chance, y - 0.3, chance, y + 0.3) for chance, y in zip(table["by_chance"], table["y"], strict=True)]
    lowest = table.loc[table["y"].idxmin()]
    return [
        hv.Segments(ticks).opts(color=CATEGORIES[1], line_width=3),
        hv.Labels([(lowest["by_chance"], lowest["y"] - 0.5, "chance")]).opts(
            **theme.words(CATEGORIES[1], size=12, text_align="left")
        ),
    ]


def _ranked(regions: pd.DataFrame, channel: str) -> pd.DataFrame:
    chosen = regions[(regions["channel"] == channel) & regions["region"].isin(REGIONS)]
    return chosen.sort_values("mean_abs_g", ascending=False)


def region_chart_reading(regions: pd.DataFrame, channel: str = "all") -> str:
    """Which parts carry most, which least, and the noise that was taken off."""
    chosen = _ranked(regions, channel)
    first, second, last = chosen.iloc[0], chosen.iloc[1], chosen.iloc[-1]
    clear = chosen["low"] > chosen["by_chance"]
    beyond = "every part lies" if clear.all() else f"{int(clear.sum())} of {len(chosen)} parts lie"
    apart = "clearly ahead of" if first["low"] > second["high"] else "ahead of"
    return (
        f"The difference is largest in the {first['region']} (mean |g| = {first['mean_abs_g']:.2f}, 95 % interval "
        f"{first['low']:.2f} to {first['high']:.2f}), {apart} the {second['region']} ({second['mean_abs_g']:.2f}), and "
        f"smallest in the {last['region']} ({last['mean_abs_g']:.2f}). A mean of absolute values is never zero, for "
        f"noise counts as difference: the bootstrap’s estimate of that is taken off. Exchanged labels alone give about "
        f"{chosen['by_chance'].mean():.2f} (orange); {beyond} above that with the whole interval."
    )


def null_distribution(hypothesis: dict[str, Any]) -> hv.Overlay:
    """Largest abs(g) of every exchange of labels, with its 95 % point and the largest within the face.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    """
    null, critical = hypothesis["null_max_abs_g"], hypothesis["critical_abs_g"]
    observed = abs(hypothesis["largest_in_face"]["g"])
    rows = [
        (left, 0, right, count, f"{left:.3f} to {right:.3f}", f"{count:,}")
        for left, right, count in zip(null["bin_left"], null["bin_right"], null["count"], strict=True)
    ]
    top = max(null["count"])
    right = max(observed, null["bin_right"][-1]) * 1.06
    chance = hv.Rectangles(rows, vdims=["range", "exact"]).opts(
        color=LABEL_COLOURS["uncertain"],
        line_color=None,
        tools=["hover"],
        hover_tooltips=[("largest |g| by chance", "@range"), ("exchanges", "@exact")],
    )
    lines = [
        hv.Curve([(critical, 0), (critical, top * 1.12)]).opts(color=theme.QUIET, line_dash="dashed", line_width=2),
        hv.Curve([(observed, 0), (observed, top * 0.86)]).opts(color=LABEL_COLOURS["male"], line_width=3),
    ]
    # Written to the side that has room.
    side = "right" if observed > right / 2 else "left"
    texts = [
        hv.Labels([(critical, top * 1.2, f"95 % of chance: up to {critical:.2f}")]).opts(
            **theme.words(text_align="left" if critical < right / 2 else "right")
        ),
        hv.Labels([(observed, top * 0.94, f"in the face: {observed:.2f}")]).opts(
            **theme.words(LABEL_COLOURS["male"], text_align=side, text_font_style="bold")
        ),
    ]
    return hv.Overlay([chance, *lines, *texts]).opts(
        **theme.chart(
            "Could it be chance?",
            height=320,
            xlabel="Largest |g| (standard deviations)",
            ylabel="Exchanges of labels",
            xlim=(0, right),
            ylim=(0, top * 1.3),
            yformatter="%d",
            show_legend=False,
        )
    )


def null_distribution_reading(hypothesis: dict[str, Any]) -> str:
    """How the observed effect compares with chance."""
    face, critical = hypothesis["largest_in_face"], hypothesis["critical_abs_g"]
    observed = abs(face["g"])
    return (
        f"The largest effect within the face, |g| = {observed:.2f} {_where(face)}, is {observed / critical:.1f} times "
        f"the {critical:.2f} that 95 % of {hypothesis['permutations']:,} random exchanges of labels stay below "
        f"anywhere in the picture ({p_value(face['p_value'])})."
    )


def false_positive_chart(hypothesis: dict[str, Any]) -> hv.Overlay:
    """Share of random splits within one label that are called different, against the nominal share.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    """
    found = hypothesis["false_positives"]
    shown = [key for key in _UNITS if key in found]
    rows = row_heights([_UNITS[key] for key in shown])
    table = pd.DataFrame(
        [
            {
                "x": 100 * found[key]["rate"],
                "low": 100 * found[key]["interval"][0],
                "high": 100 * found[key]["interval"][1],
                "y": rows[_UNITS[key]],
                "hits": found[key]["hits"],
                "splits": found[key]["splits"],
            }
            for key in shown
        ]
    )
    nominal = 100 * found["alpha"]
    layers: list[hv.Element] = [hv.VLine(nominal).opts(color=CATEGORIES[1], line_dash="dashed", line_width=2)]
    for place, colour in zip(range(len(table)), (CATEGORIES[0], LABEL_COLOURS["uncertain"]), strict=False):
        tips = [("false alarms", "@hits of @splits"), ("95 % interval", "@low{0.0} to @high{0.0} %")]
        layers += intervals(table.iloc[[place]], colour, tips)
    layers.append(
        hv.Labels([(nominal, len(rows) - 0.5, f"  nominal {nominal:.0f} %")]).opts(
            **theme.words(CATEGORIES[1], size=12, text_align="left")
        )
    )
    return row_chart(
        layers,
        rows,
        "How often does it cry wolf?",
        "False alarms (% of random splits)",
        height=110 + 50 * len(rows),
        xlim=(0, max(10.0, float(table["high"].max()) * 1.06)),
    )


def false_positive_reading(hypothesis: dict[str, Any]) -> str:
    """The rate with its interval, whether it holds the nominal one, and what photos for the unit would give."""
    found = hypothesis["false_positives"]
    own = found["by_identity"]
    low, high = own["interval"]
    holds = "which holds" if low <= found["alpha"] <= high else "which misses"
    reading = (
        f"{own['hits']} of {own['splits']} random splits of people of one label were called different, "
        f"{percent(own['rate'])} (95 % interval {percent(low)} to {percent(high)}), {holds} the nominal "
        f"{percent(found['alpha'], 0)}."
    )
    if "by_photo" in found:
        other = found["by_photo"]
        reading += (
            f" Had photos been exchanged instead of people, it would be {percent(other['rate'])} "
            f"({percent(other['interval'][0])} to {percent(other['interval'][1])})"
        )
        reading += ": photos of one person are alike." if other["interval"][0] > found["alpha"] else "."
    return reading


def control_table(hypothesis: dict[str, Any]) -> pd.DataFrame:
    """The three controls as text to be shown."""
    limit = hypothesis["alpha"] / len(hypothesis["controls"])
    rows = [
        {
            "Control": CONTROLS[key],
            "Largest |g|": f"{control['max_abs_g']:.3f}",
            "p": f"{control['p_value']:.3f}",
            "Result": "no difference" if control["p_value"] >= limit else "a difference: failed",
        }
        for key, control in hypothesis["controls"].items()
    ]
    return pd.DataFrame(rows).set_index("Control")


def accuracy_table(hypothesis: dict[str, Any], metrics: dict[str, Any] | None, own: str) -> pd.DataFrame:
    """Accuracy on the test split of each way of telling labels.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    metrics
        ``metrics.json``; None if no network was evaluated.
    own
        Name of the data set that was studied.

    Returns
    -------
    pandas.DataFrame
        ``name, dataset, images, accuracy, low, high``; shares in [0, 1].
    """
    rows = []

    def add(name: str, dataset: str, images: int, accuracy: float, interval: Sequence[float]) -> None:
        facts = {"name": name, "dataset": dataset, "images": images}
        rows.append({**facts, "accuracy": accuracy, "low": interval[0], "high": interval[1]})

    for dataset, found in ((own, hypothesis), *hypothesis["carried_over"].items()):
        for key, name in (("nearest_average", "nearest average"), ("discriminant", "linear discriminant")):
            each = found[key]
            add(name, dataset, each["images"], each["accuracy"], each["interval"])
        split = None if metrics is None else metrics["sources"].get(dataset, {}).get("test")
        if split is not None:
            add("network", dataset, split["images"], split["accuracy"], split["accuracy_interval"])
    return pd.DataFrame(rows)


def accuracy_chart(table: pd.DataFrame) -> hv.Overlay:
    """Accuracy on people never seen of averages, of a linear rule and of the network, with intervals and the coin.

    Parameters
    ----------
    table
        From `accuracy_table`.
    """
    datasets = list(dict.fromkeys(table["dataset"]))
    names = [f"{row.name}, {row.dataset}" for row in table[["name", "dataset"]].itertuples(index=False)]
    rows = row_heights(names)
    shown = table.assign(x=100 * table["accuracy"], y=[rows[name] for name in names])
    shown[["low", "high"]] *= 100
    tips = [
        ("rule", "@name"),
        ("accuracy", "@x{0.0} %"),
        ("95 % interval", "@low{0.0} to @high{0.0} %"),
        ("test images", "@images{0,0} of @dataset"),
    ]
    layers: list[hv.Element] = [hv.VLine(50).opts(color=theme.QUIET, line_dash="dashed", line_width=2)]
    for dataset, colour in zip(datasets, CATEGORIES, strict=False):
        layers += intervals(shown[shown["dataset"] == dataset], colour, tips)
    layers.append(hv.Labels([(50, len(rows) - 0.5, "  a coin")]).opts(**theme.words(size=12, text_align="left")))
    return row_chart(layers, rows, "How much do averages tell?", "Accuracy on people never seen (%)", xlim=(45, 101))


def accuracy_reading(table: pd.DataFrame) -> str:
    """What each rule reaches on the data set studied, and what is left when carried over."""
    own = table["dataset"].iloc[0]
    told = table[table["dataset"] == own].set_index("name")

    def said(name: str) -> str:
        row = told.loc[name]
        return f"{percent(row['accuracy'])} ({percent(row['low'])} to {percent(row['high'])})"

    reading = (
        f"On {int(told['images'].iloc[0]):,} photos of people never seen, the nearer of the two averages is the right "
        f"one for {said('nearest average')}, a linear discriminant on the components for {said('linear discriminant')}"
    )
    reading += f", the network for {said('network')}." if "network" in told.index else "."
    for dataset in dict.fromkeys(table["dataset"]):
        if dataset != own:
            there = table[table["dataset"] == dataset].set_index("name")["accuracy"]
            reading += (
                f" Made from {own} and carried over to {dataset}, averages reach {percent(there['nearest average'])} "
                f"and the discriminant {percent(there['linear discriminant'])}."
            )
    return reading
