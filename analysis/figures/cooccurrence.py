"""Correlation of attributes with each other and with the label."""

import holoviews as hv
import pandas as pd

from analysis.core.words import signed
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.figures.guide import guided
from analysis.figures.rows import of_scope
from analysis.study.cooccurrence import LABEL


def _named(attribute: str) -> str:
    return "Labelled male" if attribute == LABEL else attribute_name(attribute)


@guided(
    "Rows and columns are the same attributes in the same order. The stronger a cell’s colour, the more often the "
    "two occur together, or avoid each other; the ends of the scale say which.",
    view="data?view=cooccurrence",
)
def cooccurrence_matrix(cooccurrence: pd.DataFrame, scope: str = "images") -> hv.HeatMap:
    """Correlation of every pair of attributes, the label included, with correlated ones next to each other.

    Parameters
    ----------
    cooccurrence
        ``scope, first, second, first_place, second_place, images, both, phi``.
    scope
        As in `analysis.figures.attributes.attribute_prevalence`.

    Raises
    ------
    UserError
        If the run has no attributes of that scope.
    """
    pairs = of_scope(cooccurrence, scope, "attribute")
    order = [_named(str(name)) for name in pairs.sort_values("first_place")["first"].unique()]
    cells = pairs.assign(first=pairs["first"].map(_named), second=pairs["second"].map(_named), both=100 * pairs["both"])
    return (
        hv.HeatMap(cells, ["second", "first"], ["phi", "both"])
        .redim.values(first=order[::-1], second=order)
        .opts(
            cmap=theme.OPPOSED,
            clim=(-1, 1),
            tools=["hover"],
            hover_tooltips=[
                ("attribute", "@first"),
                ("with", "@second"),
                ("correlation", "@phi{+0.00}"),
                ("images with both", "@both{0.0} %"),
            ],
            **theme.colour_bar("Correlation φ (−1 to 1)"),
            **theme.chart(
                "Which attributes correlate?",
                height=200 + 15 * len(order),
                max_width=900,
                xlabel="In the order of the rows",
                ylabel="",
                backend_opts={
                    "xaxis.major_label_text_alpha": 0,  # the same names as at the left
                    "xaxis.major_label_text_font_size": "1px",
                    "yaxis.major_label_text_font_size": "11px",
                    **theme.title_over_names(order),
                },
            ),
        )
    )


def cooccurrence_reading(cooccurrence: pd.DataFrame, scope: str = "images") -> str:
    """Most and least correlated pair, and what is correlated with the label.

    Raises
    ------
    UserError
        If the run has no attributes of that scope.
    """
    pairs = of_scope(cooccurrence, scope, "attribute")
    plain = pairs[(pairs["first"] != LABEL) & (pairs["second"] != LABEL)]
    parts = []
    if not plain.empty:
        most, least = plain.loc[plain["phi"].idxmax()], plain.loc[plain["phi"].idxmin()]
        parts.append(
            f"“{_named(most['first'])}” and “{_named(most['second'])}” are correlated most (φ = "
            f"{signed(most['phi'])}), “{_named(least['first'])}” and “{_named(least['second'])}” least "
            f"({signed(least['phi'])})"
        )
    of_label = pairs[pairs["first"] == LABEL]
    if not of_label.empty:
        nearest = of_label.loc[of_label["phi"].abs().idxmax()]
        strong = int((of_label["phi"].abs() >= 0.3).sum())
        parts.append(
            f"the label male is correlated most with “{_named(nearest['second'])}” ({signed(nearest['phi'])}); |φ| is "
            f"0.30 or more for {strong} of {len(of_label)} attributes"
        )
    return f"{'; '.join(parts)}. {int(pairs['images'].iloc[0]):,} images."
