"""The shape of faces: shape-free averages, the displacement between them, distances, their bells, and contrast."""

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from analysis.core.schema import LABELS
from analysis.core.words import number, p_value, percent
from analysis.figures import theme
from analysis.figures.grid import picture_grid
from analysis.figures.guide import guided
from analysis.figures.html import PageHtml
from analysis.figures.rows import intervals, row_chart, two_lines
from analysis.figures.theme import CATEGORIES, COLOUR_NAMES, LABEL_COLOURS
from analysis.hypothesis.verdict import SMALLEST_EFFECT
from analysis.results.records import ShapeComparison, ShapeRecord
from analysis.shape.geometry import BROWS, DISTANCES, EYES, FACE_OVAL, LIPS, NOSE

_MAGNIFIED = 3  # times that displacements are drawn longer than they are
_STEPS = {
    -0.5: "beyond the average labelled female",
    0.0: "labelled female",
    0.25: "a quarter of the way",
    0.5: "half-way",
    0.75: "three quarters of the way",
    1.0: "labelled male",
    1.5: "beyond the average labelled male",
}


def _pictures(shape_free: xr.Dataset, steps: list[tuple[float, float, str]], width: int) -> PageHtml:
    of = list(zip(shape_free["shape_of"].values.tolist(), shape_free["texture_of"].values.tolist(), strict=True))
    pictures = shape_free["picture"].to_numpy()
    return picture_grid(
        [
            (pictures[of.index((shape, texture))], f"Average face, {name}", name.capitalize())
            for shape, texture, name in steps
            if (shape, texture) in of
        ],
        width=width,
    )


def shape_free_faces(shape_free: xr.Dataset) -> PageHtml:
    """The two shape-free averages, each in the average shape of its label.

    Parameters
    ----------
    shape_free
        ``picture`` (step, tall, wide, channel), ``shape_of`` and ``texture_of`` (step).
    """
    return _pictures(shape_free, [(float(i), float(i), f"labelled {label}") for i, label in enumerate(LABELS)], 240)


def shape_free_reading(shape_free: xr.Dataset) -> str:
    """Faces averaged, and how much sharper they are than averages of aligned faces."""
    count = shape_free["count"].to_numpy()
    sharp = shape_free["sharpness"]
    gains = (sharp.sel(kind="shape-free") / sharp.sel(kind="aligned")).to_numpy()
    return (
        f"Averages of {count[0]:,} faces labelled {LABELS[0]} and {count[1]:,} labelled {LABELS[1]}, warped to one "
        "shape before averaging and then to the average shape of their label. Within the face they are "
        f"{percent(gains[0] - 1, 0)} and {percent(gains[1] - 1, 0)} sharper than averages of aligned faces (mean "
        "gradient); nobody looks like them."
    )


def blend(shape_free: xr.Dataset) -> PageHtml:
    """Steps from one average to the other and beyond, shape and texture together."""
    return _pictures(shape_free, [(step, step, name) for step, name in _STEPS.items()], 120)


def crossed(shape_free: xr.Dataset) -> PageHtml:
    """The shape of one label with the texture of the other."""
    return _pictures(
        shape_free, [(1.0, 0.0, "shape of men, texture of women"), (0.0, 1.0, "shape of women, texture of men")], 240
    )


@guided(
    "Both outlines are average shapes seen from the front. Each arrow leads from a landmark of the one to the "
    "same landmark of the other.",
)
def displacement_map(maps: xr.Dataset) -> hv.Overlay:
    """Outline of both average shapes seen from the front, and the way of each point from one to the other.

    Parameters
    ----------
    maps
        ``shape`` (label, point, axis) and ``beyond_chance`` (point).
    """
    female, male = maps["shape"].sel(label="female").to_numpy(), maps["shape"].sel(label="male").to_numpy()
    drawn = female + _MAGNIFIED * (male - female)
    layers = [
        hv.Path(
            [shape[[*outline, outline[0]]] * [1, -1] for outline in (FACE_OVAL, LIPS, *EYES, *BROWS)], label=name
        ).opts(color=LABEL_COLOURS[label], line_width=2)
        for label, name, shape in (
            ("female", "labelled female", female),
            ("male", f"male, {_MAGNIFIED} × the way", drawn),
        )
    ]
    beyond = maps["beyond_chance"].to_numpy()
    ways = np.concatenate([female * [1, -1], drawn * [1, -1]], axis=1)[beyond]
    layers.append(hv.Segments(ways, ["x0", "y0", "x1", "y1"]).opts(color=theme.QUIET, line_width=1.2, alpha=0.8))
    return hv.Overlay(layers).opts(
        **theme.picture(
            "Where does the shape differ?",
            aspect=0.86,
            max_width=520,
            xaxis=None,
            yaxis=None,
            **theme.legend(columns=1),
        )
    )


def displacement_reading(maps: xr.Dataset) -> str:
    """Share of points that differ beyond chance, and how far the farthest moves."""
    shape = maps["shape"]
    way = (shape.sel(label="male") - shape.sel(label="female")).to_numpy()
    length = np.linalg.norm(way, axis=1)
    parts = {"face outline": FACE_OVAL, "lips": LIPS, "eyes": sum(EYES, ()), "brows": sum(BROWS, ()), "nose": NOSE}
    farthest = max(parts, key=lambda name: float(length[list(parts[name])].mean()))
    moved = percent(float(length[list(parts[farthest])].mean()))
    return (
        f"Each line is the way of a point from the average shape labelled female ({COLOUR_NAMES['female']}) to the one "
        f"labelled male ({COLOUR_NAMES['male']}), {_MAGNIFIED} times as long; "
        f"{percent(float(maps['beyond_chance'].mean()), 0)} of {len(length)} points differ by more than exchanged "
        f"labels give anywhere (lines are drawn for these). Points of the {farthest} move most, by {moved} of the "
        "distance between the pupils."
    )


def _of(distances: pd.DataFrame, dataset: str, comparison: str) -> pd.DataFrame:
    return distances[(distances["dataset"] == dataset) & (distances["comparison"] == comparison)]


@guided(
    "Each row is a distance on the face, with one point between averages of people and one with all that is known "
    "held equal. Right of zero it is longer in faces labelled male; bars are intervals that hold for all rows "
    "together.",
    view="hypothesis?view=large_enough",
)
def distance_chart(distances: pd.DataFrame, shape: ShapeRecord, dataset: str) -> hv.Overlay:
    """Effect in each named distance, on averages of people and in the strictest comparison, with intervals.

    Parameters
    ----------
    distances
        ``dataset, comparison, distance, female, male, g, low, high, p_value, overlap``.
    shape
        ``shape.json``.
    dataset
        Data set to show.
    """
    strictest = shape.comparisons[-1]
    order = _of(distances, dataset, "people").sort_values("g", key=abs, ascending=False)["distance"].tolist()
    tips = [
        ("distance", "@row"),
        ("Hedges’ g", "@g{0.00}"),
        ("95 % interval", "@low{0.00} to @high{0.00}"),
        ("overlap of the labels", "@overlap{0.00}"),
    ]
    layers: list[hv.core.Dimensioned] = [
        hv.VLine(0).opts(line_dash="solid", line_width=1),
        hv.VLine(-SMALLEST_EFFECT),
        hv.VLine(SMALLEST_EFFECT),
    ]
    for comparison, colour in zip((shape.comparisons[0], strictest), (theme.QUIET, CATEGORIES[0]), strict=True):
        table = _of(distances, dataset, comparison.key).rename(columns={"distance": "row"})
        layers.append(intervals(table, "g", "row", tips, color=colour, label=comparison.title.lower()))
    return row_chart(
        layers,
        order,
        "Which distances differ?",
        f"Hedges’ g, male − female\n(dashed: ±{SMALLEST_EFFECT},\nthe smallest that counts)",
        height=150 + 28 * len(order),
        **theme.legend(columns=1),
    )


def _counting(distances: pd.DataFrame, comparison: ShapeComparison, dataset: str) -> pd.DataFrame:
    """Distances whose effect is above the smallest that counts, simultaneously over all."""
    table = _of(distances, dataset, comparison.key)
    return table[table["g"].abs() - comparison.critical > SMALLEST_EFFECT]


def distance_reading(distances: pd.DataFrame, shape: ShapeRecord, dataset: str) -> str:
    """Distances that differ most, and what is left of them in the strictest comparison."""
    people, strictest = shape.comparisons[0], shape.comparisons[-1]
    table = _of(distances, dataset, people.key).sort_values("g", key=abs, ascending=False)
    named = " and ".join(f"{row.distance} (g = {number(row.g)})" for row in table.head(2).itertuples())
    text = (
        f"Between averages of {sum(people.people.values()):,} people the labels differ most in {named}; "
        f"{len(_counting(distances, people, dataset))} of {len(table)} distances are beyond ±{SMALLEST_EFFECT} with "
        f"their whole simultaneous interval ({_p_of(people)})."
    )
    if strictest.key != people.key:
        left = _counting(distances, strictest, dataset)
        text += (
            f" In single photos, {strictest.title[0].lower()}{strictest.title[1:]}: "
            f"{strictest.largest} leads with g = {number(strictest.g)}, and {len(left)} distances are beyond "
            f"({_p_of(strictest)})."
        )
    return text


def _p_of(comparison: ShapeComparison) -> str:
    return p_value(comparison.p_value, comparison.permutations)


def _with_interval(row: pd.Series) -> str:
    return f"{number(row['g'])} ({number(row['low'])} to {number(row['high'])})"


def distance_table(distances: pd.DataFrame, shape: ShapeRecord, dataset: str) -> pd.DataFrame:
    """Each named distance by label with its effect, overlap, and what remains; formatted for display."""
    people, strictest = (_of(distances, dataset, shape.comparisons[i].key).set_index("distance") for i in (0, -1))
    order = people.sort_values("g", key=abs, ascending=False).index

    def value(name: str, number: float) -> str:
        return f"{number:.1f}°" if name == "jaw angle" else f"{number:.3f}"

    rows = [
        {
            "Distance": name,
            "Measured": DISTANCES[name],
            "Female": value(name, people["female"][name]),
            "Male": value(name, people["male"][name]),
            "g (95 % interval)": _with_interval(people.loc[name]),
            "Overlap": percent(people["overlap"][name], 0),
            "g, strictest": number(strictest["g"][name]),
        }
        for name in order
    ]
    return pd.DataFrame(rows).set_index("Distance")


@guided(
    "The two curves show how often each value occurs within a label. Where they overlap, the distance says little "
    "about one face.",
    view="hypothesis?view=large_enough",
)
def bells(maps: xr.Dataset, distances: pd.DataFrame, dataset: str) -> hv.Overlay:
    """Distributions of the two labels in the distance that differs most.

    Parameters
    ----------
    maps
        ``bell`` (distance, label, deviation).
    distances, dataset
        As in `distance_chart`.
    """
    widest = _of(distances, dataset, "people").set_index("distance")["g"].abs().idxmax()
    bell = maps["bell"].sel(distance=widest)
    x = maps["deviation"].to_numpy()
    layers = [
        hv.Area((x, bell.sel(label=label).to_numpy()), "x", "share", label=f"labelled {label}").opts(
            color=LABEL_COLOURS[label], alpha=0.4, line_color=LABEL_COLOURS[label], line_width=2
        )
        for label in LABELS
    ]
    return hv.Overlay(layers).opts(
        **theme.chart(
            "How much do they overlap?",
            height=300,
            max_width=680,
            xlabel=f"{str(widest).capitalize()}, averages of people\n(standard deviations from the mean)",
            ylabel="Density",
            yaxis=None,
            xlim=(-4, 4),
            ylim=(0, float(bell.max()) * 1.1),
            **theme.legend(),
        )
    )


def bells_reading(distances: pd.DataFrame, shape: ShapeRecord, dataset: str) -> str:
    """Overlap of the distributions in the distance that differs most, and in the strictest comparison."""
    people = _of(distances, dataset, "people").set_index("distance")
    widest = people["g"].abs().idxmax()
    strictest = shape.comparisons[-1]
    left = _of(distances, dataset, strictest.key).set_index("distance").loc[widest]
    row = people.loc[widest]
    typical = 2 * norm.cdf(-float(people["g"].abs().median()) / 2)
    return (
        f"In {widest}, where the labels differ most, the two distributions share {percent(row['overlap'], 0)} of their "
        f"area (g = {number(row['g'])}); in single photos of the strictest comparison "
        f"{percent(left['overlap'], 0)} (g = {number(left['g'])}). An effect of the median size over all distances "
        f"leaves {percent(float(typical), 0)} in common."
    )


def comparison_table(shape: ShapeRecord) -> pd.DataFrame:
    """The comparisons of the geometric test, formatted for display."""
    rows = [
        {
            "Comparison": each.title,
            "People": f"{each.people['female']:,} and {each.people['male']:,}",
            "Effective n": f"{each.effective['female']:,.0f} and {each.effective['male']:,.0f}",
            "Largest effect": f"{each.largest}, g = {number(each.g)}",
            "At least": f"{max(0.0, abs(each.g) - each.critical):.2f}",
            "p": _p_of(each).removeprefix("p ").removeprefix("= "),
        }
        for each in shape.comparisons
    ]
    return pd.DataFrame(rows).set_index("Comparison")


def sources_table(distances: pd.DataFrame, shape: ShapeRecord, dataset: str) -> pd.DataFrame:
    """The five distances that differ most, in every data set; formatted for display."""
    order = _of(distances, dataset, "people").sort_values("g", key=abs, ascending=False)["distance"].head(5)
    rows = []
    for name in [dataset, *shape.elsewhere]:
        last = (shape.comparisons if name == dataset else shape.elsewhere[name])[-1]
        people, strictest = (_of(distances, name, key).set_index("distance")["g"] for key in ("people", last.key))
        for kind, found in (("averages of people", people), (last.title.lower(), strictest)):
            values = {each: number(found[each]) for each in order}
            rows.append({"Data set": f"{name}, {kind}", **values})
    return pd.DataFrame(rows).set_index("Data set")


def sources_reading(shape: ShapeRecord, dataset: str) -> str:
    """How alike the effects of the data sets are over all distances."""
    if not shape.agreement:
        return "No other data set with landmarks was compared."
    parts = ", ".join(f"r = {number(r)} with {name}" for name, r in shape.agreement.items())
    return f"Over all distances, the effects of {dataset} correlate with those elsewhere: {parts}."


def _by_dataset(table: pd.DataFrame, tips: list[tuple[str, str]], order: list[str]) -> list[Any]:
    """Effects with intervals, each data set in the colour of its place in ``order``: the studied one first."""
    colours = dict(zip(order, CATEGORIES * 3, strict=False))
    return [
        intervals(part, "g", "row", tips, color=colours[str(name)])
        for name, part in table.groupby("dataset", sort=False)
    ]


@guided(
    "Each row is an age or a race of a data set. Points on the same side of zero mean that the difference is "
    "found in all of them; bars are 95 % intervals.",
)
def groups_chart(groups: pd.DataFrame, shape: ShapeRecord) -> hv.Overlay:
    """Effect in the distance that differs most, within ages and races of every data set, with intervals.

    Parameters
    ----------
    groups
        ``dataset, kind, group, females, males, distance, g, low, high``.
    shape
        ``shape.json``.
    """
    distance = shape.comparisons[0].largest
    table = groups[groups["distance"] == distance].reset_index(drop=True)
    table = table.assign(row=[_group(row) for row in table.itertuples()])
    tips = [
        ("group", "@row"),
        ("Hedges’ g", "@g{0.00}"),
        ("95 % interval", "@low{0.00} to @high{0.00}"),
        ("people, female and male", "@females{0,0}, @males{0,0}"),
    ]
    studied = [name for name in dict.fromkeys(table["dataset"]) if name not in shape.elsewhere]
    layers = _by_dataset(table, tips, [*(studied or [""]), *shape.elsewhere])
    return row_chart(
        [hv.VLine(0).opts(line_dash="solid", line_width=1), hv.VLine(SMALLEST_EFFECT), *layers],
        table["row"],
        "At what age, in whom?",
        f"Hedges’ g of {distance},\nmale − female (dashed: {SMALLEST_EFFECT},\nthe smallest that counts)",
        height=140 + 30 * len(table),
    )


def groups_reading(groups: pd.DataFrame, shape: ShapeRecord) -> str:
    """Groups with the largest and the smallest effect, and those in which it is too small to count."""
    distance = shape.comparisons[0].largest
    table = groups[groups["distance"] == distance].reset_index(drop=True)
    size = table["g"].abs()
    most, least = table.loc[size.idxmax()], table.loc[size.idxmin()]
    text = (
        f"The effect in {distance} is largest in {_group(most)} (g = {_with_interval(most)}) and smallest in "
        f"{_group(least)} (g = {_with_interval(least)})."
    )
    below = table[table[["low", "high"]].abs().max(axis=1) < SMALLEST_EFFECT]
    if len(below):
        text += (
            f" It is below {SMALLEST_EFFECT} with the whole interval in "
            f"{', '.join(_group(row) for row in below.itertuples())}."
        )
    return text


@guided(
    "Each row is a data set or a group of it. Left of zero the contrast is greater in faces labelled female, "
    "right of it in those labelled male; bars are 95 % intervals.",
)
def contrast_chart(contrast: pd.DataFrame, feature: str = "eyes and lips") -> hv.Overlay:
    """Difference of the labels in facial contrast, in every data set and group, with intervals.

    Parameters
    ----------
    contrast
        ``dataset, kind, group, females, males, feature, female, male, g, low, high, p_value``.
    feature
        "eyes", "lips", "brows" or "eyes and lips".
    """
    table = contrast[contrast["feature"] == feature].reset_index(drop=True)
    table = table.assign(row=[two_lines(_group(row), 30) for row in table.itertuples()])
    tips = [
        ("group", "@row"),
        ("Hedges’ g", "@g{0.00}"),
        ("95 % interval", "@low{0.00} to @high{0.00}"),
        ("contrast, female and male", "@female{0.000}, @male{0.000}"),
        ("people, female and male", "@females{0,0}, @males{0,0}"),
    ]
    layers = _by_dataset(table, tips, list(dict.fromkeys(table["dataset"])))
    return row_chart(
        [hv.VLine(0).opts(line_dash="solid", line_width=1), *layers],
        table["row"],
        "Is the contrast higher in women?",
        f"Hedges’ g of the contrast\nof {feature},\nmale − female\n(below 0: higher in female)",
        height=140 + 32 * len(table),
    )


def _group(row: Any) -> str:
    kind, group, dataset = (str(getattr(row, name)) for name in ("kind", "group", "dataset"))
    return f"{dataset}, {'ages ' if kind == 'age' else ''}{group}"


def contrast_reading(contrast: pd.DataFrame) -> str:
    """Whether Russell's finding replicates, in whom, and in whom not."""
    table = contrast[contrast["feature"] == "eyes and lips"]
    whole = table[table["kind"] == "all"]
    yes = (whole["high"] < 0) & (whole["p_value"] < 0.05)
    said = "replicates in " + ("every data set" if yes.all() else f"{int(yes.sum())} of {len(whole)} data sets")
    parts = "; ".join(
        f"{row.dataset}: {row.female:.3f} where labelled female, {row.male:.3f} where labelled male, g = "
        f"{number(row.g)} ({number(row.low)} to {number(row.high)})"
        for row in whole.itertuples()
    )
    text = f"Russell’s finding {said} ({parts})."
    bare = table[table["kind"] == "bare"]
    for row in bare.itertuples():
        holds = "holds, too," if row.high < 0 else "does not show"
        text += (
            f" It {holds} among {row.females + row.males:,} people of {row.dataset} with neither make-up nor beard "
            f"(g = {number(row.g)}, {number(row.low)} to {number(row.high)})."
        )
    opposite = table[(table["kind"] != "all") & (table["low"] > 0)]
    unclear = table[(table["kind"] != "all") & (table["low"] <= 0) & (table["high"] >= 0)]
    for rows, verb in ((opposite, "It is the other way round in"), (unclear, "Its interval includes no difference in")):
        if len(rows):
            text += f" {verb} {', '.join(_group(row) for row in rows.itertuples())}."
    return text
