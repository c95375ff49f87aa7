"""Charts of the hypothesis test: effect sizes, regions, null distribution, controls, and prediction by averages.

See also `analysis.figures.confounders` and `analysis.figures.elsewhere`.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.words import extremes, number, p_value, percent, signed
from analysis.figures import theme
from analysis.figures.datasheets import called
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, intervals, points, row_chart, two_lines
from analysis.figures.theme import CATEGORIES, COLOUR_NAMES, LABEL_COLOURS
from analysis.hypothesis.regions import AROUND, FACE, REGIONS, region_map
from analysis.hypothesis.verdict import CONTROLS
from analysis.results.records import AverageAccuracies, Effect, HypothesisRecord, MetricsRecord

CHANNEL_NAMES = {"L": "lightness L*", "a": "green to red a*", "b": "blue to yellow b*"}
_GAP = 6 / 89  # of a map's width, between two maps
_NAMED = 0.17  # of a map's height, for its name below it
_REGION_COLOURS = ("#DDCC77", "#882255", "#332288", "#44AA99", "#CC6677", "#88CCEE", "#AA4499", "#117733", "#999999")
_UNITS = ("people permuted\n(the test)", "photos permuted\n(for comparison)")


def maps_side_by_side(
    maps: Sequence[np.ndarray],
    names: Sequence[str],
    title: str,
    bar: str,
    critical: float | None = None,
    *,
    columns: int | None = None,
) -> hv.Overlay:
    """Maps of the same size side by side on one diverging scale.

    Parameters
    ----------
    maps
        float (y, x).
    names
        Names under the maps.
    title
        The question that they answer.
    bar
        Name of the scale, with its unit.
    critical
        Pixels whose absolute value is not above it are grey; None for none.
    columns
        Maps in a row; None for all of them. Fewer make room for the names on a phone.
    """
    height, width = maps[0].shape
    columns = columns or len(maps)
    rows = -(-len(maps) // columns)
    below = round(_NAMED * height) if rows > 1 else 0
    limit = float(max(0.1, *(float(np.nanmax(np.abs(values))) for values in maps)))
    layers, ticks = [], []
    for place, (values, name) in enumerate(zip(maps, names, strict=True)):
        row, column = divmod(place, columns)
        left, bottom = column * width * (1 + _GAP), -row * (height + below)
        visible = values if critical is None else np.where(np.abs(values) > critical, values, np.nan)
        image = hv.Image(
            visible, bounds=(left, bottom, left + width, bottom + height), vdims=[hv.Dimension("value", label="g")]
        )
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
        if rows > 1:
            one_line = (left + width / 2, bottom - below / 2, name.replace("\n", " "))
            layers.append(hv.Labels([one_line]).opts(text_color=theme.INK, text_font_size="13px"))
    total = width * (columns * (1 + _GAP) - _GAP)
    lines = 1 + max(name.count("\n") for name in names)
    return hv.Overlay(layers).opts(
        **theme.picture(
            title,
            # Title, names and colour bar take about 95 CSS pixels and 15 per line; exact at 270 pixels per map, or 165
            # on a phone, where the names stand between the maps.
            aspect=total
            / (
                rows * (height + below)
                + (95 + 15 * lines * (rows == 1)) * total / ((165 if rows > 1 else 270) * columns)
            ),
            max_width=330 * columns,
            xaxis="bottom" if rows == 1 else None,
            yaxis=None,
            xlabel="",
            xticks=ticks,
            show_legend=False,
            backend_opts={"xaxis.major_label_text_font_size": "13px"},
        )
    )


@guided(
    "Each map is one channel of colour. A coloured pixel differs between the labels by so many standard "
    "deviations of people; grey pixels do not differ beyond chance. The scale is the same in all maps and names "
    "both ends.",
    view="hypothesis?view=beyond_chance",
)
def effect_maps(effects: xr.Dataset, critical: float | None = None, *, columns: int | None = None) -> hv.Overlay:
    """Hedges' g in lightness and the two colour axes, male minus female, side by side on one scale.

    Parameters
    ----------
    effects
        ``effect`` (channel, y, x).
    critical
        Pixels whose abs(g) is not above it are grey, as they are not significant; None for none.
    columns
        Maps in a row; None for all three.
    """
    channels = [str(channel) for channel in effects["channel"].values]
    return maps_side_by_side(
        [effects["effect"].sel(channel=channel).to_numpy() for channel in channels],
        [two_lines(CHANNEL_NAMES[channel], 8) for channel in channels],
        "How large is the difference?",
        "Hedges’ g, male − female (SD)",
        critical,
        columns=columns,
    )


def effect_maps_reading(hypothesis: HypothesisRecord) -> str:
    """Largest effects in the face and in the picture, and the significant area."""
    face, whole = hypothesis.largest_in_face, hypothesis.largest
    areas = ", ".join(
        f"{percent(area, 0)} in {CHANNEL_NAMES[channel]}"
        for channel, area in hypothesis.area_significant_by_channel.items()
    )
    opening = f"Within the face the largest effect is g = {signed(face.g)}, {_where(face)}"
    if (face.region, face.channel) != (whole.region, whole.channel):
        opening += f"; in the whole picture it is {signed(whole.g)}, {_where(whole)}"
    return (
        f"{opening}. {COLOUR_NAMES['male'].capitalize()} is lighter, redder or yellower where labelled male, "
        f"{COLOUR_NAMES['female']} where labelled female. Of the picture, {areas} are significant: |g| is above "
        f"{hypothesis.critical_abs_g:.2f}, which 5 % of the permutations exceed anywhere (family-wise error rate 5 %)."
    )


def _where(place: Effect) -> str:
    name = {"L": "lightness", "a": "redness", "b": "yellowness"}[place.channel]
    return f"in the {name} of the {place.region}"


@guided(
    "Each colour is a part of the picture over which effects are averaged. Pixels without a colour belong to no part.",
    view="hypothesis?view=beyond_chance",
)
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
    mean = cv2.resize(mean, (width, height), interpolation=cv2.INTER_AREA)  # a data set may have larger faces
    colours = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in _REGION_COLOURS])
    strength = np.where(where == REGIONS.index("background"), 0.0, 0.42)[..., None]
    coloured = (1 - strength) * mean + strength * colours[where]
    # Parts that surround others, or occur twice, are not named at their centre.
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
            hv.RGB((coloured.clip(0, 1) * 255).round().astype(np.uint8), bounds=(0, 0, width, height)),
            hv.Labels(texts).opts(text_color="#FFFFFF", text_font_style="bold"),
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
    """Number of parts, and share of the picture that is face."""
    face = percent(float((region_map() < len(FACE)).mean()), 0)
    return (
        f"Every face is aligned to the same five landmarks, so fixed masks cover the same part of every face: "
        f"{len(FACE)} parts of the face, {face} of the picture, and {' and '.join(AROUND)} around it."
    )


@guided(
    "Each row is a part of the picture, the largest effect first. The point is the mean effect without regard to "
    "its direction, the bar its 95 % interval, the upright mark what chance alone would give.",
    view="hypothesis?view=beyond_chance",
)
def region_chart(regions: pd.DataFrame, channel: str = "all") -> hv.Overlay:
    """Mean abs(g) of each part with its interval, largest first, and its expectation under chance.

    Parameters
    ----------
    regions
        ``region, channel, mean_abs_g, low, high, by_chance``.
    channel
        "L", "a", "b" or "all".
    """
    table = _ranked(regions, channel).rename(columns={"region": "row"})
    tips = [
        ("part", "@row"),
        ("mean |g|", "@mean_abs_g{0.000}"),
        ("95 % interval", "@low{0.000} to @high{0.000}"),
        ("by chance", "@by_chance{0.000}"),
    ]
    parts = [
        intervals(table[table["row"].isin(names)], "mean_abs_g", "row", tips, color=colour, label=label)
        for names, colour, label in ((FACE, CATEGORIES[0], "the face"), (AROUND, theme.QUIET, "around it"))
    ]
    return row_chart(
        [chance_marks(table), *parts],
        table["row"],
        "Which parts differ most?",
        "Mean |g| (standard deviations)",
        height=140 + 34 * len(table),
        xlim=(0, float(table["high"].max()) * 1.06),
        **theme.legend(columns=3),
    )


def chance_marks(table: pd.DataFrame) -> hv.Points:
    """Mark the expectation under chance in each row; ``table`` has ``by_chance`` and ``row``."""
    tips = [("by chance", "@by_chance{0.000}")]
    marks = points(table[["by_chance", "row"]], "by_chance", "row", tips, label="by chance", color=CATEGORIES[1])
    return marks.opts(marker="dash", angle=90, size=18, line_width=3)


def _ranked(regions: pd.DataFrame, channel: str) -> pd.DataFrame:
    chosen = regions[(regions["channel"] == channel) & regions["region"].isin(REGIONS)]
    return chosen.sort_values("mean_abs_g", ascending=False)


def region_chart_reading(regions: pd.DataFrame, channel: str = "all") -> str:
    """Parts with the largest and smallest difference, and how noise is corrected for."""
    chosen = _ranked(regions, channel)
    first, second, last = chosen.iloc[0], chosen.iloc[1], chosen.iloc[-1]
    clear = chosen["low"] > chosen["by_chance"]
    above = "every part is" if clear.all() else f"{int(clear.sum())} of {len(chosen)} parts are"
    apart = "significantly ahead of" if first["low"] > second["high"] else "ahead of"
    return (
        f"The difference is largest in the {first['region']} (mean |g| = {first['mean_abs_g']:.2f}, 95 % interval "
        f"{number(first['low'])} to {number(first['high'])}), {apart} the {second['region']} "
        f"({number(second['mean_abs_g'])}), and smallest in the {last['region']} ({number(last['mean_abs_g'])}). "
        "Noise inflates a mean of absolute values; its bootstrap estimate is subtracted. "
        f"Permuted labels give about {chosen['by_chance'].mean():.2f} (dashes); {above} above that with "
        "the whole interval."
    )


@guided(
    "Each bar counts random exchanges of labels by the largest effect that they gave anywhere. The further the "
    "observed effect lies to the right of them, the less chance explains it.",
    view="hypothesis?view=beyond_chance",
)
def null_distribution(hypothesis: HypothesisRecord) -> hv.Overlay:
    """Null distribution of the largest abs(g), its 95 % quantile, and the largest abs(g) within the face.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    """
    null, critical = hypothesis.null_max_abs_g, hypothesis.critical_abs_g
    observed = abs(hypothesis.largest_in_face.g)
    top = max(null.count)
    right = max(observed, null.bin_right[-1]) * 1.06
    edges = [*null.bin_left, null.bin_right[-1]]
    chance = hv.Histogram((edges, null.count), vdims="count").opts(
        color=LABEL_COLOURS["uncertain"],
        tools=["hover"],
        hover_tooltips=[("largest |g|", "@left{0.000} to @right{0.000}"), ("permutations", "@count{0,0}")],
    )
    # On the side where there is room.
    side = "right" if observed > right / 2 else "left"
    texts = [
        hv.Labels([(critical, top * 1.2, f"95 % quantile: {critical:.2f}")]).opts(
            text_font_size="13px", text_align="left" if critical < right / 2 else "right", xoffset=0.01 * right
        ),
        hv.Labels([(observed, top * 0.94, f"in the face: {observed:.2f}")]).opts(
            text_color=CATEGORIES[0],
            text_font_size="13px",
            text_font_style="bold",
            text_align=side,
            xoffset=(-0.01 if side == "right" else 0.01) * right,
        ),
    ]
    lines = [hv.VLine(critical), hv.VLine(observed).opts(color=CATEGORIES[0], line_dash="solid", line_width=3)]
    return hv.Overlay([chance, *lines, *texts]).opts(
        **theme.chart(
            "Could it be chance?",
            height=320,
            xlabel="Largest |g| (standard deviations)",
            ylabel="Permutations",
            xlim=(0, right),
            ylim=(0, top * 1.3),
            yformatter="%d",
            show_legend=False,
        )
    )


def null_distribution_reading(hypothesis: HypothesisRecord) -> str:
    """Observed effect and null distribution, in words."""
    face, critical = hypothesis.largest_in_face, hypothesis.critical_abs_g
    observed = abs(face.g)
    return (
        f"The largest effect within the face, |g| = {observed:.2f} {_where(face)}, is {observed / critical:.1f} times "
        f"the 95 % quantile {critical:.2f} of the largest effect anywhere in the picture under "
        f"{hypothesis.permutations:,} permutations of the labels ({p_value(face.p_value, hypothesis.permutations)})."
    )


@guided(
    "Splits of people of one label have nothing to find. The share of them that the test calls significant should "
    "be about that of the dashed line; bars are 95 % intervals.",
    view="hypothesis?view=sound",
)
def false_positive_chart(hypothesis: HypothesisRecord) -> hv.Overlay:
    """False-positive rate in random splits of one label, against the nominal rate.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    """
    rates = hypothesis.false_positives
    table = pd.DataFrame(
        [
            {
                "row": name,
                "rate": rate.rate,
                "low": rate.interval[0],
                "high": rate.interval[1],
                "hits": rate.hits,
                "splits": rate.splits,
            }
            for name, rate in zip(_UNITS, (rates.by_identity, rates.by_photo), strict=True)
            if rate is not None
        ]
    )
    table = in_percent(table, "rate", "low", "high")
    nominal = 100 * rates.alpha
    tips = [("false positives", "@hits of @splits"), ("95 % interval", "@low{0.0} % to @high{0.0} %")]
    layers = [
        hv.VLine(nominal).opts(color=CATEGORIES[1]),
        *(
            intervals(table.iloc[[row]], "rate", "row", tips, color=colour)
            for row, colour in zip(range(len(table)), (CATEGORIES[0], LABEL_COLOURS["uncertain"]), strict=False)
        ),
    ]
    return row_chart(
        layers,
        table["row"],
        "How many false positives?",
        f"False positives (% of random splits)\ndashed: the nominal {nominal:.0f} %",
        height=120 + 50 * len(table),
        xlim=(0, max(10.0, float(table["high"].max()) * 1.06)),
    )


def false_positive_reading(hypothesis: HypothesisRecord) -> str:
    """False-positive rate with its interval, against the nominal rate and against permuting photos."""
    rates = hypothesis.false_positives
    own = rates.by_identity
    low, high = own.interval
    matches = "which agrees with" if low <= rates.alpha <= high else "which differs from"
    reading = (
        f"{own.hits} of {own.splits} random splits of people of one label are significant, "
        f"{percent(own.rate)} (95 % interval {percent(low)} to {percent(high)}), {matches} the nominal "
        f"{percent(rates.alpha, 0)}."
    )
    other = rates.by_photo
    if other is not None:
        reading += (
            f" Permuting photos instead of people would give {percent(other.rate)} "
            f"({percent(other.interval[0])} to {percent(other.interval[1])})"
        )
        reading += ": photos of one person are correlated." if other.interval[0] > rates.alpha else "."
    return reading


def control_table(hypothesis: HypothesisRecord) -> pd.DataFrame:
    """The three controls, formatted for display."""
    limit = hypothesis.alpha / len(hypothesis.controls)
    rows = [
        {
            "Control": CONTROLS[key],
            "Largest |g|": f"{control.max_abs_g:.3f}",
            "p": p_value(control.p_value).removeprefix("p ").removeprefix("= "),
            "Result": "no difference" if control.p_value >= limit else "a difference: failed",
        }
        for key, control in hypothesis.controls.items()
    ]
    return pd.DataFrame(rows).set_index("Control")


def accuracy_table(hypothesis: HypothesisRecord, metrics: MetricsRecord | None, own: str) -> pd.DataFrame:
    """Accuracy on the test split of each classifier.

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
        ``name, dataset, images, accuracy, low, high, majority``; shares in [0, 1]. ``majority`` is the share of the
        data set's more frequent label, what always answering with it gives.
    """
    rows: list[dict[str, Any]] = []

    def add(name: str, dataset: str, images: int, accuracy: float, interval: Sequence[float]) -> None:
        facts = {"name": name, "dataset": dataset, "images": images, "majority": majority[dataset]}
        rows.append({**facts, "accuracy": accuracy, "low": interval[0], "high": interval[1]})

    own_rules = AverageAccuracies(nearest_average=hypothesis.nearest_average, discriminant=hypothesis.discriminant)
    measured = {own: own_rules, **hypothesis.carried_over}
    majority = {dataset: results.nearest_average.majority for dataset, results in measured.items()}
    for dataset, results in measured.items():
        pairs = (("nearest average", results.nearest_average), ("linear discriminant", results.discriminant))
        for name, result in pairs:
            add(name, dataset, result.images, result.accuracy, result.interval)
        split = None if metrics is None else metrics.sources.get(dataset, {}).get("test")
        if split is not None:
            add("network", dataset, split.images, split.accuracy, split.accuracy_interval)
    return pd.DataFrame(rows)


def spread_reading(hypothesis: HypothesisRecord) -> str:
    """How far the averages are apart beside how much faces of one label vary, at the typical and the worst place."""
    largest, typical = abs(hypothesis.largest_in_face.g), hypothesis.mean_abs_g
    beside = "less" if largest < 1 else "more"
    return (
        f"In the face the averages are at most {largest:.2f} standard deviations of single people apart, "
        f"{typical:.2f} at a "
        f"typical place: {beside} than people of one label typically differ from their average."
    )


@guided(
    "Each row is a way to predict the label of a new photo; bars are 95 % intervals. The dashed line is what "
    "always saying the more frequent label gives.",
    view="hypothesis?view=tells_apart",
)
def accuracy_chart(table: pd.DataFrame) -> hv.Overlay:
    """Accuracy of averages, of a linear discriminant and of the network on test photos, with intervals.

    Parameters
    ----------
    table
        From `accuracy_table`.
    """
    datasets = list(dict.fromkeys(table["dataset"]))
    table = in_percent(table.assign(row=table["name"] + ", " + table["dataset"]), "accuracy", "low", "high", "majority")
    tips = [
        ("classifier", "@row"),
        ("accuracy", "@accuracy{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("test images", "@images{0,0} of @dataset"),
    ]
    layers = [
        points(table, "majority", "row", [("the more frequent label", "@majority{0.0} %")], color=theme.QUIET).opts(
            marker="dash", angle=90, size=18, line_width=3
        ),
        *(
            intervals(table[table["dataset"] == dataset], "accuracy", "row", tips, color=colour)
            for dataset, colour in zip(datasets, CATEGORIES, strict=False)
        ),
    ]
    return row_chart(
        layers,
        table["row"],
        "How much do averages predict?",
        "Accuracy on test photos (%)\ngrey: always the\nmore frequent label",
        height=120 + 34 * len(table),
        xlim=(45, 101),
    )


def accuracy_reading(table: pd.DataFrame) -> str:
    """Accuracy of each classifier on the data set studied, and on other data sets."""
    own = table["dataset"].iloc[0]
    rows = table[table["dataset"] == own].set_index("name")

    def in_words(name: str) -> str:
        row = rows.loc[name]
        return f"{percent(row.accuracy)} ({percent(row.low)} to {percent(row.high)})"

    reading = (
        f"On {int(rows['images'].iloc[0]):,} of {called(own)}’s test photos, the nearer average predicts the label of "
        f"{in_words('nearest average')}, a linear discriminant on principal components that of "
        f"{in_words('linear discriminant')}"
    )
    reading += f", the network that of {in_words('network')}." if "network" in rows.index else "."
    others = table[table["dataset"] != own].pivot(index="dataset", columns="name", values="accuracy")
    if others.empty:
        return reading
    applied = {
        str(row.name): (
            row["nearest average"],
            percent(row["nearest average"]),
            f"the discriminant’s is {percent(row['linear discriminant'])}",
        )
        for _, row in others.iterrows()
    }
    return f"{reading} Made from {called(own)} and applied elsewhere, the averages’ accuracy is {extremes(applied)}."
