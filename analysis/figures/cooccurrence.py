"""Which attributes go together."""

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent, signed
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.study.cooccurrence import LABEL


def _of(cooccurrence: pd.DataFrame, scope: str) -> pd.DataFrame:
    found = cooccurrence[cooccurrence["scope"] == scope]
    if found.empty:
        raise UserError(f"this run knows no attributes of its {scope}: study a data set with an attribute file")
    return found


def _named(attribute: str) -> str:
    return "Labelled male" if attribute == LABEL else attribute_name(attribute)


def cooccurrence_matrix(cooccurrence: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Correlation of every pair of attributes, alike ones side by side; the label is one of them.

    Parameters
    ----------
    cooccurrence
        ``scope, first, second, first_place, second_place, images, both, phi``.
    scope
        "images" (the faces studied) or "metadata" (all rows of the attribute file).

    Raises
    ------
    UserError
        If the run knows no attributes of that scope.
    """
    found = _of(cooccurrence, scope)
    names = [_named(str(name)) for name in found.sort_values("first_place")["first"].unique()]
    count = len(names)
    row, column = count - 1 - found["first_place"], found["second_place"]
    cells = pd.DataFrame(
        {
            "left": column - 0.5,
            "bottom": row - 0.5,
            "right": column + 0.5,
            "top": row + 0.5,
            "phi": found["phi"],
            "one": found["first"].map(_named),
            "other": found["second"].map(_named),
            "share": [percent(share) for share in found["both"]],
        }
    )
    edges = ["left", "bottom", "right", "top"]
    matrix = hv.Rectangles(cells, edges, ["phi", "one", "other", "share"]).opts(
        color="phi",
        cmap=theme.DIVERGING,
        clim=(-1, 1),
        line_color=None,
        tools=["hover"],
        hover_tooltips=[
            ("attribute", "@one"),
            ("with", "@other"),
            ("correlation", "@phi{+0.00}"),
            ("images with both", "@share"),
        ],
        **theme.colour_bar("Correlation φ (−1 to 1)"),
    )
    return hv.Overlay([matrix]).opts(
        **theme.chart(
            "Which attributes go together?",
            height=200 + 15 * count,
            max_width=900,
            xlabel="The same, in the same order",
            ylabel="",
            xticks=[(-9, "")],  # none: the names at the side say it
            yticks=[(count - 1 - place, name) for place, name in enumerate(names)],
            xlim=(-0.5, count - 0.5),
            ylim=(-0.5, count - 0.5),
            show_grid=False,
            show_legend=False,
            backend_opts={
                "yaxis.major_label_text_font_size": "11px",
                "title.offset": -6 * max(map(len, names)),  # as over the prevalences
            },
        )
    )


def cooccurrence_reading(cooccurrence: pd.DataFrame, scope: str = "images") -> str:
    """Pair that goes together most, pair that excludes each other most, and what goes with the label.

    Raises
    ------
    UserError
        If the run knows no attributes of that scope.
    """
    found = _of(cooccurrence, scope)
    plain = found[(found["first"] != LABEL) & (found["second"] != LABEL)]
    parts = []
    if not plain.empty:
        most, least = plain.loc[plain["phi"].idxmax()], plain.loc[plain["phi"].idxmin()]
        parts.append(
            f"“{_named(most['first'])}” and “{_named(most['second'])}” go together most (φ = {signed(most['phi'])}), "
            f"“{_named(least['first'])}” and “{_named(least['second'])}” exclude each other most "
            f"({signed(least['phi'])})"
        )
    of_label = found[found["first"] == LABEL]
    if not of_label.empty:
        nearest = of_label.loc[of_label["phi"].abs().idxmax()]
        strong = int((of_label["phi"].abs() >= 0.3).sum())
        parts.append(
            f"the label male goes most with “{_named(nearest['second'])}” ({signed(nearest['phi'])}); with {strong} "
            f"of {len(of_label)} attributes its |φ| is 0.30 or more"
        )
    return f"{'; '.join(parts)}. {int(found['images'].iloc[0]):,} images."
