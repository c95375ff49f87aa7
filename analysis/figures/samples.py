"""Sample faces that show no real person: composites of similar faces."""

import xarray as xr

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
