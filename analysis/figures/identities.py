"""How many images there are of each person, and whether a person keeps one label."""

import holoviews as hv
import numpy as np
import pandas as pd
from bokeh.models import NumeralTickFormatter

from analysis.core.errors import UserError
from analysis.core.stats import wilson
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.theme import CATEGORIES

_LEAST = 20  # people at a number of images, below which a share of them says little


def _of(identities: pd.DataFrame, scope: str) -> pd.DataFrame:
    found = identities[identities["scope"] == scope]
    if found.empty:
        raise UserError(f"this run knows no identities of its {scope}: study a data set with an identity file")
    return found.sort_values("images")


def images_per_person(identities: pd.DataFrame, scope: str = "images") -> hv.Overlay:
    """Bars of the people by the number of their images.

    Parameters
    ----------
    identities
        ``scope, images, people, mixed_people, minority_images``.
    scope
        "images" (the faces studied) or "metadata" (all rows of the identity file).

    Raises
    ------
    UserError
        If the run knows no identities of that scope.
    """
    found = _of(identities, scope)
    rows = [(r.images - 0.42, 0, r.images + 0.42, r.people, f"{r.images}", f"{r.people:,}") for r in found.itertuples()]
    bars = hv.Rectangles(rows, vdims=["of_each", "people"]).opts(
        color=CATEGORIES[2],
        line_color=None,
        tools=["hover"],
        hover_tooltips=[("images of each", "@of_each"), ("people", "@people")],
    )
    most = int(found["images"].max())
    return hv.Overlay([bars]).opts(
        **theme.chart(
            "How many images of a person?",
            height=280,
            xlabel="Images of the person (count)",
            ylabel="People (count)",
            xlim=(0.3, most + 0.7),
            ylim=(0, 1.08 * float(found["people"].max())),
            xticks=sorted({1, *range(5 if most > 8 else 2, most + 1, 5 if most > 8 else 1)}),
            yformatter=NumeralTickFormatter(format="0,0"),
            show_grid=False,
            show_legend=False,
        )
    )


def images_per_person_reading(identities: pd.DataFrame, scope: str = "images") -> str:
    """People, and how many images of each there are in the middle and at most.

    Raises
    ------
    UserError
        If the run knows no identities of that scope.
    """
    found = _of(identities, scope)
    people = int(found["people"].sum())
    middle = int(np.searchsorted(found["people"].cumsum(), people / 2))
    images = int((found["images"] * found["people"]).sum())
    return (
        f"{images:,} images of {people:,} people: {found['images'].iloc[middle]} of the person in the middle, at most "
        f"{found['images'].max()}. Photos of one person are not independent, so people, not photos, are what is drawn "
        "and exchanged in every test here."
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
        If the run knows no identities of that scope, or too few people have two images.
    """
    found = _of(identities, scope)
    found = found[(found["images"] > 1) & (found["people"] >= _LEAST)]
    if found.empty:
        raise UserError("too few people have two images or more: whether their labels agree cannot be said")
    ends = [wilson(r.mixed_people, r.people) for r in found.itertuples()]
    table = pd.DataFrame(
        {
            "images": found["images"],
            "share": 100 * found["mixed_people"] / found["people"],
            "low": [100 * low for low, _ in ends],
            "high": [100 * high for _, high in ends],
            "interval": [f"{percent(low)} to {percent(high)}" for low, high in ends],
            "count": [f"{r.mixed_people:,} of {r.people:,}" for r in found.itertuples()],
        }
    )
    layers = [
        hv.Segments(table, ["images", "low", "images", "high"]).opts(color=CATEGORIES[2], line_width=3, alpha=0.55),
        hv.Points(table, ["images", "share"], ["interval", "count"]).opts(
            color=CATEGORIES[2],
            size=8,
            tools=["hover"],
            hover_tooltips=[
                ("images of each", "@images"),
                ("people with both labels", "@count"),
                ("share", "@share{0.0} %"),
                ("95 % interval", "@interval"),
            ],
        ),
    ]
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Does a person keep one label?",
            height=280,
            xlabel="Images of the person (count)",
            ylabel="People with both labels (%)",
            xlim=(0.3, float(table["images"].max()) + 0.7),
            ylim=(0, 1.08 * max(1.0, float(table["high"].max()))),
            show_legend=False,
        )
    )


def mixed_labels_reading(identities: pd.DataFrame, scope: str = "images") -> str:
    """People with both labels, and the share of images in the minority: how far labels and identities are wrong.

    Raises
    ------
    UserError
        If the run knows no identities of that scope.
    """
    found = _of(identities, scope)
    several = found[found["images"] > 1]
    people, mixed = int(several["people"].sum()), int(several["mixed_people"].sum())
    if not people:
        return "Nobody has two images or more: whether labels agree cannot be said."
    images, minority = int((several["images"] * several["people"]).sum()), int(several["minority_images"].sum())
    return (
        f"{mixed:,} of {people:,} people with two images or more ({percent(mixed / people)}) carry both labels; "
        f"{minority:,} of their {images:,} images ({percent(minority / images, 2)}) carry the rarer of a person’s two. "
        "A wrong label or a wrong identity explains each of them."
    )
