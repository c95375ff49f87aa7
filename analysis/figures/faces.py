"""Average faces, their standard deviation and their difference; an average shows no real person."""

from collections.abc import Sequence

import holoviews as hv
import numpy as np
import xarray as xr

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.figures import theme
from analysis.figures.guide import guided

LUMA = xr.DataArray([0.299, 0.587, 0.114], dims="channel")  # ITU-R BT.601
_GAP = 6  # pixels between two faces


def _labelled(faces: xr.DataArray, count: xr.DataArray, title: str) -> hv.Overlay:
    """Faces of each label, side by side."""
    labelled = {
        f"labelled {label}\nn = {int(count.sel(label=label)):,}": faces.sel(label=label).transpose("y", "x", "channel")
        for label in faces["label"].values
    }
    return side_by_side({name: pixels.to_numpy() for name, pixels in labelled.items()}, title)


def side_by_side(faces: dict[str, np.ndarray], title: str) -> hv.Overlay:
    """RGB faces side by side in one plot, which keeps its proportions on screens of any width."""
    height, width = next(iter(faces.values())).shape[:2]
    layers, names = [], []
    for index, (name, pixels) in enumerate(faces.items()):
        left = index * (width + _GAP)
        layers.append(
            hv.RGB((pixels.clip(0, 1) * 255).round().astype(np.uint8), bounds=(left, 0, left + width, height)).opts(
                apply_ranges=True
            )
        )
        names.append((left + width / 2, name))
    total = len(layers) * (width + _GAP) - _GAP
    return hv.Overlay(layers).opts(
        **theme.picture(
            title,
            # Title and names take about 90 CSS pixels; exact at 280 pixels per face, between a phone and a desktop.
            aspect=total / (height + 90 * total / (280 * len(layers))),
            max_width=360 * len(layers),
            xaxis="bottom",
            yaxis=None,
            xlabel="",
            xticks=names,
            show_legend=False,
            backend_opts={"xaxis.major_label_text_font_size": "13px", "xaxis.major_label_text_line_height": 1.4},
        )
    )


@guided(
    "Each face is the mean of all aligned faces of a label. It is sharp where faces agree and blurred where they "
    "differ.",
    view="faces?view=beside",
)
def average_faces(faces: xr.Dataset) -> hv.Overlay:
    """Average face of each label, side by side.

    Parameters
    ----------
    faces
        ``mean`` in [0, 1] (label, y, x, channel) and ``count`` (label).
    """
    return _labelled(faces["mean"], faces["count"], "How do the average faces look?")


def average_faces_reading(faces: xr.Dataset) -> str:
    """Number of faces averaged, and which average is lighter."""
    parts = [f"{int(faces['count'].sel(label=label)):,} faces labelled {label}" for label in faces["label"].values]
    opening = f"Averages of {' and '.join(parts)}, pixel by pixel"
    if not set(LABELS) <= set(faces["label"].values):
        return f"{opening}."
    difference = float(_luma_difference(faces).mean())
    return (
        f"{opening}; over the whole picture the average labelled male is {abs(difference):.1f} of 255 steps "
        f"{'lighter' if difference > 0 else 'darker'}."
    )


@guided(
    "The lighter a pixel, the more the faces of the label differ there.",
    view="faces?view=beside",
)
def spread_faces(faces: xr.Dataset) -> hv.Overlay:
    """Standard deviation of the faces of each label, side by side on one scale; faces vary most where it is light.

    Parameters
    ----------
    faces
        ``spread`` in [0, 1] (label, y, x, channel) and ``count`` (label).
    """
    grey = faces["spread"].mean("channel")  # in colour it would look like another face
    scaled = (grey / float(grey.max())).broadcast_like(faces["spread"]).transpose(*faces["spread"].dims)
    return _labelled(scaled, faces["count"], "Where do faces vary most?")


def spread_faces_reading(faces: xr.Dataset) -> str:
    """Standard deviation in the middle of the picture and around it."""
    spread = 255 * faces["spread"].mean("channel")
    height, width = spread.sizes["y"], spread.sizes["x"]
    middle = spread.isel(y=slice(height // 4, -(height // 4)), x=slice(width // 4, -(width // 4)))
    inner = float(middle.mean())
    outer = float((spread.sum() - middle.sum()) / (spread.size - middle.size))
    parts = " and ".join(f"{float(spread.sel(label=label).mean()):.0f} ({label})" for label in spread["label"].values)
    place = "hair and background vary more than features" if outer > inner else "features vary more than the margin"
    return (
        f"The standard deviation is {parts} of 255 steps; {inner:.0f} in the middle of the picture, {outer:.0f} around "
        f"it: {place}."
    )


def _luma_difference(faces: xr.Dataset) -> xr.DataArray:
    """Luma of the average labelled male minus female, in grey levels (0 to 255)."""
    if not set(LABELS) <= set(faces["label"].values):
        raise UserError("a difference needs faces of both labels: choose a larger subset")
    luma = 255 * (faces["mean"] * LUMA).sum("channel")
    return luma.sel(label="male") - luma.sel(label="female")


def signed_map(
    values: np.ndarray, title: str, name: str, unit: str, limit: float, colours: list[str] = theme.OPPOSED
) -> hv.Image:
    """Map of values (y, x) on a diverging scale from minus the limit to the limit; NaN is grey."""
    height, width = values.shape
    image = hv.Image(values, bounds=(0, 0, width, height), vdims=[hv.Dimension("value", label=name)])
    return image.opts(
        **theme.picture(
            title,
            aspect=0.71,
            max_width=440,
            xaxis=None,
            yaxis=None,
            cmap=colours,
            clim=(-limit, limit),
            clipping_colors={"NaN": "#8A889447"},
            tools=["hover"],
            hover_tooltips=[("pixel from left, from bottom", "$x{0}, $y{0}"), (name, "@image{+0.00}")],
            **theme.colour_bar(f"{name} ({unit})"),
        )
    )


@guided(
    "The two ends of the scale say whose average is lighter. Pale pixels are alike in both.",
    view="faces?view=difference",
)
def difference_map(faces: xr.Dataset) -> hv.Image:
    """Luma of the average labelled male minus that of the average labelled female, on a diverging scale.

    Parameters
    ----------
    faces
        ``mean`` in [0, 1] (label, y, x, channel).

    Raises
    ------
    UserError
        If a label is missing.
    """
    values = _luma_difference(faces).to_numpy()
    limit = float(max(1.0, np.abs(values).max()))
    return signed_map(
        values, "Which parts are lighter?", "Luma, male − female", "grey levels (0 to 255)", limit, theme.DIVERGING
    )


def difference_map_reading(faces: xr.Dataset) -> str:
    """Where the averages differ most.

    Raises
    ------
    UserError
        If a label is missing.
    """
    difference = _luma_difference(faces).to_numpy()
    largest = difference.flat[np.abs(difference).argmax()]
    return (
        f"The averages differ most in the {place(difference)}, where the one labelled male is {abs(largest):.0f} of "
        f"255 steps {'lighter' if largest > 0 else 'darker'}; over all pixels they are {np.abs(difference).mean():.1f} "
        "steps apart on average."
    )


def place(values: np.ndarray) -> str:
    """Name of the ninth of the picture with the largest absolute value."""
    y, x = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
    return ninth(int(y), int(x), values.shape)


def ninth(y: int, x: int, shape: Sequence[int]) -> str:
    """Name of the ninth of a picture of that shape (y, x) that a pixel is in."""
    row = ("top", "", "bottom")[int(3 * y / shape[0])]
    column = ("left", "centre", "right")[int(3 * x / shape[1])]
    return f"{row} {column}".strip()
