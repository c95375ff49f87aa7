"""Sample faces that show no real person: composites of similar faces."""

import base64
import io

import xarray as xr
from PIL import Image

from analysis.core.schema import LABELS
from analysis.figures.grid import picture_grid
from analysis.figures.html import PageHtml


def sample_faces(samples: xr.Dataset, label: str) -> PageHtml:
    """Composites of one label in a grid.

    Parameters
    ----------
    samples
        ``face`` (picture, y, x, channel), uint8; ``label`` and ``members`` (picture).
    label
        "female" or "male".
    """
    chosen = samples.isel(picture=(samples["label"] == label).to_numpy())
    return picture_grid(
        [
            (face, f"Composite of {members} faces labelled {label}", "")
            for face, members in zip(chosen["face"].to_numpy(), chosen["members"].values.tolist(), strict=True)
        ],
        width=80,
    )


def sample_faces_reading(samples: xr.Dataset) -> str:
    """Number of composites, and of faces in each."""
    if not samples.sizes["picture"]:
        return "There are too few people for composites."
    members = samples["members"].to_numpy()
    few, many = int(members.min()), int(members.max())
    size = f"{few}" if few == many else f"{few} to {many}"
    return (
        f"{samples.sizes['picture']} composites: each averages a random face with the most similar ones, {size} people "
        "in all. They look like portraits but show no real person."
    )


def sample_buttons(samples: xr.Dataset, *, each: int = 3) -> str:
    """HTML of a button for each of a few composites; a click hands its picture to the predictor of the page.

    Parameters
    ----------
    samples
        As in `sample_faces`.
    each
        Composites of each label.
    """
    buttons = []
    for label in LABELS:
        chosen = samples.isel(picture=(samples["label"] == label).to_numpy())
        for number, face in enumerate(chosen["face"].to_numpy()[:each], 1):
            buffer = io.BytesIO()
            Image.fromarray(face).resize((178, 218), Image.Resampling.BICUBIC).save(buffer, "WEBP", quality=90)
            name = f"composite-{label}-{number}.webp"
            source = base64.b64encode(buffer.getvalue()).decode()
            buttons.append(
                f'<button type="button" data-name="{name}"><img src="data:image/webp;base64,{source}" width="89" '
                f'height="109" alt="Composite of faces labelled {label}, number {number}"></button>'
            )
    return "".join(buttons)


def predictor_html(samples: xr.Dataset) -> PageHtml:
    """Where photos are given to ``site/assets/predict.mjs`` and its predictions are shown."""
    return PageHtml(
        '<section id="predictor" aria-label="Predictor">'
        '<label class="predictor-drop"><strong>Choose photos</strong> or drop them here'
        '<input type="file" accept="image/*" multiple></label>'
        '<p class="predictor-hint">No photo at hand? These composites are averages of many people and show nobody:</p>'
        f'<div class="predictor-samples">{sample_buttons(samples)}</div>'
        '<p class="predictor-status" role="status"></p>'
        '<div class="predictor-tools" hidden><button type="button" class="predictor-csv btn btn-primary">Report as CSV'
        '</button> <button type="button" class="predictor-clear btn btn-outline-secondary">Clear</button></div>'
        '<div class="predictor-results"></div></section>'
        '<script type="module" src="assets/predict.mjs"></script>'
        "<noscript><p>The predictor needs JavaScript.</p></noscript>"
    )
