"""How often each annotated attribute occurs with each label."""

import holoviews as hv
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, intervals, of_scope, row_chart
from analysis.figures.theme import LABEL_COLOURS
from analysis.results.records import StudyRecord


def attribute_name(attribute: str) -> str:
    """CelebA's name of an attribute in words: ``5_o_Clock_Shadow`` -> "5 o’clock shadow"."""
    return attribute.replace("_o_", "_o’").replace("_", " ").capitalize()


def scope_reading(attributes: pd.DataFrame, scope: str, study: StudyRecord) -> str:
    """How many attributes were annotated, and over which images they are counted here.

    Parameters
    ----------
    attributes
        ``scope, attribute``.
    scope
        "images" or "metadata".
    study
        ``study.json``.
    """
    known = attributes.loc[attributes["scope"] == scope, "attribute"].nunique()
    if not known:
        return "No attributes besides the label are known."
    text = (
        f"Annotators also judged {known} other attributes: what is associated with the label may be style "
        "(make-up, the length "
        "of hair) or body (beards), and a model that predicts the label may use both."
    )
    if scope == "metadata" and study.metadata_images:
        return (
            f"{text} They are counted over all {study.metadata_images:,} photos that the tables of the data set "
            "describe; the "
            f"{study.images:,} faces of this run, which every other page and the explorer count, are some of these."
        )
    return f"{text} They are counted over the {study.images:,} faces of this run."


def _by_label(attributes: pd.DataFrame, scope: str) -> pd.DataFrame:
    """One row per attribute that both labels have, ordered by male minus female prevalence."""
    chosen = of_scope(attributes, scope, "attribute")
    table = chosen.pivot(
        index="attribute", columns="label", values=["prevalence", "low", "high", "images", "positives"]
    )
    wanted = [(value, label) for value in ("prevalence", "low", "high") for label in LABELS]
    if not set(wanted) <= set(table.columns):
        raise UserError(f"the attributes of this run's {scope} are known for one label only: study more images")
    table = table.dropna(subset=wanted).astype(float)
    table["difference"] = table["prevalence", "male"] - table["prevalence", "female"]
    return table.sort_values("difference", kind="stable")


@guided(
    "Each row is an attribute with one point for each label. The further the points are apart, the more the "
    "attribute goes with a label; bars are 95 % intervals.",
    view="data?view=prevalence",
)
def attribute_prevalence(attributes: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Prevalence of every attribute among images of either label, ordered by the difference, with 95 % intervals.

    Parameters
    ----------
    attributes
        ``scope, attribute, label, images, positives, prevalence, low, high``; shares in [0, 1]. An attribute that one
        label lacks is left out.
    scope
        "images" (the faces studied) or "metadata" (all rows of the attribute file).

    Raises
    ------
    UserError
        If the run has no attributes of that scope.
    """
    table = _by_label(attributes, scope)
    names = [attribute_name(str(name)) for name in table.index]
    shares = 100 * table["prevalence"]
    link = pd.DataFrame({"share": shares["female"], "row": names, "way": shares["male"] - shares["female"]})
    layers = [
        hv.ErrorBars(link.assign(below=-link["way"].clip(upper=0), above=link["way"].clip(lower=0)), "share",
                     ["row", "below", "above"], horizontal=True).opts(color=theme.QUIET, line_width=2, alpha=0.45)
    ]  # fmt: skip
    for label in LABELS:
        part = in_percent(table.xs(label, axis="columns", level="label").assign(row=names), "prevalence", "low", "high")
        tips = [
            ("attribute", "@row"),
            (f"labelled {label}", "@prevalence{0.00} %"),
            ("95 % interval", "@low{0.0} % to @high{0.0} %"),
            ("images", "@positives{0,0} of @images{0,0}"),
        ]
        layers.append(intervals(part, "prevalence", "row", tips, color=LABEL_COLOURS[label], label=label, size=8))
    return row_chart(
        layers,
        names[::-1],
        "Which attributes differ?",
        "Share of the label (%)",
        height=110 + 21 * len(table),
        max_width=None,
        xticks=[0, 25, 50, 75, 100],
        xlim=(-4, 104),
        **theme.legend(),
    )


def attribute_prevalence_reading(attributes: pd.DataFrame, scope: str = "images") -> str:
    """Attributes most associated with either label.

    Raises
    ------
    UserError
        If the run has no attributes of that scope.
    """
    table = _by_label(attributes, scope)
    shares = table["prevalence"]

    def in_words(name: str) -> str:
        share = shares.loc[name]
        return f"“{attribute_name(name)}” ({percent(share['female'])} of female, {percent(share['male'])} of male)"

    apart = int(
        ((table["low", "male"] > table["high", "female"]) | (table["low", "female"] > table["high", "male"])).sum()
    )
    leans = []
    if table["difference"].iloc[0] < 0:
        leans.append(f"{in_words(str(table.index[0]))} is most associated with the label female")
    if table["difference"].iloc[-1] > 0:
        leans.append(f"{in_words(str(table.index[-1]))} with male")
    opening = ", ".join(leans) + "; " if leans else ""
    return f"{opening}the 95 % intervals of the two labels do not overlap for {apart} of {len(table)} attributes."
