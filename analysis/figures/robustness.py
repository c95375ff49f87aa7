"""How accuracy falls as photos get worse."""

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent
from analysis.figures import theme

_TITLES = {
    "blur": "What does blur do?",
    "noise": "What does noise do?",
    "JPEG quality": "What does JPEG do?",
    "resolution": "How small may a face be?",
    "rotation": "How far may a face be turned?",
    "occlusion": "How much may be covered?",
    "brightness": "What does light do?",
}
_LOSS = 0.02  # of accuracy: what is called bearable in the reading


def degradations(robustness: pd.DataFrame) -> list[str]:
    """What photos were degraded by, in the order of the run."""
    return list(dict.fromkeys(robustness["degradation"]))


def _chosen(robustness: pd.DataFrame, degradation: str) -> pd.DataFrame:
    found = robustness[robustness["degradation"] == degradation]
    if found.empty:
        known = ", ".join(degradations(robustness))
        raise UserError(f"this run knows nothing of {degradation!r}: choose one of {known}")
    return found


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
        If the run knows nothing of it.
    """
    table = _chosen(robustness, degradation)
    names = list(dict.fromkeys(table["source"]))
    layers: list[hv.Element] = []
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        found = table[table["source"] == name].sort_values("level")
        found = found.assign(**{key: 100 * found[key] for key in ("accuracy", "low", "high")})
        layers += [
            hv.Area(found, "level", ["low", "high"]).opts(color=colour, alpha=0.18, line_color=None),
            hv.Curve(found, "level", "accuracy", label=name).opts(color=colour, line_width=2.5),
            hv.Points(found, ["level", "accuracy"], ["source", "low", "high", "images"]).opts(
                color=colour,
                size=7,
                tools=["hover"],
                hover_tooltips=[
                    ("data set", "@source"),
                    (degradation, "@level"),
                    ("accuracy", "@accuracy{0.0} %"),
                    ("95 % interval", "@low{0.0} to @high{0.0} %"),
                    ("images", "@images"),
                ],
            ),
            hv.Points(found[found["intact"]], ["level", "accuracy"]).opts(
                color="#00000000", line_color=colour, line_width=2, size=15
            ),
        ]
    levels = sorted(table["level"].unique())
    room = 0.04 * (levels[-1] - levels[0])
    unit = table["unit"].iloc[0]
    return hv.Overlay(layers).opts(
        **theme.chart(
            _TITLES.get(degradation, f"What does {degradation} do?"),
            height=340,
            max_width=680,
            xlabel=f"{degradation[0].upper()}{degradation[1:]} ({unit})",
            ylabel="Accuracy (%)",
            xlim=(levels[0] - room, levels[-1] + room),
            ylim=(min(45.0, 100 * float(table["low"].min()) - 2), 101),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def bearable(robustness: pd.DataFrame, degradation: str) -> str:
    """Severities within which two points of accuracy at most are lost, on every data set, as a sentence.

    Raises
    ------
    UserError
        If the run knows nothing of the degradation.
    """
    table = _chosen(robustness, degradation)
    intact = table[table["intact"]].set_index("source")["accuracy"]
    kept = table["accuracy"] >= table["source"].map(intact) - _LOSS
    everywhere = kept.groupby(table["level"]).all()
    levels = everywhere.index[everywhere]
    return (
        f"accuracy is within {100 * _LOSS:.0f} points of that of intact faces from {levels.min():g} to "
        f"{levels.max():g} ({table['unit'].iloc[0]})."
    ).replace(" -", " −")


def accuracy_curve_reading(robustness: pd.DataFrame, degradation: str) -> str:
    """Accuracy of the intact faces, of the worst, and the severity up to which two points at most are lost.

    Raises
    ------
    UserError
        If the run knows nothing of it.
    """
    table = _chosen(robustness, degradation)
    told = []
    for name in dict.fromkeys(table["source"]):
        found = table[table["source"] == name]
        intact = found[found["intact"]].iloc[0]
        worst = found.loc[found["accuracy"].idxmin()]
        bearable = found[found["accuracy"] >= intact["accuracy"] - _LOSS]
        edges = sorted({bearable["level"].min(), bearable["level"].max()})
        reach = " to ".join(f"{edge:g}" for edge in edges).replace("-", "−")
        told.append(
            f"on {name} {percent(intact['accuracy'])} of intact faces and {percent(worst['accuracy'])} at "
            f"{worst['level']:g} are right, and at most {100 * _LOSS:.0f} points are lost within {reach}".replace(
                " -", " −"
            )
        )
    return f"{table['images'].iloc[0]:,} test images of a data set: {'; '.join(told)}. Circles mark intact faces."
