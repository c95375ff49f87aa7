"""Accuracy on degraded photos."""

from html import escape

import holoviews as hv
import pandas as pd
import xarray as xr

from analysis.core.errors import UserError
from analysis.core.words import extremes, percent
from analysis.figures import theme
from analysis.figures.grid import picture_grid
from analysis.figures.guide import guided
from analysis.figures.html import PageHtml
from analysis.figures.rows import in_percent, points, with_errors

_TITLES = {
    "blur": "How robust is it to blur?",
    "noise": "How robust is it to noise?",
    "JPEG quality": "How robust is it to JPEG?",
    "resolution": "How robust is it to low size?",
    "rotation": "How robust is it to rotation?",
    "occlusion": "How robust is it to occlusion?",
    "brightness": "How robust is it to light?",
}
_LOSS = 0.02  # tolerated loss of accuracy


def degradations(robustness: pd.DataFrame) -> list[str]:
    """Names of the degradations, in the order of the run."""
    return list(dict.fromkeys(robustness["degradation"]))


def _chosen(robustness: pd.DataFrame, degradation: str) -> pd.DataFrame:
    chosen = robustness[robustness["degradation"] == degradation]
    if chosen.empty:
        known = ", ".join(degradations(robustness))
        raise UserError(f"this run has no results for {degradation!r}: choose one of {known}")
    return chosen


@guided(
    "From left to right photos get worse. Each line is a data set, its band the 95 % interval; the mark at the "
    "left end is the intact face.",
    view="metrics?view=robustness",
)
def accuracy_curve(robustness: pd.DataFrame, degradation: str) -> hv.Overlay:
    """Accuracy of each data set against the severity of one degradation, with 95 % bands; the mark is the intact face.

    Parameters
    ----------
    robustness
        ``source, degradation, unit, level, intact, images`` and, in [0, 1], ``accuracy, low, high``.
    degradation
        One of `degradations`.

    Raises
    ------
    UserError
        If the run has no results for it.
    """
    table = in_percent(_chosen(robustness, degradation), "accuracy", "low", "high").sort_values("level", kind="stable")
    names = list(dict.fromkeys(_chosen(robustness, degradation)["source"]))
    tips = [
        ("data set", "@source"),
        (degradation, "@level"),
        ("accuracy", "@accuracy{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("images", "@images{0,0}"),
    ]
    layers: list[hv.core.Dimensioned] = []
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        part = table[table["source"] == name]
        intact = part[part["intact"]]
        layers += [
            hv.Spread(with_errors(part, "accuracy"), "level", ["accuracy", "below", "above"]).opts(color=colour),
            hv.Curve(part, "level", "accuracy", label=name).opts(color=colour),
            points(part, "level", "accuracy", tips, color=colour, size=7),
            hv.Points(intact, ["level", "accuracy"]).opts(fill_color=None, line_color=colour, line_width=2, size=15),
        ]
    levels = sorted(table["level"].unique())
    room = 0.04 * (levels[-1] - levels[0])
    unit = table["unit"].iloc[0]
    gap = "\n" if len(degradation) + len(unit) > 33 else " "  # a phone has room for about 36 characters
    return hv.Overlay(layers).opts(
        **theme.chart(
            _TITLES.get(degradation, f"How robust is it to {degradation}?"),
            height=340,
            max_width=680,
            xlabel=f"{degradation[0].upper()}{degradation[1:]}{gap}({unit})",
            ylabel="Accuracy (%)",
            xlim=(levels[0] - room, levels[-1] + room),
            ylim=(min(45.0, float(table["low"].min()) - 2), 101),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def degraded_pictures(degraded: xr.Dataset, robustness: pd.DataFrame, degradation: str) -> PageHtml:
    """What each severity looks like, on a composite that shows nobody, with the accuracy that is left.

    Parameters
    ----------
    degraded
        ``face`` (picture, y, x, channel), uint8, ``degradation``, ``level`` and ``intact`` (picture).
    robustness, degradation
        As in `accuracy_curve`.

    Raises
    ------
    UserError
        If the run has no results for the degradation.
    """
    table = _chosen(robustness, degradation)
    chosen = degraded.isel(picture=(degraded["degradation"] == degradation).to_numpy()).sortby("level")
    pictures = []
    for face, level, intact in zip(*(chosen[name].to_numpy() for name in ("face", "level", "intact")), strict=True):
        name = "intact" if intact else f"{level:g}".replace("-", "−")
        left = table[table["level"] == level]
        shares = "<br>".join(
            f"{escape(row.source)} {percent(row.accuracy)}".replace(" %", "\u00a0%") for row in left.itertuples()
        )
        pictures.append((face, f"A composite face, {degradation}: {name}", f"<b>{name}</b><br>{shares}"))
    return picture_grid(pictures, width=88)


def bearable(robustness: pd.DataFrame, degradation: str) -> str:
    """Range of severities that costs at most two points of accuracy on every data set, as a sentence.

    Raises
    ------
    UserError
        If the run has no results for the degradation.
    """
    table = _chosen(robustness, degradation)
    intact = table[table["intact"]].set_index("source")["accuracy"]
    kept = table["accuracy"] >= table["source"].map(intact) - _LOSS
    everywhere = kept.groupby(table["level"]).all()
    levels = everywhere.index[everywhere]
    return (
        f"accuracy is within {100 * _LOSS:.0f} points of that of intact faces from {levels.min():g} to "
        f"{levels.max():g} ({table['unit'].iloc[0]}) on every data set."
    ).replace(" -", " −")


def accuracy_curve_reading(robustness: pd.DataFrame, degradation: str) -> str:
    """The range that costs at most two points, and the largest and smallest loss on the most degraded faces.

    Raises
    ------
    UserError
        If the run has no results for it.
    """
    table = _chosen(robustness, degradation)
    losses = {}
    for name, part in table.groupby("source", sort=False):
        intact = float(part.loc[part["intact"], "accuracy"].iloc[0])
        worst = part.loc[part["accuracy"].idxmin()]
        losses[str(name)] = (
            intact - worst["accuracy"],
            f"{100 * (intact - worst['accuracy']):.1f} percentage points",
            f"from {percent(intact)} on intact faces to {percent(worst['accuracy'])} at {worst['level']:g}",
        )
    within, ends = bearable(robustness, degradation), extremes(losses, words=("largest", "smallest"))
    return (
        f"{within[0].upper()}{within[1:]} Where accuracy is lowest, the loss is {ends}. "
        f"{table['images'].iloc[0]:,} test images per data set; circles mark intact faces."
    ).replace(" -", " −")
