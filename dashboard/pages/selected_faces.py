"""The average face of a selection beside that of the rest: aligned, or warped to one shape and so crisp."""

from html import escape
from typing import Any, NamedTuple

import cv2
import numpy as np

from analysis.averages.accuracy import POINTS_SELDOM, SHADE_SELDOM
from analysis.core.errors import UserError
from analysis.core.schema import MIN_FACES
from analysis.figures.theme import OPPOSED
from dashboard import parts
from dashboard.pages import between
from dashboard.pages.everyone import Everyone

KINDS = {"Warped to one shape": "crisp", "Aligned by the eyes": "aligned"}


class Faces(NamedTuple):
    """What is shown of a selection's average face.

    Attributes
    ----------
    pictures
        The averages, as HTML.
    pair
        That of the rest and that of the selection, for `between.Between`; empty where there is no rest.
    how
        How they were averaged, as HTML.
    """

    pictures: str
    pair: dict[str, Any]
    how: str = ""


def faces(found: Everyone, chosen: np.ndarray, sources: list[str], kind: str) -> Faces:
    """Draw the average of a selection, that of the rest of the same data sets, and what sets them apart.

    Parameters
    ----------
    found
        All faces.
    chosen
        bool (face,): the selection.
    sources
        Data sets that are chosen; empty for those that the selection has faces of.
    kind
        One of the values of `KINDS`; without landmarks, averages are aligned.
    """
    count = int(chosen.sum())
    if count < MIN_FACES:
        some = "No face is" if not count else "One face is" if count == 1 else f"{count} faces are"
        return Faces(
            f"<p>{some} selected: an average of fewer than {MIN_FACES} could show a person. Select more.</p>", {}
        )
    of_same = found.rows["dataset"].isin(sources or found.rows.loc[chosen, "dataset"].unique()).to_numpy(dtype=bool)
    rest = of_same & ~chosen
    note = ""
    if kind == "crisp" and found.shapes is not None:
        try:
            return _crisp(found, chosen, rest)
        except UserError:
            note = f"<p>Fewer than {MIN_FACES} of these faces have landmarks: the average is of the aligned faces.</p>"
    try:
        drawn = _aligned(found, chosen, rest)
    except UserError as error:
        return Faces(f"<p>{escape(parts.sentence(error))}</p>", {})
    return drawn._replace(pictures=note + drawn.pictures)


def _rest(found: Everyone, rest: np.ndarray) -> str:
    """What the rest is of, where not of all data sets."""
    names = found.rows.loc[rest, "dataset"].unique()
    of = "" if len(names) == found.rows["dataset"].nunique() else f" of {', '.join(map(escape, names))}"
    return f"<b>The rest</b>{of}"


def _crisp(found: Everyone, chosen: np.ndarray, rest: np.ndarray) -> Faces:
    engine = found.shapes
    assert engine is not None and found.points_error is not None and found.texture_error is not None
    own = engine.average(chosen)
    pictures = [
        (
            parts.jpeg_url(engine.picture(own)),
            "Average face of the selection, crisp",
            f"<b>Selected</b><br>{_of(own.faces, chosen)} faces",
        )
    ]
    remark, pair = "", {}
    if engine.known(rest).sum() >= MIN_FACES:
        other = engine.average(rest)
        pictures += [
            (
                parts.jpeg_url(engine.picture(other)),
                "Average face of the rest, crisp",
                f"{_rest(found, rest)}<br>{_of(other.faces, rest)} faces",
            ),
        ]
        pair = between.crisp(other, own)
        moved = np.sqrt(np.square(own.points - other.points).sum(axis=1).mean())
        remark = f" The two shapes are {moved:.2f} pixels apart on average, in pictures that are 89 pixels wide."
    how = (
        "Each face is warped to one shape before it is averaged, so that brows and lips lie on each other; the average "
        f"is drawn in the average shape. Both are estimated from small groups of {MIN_FACES} people or more"
    )
    points, shade = found.points_error(chosen), found.texture_error(chosen)
    if np.isfinite(points + shade):
        how += (
            f": for a selection like this they are typically {points:.2f} pixels in shape and {shade:.1f} of 255 steps "
            f"in shade from the exact ones, and seldom more than {POINTS_SELDOM * points:.2f} and "
            f"{SHADE_SELDOM * shade:.1f}"
        )
    return Faces(_figures(pictures), pair, f"<p>{how}.{remark}</p>")


def _of(averaged: int, chosen: np.ndarray) -> str:
    """Faces that are averaged, and of how many: some have no landmarks."""
    return f"{averaged:,}" if averaged == chosen.sum() else f"{averaged:,} (with landmarks) of {int(chosen.sum()):,}"


def _aligned(found: Everyone, chosen: np.ndarray, rest: np.ndarray) -> Faces:
    own, exact = found.average(chosen)
    pictures = [(_png(own), "Average face of the selection", f"<b>Selected</b><br>{int(chosen.sum()):,} faces")]
    remark, pair = "", {}
    if rest.sum() >= MIN_FACES:
        other, other_exact = found.average(rest) if not exact else (found.average(rest)[0], True)
        exact = exact and other_exact
        pair = between.aligned(other, own)
        pictures.append((_png(other), "Average face of the rest", f"{_rest(found, rest)}<br>{int(rest.sum()):,} faces"))
        luma = 255 * (own - other) @ np.array([0.299, 0.587, 0.114], np.float32)
        limit = max(4.0, float(np.abs(luma).max()))
        coloured = np.array([[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in OPPOSED])[
            np.rint((luma / limit + 1) / 2 * (len(OPPOSED) - 1)).astype(int).clip(0, len(OPPOSED) - 1)
        ]
        pictures.append(
            (_png(coloured / 255), "Selected minus the rest, in lightness", "<b>Selected − rest</b><br>lightness")
        )
        stops = ",".join(OPPOSED[::32])
        remark = (
            f'<div class="bar" style="background:linear-gradient(to right,{stops})"></div><div class="ends">'
            f"<small>selected is darker, −{limit:.0f}</small><small>lighter, +{limit:.0f} of 255</small></div>"
        )
    if exact:
        how = "Averaged by the quick engine from the faces on this machine."
    else:
        how = f"Estimated from averages of small groups of {MIN_FACES} people or more, so that nobody's face is needed"
        error = found.error(chosen)
        if np.isfinite(error):
            how += (
                f": for a selection like this typically {error:.1f} of 255 steps from the exact average, and seldom "
                f"more than {SHADE_SELDOM * error:.1f}"
            )
        how += "."
    return Faces(f"{_figures(pictures)}{remark}", pair, f"<p>{how}</p>")


def _figures(pictures: list[tuple[str, str, str]]) -> str:
    shown = "".join(
        f'<figure><img alt="{alt}" src="{source}"><figcaption>{caption}</figcaption></figure>'
        for source, alt, caption in pictures
    )
    return f'<div class="trio">{shown}</div>'


def _png(picture: np.ndarray) -> str:
    bgr = (255 * picture[..., ::-1].clip(0, 1)).round().astype(np.uint8)
    return parts.data_url(cv2.imencode(".png", bgr)[1].tobytes(), "image/png")
