"""What answers in the browser on the page of the hypothesis: the steps of the argument, and the maps of the effect.

What they do is in steps.mjs and maps.mjs.
"""

from typing import Any

import numpy as np
import panel as pn
import param
import xarray as xr

from analysis.figures.hypothesis import CHANNEL_NAMES
from analysis.figures.theme import DIVERGING
from analysis.hypothesis.regions import REGIONS, region_map
from analysis.results.records import HypothesisRecord
from dashboard import parts
from dashboard.pages.pixels import as_text, fitted


class Steps(pn.custom.JSComponent):
    """Numbered questions with their answers, one of which is open."""

    steps = param.List(doc="Key, question, answer and numbers of each step.")
    open = param.String(doc="Key of the open step.")

    _esm = parts.script("steps")

    def __init__(self, **params: Any) -> None:
        super().__init__(
            stylesheets=[parts.theme_css()], css_classes=["steps"], sizing_mode="stretch_width", margin=0, **params
        )


class EffectMaps(pn.custom.JSComponent):
    """Maps of Hedges' g in each channel, male minus female.

    Parameters
    ----------
    effects
        ``effect`` and ``held_equal``; see `analysis.results.artifacts`.
    hypothesis
        What is significant, and the strictest comparison.
    **params
        ``held`` and ``least``, and what `panel.custom.JSComponent` takes.
    """

    held = param.Boolean(doc="Whether styling is held equal.")
    least = param.Number(bounds=(0, None), doc="Smallest |g| that is shown.")
    frame = param.Dict(doc="Maps, their size, parts, colours and names.")

    _esm = parts.script("maps")

    def __init__(self, effects: xr.Dataset, hypothesis: HypothesisRecord, **params: Any) -> None:
        channels = [str(channel) for channel in effects["channel"].values]
        size = effects.sizes["y"], effects.sizes["x"]
        maps = {
            "photographed": {
                key: as_text(effects["effect"].sel(channel=key).to_numpy().astype(np.float32)) for key in channels
            }
        }
        names = {"photographed": "As photographed"}
        if hypothesis.survives is not None:
            held = effects["held_equal"].sel(comparison=hypothesis.survives.comparison)
            maps["held"] = {
                key: as_text(fitted(held.sel(channel=key).to_numpy().astype(np.float32), size)) for key in channels
            }
            names["held"] = hypothesis.survives.title
        super().__init__(
            frame={
                "width": size[1],
                "height": size[0],
                "maps": maps,
                "names": names,
                "channels": [{"key": key, "name": CHANNEL_NAMES[key]} for key in channels],
                "critical": hypothesis.critical_abs_g,
                "chance": hypothesis.null_max_abs_g.as_json(),
                "regions": list(REGIONS),
                "region": as_text(fitted(region_map(), size).astype(np.uint8)),
                "colours": DIVERGING,
            },
            stylesheets=[parts.theme_css()],
            css_classes=["effects"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )
