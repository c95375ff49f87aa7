"""Duplicate images of a data set."""

import holoviews as hv
import pandas as pd
from bokeh.models import BasicTicker

from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.theme import CATEGORIES


def _counts(duplicates: pd.DataFrame) -> dict[str, int]:
    images = duplicates["images"].astype("int64")

    def where(inside: pd.Series) -> int:
        return int(images[inside.fillna(False).astype(bool)].sum())

    return {
        "identical files": where(duplicates["kind"] == "exact"),
        "near-duplicates": where(duplicates["kind"] == "near"),
        "… in another split": where(~duplicates["same_split"].astype("boolean")),
        "… as another person": where(~duplicates["same_person"].astype("boolean")),
        "… under the other label": where(~duplicates["same_label"].astype("boolean")),
    }


@guided(
    "Each bar counts images that show the same picture as an earlier one, and how many of them contradict what is "
    "said of it.",
    view="data?mistakes=duplicates",
)
def repeated_pictures(duplicates: pd.DataFrame) -> hv.Overlay:
    """Number of images that duplicate an earlier one, and of those with other metadata.

    Parameters
    ----------
    duplicates
        ``kind, same_split, same_label, same_person, images``; see `analysis.study.tables.duplicate_table`.
    """
    table = pd.DataFrame(_counts(duplicates).items(), columns=["name", "images"])[::-1]
    most = max(1, int(table["images"].max()))
    bars = hv.Bars(table, "name", "images").opts(
        color=CATEGORIES[2],
        bar_width=0.6,
        tools=["hover"],
        hover_tooltips=[("duplicates", "@name"), ("images", "@images{0,0}")],
    )
    numbers = hv.Labels(table.assign(count=table["images"].map("{:,}".format)), ["name", "images"], "count").opts(
        text_align="left", backend_opts={"glyph.x_offset": 8}
    )
    return (bars * numbers).opts(
        **theme.chart(
            "Are there duplicate images?",
            height=270,
            max_width=820,
            invert_axes=True,  # so that x and y change places
            xlabel="",
            ylabel="Images (count)",
            ylim=(0, 1.15 * most),
            xticks=BasicTicker(min_interval=1),
            **theme.over_names(table["name"]),
        )
    )


def repeated_pictures_reading(duplicates: pd.DataFrame, images: int) -> str:
    """Number of duplicates, and in what their metadata differs."""
    counts = list(_counts(duplicates).values())
    repeats = counts[0] + counts[1]
    if not repeats:
        return f"None of the {images:,} images duplicates another."
    person = "" if duplicates["same_person"].isna().all() else f", {counts[3]:,} with another identity"
    return (
        f"{repeats:,} of {images:,} images {'duplicates' if repeats == 1 else 'duplicate'} an earlier one "
        f"({counts[0]:,} byte for byte): {counts[2]:,} in another split{person}, {counts[4]:,} with the other label."
    )
