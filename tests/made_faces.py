"""Noise for faces, with a difference of known place and size between the labels."""

import numpy as np
import pandas as pd
import xarray as xr


def made_faces(n: int, shift: float, seed: int = 0) -> tuple[xr.DataArray, pd.DataFrame]:
    """Noise of 12 x 12 pixels in which men are brighter by ``shift`` steps in the middle; two photos a person."""
    rng = np.random.default_rng(seed)
    male = np.repeat(np.arange(n // 2) % 2 == 1, 2)
    pixels = rng.normal(120, 20, (n, 12, 12, 1)) + np.zeros((n, 12, 12, 3))
    pixels[:, 5:9, 4:8] += shift * male[:, None, None, None]
    manifest = pd.DataFrame(
        {
            "image_id": [f"{i}.jpg" for i in range(n)],
            "label": np.where(male, "male", "female"),
            "split": np.where(np.arange(n) < n * 0.7, "train", "test"),
            "identity": pd.array(np.arange(n) // 2, dtype="Int64"),
            "brightness": np.random.default_rng(seed + 1).uniform(0.3, 0.7, n),
            "status": "ok",
        }
    )
    return xr.DataArray(pixels.clip(0, 255).astype(np.uint8), dims=("image", "y", "x", "channel")), manifest
