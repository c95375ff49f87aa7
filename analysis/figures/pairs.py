"""Any two of the published averages side by side, chosen in the browser: their difference, and the way between them."""

import base64
import io
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import xarray as xr
from PIL import Image

from analysis.core.schema import LABELS
from analysis.figures import theme
from analysis.figures.faces import LUMA, ninth
from analysis.figures.guide import Guide
from analysis.figures.html import PageHtml, interactive_html
from analysis.figures.subsets import APART, SAME, apart, spelled

_TALLEST = 120  # pixels of a face on the page; a data set may have larger ones
_COLUMNS = 10  # faces in a row of the sheet
_GUIDE = Guide(
    read="Choose two groups. In the difference the two ends of the scale say which of them is lighter there, and pale "
    "places are alike in both; the scale ends at the largest difference of these two. The slider blends the one "
    "average into the other.",
    view="faces?view=difference",
    code="pairs.pair_html",
    shows="Averages of two groups, their difference in luma and a blend of the two.",
)


def pair_html(subsets: xr.Dataset, first: str, second: str) -> PageHtml:
    """Two averages, their difference and a blend; a reader may choose any other two.

    Parameters
    ----------
    subsets
        ``mean`` and ``spread`` in [0, 1] (subset, y, x, channel), ``count`` (subset) and ``shared`` (subset, other).
    first, second
        Names of the two that are shown at first, and without JavaScript.
    """
    names, filters = ([str(each) for each in subsets[column].values] for column in ("subset", "filter"))
    faces = _faces(subsets)
    compared = differences(subsets)
    chosen = names.index(first), names.index(second)
    shown = {"first": filters[chosen[0]], "second": filters[chosen[1]], "view": "difference"}
    guide = replace(_GUIDE, view=f"faces?{urlencode(shown)}")
    known: dict[str, Any] = {
        "names": [spelled(name) for name in names],
        "filters": filters,
        "counts": subsets["count"].to_numpy().tolist(),
        "width": faces.shape[2],
        "height": faces.shape[1],
        "columns": _COLUMNS,
        "sheet": _sheet(faces),
        "apart": compared,
        "chosen": chosen,
        "labels": [_label(name) for name in names],
        "colours": {"labels": theme.DIVERGING[::2], "others": theme.OPPOSED[::2]},
        "luma": LUMA.to_numpy().tolist(),
        "same": SAME,
        "differ": APART,
    }
    still = _still(faces, known, chosen, _colours(first, second))
    return interactive_html("pair", known, still, _reading(compared, names, *chosen), guide)


def _reading(compared: list[list[Any]], names: list[str], one: int, two: int) -> str:
    """Where two averages differ most, and by how much, with standard errors."""
    numbers = None if one == two else _of_pair(compared, one, two)
    if numbers is None or numbers[1] == 0:
        return SAME
    return apart(f"“{spelled(names[one])}” and “{spelled(names[two])}”", *numbers)


def differences(subsets: xr.Dataset) -> list[list[Any]]:
    """Compare every two averages in luma, in grey levels (0 to 255).

    Parameters
    ----------
    subsets
        As in `pair_html`.

    Returns
    -------
    list
        For each subset a flat list of five values for each subset after it: the ninth of the picture where the two
        differ most, by how much (the former minus the latter), with which standard error; the mean of the absolute
        differences and that of the standard errors. As in `analysis.averages.base.difference`, shared faces are
        taken to vary as much as those of both subsets, and channels to be fully correlated.
    """
    weights = LUMA.to_numpy().astype(np.float32)
    mean, spread = (
        subsets[name].transpose("subset", "y", "x", "channel").to_numpy().astype(np.float32) * 255
        for name in ("mean", "spread")
    )
    size = mean.shape[1:3]
    luma = (mean @ weights).reshape(len(mean), -1)
    spread = spread.reshape(len(mean), -1, 3)
    counts, shared = subsets["count"].to_numpy().astype(np.float32), subsets["shared"].to_numpy()
    of_mean = spread**2 / counts[:, None, None]
    found: list[list[Any]] = []
    for one in range(len(mean)):
        row: list[Any] = []
        for two in range(one + 1, len(mean)):
            values = luma[one] - luma[two]
            variance = of_mean[one] + of_mean[two]
            if shared[one, two]:
                variance = variance - spread[one] * spread[two] * (2 * shared[one, two] / (counts[one] * counts[two]))
            errors = np.sqrt(np.maximum(variance, 0)) @ weights
            at = int(np.abs(values).argmax())
            numbers = (values[at], errors[at], np.abs(values).mean(), errors.mean())
            y, x = divmod(at, size[1])
            row += [ninth(y, x, size), *(round(float(number), 1) for number in numbers)]
        found.append(row)
    return found


def _of_pair(compared: list[list[Any]], one: int, two: int) -> tuple[str, float, float, float, float]:
    """Place, largest difference and its error, mean and mean error of the first minus the second."""
    former, latter = sorted((one, two))
    at = 5 * (latter - former - 1)
    place, most, error, mean, errors = compared[former][at : at + 5]
    return place, most if one < two else -most, error, mean, errors


def _faces(subsets: xr.Dataset) -> np.ndarray:
    """Averages as pictures, uint8 (subset, y, x, channel), not larger than the page shows them."""
    faces = (255 * subsets["mean"].transpose("subset", "y", "x", "channel").clip(0, 1)).round().astype(np.uint8)
    pixels = faces.to_numpy()
    height, width = pixels.shape[1:3]
    if height <= _TALLEST:
        return pixels
    size = round(width * _TALLEST / height), _TALLEST
    return np.stack([cv2.resize(face, size, interpolation=cv2.INTER_AREA) for face in pixels])


def _sheet(faces: np.ndarray) -> str:
    """All faces in one picture, as the address that holds it."""
    count, height, width, _ = faces.shape
    # WebP compresses squares of 16 pixels: where each is of one face alone, none leaves traces in the next.
    tall, wide = (-(-size // 16) * 16 for size in (height, width))
    sheet = np.zeros((-(-count // _COLUMNS) * tall, _COLUMNS * wide, 3), dtype=np.uint8)
    for place, face in enumerate(faces):
        top, left = place // _COLUMNS * tall, place % _COLUMNS * wide
        padded = np.pad(face, ((0, tall - height), (0, wide - width), (0, 0)), mode="edge")
        sheet[top : top + tall, left : left + wide] = padded
    return _address(sheet, 95)


def _address(pixels: np.ndarray, quality: int) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=6)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _label(name: str) -> str:
    """Label that all faces of a subset have; empty if it has both."""
    label = name.split(",", maxsplit=1)[0]
    return label if label in LABELS else ""


def _colours(first: str, second: str) -> list[str]:
    """Scale from "second lighter" to "first lighter": label colours where each of the two has another label."""
    labels = _label(first), _label(second)
    if "" in labels or labels[0] == labels[1]:
        return theme.OPPOSED
    return theme.DIVERGING if labels[0] == LABELS[1] else theme.DIVERGING[::-1]


def _still(faces: np.ndarray, known: dict[str, Any], chosen: tuple[int, int], colours: list[str]) -> str:
    """The two that are shown at first, their difference and their blend, as pictures."""
    pair = faces[list(chosen)].astype(np.float64)
    values = (pair[0] - pair[1]) @ LUMA.to_numpy()
    limit = max(1.0, abs(_of_pair(known["apart"], *chosen)[1]) if chosen[0] != chosen[1] else 0.0)
    palette = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours], np.uint8)
    last = len(palette) - 1
    coloured = palette[np.clip(np.round((values / limit + 1) / 2 * last), 0, last).astype(int)]
    one, two = (escape(known["names"][place], quote=True) for place in chosen)
    scale = (
        f'<span class="scale" style="background:linear-gradient(90deg,{",".join(colours[::16])})"></span>'
        f'<span class="ends"><small>second lighter, −{limit:.1f}</small>'
        f"<small>first lighter, +{limit:.1f}</small></span>"
    )
    cells = (
        ("First", faces[chosen[0]], f"Average face: {one}", f"{one}<br>n = {known['counts'][chosen[0]]:,}"),
        ("Second", faces[chosen[1]], f"Average face: {two}", f"{two}<br>n = {known['counts'][chosen[1]]:,}"),
        ("First − second", coloured, f"Difference of {one} and {two} in luma", scale),
        ("Blend", pair.mean(axis=0).round().astype(np.uint8), f"Blend of {one} and {two}", "half and half"),
    )
    return "".join(
        f'<div class="pair-cell"><strong>{name}</strong><img src="{_address(pixels, 88)}" width="{pixels.shape[1]}" '
        f'height="{pixels.shape[0]}" alt="{alt}"><span>{below}</span></div>'
        for name, pixels, alt, below in cells
    )
