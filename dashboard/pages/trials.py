"""The trials of a hyper-parameter search as lines through their settings, to brush; see trials.mjs."""

from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import param

from analysis.figures.experiments import LOGARITHMIC, NAMES
from dashboard import parts


class Trials(pn.custom.JSComponent):
    """Every finished trial of a search, an axis for each setting and result; ranges of axes select trials.

    Parameters
    ----------
    trials
        ``trial, state, value`` (log loss), ``accuracy`` and one column per hyper-parameter.
    **params
        ``brush``, and what `panel.custom.JSComponent` takes.
    """

    axes = param.List(doc="Name, title, ends and whether it is logarithmic, of each axis.")
    trials = param.List(doc="Number, state and values of each finished trial, the best first.")
    brush = param.String(doc='Selected ranges, "setting:low,high;..."; empty for none.')

    _esm = parts.script("trials")

    def __init__(self, trials: pd.DataFrame, **params: Any) -> None:
        finished = trials.dropna(subset=["value"]).sort_values("value", kind="stable")
        titles = {name: title for name, title in NAMES.items() if name in finished}
        titles |= {"accuracy": "accuracy, %", "value": "log loss"}
        values = finished[list(titles)].astype(float).assign(accuracy=100 * finished["accuracy"])
        super().__init__(
            axes=[
                {
                    "name": name,
                    "title": title,
                    "low": float(values[name].min()),
                    "high": float(values[name].max()),
                    "logarithmic": name in LOGARITHMIC and bool(np.all(values[name] > 0)),
                }
                for name, title in titles.items()
            ],
            trials=[
                {"trial": int(trial), "state": str(state), "values": row.tolist()}
                for trial, state, row in zip(finished["trial"], finished["state"], values.to_numpy(), strict=True)
            ],
            stylesheets=[parts.theme_css()],
            css_classes=["trials"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )
