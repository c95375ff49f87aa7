"""The two thresholds between which the model does not decide, and what follows from where they stand.

Scores are sent to the browser once and counted there; see decisions.mjs. Python knows the thresholds, for the address.
"""

from typing import Any

import pandas as pd
import panel as pn
import param

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.figures.theme import LABEL_COLOURS
from dashboard import parts


class Decisions(pn.custom.JSComponent):
    """A histogram of scores with two handles, the confusion matrix that they make, and its numbers.

    Parameters
    ----------
    predictions
        One row per image: ``dataset``, ``label`` and ``p_male``.
    source
        Data set whose histogram, matrix and curves are shown; a table has all.
    served
        Thresholds that the model is served with.
    **params
        ``low`` and ``high``, and what `panel.custom.JSComponent` takes.

    Raises
    ------
    UserError
        If there are no scores of the source.
    """

    scores = param.Dict(doc="Data set -> label -> scores.")
    source = param.String(doc="The one that is shown.")
    low = param.Number(bounds=(0, 1), doc="Largest score that is answered by female.")
    high = param.Number(bounds=(0, 1), doc="Smallest score that is answered by male.")
    served = param.List(doc="Both as the model is served.")
    colours = param.Dict(doc="Label -> colour.")

    _esm = parts.script("decisions")

    def __init__(self, predictions: pd.DataFrame, source: str, served: tuple[float, float], **params: Any) -> None:
        if source not in set(predictions["dataset"]):
            raise UserError(f"this run has no scores of single images of {source!r}: choose a whole data set")
        scores = {
            name: {label: rows.loc[rows["label"] == label, "p_male"].tolist() for label in LABELS}
            for name, rows in predictions.groupby("dataset", sort=False)
        }
        super().__init__(
            scores=scores,
            source=source,
            served=list(served),
            colours=LABEL_COLOURS,
            stylesheets=[parts.theme_css()],
            css_classes=["decisions"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )
