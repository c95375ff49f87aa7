"""Number of images per person, and whether the labels of a person agree."""

import holoviews as hv
import numpy as np
import pandas as pd
from bokeh.models import NumeralTickFormatter

from analysis.core.errors import UserError
from analysis.core.stats import wilson
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, of_scope, points, with_errors
from analysis.figures.theme import CATEGORIES

_LEAST = 20  # people that a number of images needs for its share to be informative


def _of(identities: pd.DataFrame, scope: str) -> pd.DataFrame:
    return of_scope(identities, scope, "identity").sort_values("images")


@guided(
    "Each bar counts the people who are shown in so many photos.",
    view="data?people=images",
)
def images_per_person(identities: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Number of people by the number of their images.

    Parameters
    ----------
    identities
        ``scope, images, people, mixed_people, minority_images``.
    scope
        "images" (the faces studied) or "metadata" (all rows of the identity file).

    Raises
    ------
    UserError
        If the run has no identities of that scope.
    """
    counts = _of(identities, scope)
    bars = hv.Bars(counts, "images", "people").opts(
        color=CATEGORIES[2],
        bar_width=0.84,
        tools=["hover"],
        hover_tooltips=[("images per person", "@images"), ("people", "@people{0,0}")],
    )
    most = int(counts["images"].max())
    step = 5 if most > 8 else 1
    return hv.Overlay([bars]).opts(
        **theme.chart(
            "How many images per person?",
            height=280,
            xlabel="Images per person (count)",
            ylabel="People (count)",
            xlim=(0.3, most + 0.7),
            ylim=(0, 1.08 * float(counts["people"].max())),
            xticks=sorted({1, *range(step, most + 1, step)}),
            yformatter=NumeralTickFormatter(format="0,0"),
        )
    )


def images_per_person_reading(identities: pd.DataFrame, scope: str = "images") -> str:
    """Number of people, and median and maximum of images per person.

    Raises
    ------
    UserError
        If the run has no identities of that scope.
    """
    counts = _of(identities, scope)
    people = int(counts["people"].sum())
    middle = int(np.searchsorted(counts["people"].cumsum(), people / 2))
    images = int((counts["images"] * counts["people"]).sum())
    return (
        f"{images:,} images of {people:,} people: the median is {counts['images'].iloc[middle]} per person, the "
        f"maximum {counts['images'].max()}. Photos of one person are not independent, so every test here resamples and "
        "permutes people, not photos."
    )


@guided(
    "Of the people with so many photos, the share whose photos do not all have the same label; bars are 95 % "
    "intervals.",
    view="data?people=labels",
)
def mixed_labels(identities: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Share of people with both labels by the number of their images, with 95 % intervals.

    Parameters
    ----------
    identities, scope
        As in `images_per_person`. Numbers of images that fewer than 20 people have are left out.

    Raises
    ------
    UserError
        If the run has no identities of that scope, or too few people have two images.
    """
    counts = _of(identities, scope)
    counts = counts[(counts["images"] > 1) & (counts["people"] >= _LEAST)]
    if counts.empty:
        raise UserError("too few people have two images or more to say whether their labels agree")
    ends = [wilson(r.mixed_people, r.people) for r in counts.itertuples()]
    table = counts.assign(
        share=counts["mixed_people"] / counts["people"], low=[low for low, _ in ends], high=[high for _, high in ends]
    )
    table = with_errors(in_percent(table, "share", "low", "high"), "share")
    tips = [
        ("images per person", "@images"),
        ("people with both labels", "@mixed_people{0,0} of @people{0,0}"),
        ("share", "@share{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
    ]
    errors = hv.ErrorBars(table, "images", ["share", "below", "above"]).opts(color=CATEGORIES[2])
    return (errors * points(table, "images", "share", tips, color=CATEGORIES[2], size=8)).opts(
        **theme.chart(
            "Are labels consistent?",
            height=280,
            xlabel="Images per person (count)",
            ylabel="People with both labels (%)",
            xlim=(0.3, float(table["images"].max()) + 0.7),
            ylim=(0, 1.08 * max(1.0, float(table["high"].max()))),
            show_legend=False,
        )
    )


def mixed_labels_reading(identities: pd.DataFrame, scope: str = "images") -> str:
    """People with both labels, and the share of images whose label is the rarer one of the person.

    Raises
    ------
    UserError
        If the run has no identities of that scope.
    """
    counts = _of(identities, scope)
    several = counts[counts["images"] > 1]
    people, mixed = int(several["people"].sum()), int(several["mixed_people"].sum())
    if not people:
        return "Nobody has two images or more, so whether labels agree is unknown."
    images, minority = int((several["images"] * several["people"]).sum()), int(several["minority_images"].sum())
    return (
        f"{mixed:,} of {people:,} people with two images or more ({percent(mixed / people)}) have both labels; "
        f"{minority:,} of their {images:,} images ({percent(minority / images, 2)}) have the rarer of the "
        "two: how somebody is perceived varies from photo to photo, unless a label or an identity is wrong."
    )
