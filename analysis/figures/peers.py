"""This model beside another package that can be installed, on the same photos."""

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LARGE_GROUP
from analysis.core.words import p_value, percent, signed, source_name
from analysis.figures import theme
from analysis.figures.fairness import group_name
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, points, row_chart, with_errors
from analysis.figures.tables import interval_text

_TIME = "250 x 250 photo, one core"
_FEATURES = ("all", "label", "style")
_FEW = 0.9  # share of photos with a face that is found, below which the reading says so


def systems(peers: pd.DataFrame) -> list[str]:
    """This model, then the others."""
    return list(dict.fromkeys(peers["system"]))


def _shown(peers: pd.DataFrame) -> pd.DataFrame:
    if peers.empty:
        raise UserError("this run was not measured beside another package: run `make peers RUN=NAME`")
    # Men by style are those labelled male.
    chosen = peers[peers["feature"].isin(_FEATURES) & (peers["group"] != "men") & (peers["images"] >= LARGE_GROUP)]
    names = [
        source_name(row.source) if row.feature == "all" else f"{group_name(row.feature, row.group)}, {row.source}"
        for row in chosen.itertuples()
    ]
    return chosen.assign(row=names)


@guided(
    "Each row is a data set with one point for each package, on the faces that each of them finds; bars are 95 % "
    "intervals.",
    view="metrics?view=accuracy",
)
def peers_chart(peers: pd.DataFrame) -> hv.Overlay:
    """Accuracy of this model and of the other that finds most faces, on the faces that each finds, with 95 % intervals.

    Parameters
    ----------
    peers
        ``system, source, feature, group, images`` and, in [0, 1], ``found, accuracy, low, high``; this model first.

    Raises
    ------
    UserError
        If nothing was measured.
    """
    table = in_percent(_shown(peers), "found", "accuracy", "low", "high").dropna(subset=["accuracy"])
    tips = [
        ("system", "@system"),
        ("group", "@row"),
        ("accuracy", "@accuracy{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("face found in", "@found{0.0} % of @images{0,0}"),
    ]
    names = [systems(peers)[0], main_peer(peers)]
    layers: list[hv.core.Dimensioned] = []
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        part = table[table["system"] == name]
        errors = hv.ErrorBars(with_errors(part, "accuracy"), "accuracy", ["row", "below", "above"], horizontal=True)
        layers += [
            errors.opts(color=colour, line_width=2, alpha=0.4),
            points(part, "accuracy", "row", tips, label=name, color=colour, size=9, alpha=0.9),
        ]
    shown = table[table["system"].isin(names)]
    rows = list(dict.fromkeys(shown["row"]))
    return row_chart(
        layers,
        rows,
        "What else can be installed?",
        "Accuracy (%)",
        height=150 + 26 * len(rows),
        max_width=760,
        xlim=(min(float(shown["low"].min()), 95) - 1, 100.5),
        xticks=4,
        **theme.legend(columns=1),
    )


def peers_reading(peers: pd.DataFrame) -> str:
    """Difference on each data set to the system that finds most faces, and the times of a photo.

    Parameters
    ----------
    peers
        As in `peers_chart`, with ``shared, difference, difference_low, difference_high, p_value, milliseconds``.

    Raises
    ------
    UserError
        If nothing was measured.
    """
    first, other = systems(peers)[0], main_peer(peers)
    whole = data_sets(peers)
    parts = [
        f"{signed(100 * row.difference, 1)} points on {row.source} ({int(row.shared):,} photos; "
        f"{signed(100 * row.difference_low, 1)} to {signed(100 * row.difference_high, 1)}, {p_value(row.p_value)})"
        for row in whole[whole["system"] == other].itertuples()
        if not pd.isna(row.difference)
    ]
    unseen = [
        f"{row.system} finds a face in only {percent(row.found)} of {row.source}"
        for row in whole[whole["found"] < _FEW].itertuples()
    ]
    missed = f" But {', '.join(unseen)}." if unseen else ""
    times = peers.groupby("system", sort=False)["milliseconds"].first()
    return (
        "Each point and row counts the photos in which the system finds a face. On those in which both do, "
        f"{first} differs from {other} by {'; '.join(parts)}.{missed} A photo of 250 x 250 pixels takes "
        f"{times[first]:.1f} ms on one core with {first}, {times[other]:.1f} ms with {other}: "
        f"{times[other] / times[first]:.2f} times as long."
    )


def main_peer(peers: pd.DataFrame) -> str:
    """Of the other systems, the one that finds a face most often."""
    whole = data_sets(peers)
    found = (whole["found"] * whole["images"]).groupby(whole["system"], sort=False).sum()
    return str(found[systems(peers)[1:]].idxmax())


def data_sets(peers: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole data sets."""
    return peers[(peers["feature"] == "all") & ~peers["source"].str.contains(", ")]


def peers_table(peers: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each system side by side, faces found and time of a photo, formatted for display.

    Parameters
    ----------
    peers
        As in `peers_reading`.

    Returns
    -------
    pandas.DataFrame
        Index: data set, subset or group, where a face is found, and the time of a photo; columns: each system, in per
        cent of the faces that it finds with the 95 % interval, and its ratio to this model.

    Raises
    ------
    UserError
        If nothing was measured.
    """
    table = _shown(peers)
    first = systems(peers)[0]
    times = peers.groupby("system", sort=False)["milliseconds"].first()
    own = _column(table[table["system"] == first])
    columns: dict[str, pd.Series] = {}
    for name in systems(peers):
        values = _column(table[table["system"] == name])
        columns[name] = values["text"]
        columns[name][_TIME] = f"{times[name]:.1f} ms"
        if name != first:
            ratio = values["value"] / own["value"]
            ratio[_TIME] = times[name] / times[first]
            columns[f"ratio of {name}"] = ratio.map(lambda value: "–" if pd.isna(value) else f"{value:.2f}")
    shown = pd.DataFrame(columns).reindex([*own.index, _TIME])
    return shown.rename(columns=lambda name: "Ratio" if name.startswith("ratio of") else name)


def _column(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in each row, then share of photos with a face in each data set: as number and as text."""
    whole = data_sets(table)
    nothing = float("nan")
    return pd.DataFrame(
        {
            "value": [*table["accuracy"], *whole["found"]],
            "text": [interval_text(*row) for row in table[["accuracy", "low", "high"]].to_numpy()]
            + [interval_text(found, nothing, nothing) for found in whole["found"]],
        },
        index=[*table["row"], *(f"face found, {name}" for name in whole["source"])],
    )
